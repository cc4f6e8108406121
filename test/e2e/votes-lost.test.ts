/** Voters that are too many, or gone for good while a set of founders may be decided: what the operator is told, and may do. */
import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import type { Agent } from "../support/agents.ts";
import { rollcall } from "../support/commands.ts";
import { until } from "../support/wait.ts";
import { behindProxies, identityOf, listing, type ProxiedSeat, saidIn, seatsFor } from "./lists.ts";
import { freshKey, oneGenesis, openFleet } from "./stores.ts";

describe("voters without a store", () => {
  const fleet = openFleet();
  const seats: ProxiedSeat[] = [];
  afterEach(async () => {
    await fleet.end();
    await Promise.all(seats.splice(0).map(({ proxy }) => proxy.stop()));
  });

  /** Agents that know each other through proxies, in which every answer to `lost` is lost until `heal`. */
  async function losing(ids: readonly string[], key: string, lost: "prepare" | "accept") {
    const all = await behindProxies(await seatsFor(ids));
    seats.push(...all);
    const orders = all.map(({ proxy }) =>
      proxy.dropResponses({
        matching: (request) => saidIn(request)?.said === `${lost} members`,
        times: Number.POSITIVE_INFINITY,
      }),
    );
    const list = listing(all, key, 3);
    const agents = await Promise.all(
      all.map(({ id, address, port, at }) =>
        fleet.one(id, [...list, "-http-adv-addr", at], { address, port }),
      ),
    );
    const heal = () => {
      for (const order of orders) order.cancel();
    };
    return { agents, heal };
  }

  it("create nothing while two sets of them could each make a cluster, name the number that is safe, and form with fewer", async () => {
    // Without promises nobody forms before all six are there.
    const { agents, heal } = await losing(["a", "b", "c", "d", "e", "f"], freshKey(), "prepare");
    for (const agent of agents) {
      const { summary, unblock } = await agent.waitsFor("too_many_voters");
      expect([summary, ...unblock].join()).toMatch(/6 voters answer.*-bootstrap-expect 4\..*fewer than 6/);
    }
    heal();
    const [last, ...rest] = agents.toReversed();
    await last?.stop();
    const genesis = await oneGenesis(rest);
    await last?.restart();
    expect(await last?.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
  });

  /** Three that have all accepted themselves as founders, of which nobody knows, and are killed then. */
  async function undecided(key: string) {
    const { agents, heal } = await losing(["a", "b", "c"], key, "accept");
    const [a, b, c] = agents;
    if (a === undefined || b === undefined || c === undefined) throw new Error("three agents");
    const accepted = () => agents.every((agent) => identityOf(agent).votes?.members.accepted != null);
    await until(accepted, { deadlineMs: 30_000, what: "all to have accepted" });
    await Promise.all(agents.map((agent) => agent.kill()));
    expect(agents.map((agent) => identityOf(agent).votes?.members.decided)).toEqual([null, null, null]);
    heal();
    return { a, b, c };
  }

  /** The same, and `c` has lost its disk. */
  async function lostVoter(key: string) {
    const { a, b, c } = await undecided(key);
    const lost = identityOf(c).incarnation;
    await Promise.all([a.restart(), b.restart(), c.restart({ wipe: true })]);
    return { a, b, c, lost };
  }

  it("go on with founders that may have been decided where all of them have other addresses now", async () => {
    const key = freshKey();
    const before = await undecided(key);
    const places = await seatsFor(["a", "b", "c"]);
    const agents = await Promise.all(
      places.map(({ id, address, port }) =>
        fleet.one(id, listing(places, key, 3), { dir: before[id as "a"].dir, address, port }),
      ),
    );
    await oneGenesis(agents);
    // What was accepted names them where they were; where they are, each hears from the others.
    const now = places.map(({ at }) => at).join();
    const isKnown = async (agent: Agent) =>
      (await agent.settled()).members.map((m) => m.agent_addr).join() === now;
    for (const agent of agents)
      await until(() => isKnown(agent), { deadlineMs: 30_000, what: `${agent.id} to know where all are` });
  });

  const assume = (agent: Agent, key: string, ...more: string[]) =>
    rollcall(["genesis", "assume-lost", ...more, "-http-addr", agent.addr(), "-disco-key", key]);

  it("wait for a founder that may have been decided, and go on without it once every other one is told that it is gone", async () => {
    const key = freshKey();
    const { a, b, c, lost } = await lostVoter(key);
    const waiting = await Promise.race([a, b].map((agent) => agent.waitsFor("lost_voters")));
    expect(waiting.summary).toContain(`c (incarnation ${lost})`);
    expect(waiting.unblock.join()).toContain(
      `rollcall genesis assume-lost ${lost} -disco-key ${key} -confirm ${key}`,
    );
    for (const agent of [a, b])
      expect(await assume(agent, key, lost, "-confirm", key)).toEqual({
        code: 0,
        out: `noted: this node agrees to no set with ${lost} any more\n`,
        err: "",
      });
    await oneGenesis([a, b, c]);
    const { members } = await a.settled();
    expect(members.map((m) => m.id)).toEqual(["a", "b", "c"]);
    expect(members.map((m) => m.incarnation)).not.toContain(lost);
  }, 60_000);

  it("name who was told and who has yet to be, also when the one that was said to be gone comes back", async () => {
    const key = freshKey();
    const { a, b, c } = await undecided(key);
    const lost = identityOf(c).incarnation;
    await Promise.all([a.restart(), b.restart()]);
    await Promise.all([a, b].map((agent) => agent.waitsFor("voters")));
    expect((await assume(a, key, lost, "-confirm", key)).code).toBe(0);
    const command = (beside: string) =>
      `Run \`rollcall genesis assume-lost ${lost} -disco-key ${key} -confirm ${key}\` beside ${beside}.`;
    const says = (agent: Agent, text: string) =>
      until(async () => (await agent.explain()).unblock.join("\n").includes(text), {
        deadlineMs: 30_000,
        what: `${agent.id} to say ${text}`,
      });
    await says(a, command("b"));
    await says(b, command("b (this node)"));
    await c.restart();
    for (const agent of [a, b, c]) await says(agent, "c runs all the same: stop it, move its -data-dir away");
    await says(c, "c (this node) was said to be gone for good beside a;");
    expect((await a.explain()).unblock.join()).not.toContain("Start c again");
    const still = await assume(b, key, lost, "-confirm", key);
    expect([still.code, still.out]).toEqual([1, ""]);
    expect(still.err).toContain("and is that very incarnation; stop it for good first");
    await c.restart({ wipe: true });
    expect((await assume(b, key, lost, "-confirm", key)).code).toBe(0);
    await oneGenesis([a, b, c]);
  }, 60_000);

  it("do not take the operator's word for what may not be said any more, or is not meant", async () => {
    const key = freshKey();
    const { a, b, c, lost } = await lostVoter(key);
    await Promise.race([a, b].map((agent) => agent.waitsFor("lost_voters")));
    const refused = async (agent: Agent, code: number, text: RegExp, ...args: string[]) => {
      const said = await assume(agent, key, ...args);
      expect([said.code, said.out], said.err).toEqual([code, ""]);
      expect(said.err).toMatch(text);
      expect(said.err.trimEnd().split("\n")).toHaveLength(1);
    };
    await refused(a, 2, /-incarnation: is required/, "-confirm", key);
    await refused(a, 2, /-confirm: /, lost);
    await refused(a, 2, /"c" is no incarnation; in full it is [0-9a-f-]{36} \(c\)/, "c", "-confirm", key);
    await refused(a, 2, new RegExp(`in full it is ${lost} \\(c\\)`), lost.slice(0, 8), "-confirm", key);
    await refused(a, 2, /-confirm: is not the key/, lost, "-confirm", "another");
    const own = identityOf(a).incarnation;
    await refused(a, 1, /is the one named/, own, "-confirm", key);
    expect(identityOf(a).votes?.lost).toEqual([]);
    for (const agent of [a, b]) expect((await assume(agent, key, lost, "-confirm", key)).code).toBe(0);
    await oneGenesis([a, b, c]);
    await refused(b, 1, /and is that very incarnation/, identityOf(c).incarnation, "-confirm", key);
    await refused(b, 1, /belongs to a cluster/, randomUUID(), "-confirm", key);
  }, 60_000);

  it("end promptly with 0 on SIGTERM, whatever they wait for", async () => {
    const ends = async (agent: Agent) => {
      agent.process().signal("SIGTERM");
      await until(() => agent.process().exit(), { deadlineMs: 5_000, what: `${agent.id} to end` });
      expect(agent.process().exit(), agent.id).toEqual({ code: 0, signal: null });
    };
    const { a, b, c } = await lostVoter(freshKey());
    await Promise.race([a, b].map((agent) => agent.waitsFor("lost_voters")));
    const nobody = await fleet.one("nobody", ["-join", "127.0.0.1:9", "-bootstrap-expect", "3"]);
    await nobody.waitsFor("voters");
    const reader = await fleet.one("reader", ["-join", "127.0.0.1:9", "-non-voter"]);
    await reader.waitsFor("others");
    const alone = await fleet.one("alone", ["-join", "self"]);
    await alone.settled();
    const lonely = await fleet.one("lonely", ["-join", "127.0.0.1:9", "-bootstrap-expect", "1"]);
    await lonely.waitsFor("not_alone");
    // One is stopped while the others ask it for its vote.
    await b.pause();
    await Promise.all([a, c, nobody, reader, alone, lonely].map(ends));
    b.resume();
    await ends(b);
  }, 60_000);
});
