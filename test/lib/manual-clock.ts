/** A whole clock that only the test moves. */
import { type Clock, clockOf } from "../../src/lib/clock.ts";

/** A clock, `advance`, and how many timers are set. */
export type ManualClock = Clock & {
  /** Moves the time, and calls what is due in the order of its time. */
  advance(ms: number): void;
  pending(): number;
};

/** A clock that stands at 0; its wall shows 1 January 2026. */
export function manualClock(): ManualClock {
  const timers = new Set<{ atMs: number; then: () => void }>();
  let nowMs = 0;
  const after = (ms: number, then: () => void) => {
    const timer = { atMs: nowMs + ms, then };
    timers.add(timer);
    return () => void timers.delete(timer);
  };
  return {
    ...clockOf({ now: () => nowMs, wall: () => Date.UTC(2026, 0, 1) + nowMs, after }),
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

/** Lets everything that is ready run: promises, and callbacks of I/O that has ended. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
