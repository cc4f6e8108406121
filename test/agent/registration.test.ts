import { describe, expect, it } from "vitest";
import { openRegistration } from "../../src/agent/registration.ts";
import type { Hello, Member } from "../../src/core/model.ts";
import type { Members } from "../../src/core/provider.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";
import { createMemory } from "../support/memory.ts";
import { rememberingLog } from "./support/log.ts";
import { helloOf, memberOf } from "./support/records.ts";

/** A registration of n1 over a store in memory whose calls are counted, on a clock that the test moves. */
function make(answers: Record<string, Hello> = {}, memory = createMemory(), refusal: Error | null = null) {
  const clock = manualClock();
  const provider = memory.open();
  const calls: string[] = [];
  const inner = provider.members as Members;
  const members: Members = {
    ttlMs: inner.ttlMs,
    announce: async (member, signal) => {
      calls.push("announce");
      if (refusal !== null) throw refusal;
      return inner.announce(member, signal);
    },
    renew: (signal) => {
      calls.push("renew");
      return inner.renew(signal);
    },
    withdraw: (signal) => inner.withdraw(signal),
  };
  const { log, lines } = rememberingLog();
  const now = { entry: memberOf("n1") as Member, changes: 0 };
  const registration = openRegistration({
    pacing: { clock, random: () => 0.5 },
    log,
    entry: () => now.entry,
    hello: async (address) => answers[address] ?? null,
    changed() {
      now.changes += 1;
      // As the agent does: whatever changes, the entry may have changed with it.
      registration.refresh();
    },
  });
  const stop = new AbortController();
  const running = registration.run(members, stop.signal);
  return {
    registration,
    memory,
    clock,
    calls,
    now,
    lines,
    /** Moves the registration's clock and the store's. */
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= 100) {
        clock.advance(Math.min(100, left));
        memory.advance(Math.min(100, left));
        await turns(2);
      }
    },
    async end() {
      stop.abort();
      await running;
      expect(clock.pending()).toBe(0);
      await provider.close();
    },
    stored: (): Member[] => memory.registers.view("rollcall").members.map((text) => JSON.parse(text)),
  };
}

describe("registration", () => {
  it("announces once and then renews, three times a lease", async () => {
    const one = make();
    await turns();
    expect(one.registration.state()).toEqual({ at: "held" });
    expect(one.stored()).toEqual([memberOf("n1")]);
    await one.pass(30_000);
    expect(one.calls.filter((c) => c === "announce")).toHaveLength(1);
    const renewals = one.calls.filter((c) => c === "renew").length;
    expect(renewals).toBeGreaterThanOrEqual(8);
    expect(renewals).toBeLessThanOrEqual(9);
    expect(one.stored()).toHaveLength(1);
    expect(one.now.changes).toBe(1);
    await one.end();
  });

  it("announces a changed entry at once, once, however often it is told", async () => {
    const one = make();
    await turns();
    one.now.entry = memberOf("n1", { status: "settled", genesis_id: "g1" });
    for (let i = 0; i < 100; i++) {
      one.registration.refresh();
      await turns(1);
    }
    expect(one.calls).toEqual(["announce", "announce"]);
    expect(one.stored()[0]).toMatchObject({ status: "settled", genesis_id: "g1" });
    await one.end();
  });

  it("does nothing for a refresh that changes nothing", async () => {
    const one = make();
    await turns();
    for (let i = 0; i < 100; i++) one.registration.refresh();
    await turns();
    expect(one.calls).toEqual(["announce"]);
    await one.end();
  });

  it("announces an entry that changed while it was being announced", async () => {
    const one = make();
    one.now.entry = memberOf("n1", { status: "refused" });
    one.registration.refresh();
    await turns();
    expect(one.stored()[0]?.status).toBe("refused");
    expect(one.calls).toHaveLength(2);
    await one.end();
  });

  it("announces again when its lease was lost", async () => {
    const one = make();
    await turns();
    one.memory.wipe();
    expect(one.stored()).toEqual([]);
    await one.pass(5_000);
    expect(one.stored()).toEqual([memberOf("n1")]);
    expect(one.calls.slice(0, 3)).toEqual(["announce", "renew", "announce"]);
    await one.end();
  });

  it("announces at once when it is told that the directory does not show it", async () => {
    const one = make();
    await turns();
    one.memory.wipe();
    one.registration.lost();
    await turns();
    expect(one.stored()).toEqual([memberOf("n1")]);
    expect(one.registration.state()).toEqual({ at: "held" });
    expect(one.calls).toEqual(["announce", "announce"]);
    await one.end();
  });

  it("tells a live agent of its id from one that has gone, and takes the id when its lease is over", async () => {
    const other = memberOf("n1", { incarnation: "n1-0", agent_addr: "other.test:4100" });
    for (const alive of [true, false]) {
      const memory = createMemory();
      const first = memory.open();
      await first.members?.announce(other, new AbortController().signal);
      const answer = helloOf("n1", { incarnation: "n1-0", agent_addr: "other.test:4100" });
      const one = make(alive ? { "other.test:4100": answer } : {}, memory);
      await turns();
      expect(one.registration.state()).toEqual({ at: alive ? "duplicate" : "lapsing", by: other });
      await one.pass(8_000);
      expect(one.stored()).toEqual([other]);
      // Said once, and only where a person has to do something.
      expect(one.lines().filter((l) => l.level === "error")).toHaveLength(alive ? 1 : 0);
      await one.pass(5_000);
      expect(one.registration.state()).toEqual({ at: "held" });
      expect(one.stored()).toEqual([memberOf("n1")]);
      await one.end();
      await first.close();
    }
  });

  it("is not a duplicate of another node that answers at the old address", async () => {
    const memory = createMemory();
    const first = memory.open();
    const old = memberOf("n1", { incarnation: "n1-0", agent_addr: "n2.test:4100" });
    await first.members?.announce(old, new AbortController().signal);
    const one = make({ "n2.test:4100": helloOf("n2") }, memory);
    await turns();
    expect(one.registration.state().at).toBe("lapsing");
    await one.end();
    await first.close();
  });

  it("hands on what the store says helps", async () => {
    const refusal = new RollcallError("store_error", "register: full", { hint: "make room" });
    const one = make({}, createMemory(), refusal);
    await turns();
    expect(one.registration.state()).toEqual({ at: "failing", problem: "register: full", hint: "make room" });
    await one.end();
  });

  it("says that it fails, tries again with growing waits, and recovers by itself", async () => {
    const memory = createMemory();
    memory.down();
    const one = make({}, memory);
    await turns();
    expect(one.registration.state()).toEqual({
      at: "failing",
      problem: expect.stringContaining("connection reset"),
      hint: null,
    });
    await one.pass(20_000);
    const tries = one.calls.length;
    expect(tries).toBeGreaterThan(8);
    expect(tries).toBeLessThan(24);
    expect(one.now.changes).toBe(1);
    memory.up();
    await one.pass(2_000);
    expect(one.registration.state()).toEqual({ at: "held" });
    await one.end();
  });

  it("repeats an announcement whose answer was lost without harm", async () => {
    const memory = createMemory();
    memory.inject("announce", "lose");
    const one = make({}, memory);
    await one.pass(1_000);
    expect(one.registration.state()).toEqual({ at: "held" });
    expect(one.stored()).toHaveLength(1);
    await one.end();
  });

  it("keeps its place through one lost renewal", async () => {
    const one = make();
    await turns();
    one.memory.inject("renew", "fail");
    await one.pass(30_000);
    expect(one.registration.state()).toEqual({ at: "held" });
    expect(one.stored()).toHaveLength(1);
    await one.end();
  });

  it("gives a call that hangs five seconds", async () => {
    const clock = manualClock();
    const { log } = rememberingLog();
    const stop = new AbortController();
    const hanging: Members = {
      ttlMs: 10_000,
      announce: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        }),
      renew: async () => false,
      withdraw: async () => {},
    };
    const registration = openRegistration({
      pacing: { clock, random: () => 0.5 },
      log,
      entry: () => memberOf("n1"),
      hello: async () => null,
      changed: () => {},
    });
    const running = registration.run(hanging, stop.signal);
    await turns();
    clock.advance(4_999);
    await turns();
    expect(registration.state().at).toBe("announcing");
    clock.advance(1);
    await turns();
    expect(registration.state()).toEqual({
      at: "failing",
      problem: "register: no answer in 5 s",
      hint: null,
    });
    stop.abort();
    await running;
    expect(clock.pending()).toBe(0);
  });
});
