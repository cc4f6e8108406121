/** Agents that know each other by a list only: the outcome, the hooks and the restarts are those of agents with a store. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Agent } from "../support/agents.ts";
import { rollcall } from "../support/commands.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { identityOf, listing, seated, seatsFor } from "./lists.ts";
import { freshKey, oneGenesis, openFleet } from "./stores.ts";

describe("agents with a list", () => {
  const fleet = openFleet();
  afterEach(() => fleet.end());

  const memberIds = async (agent: Agent) => (await agent.outcome())?.members.map((m) => m.id).join();
  const untilMembers = (agent: Agent, ids: string) =>
    until(async () => expect(await memberIds(agent)).toBe(ids) ?? true, {
      deadlineMs: 30_000,
      what: `${agent.id} to have all members`,
    });
  const kindsOf = async (agents: readonly Agent[]) =>
    Promise.all(agents.map(async (agent) => (await agent.settled()).kind));
  const threeOf = (agents: readonly Agent[]): [Agent, Agent, Agent] => {
    const [a, b, c] = agents;
    if (a === undefined || b === undefined || c === undefined) throw new Error("three agents");
    return [a, b, c];
  };

  it("makes one cluster of three that start at once; a fourth and a non-voter join, and all restart into it", async () => {
    const key = freshKey();
    const seats = await seatsFor(["a", "b", "c"]);
    const args = listing(seats, key, 3);
    const agents = await seated(fleet, seats, args);
    const genesis = await oneGenesis(agents);
    expect((await kindsOf(agents)).sort()).toEqual(["bootstrap", "join", "join"]);
    const fourth = await fleet.one("d", args);
    const reader = await fleet.one("reader", [...listing(seats, key), "-non-voter"]);
    for (const late of [fourth, reader])
      expect(await late.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
    const all = [...agents, fourth, reader];
    // Nobody lists the last two: they have introduced themselves, and everybody hears of them.
    for (const agent of all) await untilMembers(agent, "a,b,c,d,reader");
    await Promise.all(all.map((agent) => agent.kill()));
    await Promise.all(all.map((agent) => agent.restart()));
    expect(await oneGenesis(all)).toBe(genesis);
    expect(new Set(await kindsOf(all))).toEqual(new Set(["existing"]));
    for (const agent of all) await untilMembers(agent, "a,b,c,d,reader");
  });

  it("makes one cluster whose agents sign what they say with a secret, and is overdue without enough of them", async () => {
    const secret = join(tempDir("secret"), "secret");
    writeFileSync(secret, "a secret of the cluster's own");
    const seats = await seatsFor(["a", "b", "c"]);
    const args = [...listing(seats, freshKey(), 3), "-cluster-secret-file", secret];
    const hasty = ["-bootstrap-expect-timeout", "300ms", "-exit-on-timeout"];
    const [first] = await seated(fleet, seats.slice(0, 1), [...args, ...hasty]);
    await until(() => first?.process().exit(), { deadlineMs: 30_000, what: "a to be overdue" });
    expect(first?.process().exit()).toEqual({ code: 3, signal: null });
    await first?.restart({ args });
    const rest = await seated(fleet, seats.slice(1), args);
    await oneGenesis(first === undefined ? rest : [first, ...rest]);
  });

  it("gives all founders of a symmetric cluster the identical list, whose genesis follows from it", async () => {
    const seats = await seatsFor(["a", "b", "c"]);
    const agents = await seated(fleet, seats, [...listing(seats, freshKey(), 3), "-formation", "symmetric"]);
    await oneGenesis(agents);
    const outcomes = await Promise.all(agents.map((agent) => agent.settled()));
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(Array(3).fill("bootstrap"));
    expect(new Set(outcomes.map((outcome) => JSON.stringify(outcome.members))).size).toBe(1);
    const [a] = agents;
    await a?.kill();
    await a?.restart();
    expect((await a?.settled())?.kind).toBe("existing");
  });

  it("initialises one database before it is decided, and runs the hooks of creating and of joining", async () => {
    const seats = await seatsFor(["a", "b", "c"]);
    const dir = tempDir("hooks");
    const hook = join(dir, "hook.sh");
    writeFileSync(hook, `#!/bin/sh\n[ "$1" = init ] && echo data >"$2/data"\nexec echo "$1" >>${dir}/ran\n`);
    chmodSync(hook, 0o755);
    const args = [
      ...listing(seats, freshKey(), 3),
      "-on-bootstrap",
      `${hook} bootstrap`,
      "-on-join",
      `${hook} join`,
    ];
    const agents = await Promise.all(
      seats.map(async ({ id, address, port }) => {
        const db = join(dir, id);
        mkdirSync(db);
        const own = ["-db-data-dir", db, "-on-init", `${hook} init ${db}`];
        return fleet.one(id, [...args, ...own], { address, port });
      }),
    );
    await oneGenesis(agents);
    const ran = () => readFileSync(join(dir, "ran"), "utf8").trim().split("\n");
    await until(() => ran().length >= 4, { deadlineMs: 30_000, what: "four hooks" });
    expect(ran()).toHaveLength(4);
    expect(ran()[0]).toBe("init");
    expect(ran().sort()).toEqual(["bootstrap", "init", "join", "join"]);
    const [creator] = (await kindsOf(agents)).flatMap((kind, i) =>
      kind === "bootstrap" ? [seats[i]?.id] : [],
    );
    for (const { id } of seats) expect(existsSync(join(dir, id, "data"))).toBe(id === creator);
  });

  it("comes back to its genesis when all are killed at once and restart one after the other", async () => {
    const seats = await seatsFor(["a", "b", "c"]);
    const agents = await seated(fleet, seats, listing(seats, freshKey(), 3));
    const genesis = await oneGenesis(agents);
    await Promise.all(agents.map((agent) => agent.kill()));
    for (const agent of agents) {
      await agent.restart();
      // Each opens by what is on its disk: none waits for another.
      expect(await agent.settled()).toMatchObject({ kind: "existing", genesis_id: genesis });
    }
  });

  it("takes a blank replacement and a node at another address in, and forgets who leaves", async () => {
    const key = freshKey();
    const seats = await seatsFor(["a", "b", "c"]);
    const [a, b, c] = threeOf(await seated(fleet, seats, listing(seats, key, 3)));
    const genesis = await oneGenesis([a, b, c]);
    const before = identityOf(c).incarnation;
    await c.kill();
    await c.restart({ wipe: true });
    expect(await c.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
    expect(identityOf(c).incarnation).not.toBe(before);
    await b.kill();
    await b.restart({ moved: true });
    expect(await b.settled()).toMatchObject({ kind: "existing", genesis_id: genesis });
    for (const agent of [a, c])
      await until(async () => (await agent.outcome())?.members.some((m) => m.agent_addr === b.addr()), {
        deadlineMs: 30_000,
        what: `b's new address beside ${agent.id}`,
      });
    for (const agent of [a, b, c])
      await until(
        async () => {
          const members = (await agent.outcome())?.members ?? [];
          return members.length === 3 && members.some((m) => m.incarnation === identityOf(c).incarnation);
        },
        { deadlineMs: 30_000, what: `c's new life beside ${agent.id}` },
      );
    const left = await rollcall(["leave", "-http-addr", c.addr(), "-disco-key", key, "-confirm", key]);
    expect(left, left.err).toMatchObject({ code: 0 });
    for (const agent of [a, b]) await untilMembers(agent, "a,b");
    // Nor is it one again when they restart, though the genesis was made with it, until it comes back itself.
    await until(() => readFileSync(join(a.dir, "data", "peers.json"), "utf8").includes('"left":[{"id":"c"'), {
      deadlineMs: 5_000,
      what: "a to have it on disk",
    });
    await a.restart();
    await untilMembers(a, "a,b");
    await c.restart();
    for (const agent of [a, b]) await untilMembers(agent, "a,b,c");
  });

  it("keeps two clusters apart whose lists name each other, and says why the others do not count", async () => {
    const [x, y] = [freshKey(), freshKey()];
    const seats = await seatsFor(["a", "b", "c", "d"]);
    const left = await seated(fleet, seats.slice(0, 2), listing(seats, x, 2));
    const one = await oneGenesis(left);
    const [lonely] = await seated(fleet, seats.slice(2, 3), listing(seats, y, 2));
    const waiting = await until(
      async () => {
        const now = await lonely?.explain();
        return now?.not_counted.length === 2 ? now : null;
      },
      { deadlineMs: 30_000, what: "c to say why two do not count" },
    );
    expect(waiting.not_counted.map(({ id, why }) => `${id} ${why}`)).toEqual(["a other_key", "b other_key"]);
    const right = await seated(fleet, seats.slice(3), listing(seats, y, 2));
    if (lonely === undefined) throw new Error("one agent");
    expect(await oneGenesis([lonely, ...right])).not.toBe(one);
  });

  it("is a single node with -join self", async () => {
    const alone = await fleet.one("a", ["-join", "self", "-disco-key", freshKey()]);
    expect((await alone.settled()).kind).toBe("bootstrap");
    const { genesis_id } = await alone.settled();
    await alone.restart();
    expect(await alone.settled()).toMatchObject({ kind: "existing", genesis_id });
  });
});
