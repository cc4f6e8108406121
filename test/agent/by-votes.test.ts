/** Agreeing without a store, as one agent sees the others: what it still knows of them, and who of them is there. */
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { open as openStatic } from "../../providers/static.ts";
import { openByVotes } from "../../src/agent/by-votes.ts";
import { openDataDir } from "../../src/agent/identity.ts";
import { openPeers } from "../../src/agent/peers.ts";
import type { Hello } from "../../src/core/model.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { runAll } from "../../src/lib/run.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { silentLog } from "./support/log.ts";
import { helloOf, memberOf, refTo, sealedBy } from "./support/records.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const NAMES = { key: "rollcall", nodeId: "n1", hostName: "host" };

/** n1 after a restart: it belongs to g1, and remembers others where they were. `hellos`: who answers now, by address. */
async function restarted(hellos: Map<string, Hello | Promise<Hello>>, remembered = ["n2", "n3"]) {
  const dir = join(tempDir("n1"), "data");
  const dataDir = await openDataDir(dir, NAMES, randomUUID);
  const record = sealedBy("n2", "g1", ["n1", "n2", "n3"]);
  const kept = { ...dataDir.identity.kept, incarnation: "n1-1", marker: record, opened: true };
  await dataDir.save(kept, null);
  await dataDir.close();
  const members = remembered.map((id) => memberOf(id, { genesis_id: "g1" }));
  writeFileSync(join(dir, "peers.json"), JSON.stringify({ v: 1, peers: [], members }));
  return opened(hellos, dir);
}

/** n1 on a data directory. */
async function opened(hellos: Map<string, Hello | Promise<Hello>>, dir: string) {
  const dataDir = await openDataDir(dir, NAMES, randomUUID);
  const clock = manualClock();
  const self = () => refTo("n1");
  const client = {
    async hello(address: string) {
      const hello = hellos.get(address);
      if (hello === undefined) throw new RollcallError("unreachable", "connect ECONNREFUSED");
      return hello;
    },
    say: () => Promise.reject(new RollcallError("unreachable", "connect ECONNREFUSED")),
    close() {},
  };
  const peers = openPeers({
    ...{ path: dataDir.path("peers.json"), clock, client, log: silentLog, self, keepsMembers: true },
  });
  await peers.load();
  const way = await openByVotes({
    rules: {
      ...{ key: "rollcall", nodeId: "n1", voter: true, expect: 3 },
      ...{ genesis: "auto", formation: "single", initialises: false },
    },
    ...{ dataDir, dbDataDir: null, pacing: { clock, random: () => 0.5 }, uuid: randomUUID },
    ...{ log: silentLog, self, peers, client, mode: "static", ownAddress: self().agent_addr, databases: [] },
    ...{ part: () => silentLog, entry: () => memberOf("n1", { genesis_id: "g1" }) },
    onInit: async () => ({ ok: true }),
    settled() {},
    changed() {},
    leader: () => null,
    heard() {},
  });
  const stop = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  closing.push(async () => {
    stop.abort();
    await running;
    await dataDir.close();
  });
  return {
    way,
    peers,
    clock,
    async run() {
      const provider = await openStatic({ addresses: [...hellos.keys()] });
      running = runAll(stop.signal, way.tasks(provider));
    },
  };
}

/** Lets time pass until it is so. */
function passUntil(clock: ReturnType<typeof manualClock>, condition: () => boolean, what: string) {
  const look = () => {
    const seen = condition();
    if (!seen) clock.advance(20);
    return seen;
  };
  return until(look, { deadlineMs: 10_000, what, everyMs: 1 });
}

describe("a node that waits without a store", () => {
  it("hears at once of the cluster that somebody it knows belongs to", async () => {
    const hellos = new Map([["n2.test:4100", helloOf("n2")]]);
    const { way, peers, run } = await opened(hellos, join(tempDir("n1"), "data"));
    await run();
    const untilAt = (at: string) =>
      until(() => way.genesis.shown().phase.at === at, { deadlineMs: 5_000, what: `n1 to be ${at}` });
    const rests = () => peers.contact("n2.test:4100")?.ok === true && way.genesis.nextTryMs() !== null;
    await until(rests, { deadlineMs: 5_000, what: "n1 to have heard n2" });
    await untilAt("waiting");
    const marker = { genesis_id: "g1", birth: 1, record: sealedBy("n2", "g1", ["n2", "n3", "n4"]) };
    hellos.set("n2.test:4100", helloOf("n2", { marker }));
    const { id, incarnation, agent_addr } = refTo("n2");
    // No time passes: whatever it does now, it does not by looking again by itself.
    way.met({ v: 1, key: "rollcall", from: { id, incarnation, agent_addr }, genesis_id: "g1", leader: null });
    await untilAt("open");
  });

  it("remembers for a while who called with another key, and knows nobody by it", async () => {
    const { way, peers, clock } = await opened(new Map(), join(tempDir("n1"), "data"));
    const call = (id: string, key: string) =>
      way.strayed({ v: 1, key, from: refTo(id), genesis_id: null, leader: null });
    call("n2", "another");
    call("n3", "x".repeat(300));
    expect(way.discovery()?.callers).toMatchObject([{ id: "n2", key: "another", address: "n2.test:4100" }]);
    expect(peers.others()).toEqual([]);
    clock.advance(31_000);
    expect(way.discovery()?.callers).toEqual([]);
    for (let n = 0; n < 100; n++) call(`m${n}`, "another");
    expect(way.discovery()?.callers).toHaveLength(16);
  });
});

describe("who is there without a store", () => {
  it("is who has answered, not who is remembered, and nobody who says that it is elsewhere", async () => {
    const marker = { genesis_id: "g1", birth: 1, record: sealedBy("n2", "g1", ["n1", "n2", "n3"]) };
    const at = (agent_addr: string) => helloOf("n2", { agent_addr, addr: "n2.moved:4002", marker });
    const hellos = new Map([["n2.moved:4100", at("n2.moved:4100")]]);
    const { way, peers, clock, run } = await restarted(hellos);
    expect(peers.members().map((m) => m.id)).toEqual(["n2", "n3"]);
    expect(way.present()).toEqual([]);
    await run();
    await passUntil(clock, () => way.present().length > 0, "n2 to be there");
    expect(way.present()).toEqual(["n2"]);
    expect(peers.members().map((m) => m.addr)).toEqual(["n1.test:4002", "n2.moved:4002", "n3.test:4002"]);
    hellos.clear();
    hellos.set("n2.again:4100", at("n2.again:4100"));
    const from = { id: "n2", incarnation: "n2-1", agent_addr: "n2.again:4100" };
    way.met({ v: 1, key: "rollcall", from, genesis_id: "g1", leader: null });
    expect(way.present()).toEqual([]);
    await passUntil(clock, () => way.present().length > 0, "n2 to be there again");
    expect(peers.members()[1]?.agent_addr).toBe("n2.again:4100");
  });

  it("are soon those who start a little later than this node", async () => {
    const hellos = new Map<string, Hello>();
    const { way, clock, run } = await restarted(hellos);
    await run();
    const rests = () => way.genesis.state().settled !== null && way.genesis.nextTryMs() !== null;
    await until(rests, { deadlineMs: 5_000, what: "n1 to rest" });
    const marker = { genesis_id: "g1", birth: 1, record: sealedBy("n2", "g1", ["n1", "n2", "n3"]) };
    for (const id of ["n2", "n3"]) hellos.set(refTo(id).agent_addr, helloOf(id, { marker }));
    const began = clock.now();
    await passUntil(clock, () => way.present().length === 2, "both to be there");
    expect(clock.now() - began).toBeLessThan(1_000);
  });

  it("is soon a newcomer too that answers later than all others", async () => {
    const marker = { genesis_id: "g1", birth: 1, record: sealedBy("n2", "g1", ["n1", "n2", "n3"]) };
    const hellos = new Map<string, Hello | Promise<Hello>>();
    for (const id of ["n2", "n3"]) hellos.set(refTo(id).agent_addr, helloOf(id, { marker }));
    const { way, peers, clock, run } = await restarted(hellos);
    await run();
    const rests = () => way.present().length === 2 && way.genesis.nextTryMs() !== null;
    await passUntil(clock, rests, "n1 to have heard both");
    const late = Promise.withResolvers<Hello>();
    const { id, incarnation, agent_addr } = refTo("n4");
    hellos.set(agent_addr, late.promise);
    way.met({ v: 1, key: "rollcall", from: { id, incarnation, agent_addr }, genesis_id: "g1", leader: null });
    const asked = () => way.genesis.nextTryMs() === null;
    await until(asked, { deadlineMs: 5_000, what: "n1 to look again" });
    for (let ms = 0; ms < 800; ms += 50) {
      clock.advance(50);
      await turns();
    }
    late.resolve(helloOf("n4", { marker }));
    // No time passes: it is not found by looking again by itself.
    const knows = () => peers.members().some((m) => m.id === "n4");
    await until(knows, { deadlineMs: 5_000, what: "n1 to know n4" });
  });

  it("is no founder that has not settled, of which it is known where it is now all the same", async () => {
    const moved = { agent_addr: "n2.moved:4100", addr: "n2.moved:4002", marker: null };
    const hellos = new Map([["n2.moved:4100", helloOf("n2", moved)]]);
    const { way, peers, clock, run } = await restarted(hellos, []);
    await run();
    await passUntil(clock, () => peers.members().length > 0, "the members to be known");
    const seen = () => peers.members().map((m) => [m.id, m.addr, m.genesis_id]);
    const n1 = ["n1", "n1.test:4002", "g1"];
    expect(seen()).toEqual([n1, ["n2", "n2.moved:4002", null]]);
    expect(way.present()).toEqual([]);
    hellos.clear();
    way.met({ v: 1, key: "rollcall", from: refTo("n3"), genesis_id: "g1", leader: null });
    await passUntil(clock, () => peers.contact("n2.moved:4100")?.ok === false, "n2 to be gone");
    expect(seen()).toEqual([n1, ["n2", "n2.moved:4002", null]]);
  });
});
