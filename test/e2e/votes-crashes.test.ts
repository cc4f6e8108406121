/**
 * Agents without a store that are killed or stopped at every step: proxies between them know the step from the
 * messages that pass, and kill whoever is to die right there.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Agent } from "../support/agents.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import {
  behindProxies,
  identityOf,
  listing,
  type ProxiedSeat,
  type Said,
  saidIn,
  seatsFor,
} from "./lists.ts";
import { freshKey, oneGenesis, openFleet } from "./stores.ts";

const STEPS: readonly Said[] = [
  "prepare members",
  "accept members",
  "decided members",
  "prepare genesis",
  "accept genesis",
  "decided genesis",
];

/** Who is hit when a message passes from one to another. */
type Hit = (by: string, to: string) => readonly string[];

describe("agents with a list, hit at every step", () => {
  const fleet = openFleet();
  const seats: ProxiedSeat[] = [];
  afterEach(async () => {
    await fleet.end();
    await Promise.all(seats.splice(0).map(({ proxy }) => proxy.stop()));
  });

  /** Three that start at once; `hit` is done to those it names at the first message of the step that is `armed`. */
  async function three(more: readonly string[] = []) {
    const all = await behindProxies(await seatsFor(["a", "b", "c"]));
    seats.push(...all);
    const list = [...listing(all, freshKey(), 3), ...more];
    const start = () =>
      Promise.all(
        all.map(({ id, address, port, at }) =>
          fleet.one(id, [...list, "-http-adv-addr", at], { address, port }),
        ),
      );
    return { all, start };
  }

  /** Arms one step: `blow` strikes when its message passes; with `answered`, once its answer has been lost. */
  function arm(step: Said, answered: boolean, hit: Hit, blow: (id: string) => void) {
    let struck: readonly string[] | null = null;
    const orders = seats.map(({ id: to, proxy }) => {
      let by = "";
      const order = proxy.dropResponses({
        times: 1,
        matching(request) {
          const message = saidIn(request);
          if (struck !== null || message?.said !== step) return false;
          by = message.by;
          if (answered) return true;
          struck = hit(by, to);
          struck.forEach(blow);
          return false;
        },
      });
      return { to, order, by: () => by };
    });
    /** Who was struck; nobody, when by `over` what is waited for will not be said any more. */
    return async (over: () => Promise<boolean> = async () => false): Promise<readonly string[]> => {
      const reached = async () => {
        const lost = orders.find(({ order }) => order.dropped() > 0);
        if (struck !== null) return struck;
        if (lost === undefined) return (await over()) ? [] : null;
        struck = hit(lost.by(), lost.to);
        struck.forEach(blow);
        return struck;
      };
      try {
        return await until(reached, { deadlineMs: 30_000, what: `${step} to be said`, everyMs: 1 });
      } finally {
        for (const { order } of orders) order.cancel();
      }
    };
  }

  /** Every genesis that any of them has on disk, or was ever told: never two. */
  const markers = (agents: readonly Agent[]) =>
    new Set(agents.flatMap((agent) => identityOf(agent).marker?.genesis_id ?? []));

  const passes: { name: string; answered: boolean; hit: Hit }[] = [
    { name: "who sends it, as it goes out", answered: false, hit: (by) => [by] },
    { name: "who sends it, as the answer is lost", answered: true, hit: (by) => [by] },
    { name: "who receives it, as its answer is lost", answered: true, hit: (_, to) => [to] },
    { name: "all, as it goes out", answered: false, hit: () => ["a", "b", "c"] },
  ];
  for (const { name, answered, hit } of passes)
    it(`makes one cluster when each message about a decree kills ${name}`, async () => {
      const { start } = await three();
      let agents: readonly Agent[] = [];
      const kill = (id: string) => void agents.find((agent) => agent.id === id)?.kill();
      const armed = STEPS.map((step) => ({ step, reached: arm(step, answered, hit, kill) }));
      agents = await start();
      // What is decided is told once, and may be told to all before the one who tells it has been struck.
      const isOver = async () => {
        const outcomes = await Promise.all(agents.map((agent) => agent.outcome().catch(() => null)));
        return outcomes.every((outcome) => outcome !== null);
      };
      let spared = 0;
      for (const { reached } of armed) {
        const struck = await reached(isOver);
        if (struck.length === 0) spared += 1;
        for (const agent of agents.filter(({ id }) => struck.includes(id))) await agent.restart();
        expect(markers(agents).size).toBeLessThanOrEqual(1);
      }
      await oneGenesis(agents);
      expect(markers(agents).size).toBe(1);
      expect(spared).toBeLessThanOrEqual(1);
    }, 60_000);

  it("makes one symmetric cluster when each message about the founders kills all of them", async () => {
    const { start } = await three(["-formation", "symmetric"]);
    let agents: readonly Agent[] = [];
    const kill = (id: string) => void agents.find((agent) => agent.id === id)?.kill();
    const steps = STEPS.filter((step) => step.endsWith("members"));
    const armed = steps.map((step) => arm(step, false, () => ["a", "b", "c"], kill));
    agents = await start();
    for (const reached of armed) {
      await reached();
      for (const agent of agents) await agent.restart();
    }
    await oneGenesis(agents);
    expect(markers(agents).size).toBe(1);
  }, 60_000);

  const stops: { step: Said; others: "wait" | "go on" }[] = [
    // Every founder has to agree to the founders; which of them creates the cluster, most.
    { step: "accept members", others: "wait" },
    { step: "accept genesis", others: "go on" },
  ];
  for (const { step, others } of stops)
    it(`lets the others ${others} when the one that sends "${step}" is stopped, and makes one cluster when it goes on`, async () => {
      const { start } = await three();
      let agents: readonly Agent[] = [];
      const stop = (id: string) =>
        agents
          .find((agent) => agent.id === id)
          ?.process()
          .signal("SIGSTOP");
      const reached = arm(step, false, (by) => [by], stop);
      agents = await start();
      const [stopped] = await reached();
      const rest = agents.filter(({ id }) => id !== stopped);
      if (others === "wait")
        for (const agent of rest) {
          const explained = await until(
            async () => {
              const now = await agent.explain();
              return [now.summary, ...now.unblock].some((text) => text.includes("hello to")) ? now : null;
            },
            { deadlineMs: 30_000, what: `${agent.id} to say that ${stopped} does not answer` },
          );
          expect(explained.settled).toBe(false);
        }
      // What may have been chosen with its vote is chosen again: its own genesis then, which only it opens.
      else
        for (const agent of rest)
          await until(async () => ["settled", "owner"].includes((await agent.explain()).code), {
            deadlineMs: 30_000,
            what: `${agent.id} to go on`,
          });
      agents.find(({ id }) => id === stopped)?.resume();
      await oneGenesis(agents);
      expect(markers(agents).size).toBe(1);
    }, 60_000);

  it("comes back to its genesis when the marker is on no disk yet, or on disk and not yet opened", async () => {
    const { start } = await three();
    const agents = await start();
    const genesis = await oneGenesis(agents);
    for (const change of [{ marker: null, opened: false, stamp: null }, { opened: false }]) {
      await Promise.all(agents.map((agent) => agent.kill()));
      for (const agent of agents) {
        // As it was at the moment of that write.
        const file = join(agent.dir, "data", "identity.json");
        const { sum: _, ...kept } = JSON.parse(readFileSync(file, "utf8"));
        writeFileSync(file, JSON.stringify({ ...kept, ...change }));
        await agent.restart();
      }
      expect(await oneGenesis(agents)).toBe(genesis);
    }
  });

  it("sets a half-initialised database aside, whoever creates the cluster then", async () => {
    const dir = tempDir("init");
    const hook = join(dir, "init.sh");
    // The first run leaves half a database and hangs; every later one succeeds.
    writeFileSync(
      hook,
      `#!/bin/sh\n[ -z "$(ls $1)" ] || exit 1\necho half >$1/data\nif [ -e ${dir}/again ]; then exit 0; fi\ntouch ${dir}/again\nexec sleep 60\n`,
    );
    chmodSync(hook, 0o755);
    const all = await seatsFor(["a", "b", "c"]);
    const list = listing(all, freshKey(), 3);
    const agents = await Promise.all(
      all.map(({ id, address, port }) => {
        const db = join(dir, id);
        mkdirSync(db);
        const own = ["-db-data-dir", db, "-on-init", `${hook} ${db}`];
        return fleet.one(id, [...list, ...own], { address, port });
      }),
    );
    await until(() => existsSync(join(dir, "again")), { deadlineMs: 30_000, what: "the hook to run" });
    const [creating] = agents.filter((agent) => identityOf(agent).stamp !== null);
    for (const agent of agents.filter((one) => one !== creating))
      expect((await agent.waitsFor("claimer")).summary).toContain(creating?.id);
    await creating?.kill();
    await creating?.restart();
    await oneGenesis(agents);
    const kinds = await Promise.all(agents.map(async (agent) => (await agent.settled()).kind));
    expect(kinds.sort()).toEqual(["bootstrap", "join", "join"]);
    // Where the others were not patient enough with its second try, that was set aside too.
    const aside = readdirSync(dir).filter((name) => name.startsWith(`${creating?.id}.discarded-`));
    expect(aside.length).toBeGreaterThan(0);
    for (const agent of agents)
      expect(readdirSync(join(dir, agent.id))).toEqual(
        (await agent.settled()).kind === "bootstrap" ? ["data"] : [],
      );
  });
});
