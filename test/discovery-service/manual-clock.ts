/** A clock that only the test moves. */
import type { Clock } from "../../src/lib/clock.ts";

/** What the service needs of a clock, `advance`, and how many timers are set. */
export type ManualClock = Pick<Clock, "now" | "after"> & {
  /** Moves the time, and calls what is due in the order of its time. */
  advance(ms: number): void;
  pending(): number;
};

/** A clock that stands at 0. */
export function manualClock(): ManualClock {
  const timers = new Set<{ atMs: number; then: () => void }>();
  let nowMs = 0;
  return {
    now: () => nowMs,
    after(ms, then) {
      const timer = { atMs: nowMs + ms, then };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        const due = [...timers].filter((one) => one.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
        if (due === undefined) break;
        timers.delete(due);
        nowMs = Math.max(nowMs, due.atMs);
        due.then();
      }
      nowMs = endMs;
    },
    pending: () => timers.size,
  };
}
