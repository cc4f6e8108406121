import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RollcallError } from "../../src/lib/errors.ts";
import { backoff, bell, bucket, withDeadline } from "../../src/lib/loop.ts";
import { manualClock, turns } from "./manual-clock.ts";

/** Work that ends only when its signal aborts, and then throws what a library would. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    const end = () => reject(new Error("socket hang up"));
    if (signal.aborted) return end();
    signal.addEventListener("abort", end, { once: true });
  });

/** A signal that counts its listeners. */
function watched() {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners -= 1;
    remove(...args);
  };
  return { controller, signal, listeners: () => listeners };
}

describe("withDeadline", () => {
  it("gives the work's value and leaves neither timer nor listener", async () => {
    const clock = manualClock();
    const outer = watched();
    expect(await withDeadline(clock, outer.signal, 1_000, "ask", async () => 7)).toBe(7);
    expect([clock.pending(), outer.listeners()]).toEqual([0, 0]);
  });

  it("throws `deadline` after the time, whatever the work throws, and leaves nothing behind", async () => {
    const clock = manualClock();
    const outer = watched();
    const late = withDeadline(clock, outer.signal, 1_500, "ask the store", untilAborted);
    const seen = expect(late).rejects.toMatchObject({
      code: "deadline",
      message: "ask the store: no answer in 1.5 s",
    });
    clock.advance(1_499);
    expect(clock.pending()).toBe(1);
    clock.advance(1);
    await seen;
    expect([clock.pending(), outer.listeners()]).toEqual([0, 0]);
  });

  it("passes an error on as it is before the time", async () => {
    const clock = manualClock();
    const outer = watched();
    const own = new RollcallError("unreachable", "connection refused");
    await expect(withDeadline(clock, outer.signal, 1_000, "ask", () => Promise.reject(own))).rejects.toBe(
      own,
    );
    expect([clock.pending(), outer.listeners()]).toEqual([0, 0]);
  });

  it("aborts the work with the outer signal, before and during", async () => {
    const clock = manualClock();
    const outer = watched();
    const running = withDeadline(clock, outer.signal, 1_000, "ask", untilAborted);
    const seen = expect(running).rejects.toThrow("socket hang up");
    outer.controller.abort();
    await seen;
    await expect(withDeadline(clock, outer.signal, 1_000, "ask", untilAborted)).rejects.toThrow();
    expect([clock.pending(), outer.listeners()]).toEqual([0, 0]);
  });

  it("does not hang on work that ignores its signal, neither at the deadline nor at an abort", async () => {
    const clock = manualClock();
    const stop = new AbortController();
    const deaf = () => new Promise<never>(() => {});
    const late = expect(withDeadline(clock, stop.signal, 1_000, "ask", deaf)).rejects.toMatchObject({
      code: "deadline",
    });
    const stopped = expect(withDeadline(clock, stop.signal, 5_000, "ask", deaf)).rejects.toThrow();
    clock.advance(1_000);
    clock.advance(100);
    await late;
    stop.abort();
    clock.advance(100);
    await stopped;
    expect(clock.pending()).toBe(0);
  });

  it("swallows what abandoned work throws later", async () => {
    const clock = manualClock();
    let fail: (error: Error) => void = () => {};
    const work = () =>
      new Promise<never>((_, reject) => {
        fail = reject;
      });
    const late = expect(
      withDeadline(clock, new AbortController().signal, 10, "ask", work),
    ).rejects.toMatchObject({ code: "deadline" });
    clock.advance(110);
    await late;
    // An unhandled rejection would fail the run.
    fail(new Error("too late"));
    await turns();
  });

  it("keeps a value that came at the very end", async () => {
    const clock = manualClock();
    const value = withDeadline(clock, new AbortController().signal, 10, "ask", async () => "in time");
    clock.advance(10);
    expect(await value).toBe("in time");
  });
});

describe("backoff", () => {
  it("doubles up to its most, each in its upper half, and starts again after a reset", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 1, max: 1_000 }),
        fc.array(fc.float({ min: 0, max: Math.fround(0.999), noNaN: true }), { minLength: 1, maxLength: 30 }),
        (first, more, chances) => {
          const most = first + more;
          const left = [...chances];
          const wait = backoff(first, most, () => left.shift() ?? 0);
          chances.forEach((_, i) => {
            const full = Math.min(first * 2 ** i, most);
            const ms = wait.take();
            expect(ms).toBeGreaterThanOrEqual(full / 2);
            expect(ms).toBeLessThanOrEqual(full);
          });
          wait.reset();
          expect(wait.take()).toBeLessThanOrEqual(first);
        },
      ),
    );
  });
});

describe("bell", () => {
  it("remembers a ring from before the wait, once", async () => {
    const [clock, one, stop] = [manualClock(), bell(), new AbortController()];
    one.ring();
    one.ring();
    expect(await one.wait(clock, 1_000, stop.signal)).toBe(true);
    const second = one.wait(clock, 1_000, stop.signal);
    expect(clock.pending()).toBe(1);
    clock.advance(1_000);
    expect(await second).toBe(false);
  });

  it("wakes at a ring, at the time, and on abort, and leaves no timer", async () => {
    const [clock, one, stop] = [manualClock(), bell(), new AbortController()];
    const rung = one.wait(clock, 1_000, stop.signal);
    one.ring();
    expect(await rung).toBe(true);
    expect(clock.pending()).toBe(0);
    const late = one.wait(clock, 1_000, stop.signal);
    clock.advance(1_000);
    expect(await late).toBe(false);
    const ended = one.wait(clock, 1_000, stop.signal);
    stop.abort();
    expect(await ended).toBe(false);
    expect(clock.pending()).toBe(0);
  });

  it("keeps a ring that comes between the end of one wait and the next", async () => {
    const [clock, one, stop] = [manualClock(), bell(), new AbortController()];
    const first = one.wait(clock, 10, stop.signal);
    clock.advance(10);
    await first;
    one.ring();
    expect(await one.wait(clock, 10, stop.signal)).toBe(true);
  });
});

describe("bucket", () => {
  it("lets a burst pass and then as many as it refills", async () => {
    const clock = manualClock();
    const stop = new AbortController();
    const pace = bucket(clock, 3, 10);
    let passed = 0;
    const all = (async () => {
      for (let i = 0; i < 8; i++) {
        await pace.take(stop.signal);
        passed += 1;
      }
    })();
    await turns();
    expect(passed).toBe(3);
    for (let i = 1; i <= 5; i++) {
      clock.advance(100);
      await turns();
      expect(passed).toBe(3 + i);
    }
    await all;
    clock.advance(60_000);
    // A long rest fills it to the burst and no further.
    let again = 0;
    const more = (async () => {
      for (let i = 0; i < 4; i++) {
        await pace.take(stop.signal);
        again += 1;
      }
    })();
    await turns();
    expect(again).toBe(3);
    stop.abort();
    await more;
    expect(clock.pending()).toBe(0);
  });
});
