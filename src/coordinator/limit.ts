/** How long one poll may take, phase by phase, with one timer; and whatever ends it early. */
import type { Clock } from "../lib/clock.ts";
import { RollcallError } from "../lib/errors.ts";

/**
 * Runs from its making until `end`. While a phase takes too long, the whole is over, or the signal aborts, `over` gives
 * the reason, and what was last given to `onOver` is called with it, once.
 */
export type Limit = {
  /** Begins a phase that may take `ms`, and never more than what is left of the whole. */
  phase(what: string, ms: number): void;
  onOver(then: (why: Error) => void): void;
  over(): Error | null;
  end(): void;
};

/** `unreachable` is what is thrown for a phase that took too long; the signal's own reason when that aborts. */
export function openLimit(clock: Clock, wholeMs: number, signal: AbortSignal): Limit {
  const began = clock.now();
  const end = began + wholeMs;
  let [what, due, limitMs] = ["", end, wholeMs];
  let why: Error | null = null;
  let then: (why: Error) => void = () => {};
  let [armedFor, disarm] = [Number.POSITIVE_INFINITY, () => {}];

  const stop = (reason: Error) => {
    if (why !== null) return;
    why = reason;
    then(reason);
  };
  const abort = () =>
    stop(signal.reason instanceof Error ? signal.reason : new RollcallError("aborted", "aborted"));
  // A phase that ends later than the timer does not touch it: it looks again when it fires. So a whole poll costs one.
  const arm = () => {
    if (armedFor <= due) return;
    disarm();
    armedFor = due;
    disarm = clock.after(Math.max(0, due - clock.now()), () => {
      armedFor = Number.POSITIVE_INFINITY;
      if (clock.now() < due) arm();
      else stop(new RollcallError("unreachable", `${what} in ${limitMs / 1_000} s`));
    });
  };
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  return {
    phase(name, ms) {
      const now = clock.now();
      what = name;
      due = Math.min(end, now + ms);
      limitMs = due === end ? wholeMs : ms;
      arm();
    },
    onOver(next) {
      then = next;
      if (why !== null) next(why);
    },
    over: () => why,
    end() {
      then = () => {};
      disarm();
      signal.removeEventListener("abort", abort);
    },
  };
}
