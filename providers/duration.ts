/** Durations in provider configurations: `"5s"`, or an integer of nanoseconds as Go's JSON has them. */
import * as z from "zod";
import { formatDuration, parseDuration } from "../src/lib/duration.ts";

/**
 * Gives milliseconds, a fraction rounded up. 0 is allowed and means "the default", as in etcd's own client. What
 * lies between is refused: `30000` is 30 µs, and whoever wrote it meant something else.
 */
export const Duration = z.union([z.string(), z.number()], { error: RULE() }).transform((given, context) => {
  const ms = typeof given === "string" ? parseDuration(given) : given / 1e6;
  if (ms !== null && (ms === 0 || ms >= 1)) return Math.ceil(ms);
  const meant = typeof given === "number" && Number.isInteger(given) && given > 0;
  const message =
    ms === null || !meant
      ? RULE()
      : `is ${given} ns, less than 1 ms: integers are nanoseconds; write "${formatDuration(given)}" if milliseconds were meant`;
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});

/** How long one call may take: a `Duration` longer than 0. Gives milliseconds. */
export const Timeout = Duration.refine((ms) => ms > 0, "must be longer than 0");

function RULE(): string {
  return 'must be a duration such as "5s" or "250ms"';
}
