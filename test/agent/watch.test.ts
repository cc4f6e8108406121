import { describe, expect, it } from "vitest";
import { openStoreWatch } from "../../src/agent/watch.ts";
import type { Lookup, Provider } from "../../src/core/provider.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";
import { createMemory } from "../support/memory.ts";
import { rememberingLog } from "./support/log.ts";
import { memberOf } from "./support/records.ts";

/** A watch over a store in memory. */
function make(provider: Provider) {
  const clock = manualClock();
  const { log, lines } = rememberingLog();
  const looks: Lookup[] = [];
  const now = { lost: 0 };
  const watch = openStoreWatch({
    pacing: { clock, random: () => 0.5 },
    log,
    seen: (lookup) => void looks.push(lookup),
    lost() {
      now.lost += 1;
    },
  });
  const stop = new AbortController();
  const running = watch.run(provider, stop.signal);
  return {
    watch,
    clock,
    lines,
    looks,
    now,
    async end() {
      stop.abort();
      await running;
      expect(clock.pending()).toBe(0);
    },
  };
}

const never = () => new AbortController().signal;

describe("the store's watch", () => {
  it("sees what there is, and every change", async () => {
    const memory = createMemory();
    const provider = memory.open();
    const one = make(provider);
    expect(one.watch.health()).toEqual({ ok: null, problem: null });
    await turns();
    expect(one.watch.health()).toEqual({ ok: true, problem: null });
    expect(one.looks).toHaveLength(1);
    await memory.open().members?.announce(memberOf("n2"), never());
    await turns();
    expect(one.looks.at(-1)?.members?.map((m) => m.id)).toEqual(["n2"]);
    await one.end();
  });

  it("says once that the store is away and once that it is back, and looks in between", async () => {
    const memory = createMemory();
    memory.down();
    const one = make(memory.open());
    await turns();
    expect(one.watch.health()).toEqual({ ok: false, problem: expect.stringContaining("connection reset") });
    for (let i = 0; i < 300; i++) {
      one.clock.advance(100);
      await turns(2);
    }
    // In 30 s: at 75, 225 ms and so on, then every 3.75 s.
    expect(one.now.lost).toBeGreaterThan(8);
    expect(one.now.lost).toBeLessThan(20);
    memory.up();
    for (let i = 0; i < 60; i++) {
      one.clock.advance(100);
      await turns(2);
    }
    expect(one.watch.health()).toEqual({ ok: true, problem: null });
    expect(one.lines().map((l) => [l.level, l.msg])).toEqual([
      ["warn", "the store cannot be read; waiting for it"],
      ["info", "the store is back"],
    ]);
    await one.end();
  });

  it("is not kept busy by a store that changes all the time", async () => {
    let gave = 0;
    const provider: Provider = {
      mode: "busy",
      lookup: async () => ({ kind: "complete", addresses: [] }),
      async *watch() {
        for (;;) {
          gave += 1;
          yield { kind: "complete", addresses: [] };
        }
      },
      close: async () => {},
    };
    const one = make(provider);
    await turns(50);
    expect(gave).toBeLessThanOrEqual(52);
    for (let i = 0; i < 100; i++) {
      one.clock.advance(100);
      await turns(3);
    }
    // 50 at once, and 20 a second.
    expect(gave).toBeGreaterThan(200);
    expect(gave).toBeLessThanOrEqual(50 + 200 + 2);
    await one.end();
  });

  it("does not spin where there is no watch, or one that ends", async () => {
    let opened = 0;
    const provider: Provider = {
      mode: "ends",
      lookup: async () => ({ kind: "complete", addresses: [] }),
      async *watch() {
        opened += 1;
        yield { kind: "complete", addresses: [] };
      },
      close: async () => {},
    };
    const one = make(provider);
    for (let i = 0; i < 100; i++) {
      one.clock.advance(100);
      await turns(3);
    }
    expect(opened).toBeLessThanOrEqual(140);
    await one.end();
  });
});

describe("what other calls to the store tell the watch", () => {
  /** A provider whose watch hangs until it is aborted, or fails. */
  function hanging() {
    const now = { opened: 0, fails: false };
    const provider: Provider = {
      mode: "hanging",
      lookup: async () => ({ kind: "complete", addresses: [] }),
      async *watch(signal) {
        now.opened += 1;
        if (now.fails) throw new Error("connection refused");
        yield { kind: "complete", addresses: [] };
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
      },
      close: async () => {},
    };
    return { provider, now };
  }

  it("a failure makes a watch that hangs be opened anew, and said once", async () => {
    const { provider, now } = hanging();
    const one = make(provider);
    await turns();
    one.watch.heard("register: no answer in 5 s");
    expect(one.watch.health()).toEqual({ ok: false, problem: "register: no answer in 5 s" });
    expect(one.now.lost).toBe(1);
    one.watch.heard("register: no answer in 5 s");
    await turns();
    one.clock.advance(100);
    await turns();
    expect(now.opened).toBe(2);
    expect(one.watch.health()).toEqual({ ok: true, problem: null });
    expect(one.lines().map((l) => l.msg)).toEqual([
      "the store cannot be read; waiting for it",
      "the store is back",
    ]);
    await one.end();
  });

  it("a success does not let it wait out a failure that is over", async () => {
    const { provider, now } = hanging();
    now.fails = true;
    const one = make(provider);
    for (let i = 0; i < 100; i++) {
      one.clock.advance(100);
      await turns(2);
    }
    const before = now.opened;
    now.fails = false;
    one.watch.heard(null);
    await turns();
    // At once: the clock has not moved.
    expect(now.opened).toBe(before + 1);
    expect(one.watch.health()).toEqual({ ok: true, problem: null });
    await one.end();
  });

  it("what the watch knows already changes nothing", async () => {
    const { provider, now } = hanging();
    const one = make(provider);
    await turns();
    for (let i = 0; i < 10; i++) one.watch.heard(null);
    await turns();
    expect(now.opened).toBe(1);
    await one.end();
  });
});
