/** Waiting for a condition: the only sleep of the test suite. */
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { RollcallError, reason } from "../../src/lib/errors.ts";

/** How long to wait and what for. */
export type Until = {
  readonly deadlineMs: number;
  /** What is waited for, as in "waited 500 ms for <what>". */
  readonly what: string;
  readonly everyMs?: number;
  /** A reason why the condition can no longer become true (the server has exited), or null. Ends the wait. */
  readonly giveUp?: () => string | null;
};

/** What is left of T when it is not "not yet". */
export type Truthy<T> = Exclude<T, null | undefined | false | 0 | "">;

const PENDING = Symbol("pending");

/**
 * Asks `condition` again and again and gives its first truthy value. An answer that is falsy, a throw, or no
 * answer before the deadline counts as "not yet". Throws code `deadline` with `what` and the last answer.
 */
export async function until<T>(condition: () => T | Promise<T>, options: Until): Promise<Truthy<T>> {
  const end = performance.now() + options.deadlineMs;
  let last: unknown = PENDING;
  for (;;) {
    try {
      const left = Math.max(1, end - performance.now());
      const value = await before(condition, left);
      if (value !== PENDING) {
        if (value) return value as Truthy<T>;
        last = value;
      }
    } catch (error) {
      last = error;
    }
    const hopeless = options.giveUp?.() ?? null;
    if (hopeless !== null) throw failure(options, `gave up waiting for ${options.what}: ${hopeless}`, last);
    if (performance.now() >= end) {
      throw failure(options, `waited ${options.deadlineMs} ms for ${options.what}`, last);
    }
    await sleep(options.everyMs ?? 5);
  }
}

/** What a promise of a truthy value ends in, its error too, which must be within 2 s: less than any time-out of its own. */
export function soon<T>(promise: Promise<T>): Promise<unknown> {
  return until<unknown>(() => promise.catch((error: unknown) => error), {
    deadlineMs: 2_000,
    what: "a promise to settle by now",
  });
}

// A condition that never settles must not outlive the deadline.
async function before<T>(condition: () => T | Promise<T>, leftMs: number): Promise<T | typeof PENDING> {
  const asked = condition();
  if (!(asked instanceof Promise)) return asked;
  const timer = new AbortController();
  try {
    return await Promise.race([
      asked,
      sleep(leftMs, PENDING, { signal: timer.signal }) as Promise<typeof PENDING>,
    ]);
  } finally {
    timer.abort();
  }
}

function failure(options: Until, message: string, last: unknown): RollcallError {
  const seen =
    last === PENDING
      ? "no answer"
      : last instanceof Error
        ? reason(last)
        : inspect(last, { breakLength: 200 });
  return new RollcallError("deadline", `${message}; last: ${seen}`, {
    facts: { what: options.what, last },
    cause: last instanceof Error ? last : undefined,
  });
}
