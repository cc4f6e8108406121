/** What is counted since the start. */
import type { Counters } from "./pages.ts";

export type Counts = { -readonly [K in Exclude<keyof Counters, "pollFailures">]: Counters[K] } & {
  readonly pollFailures: Record<string, number>;
};

export function noCounts(): Counts {
  return {
    ...{ scheduled: 0, queueFull: 0, discarded: 0, refreshes: 0, refreshFailures: 0 },
    ...{ discoveries: 0, discoveryFailures: 0, polls: 0, pollsUnchanged: 0, pollFailures: {} },
    ...{ events: 0, commits: 0 },
  };
}
