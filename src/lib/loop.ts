/** Pace: the one home of deadlines, backoff and wake-ups. */
import type { Clock } from "./clock.ts";
import { RollcallError } from "./errors.ts";

/** What waiting needs. `random` gives a number in [0, 1). */
export type Pacing = { readonly clock: Clock; readonly random: () => number };

/** What aborted work may take to end; nothing that ignores its signal holds anybody longer. */
const GRACE_MS = 100;

/**
 * Runs `work` with a signal that aborts with the outer one or after `ms`. A time-out is thrown as
 * `deadline`, whatever the work itself threw on abort. Work that does not end on abort is left behind.
 */
export async function withDeadline<T>(
  clock: Clock,
  outer: AbortSignal,
  ms: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const own = new AbortController();
  const deaf = Promise.withResolvers<never>();
  let late = false;
  const end = (why?: unknown) => {
    own.abort(why);
    cancel();
    cancel = clock.after(GRACE_MS, () => deaf.reject(own.signal.reason));
  };
  let cancel = clock.after(ms, () => {
    late = true;
    end();
  });
  const abort = () => end(outer.reason);
  outer.addEventListener("abort", abort, { once: true });
  if (outer.aborted) abort();
  try {
    return await Promise.race([work(own.signal), deaf.promise]);
  } catch (error) {
    if (!late) throw error;
    // What was thrown because of our own abort explains nothing.
    const cause = stemsFrom(error, own.signal.reason) ? undefined : error;
    throw new RollcallError("deadline", `${what}: no answer in ${ms / 1000} s`, { cause });
  } finally {
    cancel();
    outer.removeEventListener("abort", abort);
  }
}

function stemsFrom(error: unknown, root: unknown): boolean {
  let one = error;
  for (let depth = 0; depth < 5 && one !== root && one instanceof Error; depth++) one = one.cause;
  return one === root;
}

/** Waits that double from `firstMs` to `mostMs`, each spread over its upper half. `reset` starts again. */
export function backoff(firstMs: number, mostMs: number, random: () => number) {
  let next = firstMs;
  return {
    reset() {
      next = firstMs;
    },
    /** The next wait in milliseconds. */
    take(): number {
      const ms = next * (0.5 + random() / 2);
      next = Math.min(next * 2, mostMs);
      return ms;
    },
  };
}

/** A level that many may raise and one waits for: raising twice before the wait is one wake-up. */
export function bell() {
  let rung = false;
  let listener: (() => void) | null = null;
  return {
    ring() {
      rung = true;
      listener?.();
    },
    /** Resolves when rung, after `ms` at the latest, or on abort; true when rung. */
    async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
      if (!rung && !signal.aborted) {
        const over = new AbortController();
        // With a reason, or each would make an error with its stack.
        const end = () => over.abort(null);
        listener = end;
        signal.addEventListener("abort", end, { once: true });
        await clock.sleep(ms, over.signal);
        signal.removeEventListener("abort", end);
        listener = null;
      }
      const was = rung;
      rung = false;
      return was;
    },
  };
}
export type Bell = ReturnType<typeof bell>;

/** A bucket of `burst` tokens that refills at `perSecond`; `take` waits for one. Bounds how often a hot watch is read. */
export function bucket(clock: Clock, burst: number, perSecond: number) {
  let tokens = burst;
  let at = clock.now();
  return {
    async take(signal: AbortSignal): Promise<void> {
      const now = clock.now();
      tokens = Math.min(burst, tokens + ((now - at) * perSecond) / 1000) - 1;
      at = now;
      if (tokens < 0) await clock.sleep((-tokens * 1000) / perSecond, signal);
    },
  };
}
