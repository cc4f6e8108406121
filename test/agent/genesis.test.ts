import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { TAKE_OVER_MS } from "../../src/agent/asking.ts";
import { encode } from "../../src/core/genesis-state.ts";
import { GenesisRecord } from "../../src/core/model.ts";
import { blankReport, type NodeReport } from "../../src/core/node-report.ts";
import type { Provider, Register } from "../../src/core/provider.ts";
import { turns } from "../lib/manual-clock.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { helloOf, memberOf, refTo, sealedBy } from "./support/records.ts";
import { type NodeOptions, type World, type WorldNode, world } from "./support/world.ts";

const running: WorldNode[] = [];
afterEach(async () => {
  for (const node of running.splice(0)) await node.kill();
});

/** A node that has announced itself and runs. */
async function start(all: World, id: string, options: NodeOptions = {}): Promise<WorldNode> {
  const node = await all.node(id, options);
  running.push(node);
  await node.announce();
  node.run();
  return node;
}

const recordOf = ({ memory }: World): GenesisRecord | null => {
  const entry = memory.registers.read("rollcall", "genesis");
  return entry === null ? null : GenesisRecord.parse(JSON.parse(entry.value));
};
const codeOf = (node: WorldNode) => {
  const { phase } = node.genesis.state();
  return phase.at === "waiting" ? phase.wait.on : phase.at === "refused" ? phase.refusal.code : phase.at;
};
/** A directory of a database with data in it. */
function usedDb(): string {
  const dir = join(tempDir("db"), "db");
  mkdirSync(dir);
  writeFileSync(join(dir, "data"), "x");
  return dir;
}

describe("forming", () => {
  it("takes a node alone from nothing to a settled cluster", async () => {
    const all = world();
    const node = await start(all, "n1");
    // The clock stands still: nothing is waited for.
    await until(() => node.settled.length, { deadlineMs: 5_000, what: "the outcome" });
    expect(node.settled[0]).toMatchObject({ kind: "bootstrap", record: { state: "sealed", node: "n1" } });
    expect(recordOf(all)).toMatchObject({ state: "sealed", members: [{ id: "n1" }] });
  });

  it("takes three to one cluster: one creates, two join", async () => {
    const all = world();
    const nodes = await Promise.all(["n1", "n2", "n3"].map((id) => start(all, id, { rules: { expect: 3 } })));
    await all.passUntil(() => nodes.every((n) => n.settled.length === 1), "three outcomes");
    expect(nodes.map((n) => n.settled[0]?.kind).sort()).toEqual(["bootstrap", "join", "join"]);
    expect(new Set(nodes.map((n) => n.settled[0]?.record.genesis_id)).size).toBe(1);
    // A fourth joins, and so does a non-voter.
    const late = await start(all, "n0", { rules: { expect: 3 } });
    const reader = await start(all, "r1", { rules: { expect: 3, voter: false } });
    await all.passUntil(() => late.settled.length && reader.settled.length, "two more");
    expect([late.settled[0]?.kind, reader.settled[0]?.kind]).toEqual(["join", "join"]);
  });

  it("settles once, and every node's claim is settled in one record", async () => {
    const all = world();
    const node = await start(all, "n1");
    await all.passUntil(() => node.settled.length, "the outcome");
    for (let i = 0; i < 20; i++) {
      node.genesis.wake();
      await all.pass(100);
    }
    expect(node.settled).toHaveLength(1);
  });

  it("goes on after a restart as an existing member, with the store away", async () => {
    const all = world();
    const first = await all.node("n1");
    await first.announce();
    first.run();
    await all.passUntil(() => first.settled.length, "the outcome");
    await first.kill();
    all.memory.down();
    const again = await all.node("n1", { dir: first.dir });
    running.push(again);
    again.run();
    await all.passUntil(() => again.settled.length, "the outcome");
    expect(again.settled[0]).toMatchObject({
      kind: "existing",
      record: { genesis_id: first.settled[0]?.record.genesis_id },
    });
    expect(again.genesis.state().trouble).toMatchObject({ code: "store" });
    all.memory.up();
    await all.passUntil(() => again.genesis.state().trouble === null, "the trouble to pass");
  });
});

describe("writes whose end is not known", () => {
  it.each(["lose", "late", "fail"] as const)(
    "are read back, and never leave two clusters: %s",
    async (fault) => {
      for (let at = 0; at < 3; at++) {
        const all = world();
        const spy = swaps();
        const node = await all.node("n1", { provider: spy.provider });
        running.push(node);
        await node.announce();
        spy.fault(at, () => all.memory.inject("swap", fault));
        node.run();
        await all.passUntil(() => node.settled.length, `the outcome, ${fault} at write ${at}`);
        // What was still on its way lands now, and changes nothing.
        const before = recordOf(all);
        all.memory.land();
        await all.pass(3_000);
        expect(recordOf(all)).toEqual(before);
        expect(node.settled).toHaveLength(1);
        const unknown = node
          .lines()
          .filter((l) => l.msg === "the outcome of a write is unknown; reading back");
        expect(unknown).toHaveLength(1);
        // Never twice the same expectation without a read in between.
        expect(spy.blind()).toBe(0);
        await node.kill();
      }
    },
  );

  it("are not made all the time where the store refuses them: the node waits longer each time, and says why", async () => {
    const all = world();
    const spy = swaps();
    const refused: Register["swap"] = async () => ({
      kind: "unknown",
      cause: new Error("403, Permission denied"),
    });
    const provider = (inner: Provider): Provider =>
      spy.provider({ ...inner, genesis: { ...(inner.genesis as Register), swap: refused } });
    const node = await start(all, "n1", { provider });
    await all.pass(20_000);
    // Every 2 s in the end.
    expect(spy.writes()).toBeGreaterThan(5);
    expect(spy.writes()).toBeLessThan(25);
    expect(node.genesis.shown().phase).toMatchObject({
      wait: { on: "store", problem: "403, Permission denied" },
    });
    const warnings = node.lines().filter((l) => l.msg === "the outcome of a write is unknown; reading back");
    expect(warnings).toHaveLength(1);
    expect(node.settled).toEqual([]);
  });

  it("that land after another node went on change nothing", async () => {
    const all = world();
    const injected = all.memory.inject("swap", "late");
    const nodes = await Promise.all(["n1", "n2"].map((id) => start(all, id, { rules: { expect: 2 } })));
    await all.passUntil(() => nodes.every((n) => n.settled.length === 1), "two outcomes");
    expect(injected()).toBe(1);
    const before = recordOf(all);
    all.memory.land();
    await all.pass(5_000);
    expect(recordOf(all)).toEqual(before);
    expect(nodes.map((n) => n.settled[0]?.kind).sort()).toEqual(["bootstrap", "join"]);
  });
});

describe("the store", () => {
  it("that hangs is given five seconds a call, and waited for", async () => {
    const all = world();
    all.memory.hang();
    const node = await all.node("n1");
    running.push(node);
    node.run();
    await turns();
    expect(codeOf(node)).toBe("reading");
    await all.passUntil(() => codeOf(node) === "store", "the wait for the store", 500);
    expect(all.clock.now()).toBeGreaterThanOrEqual(5_000);
    expect(node.genesis.state().phase).toMatchObject({
      wait: { problem: "read the genesis record: no answer in 5 s" },
    });
    all.memory.up();
    await node.announce();
    await all.passUntil(() => node.settled.length, "the outcome");
  });

  it.each([
    ["no JSON", "<html>", "the genesis record is not JSON"],
    ["another shape", '{"state":"sealed"}', /the genesis record .+/],
    [
      "a later version",
      encode({ ...sealedBy("n9"), v: 2 }),
      "the genesis record has v 2; this rollcall reads v 1",
    ],
  ])("that holds %s is not taken for empty", async (_, value, problem) => {
    const all = world();
    all.memory.registers.put({ id: "rollcall", name: "genesis", value, expected: null });
    const node = await start(all, "n1");
    await all.passUntil(() => codeOf(node) === "store", "the wait for the store");
    await all.pass(10_000, 200);
    expect(node.genesis.state().phase).toMatchObject({
      wait: { problem: typeof problem === "string" ? problem : expect.stringMatching(problem) },
    });
    expect(all.memory.registers.read("rollcall", "genesis")?.value).toBe(value);
  });

  it("is asked at a bounded pace while nothing changes", async () => {
    const all = world();
    const spy = swaps();
    const node = await start(all, "n1", { rules: { expect: 3 }, provider: spy.provider });
    await all.passUntil(() => codeOf(node) === "voters", "the wait for voters");
    const before = spy.reads();
    await all.pass(60_000, 200);
    expect(spy.reads() - before).toBeLessThan(60);
    expect(node.genesis.nextTryMs()).toBeGreaterThan(0);
    expect(node.genesis.nextTryMs()).toBeLessThanOrEqual(2_000);
  });

  it("is asked once a minute by a node that has settled", async () => {
    const all = world();
    const spy = swaps();
    const node = await start(all, "n1", { provider: spy.provider });
    await all.passUntil(() => node.settled.length, "the outcome");
    await all.pass(2_000);
    const before = spy.reads();
    await all.pass(300_000, 500);
    expect(spy.reads() - before).toBeLessThanOrEqual(6);
  });

  it("that was wiped gets its record back", async () => {
    const all = world();
    const node = await start(all, "n1");
    await all.passUntil(() => node.settled.length, "the outcome");
    const before = recordOf(all);
    all.memory.wipe();
    node.genesis.wake();
    await all.passUntil(() => recordOf(all) !== null, "the record");
    expect(recordOf(all)).toMatchObject({
      state: "sealed",
      genesis_id: before && "genesis_id" in before && before.genesis_id,
    });
  });
});

describe("waking", () => {
  it("during an effect is not lost", async () => {
    const all = world();
    let release: () => void = () => {};
    const slow = new Promise<void>((resolve) => {
      release = resolve;
    });
    let held = false;
    const provider = (inner: Provider): Provider => ({
      ...inner,
      genesis: {
        ...(inner.genesis as Register),
        async read(signal) {
          const value = await inner.genesis?.read(signal);
          if (!held) {
            held = true;
            await slow;
          }
          return value ?? null;
        },
      },
    });
    const node = await start(all, "n1", { rules: { genesis: "strict" }, provider });
    await turns();
    // The first read has its (empty) answer, but it is not in yet; what it missed is told by a wake.
    all.memory.registers.put({
      id: "rollcall",
      name: "genesis",
      value: encode({
        ...sealedBy("n9"),
        members: [refTo("n1", { incarnation: node.dataDir.identity.kept.incarnation })],
      }),
      expected: null,
    });
    node.genesis.wake();
    release();
    // The clock stands still: it does not wait before it looks again.
    await until(() => node.settled.length, { deadlineMs: 5_000, what: "the outcome" });
  });
});

describe("joining", () => {
  it("asks one of those whose entries name the genesis, and not everybody", async () => {
    const all = world();
    const nodes = await Promise.all(["n1", "n2"].map((id) => start(all, id, { rules: { expect: 2 } })));
    await all.passUntil(() => nodes.every((n) => n.settled.length), "the cluster");
    const genesis_id = nodes[0]?.settled[0]?.record.genesis_id ?? "";
    // As their registrations would, now that they have settled.
    for (const node of nodes) await node.announce({ genesis_id });
    const asked = Array.from({ length: 20 }, (_, i) => `x${i}`);
    let hellos = 0;
    for (const id of asked) {
      all.hellos.set(refTo(id).agent_addr, () => {
        hellos += 1;
        return helloOf(id);
      });
      await all.memory.open().members?.announce(memberOf(id), new AbortController().signal);
    }
    const late = await start(all, "n3", { rules: { expect: 2 } });
    await until(() => late.settled.length, { deadlineMs: 5_000, what: "the outcome" });
    expect([late.settled[0]?.kind, hellos]).toEqual(["join", 0]);
  });

  it("asks everybody where no entry names the genesis, and waits until one who belongs to it answers", async () => {
    const all = world();
    const first = await all.node("n1");
    await first.announce();
    first.run();
    await all.passUntil(() => first.settled.length, "the cluster");
    await first.kill();
    const fresh = await Promise.all(["n2", "n3"].map((id) => start(all, id, { rules: { expect: 2 } })));
    await all.passUntil(() => fresh.every((n) => codeOf(n) === "members_gone"), "both to wait");
    expect(all.clock.now()).toBeLessThan(5_000);
    const record = recordOf(all);
    expect(fresh[0]?.genesis.state().phase).toMatchObject({
      wait: {
        genesisId: record?.state === "sealed" && record.genesis_id,
        gone: [{ id: "n1", address: refTo("n1").agent_addr, wiped: false }],
      },
    });
    await all.pass(60_000, 200);
    expect(recordOf(all)).toEqual(record);
    const back = await start(all, "n1", { dir: first.dir });
    await all.passUntil(() => fresh.every((n) => n.settled.length), "both to join");
    expect([back, ...fresh].map((n) => n.settled[0]?.kind)).toEqual(["existing", "join", "join"]);
  });

  it("forms anew after a rebirth, under which the old ones were given up", async () => {
    const all = world();
    const value = encode(sealedBy("n9"));
    all.memory.registers.put({ id: "rollcall", name: "genesis", value, expected: null });
    const fresh = await Promise.all(["n1", "n2"].map((id) => start(all, id, { rules: { expect: 2 } })));
    await all.passUntil(() => fresh.every((n) => codeOf(n) === "members_gone"), "both to wait");
    const reborn = encode({ v: 1, state: "unborn", init_id: "init-1", birth: 2, expect: 2 });
    const { register, signal } = storeOf(all);
    await register.swap(await register.read(signal), reborn, signal);
    await all.passUntil(() => fresh.every((n) => n.settled.length), "the cluster");
    expect(fresh.map((n) => n.settled[0]?.kind).sort()).toEqual(["bootstrap", "join"]);
    expect(recordOf(all)).toMatchObject({ state: "sealed", birth: 2 });
  });
});

describe("a native cluster", () => {
  const leader = { id: "r1", addr: "r1:4002", api_addr: "http://r1:4001", voter: true, reachable: true };
  const listed = (id: string) => ({ ...leader, id, addr: `${id}:4002`, api_addr: `http://${id}:4001` });
  const report = (members = [leader, listed("r2")]): NodeReport => ({
    ...blankReport("rqlite", "healthy", null),
    leader,
    members,
  });
  const value = JSON.stringify({ id: "r1", api_addr: leader.api_addr, addr: leader.addr });
  const putLeader = async (all: World) => {
    await all.memory.open().leaderKey?.swap(null, value, new AbortController().signal);
  };
  /** Databases by the address that clients use, and who was asked. */
  const databases = (answers: Map<string, NodeReport | null>, own: () => NodeReport | null = () => null) => {
    const asked: string[] = [];
    return {
      asked,
      look: async () => own(),
      ask: async (apiAddr: string) => {
        asked.push(apiAddr);
        const answer = answers.get(apiAddr);
        if (answer === undefined) throw new Error("connection refused");
        return answer;
      },
    };
  };

  it("that answers is adopted by the first blank node, and joined by all, voters or not", async () => {
    const all = world();
    await putLeader(all);
    const database = databases(new Map([[leader.api_addr, report()]]));
    const voter = await start(all, "n1", { database });
    const reader = await start(all, "n2", { database, rules: { voter: false } });
    await all.passUntil(() => voter.settled.length && reader.settled.length, "both to join");
    expect([voter, reader].map((n) => n.settled[0]?.kind)).toEqual(["join", "join"]);
    expect(recordOf(all)).toMatchObject({
      state: "sealed",
      members: [],
      adopted: { leader: { id: "r1" }, nodes: [{ id: "r1" }, { id: "r2", voter: true }] },
    });
    expect(all.clock.now()).toBeLessThan(5_000);
  });

  it("that does not answer is waited for, with how long, and never created beside", async () => {
    const all = world();
    await putLeader(all);
    const answers = new Map<string, NodeReport | null>();
    const database = databases(answers);
    const nodes = await Promise.all(["n1", "n2"].map((id) => start(all, id, { database })));
    await all.passUntil(() => nodes.every((n) => codeOf(n) === "foreign_leader"), "both to wait");
    expect(all.clock.now()).toBeLessThan(5_000);
    await all.pass(20_000, 100);
    const silentMs = (node?: WorldNode) => {
      const phase = node?.genesis.shown().phase;
      return phase?.at === "waiting" && phase.wait.on === "foreign_leader" ? phase.wait.silentMs : null;
    };
    expect(silentMs(nodes[0])).toBeGreaterThan(15_000);
    // That it is still silent is said once.
    expect(nodes[0]?.lines().filter((l) => l.msg === "waiting")).toHaveLength(1);
    expect(recordOf(all)).toBeNull();
    // Another node than the one that is named does not speak for it.
    answers.set(leader.api_addr, report([listed("r7"), listed("r8")]));
    await all.pass(10_000, 100);
    expect(recordOf(all)).toBeNull();
    answers.set(leader.api_addr, report());
    await all.passUntil(() => nodes.every((n) => n.settled.length), "both to join");
    expect(nodes.map((n) => n.settled[0]?.kind)).toEqual(["join", "join"]);
  });

  it("whose database hangs keeps nobody from saying so", async () => {
    const all = world();
    await putLeader(all);
    const ask = (_: string, signal: AbortSignal) =>
      new Promise<NodeReport>((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
      });
    const node = await start(all, "n1", { database: { look: async () => null, ask } });
    await all.passUntil(() => codeOf(node) === "foreign_leader", "the wait");
    expect(all.clock.now()).toBeLessThan(5_000);
  });

  it("cannot be asked without a database of one's own: then it is waited for", async () => {
    const all = world();
    await putLeader(all);
    const node = await start(all, "n1");
    await all.passUntil(() => codeOf(node) === "foreign_leader", "the wait");
    expect(node.genesis.state().phase).toMatchObject({ wait: { silentMs: null, answers: false } });
  });

  it("that was forgotten is not even asked", async () => {
    const all = world();
    await putLeader(all);
    const unborn = encode({ v: 1, state: "unborn", init_id: "i", birth: 1, expect: 1, forgets: value });
    all.memory.registers.put({ id: "rollcall", name: "genesis", value: unborn, expected: null });
    const database = databases(new Map());
    const node = await start(all, "n1", { database });
    await all.passUntil(() => node.settled.length, "the outcome");
    expect(node.settled[0]).toMatchObject({ kind: "bootstrap", record: { forgets: value } });
    expect(database.asked).toEqual([]);
  });

  it("takes in a node with data once its own database answers and says that it is a part of it", async () => {
    const all = world();
    await putLeader(all);
    let own: NodeReport | null = null;
    const dbDataDir = usedDb();
    const database = databases(new Map([[leader.api_addr, report()]]), () => own);
    const beside = await start(all, "r2", { database, dbDataDir });
    await all.passUntil(() => codeOf(beside) === "foreign_data", "the refusal");
    expect(beside.genesis.state().phase).toMatchObject({ refusal: { doubt: null } });
    const blank = await start(all, "n1", { database });
    await all.passUntil(() => blank.settled.length, "the adoption");
    expect(recordOf(all)).toMatchObject({ members: [{ id: "r2" }] });
    await all.passUntil(() => {
      const { phase } = beside.genesis.shown();
      return phase.at === "refused" && phase.refusal.code === "foreign_data" && phase.refusal.doubt;
    }, "the doubt");
    own = report();
    await all.passUntil(() => beside.settled.length, "the outcome");
    expect(beside.settled[0]?.kind).toBe("existing");
    expect(readdirSync(dbDataDir)).toEqual(["data"]);
  });

  it("is joined while one of its databases answers, though no agent belongs to it", async () => {
    const all = world();
    const sealed = { ...sealedBy("n9", "g1", []), expect: 1 };
    const nodes = ["r1", "r2", "r3"].map((id) => ({ ...listed(id), voter: true }));
    const record = { ...sealed, adopted: { by: "n9", leader, nodes } };
    all.memory.registers.put({ id: "rollcall", name: "genesis", value: encode(record), expected: null });
    const answers = new Map<string, NodeReport | null>();
    const database = databases(answers);
    const node = await start(all, "n1", { database });
    await all.passUntil(() => codeOf(node) === "members_gone", "the wait");
    expect(new Set(database.asked)).toEqual(new Set(nodes.map((one) => one.api_addr)));
    answers.set("http://r3:4001", report([listed("r2"), listed("r3")]));
    await all.passUntil(() => node.settled.length, "the outcome");
    expect(node.settled[0]?.kind).toBe("join");
  });
});

describe("-on-init", () => {
  it("runs between claim and seal, is run again when it fails, and then the cluster is there", async () => {
    const all = world();
    let runs = 0;
    const states: (string | undefined)[] = [];
    const node = await start(all, "n1", {
      onInit: async () => {
        states.push(recordOf(all)?.state);
        runs += 1;
        return runs < 3 ? { ok: false, problem: "init: exit 1" } : { ok: true };
      },
    });
    await all.passUntil(() => node.settled.length, "the outcome");
    expect(states).toEqual(["claimed", "claimed", "claimed"]);
    expect(node.lines().filter((l) => l.msg === "-on-init failed; it will be run again")).toHaveLength(2);
  });

  it("that is cut short by the end of the agent is not complained of", async () => {
    const all = world();
    const node = await all.node("n1", {
      onInit: (signal) =>
        new Promise((resolve) => {
          const end = () => resolve({ ok: false, problem: "init: the agent was stopped" });
          signal.addEventListener("abort", end, { once: true });
        }),
    });
    await node.announce();
    node.run();
    await all.passUntil(() => codeOf(node) === "initialising", "the hook");
    expect(await node.kill()).toBeUndefined();
    expect(node.lines().filter((l) => l.level === "error")).toEqual([]);
  });

  it("that was cut short is done again in a directory that is set aside first", async () => {
    const all = world();
    const dbDataDir = join(tempDir("db"), "db");
    mkdirSync(dbDataDir);
    const first = await all.node("n1", {
      dbDataDir,
      onInit: (signal) => {
        writeFileSync(join(dbDataDir, "half"), "");
        return new Promise((resolve) => {
          signal.addEventListener("abort", () => resolve({ ok: false, problem: "stopped" }), { once: true });
        });
      },
    });
    await first.announce();
    first.run();
    await all.passUntil(() => codeOf(first) === "initialising", "the hook");
    await first.kill();
    const again = await all.node("n1", {
      dir: first.dir,
      dbDataDir,
      onInit: async () => {
        expect(readdirSync(dbDataDir)).toEqual([]);
        writeFileSync(join(dbDataDir, "whole"), "");
        return { ok: true };
      },
    });
    running.push(again);
    await again.announce();
    again.run();
    await all.passUntil(() => again.settled.length, "the outcome");
    expect(readdirSync(dbDataDir)).toEqual(["whole"]);
    const claim = recordOf(all);
    expect(readdirSync(`${dbDataDir}.discarded-${claim?.state === "sealed" && claim.claim_id}`)).toEqual([
      "half",
    ]);
  });
});

describe("taking over", () => {
  it("waits until the claimer's entry is gone and it has been silent for 15 s, and then creates one cluster", async () => {
    const all = world();
    const hang = (signal: AbortSignal) =>
      new Promise<{ ok: false; problem: string }>((resolve) => {
        signal.addEventListener("abort", () => resolve({ ok: false, problem: "stopped" }), { once: true });
      });
    const rules = { expect: 2 };
    const first = await all.node("n1", { rules, onInit: hang });
    await first.announce();
    first.run();
    const others = await Promise.all(["n2", "n3"].map((id) => start(all, id, { rules })));
    await all.passUntil(() => codeOf(first) === "initialising", "n1 to claim");
    const claimed = recordOf(all);
    const renew = setRenewal(all, others);
    await all.pass(20_000);
    // Its claim stands for as long as it answers, even after its lease has lapsed.
    expect(recordOf(all)).toEqual(claimed);
    await first.kill();
    const died = all.clock.now();
    await all.passUntil(() => others.every((n) => codeOf(n) === "claimer"), "both to wait for it");
    await all.passUntil(() => others.every((n) => n.settled.length === 1), "two outcomes", 100);
    expect(all.clock.now() - died).toBeGreaterThanOrEqual(TAKE_OVER_MS - 2_500);
    const record = recordOf(all);
    // Usually n2, which is first in the order; n3 after half a second.
    const taker = record?.state === "sealed" ? record.node : "";
    expect(record).toMatchObject({ state: "sealed", gen: 2, node: expect.stringMatching(/^n[23]$/) });
    for (const one of others) expect(one.settled[0]?.kind).toBe(one.id === taker ? "bootstrap" : "join");
    renew();
    // The old claimer comes back, finds its claim lost, and joins.
    const again = await start(all, "n1", { dir: first.dir, rules });
    await all.passUntil(() => again.settled.length, "n1 to join");
    expect(again.settled[0]).toMatchObject({ kind: "join", record: { node: taker } });
  });
});

describe("refusing", () => {
  it("is said once, however often it looks again", async () => {
    const all = world();
    const dbDataDir = usedDb();
    const node = await start(all, "n1", { dbDataDir });
    await all.passUntil(() => codeOf(node) === "foreign_data", "the refusal");
    await all.pass(30_000, 200);
    expect(node.lines().filter((l) => l.msg === "staying closed")).toHaveLength(1);
    expect(recordOf(all)).toBeNull();
  });

  it("shows a refusal, or a wait, all the time, also while it looks again", async () => {
    const all = world();
    const refused = await start(all, "n1", { dbDataDir: usedDb() });
    const waiting = await start(all, "n2", { rules: { expect: 3 } });
    await all.passUntil(() => codeOf(refused) === "foreign_data" && codeOf(waiting) === "voters", "both");
    const phases = new Set<string>();
    for (let i = 0; i < 200; i++) {
      refused.genesis.wake();
      waiting.genesis.wake();
      phases.add(`${refused.genesis.shown().phase.at} ${waiting.genesis.shown().phase.at}`);
      await all.pass(10);
      phases.add(`${refused.genesis.shown().phase.at} ${waiting.genesis.shown().phase.at}`);
    }
    expect([...phases]).toEqual(["refused waiting"]);
  });
});

describe("this node's own disk", () => {
  it("that fails ends the agent with an error, before anything depends on it", async () => {
    const all = world();
    const node = await all.node("n1");
    await node.announce();
    mkdirSync(join(node.dir, "data", "identity.json.new"));
    node.run();
    await all.passUntil(() => recordOf(all), "the unborn record");
    await all.pass(2_000);
    expect(recordOf(all)?.state).toBe("unborn");
    expect(await node.kill()).toMatchObject({
      code: "disk",
      message: expect.stringContaining("identity.json"),
    });
  });

  it("has the claim id before the store has the claim", async () => {
    const all = world();
    const seen: string[] = [];
    const node = await all.node("n1", {
      provider: (inner) => ({
        ...inner,
        genesis: {
          ...(inner.genesis as Register),
          swap(expected, next, signal) {
            const kept = JSON.parse(readFileSync(join(node.dir, "data", "identity.json"), "utf8"));
            const record = GenesisRecord.parse(JSON.parse(next));
            seen.push(record.state);
            if (record.state === "claimed") expect(kept.claim.claim_id).toBe(record.claim_id);
            return (inner.genesis as Register).swap(expected, next, signal);
          },
        },
      }),
    });
    running.push(node);
    await node.announce();
    node.run();
    await all.passUntil(() => node.settled.length, "the outcome");
    expect(seen).toEqual(["unborn", "claimed", "sealed"]);
    const kept = JSON.parse(readFileSync(join(node.dir, "data", "identity.json"), "utf8"));
    expect(kept).toMatchObject({ claim: null, opened: true, marker: { state: "sealed" } });
  });
});

/** The store of this world, for a look and a write from outside. */
function storeOf({ memory }: World) {
  return { register: memory.open().genesis as Register, signal: new AbortController().signal };
}

/** Keeps the entries of these nodes alive while the test lets time pass, until it is called. */
function setRenewal(all: World, nodes: readonly WorldNode[]): () => void {
  let cancel = () => {};
  const again = () => {
    for (const node of nodes) void node.announce().catch(() => {});
    cancel = all.clock.after(3_000, again);
  };
  again();
  return () => cancel();
}

/** Counts a node's reads and writes of the record, and tells a write that repeats another without a read between. */
function swaps() {
  let reads = 0;
  let writes = 0;
  let blind = 0;
  let last: string | null = null;
  const faults = new Map<number, () => void>();
  return {
    reads: () => reads,
    writes: () => writes,
    blind: () => blind,
    /** Calls `inject` just before this write. */
    fault: (at: number, inject: () => void) => void faults.set(at, inject),
    provider: (inner: Provider): Provider => {
      const register = inner.genesis as Register;
      return {
        ...inner,
        genesis: {
          read(signal) {
            reads += 1;
            last = null;
            return register.read(signal);
          },
          swap(expected, next, signal) {
            const tried = JSON.stringify(expected);
            if (tried === last) blind += 1;
            last = tried;
            faults.get(writes)?.();
            writes += 1;
            return register.swap(expected, next, signal);
          },
        },
      };
    },
  };
}
