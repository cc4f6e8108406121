/** What one run of a task came to: kept for the last ones of each cluster, and an event where somebody asked for the run. */

/**
 * How a refresh ended. `done`: committed, or nothing to commit. `discarded`: another one of the cluster was running.
 * `failed`: our own store failed, and nothing of it counts. `disabled`, `gone`: there was nothing to do any more.
 */
export type Outcome = "done" | "discarded" | "failed" | "disabled" | "gone";

/** One decision on the way, in the order in which it was taken: a code, and what it is about. */
export type Decision = { readonly code: string; readonly message: string; readonly node: string | null };

export type RefreshReport = {
  readonly cluster_id: string;
  /** `schedule`, or `request` where somebody asked. */
  readonly reason: "schedule" | "request";
  /** RFC 3339. */
  readonly started_at: string;
  readonly duration_ms: number;
  /** How much later than expected it began. */
  readonly late_ms: number;
  readonly outcome: Outcome;
  readonly polled: number;
  readonly unchanged: number;
  readonly failed: number;
  /** Events committed. */
  readonly events: number;
  readonly version: number;
  readonly decisions: readonly Decision[];
};
