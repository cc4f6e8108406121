import { describe, expect, it } from "vitest";
import { openReporter, ROUND_MS } from "../../src/agent/reporter.ts";
import { encodeLeader } from "../../src/core/leader-key.ts";
import { blankReport, type NodeReport } from "../../src/core/node-report.ts";
import type { Register } from "../../src/core/provider.ts";
import type { LeaderAnswer } from "../../src/core/reporter.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";
import { createMemory } from "../support/memory.ts";
import { rememberingLog } from "./support/log.ts";
import { refTo } from "./support/records.ts";

const never = new AbortController().signal;

/** The reporter of n1 over a store in memory whose calls are counted. Its database follows until the test says else. */
function make(memory = createMemory(), term: number | null = 1) {
  const clock = manualClock();
  const { log, lines } = rememberingLog();
  const register = memory.open().leaderKey as Register;
  const calls: string[] = [];
  const counted: Register = {
    read(signal) {
      calls.push("read");
      return register.read(signal);
    },
    swap(expected, next, signal) {
      calls.push("swap");
      return register.swap(expected, next, signal);
    },
  };
  const now = {
    genesis: "g" as string | null,
    answer: "leader" as LeaderAnswer | "hangs",
    registered: true,
    changes: 0,
    asked: [] as string[],
    report: { ...blankReport("fake", "healthy", null), role: "replica", term } as NodeReport,
  };
  const reporter = openReporter({
    pacing: { clock, random: () => 0.5 },
    log,
    self: () => refTo("n1"),
    clientAddress: (address) => `http://${address}`,
    report: () => now.report,
    genesis: () => now.genesis,
    registered: () => now.registered,
    async askLeader({ id }, signal) {
      now.asked.push(id);
      if (now.answer !== "hangs") return now.answer;
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
    changed() {
      now.changes += 1;
    },
  });
  const stop = new AbortController();
  const running = reporter.run(counted, stop.signal);
  const key = () => memory.registers.read("rollcall", "leader");
  return {
    reporter,
    memory,
    clock,
    calls,
    now,
    lines,
    key,
    stored: () => JSON.parse(key()?.value ?? "null") as Record<string, unknown> | null,
    /** What another node writes, unconditionally. */
    async put(value: string) {
      await register.swap(await register.read(never), value, never);
    },
    lead(term: number | null) {
      now.report = { ...now.report, role: "leader", term };
      reporter.wake();
    },
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= 100) {
        clock.advance(Math.min(100, left));
        await turns(2);
      }
    },
    async end() {
      stop.abort();
      await running;
      expect(clock.pending()).toBe(0);
    },
  };
}

const other = (id: string, term: number) =>
  encodeLeader({ id, api_addr: "", addr: "", v: 1, genesis_id: "g", term, incarnation: `${id}-1`, seq: 1 });

describe("the reporter of the leader key", () => {
  it("costs a node that follows nothing", async () => {
    const one = make();
    await one.pass(60_000);
    expect(one.calls).toEqual([]);
    expect(one.key()).toBeNull();
    await one.end();
  });

  it("writes with one request when the watch has shown the key, without the clock moving", async () => {
    const one = make();
    await one.put(other("n2", 1));
    one.reporter.saw(one.key());
    await turns();
    one.lead(2);
    await turns();
    expect(one.calls).toEqual(["swap"]);
    expect(one.stored()).toEqual({
      id: "n1",
      api_addr: "http://n1.test:4001",
      addr: "n1.test:4002",
      v: 1,
      genesis_id: "g",
      term: 2,
      incarnation: "n1-1",
      seq: 2,
    });
    expect(one.reporter.state()).toMatchObject({ record: { id: "n1" }, trouble: null, writes: 1 });
    await one.end();
  });

  it("reads every ten seconds while it leads, and writes only what is wrong", async () => {
    const one = make();
    one.lead(1);
    await turns();
    expect(one.calls).toEqual(["read", "swap"]);
    await one.pass(60_000);
    expect(one.calls.slice(2)).toEqual(Array.from({ length: 6 }, () => "read"));
    expect(one.stored()?.seq).toBe(1);
    await one.put('{"id":"n9","api_addr":"http://n9:4001","addr":"n9:4002"}');
    await one.pass(ROUND_MS * 1.1);
    expect(one.stored()).toMatchObject({ id: "n1", term: 1 });
    await one.end();
  });

  it("is not kept from its round by news that comes all the time", async () => {
    const one = make();
    one.lead(1);
    await turns();
    const before = one.calls.length;
    for (let i = 0; i < 120; i++) {
      one.reporter.wake();
      await one.pass(250);
    }
    expect(one.calls.slice(before)).toEqual(["read", "read", "read"]);
    await one.end();
  });

  it("waits for its genesis", async () => {
    const one = make();
    one.now.genesis = null;
    one.lead(1);
    await one.pass(20_000);
    expect(one.calls).toEqual([]);
    one.now.genesis = "g";
    one.reporter.wake();
    await turns();
    expect(one.stored()).toMatchObject({ id: "n1" });
    await one.end();
  });

  it("does not write what it decided before its database lost the lead", async () => {
    const memory = createMemory();
    const one = make(memory);
    memory.hang();
    one.lead(1);
    await turns();
    one.now.report = { ...one.now.report, role: "replica", term: 2 };
    one.reporter.wake();
    memory.up();
    await turns();
    expect(one.calls).toEqual(["read"]);
    expect(one.key()).toBeNull();
    await one.end();
  });

  it("reads back when it does not know how a write ended", async () => {
    const one = make();
    one.memory.inject("swap", "lose");
    one.reporter.saw(null);
    one.lead(1);
    await turns(10);
    expect(one.calls).toEqual(["swap", "read"]);
    expect(one.stored()).toMatchObject({ id: "n1", seq: 1 });
    expect(one.reporter.state().trouble).toBeNull();
    await one.end();
  });

  it("lets a late write of an old leader lose", async () => {
    const one = make();
    one.memory.inject("swap", "late");
    one.reporter.saw(null);
    one.lead(1);
    await turns(10);
    expect(one.stored()).toMatchObject({ id: "n1", seq: 1 });
    await one.put(other("n2", 2));
    expect(one.memory.land()).toBe(1);
    expect(one.stored()).toMatchObject({ id: "n2", term: 2 });
    await one.end();
  });

  it("tries a store that is away again and again, never more than one call at a time", async () => {
    const one = make();
    one.memory.down();
    one.lead(1);
    await turns();
    expect(one.reporter.state().trouble).toMatchObject({ code: "store" });
    await one.pass(120_000);
    expect(one.calls.length).toBeGreaterThan(8);
    expect(one.calls.length).toBeLessThan(30);
    one.memory.up();
    await one.pass(10_000);
    expect(one.stored()).toMatchObject({ id: "n1" });
    expect(one.reporter.state().trouble).toBeNull();
    expect(one.lines().filter((l) => l.msg === "the leader key is out of reach")).toHaveLength(1);
    await one.end();
  });

  it("gives up on a call that hangs, and ends at once when it is told to", async () => {
    const one = make();
    one.memory.hang();
    one.lead(1);
    await one.pass(6_000);
    expect(one.reporter.state().trouble?.message).toContain("no answer in 5 s");
    await one.end();
  });

  it("says that the key is ahead, and says it once", async () => {
    const one = make();
    await one.put(other("n2", 7));
    one.lead(3);
    await one.pass(60_000);
    expect(one.stored()).toMatchObject({ id: "n2", term: 7 });
    expect(one.reporter.state().trouble).toEqual({
      code: "stale_leader_report",
      message: "this node's database leads in term 3, the leader key shows term 7",
    });
    expect(one.lines().filter((l) => l.code === "stale_leader_report")).toHaveLength(1);
    one.lead(8);
    await turns(10);
    expect(one.stored()).toMatchObject({ id: "n1", term: 8 });
    expect(one.reporter.state().trouble).toBeNull();
    await one.end();
  });

  it("asks a node of the same term with longer and longer waits, and writes for nobody", async () => {
    const one = make();
    await one.put(other("n2", 3));
    one.lead(3);
    await one.pass(60_000);
    expect(one.now.asked.length).toBeGreaterThan(4);
    expect(one.now.asked.length).toBeLessThan(20);
    expect(one.reporter.state().trouble).toMatchObject({ code: "leader_conflict" });
    expect(one.stored()).toMatchObject({ id: "n2" });
    await one.end();
  });

  it("takes a node that hangs for silent, and one that is gone for no leader", async () => {
    const one = make(createMemory(), null);
    await one.put(other("n2", 3));
    one.now.answer = "hangs";
    one.lead(null);
    await one.pass(5_000);
    expect(one.now.asked.length).toBeGreaterThan(1);
    expect(one.reporter.state().trouble).toBeNull();
    expect(one.stored()).toMatchObject({ id: "n2" });
    one.now.registered = false;
    await one.pass(20_000);
    expect(one.stored()).toMatchObject({ id: "n1", term: 4 });
    await one.end();
  });

  it("tells those who look on only when what they see is another", async () => {
    const one = make();
    one.lead(1);
    await turns();
    const before = one.now.changes;
    for (let i = 0; i < 50; i++) {
      one.reporter.wake();
      one.reporter.saw(one.key());
      await turns(1);
    }
    await one.pass(30_000);
    expect(one.now.changes).toBe(before);
    await one.put(other("n2", 2));
    one.reporter.saw(one.key());
    expect(one.now.changes).toBe(before + 1);
    await one.end();
  });
});
