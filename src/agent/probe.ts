/** Asks the database how it is, at a steady pace: with a deadline, never twice at once, slower while it does not answer. */
import { blankReport, type NodeReport } from "../core/node-report.ts";
import type { Database } from "../databases/database.ts";
import { reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { backoff, bell, type Pacing, withDeadline } from "../lib/loop.ts";

/** What one look may take. A database that is frozen is told from one that is busy by nothing else. */
const LIMIT_MS = 2_000;
/** The longest wait between two looks at a database that does not answer, unless the interval itself is longer. */
const MOST_WAIT_MS = 2_000;

export type ProbeOptions = {
  readonly database: Database;
  readonly intervalMs: number;
  readonly pacing: Pacing;
  readonly log: Log;
  /** Whether there can be anything to ask: a supervised database that was not started yet is not asked, whoever has its port. */
  readonly running: () => boolean;
  readonly changed: (report: NodeReport) => void;
};

export function openProbe({ database, intervalMs, pacing, log, running, changed }: ProbeOptions) {
  const { clock } = pacing;
  const due = bell();
  let report = blankReport(database.kind, "unknown", null);

  const look = async (signal: AbortSignal): Promise<NodeReport> => {
    if (!running()) return blankReport(database.kind, "unknown", "the database has not been started");
    try {
      return await withDeadline(clock, signal, LIMIT_MS, "ask the database", (s) => database.probe(s));
    } catch (error) {
      return blankReport(database.kind, "unavailable", reason(error));
    }
  };

  const take = (next: NodeReport) => {
    if (next.status !== report.status) {
      const { status, problem } = next;
      const tell = status === "healthy" || status === "joining" || status === "unknown" ? "info" : "warn";
      log[tell]({ status, ...(problem === null ? {} : { problem }) }, "the database's status changed");
    }
    const news = JSON.stringify(next) !== JSON.stringify(report);
    report = next;
    if (news) changed(next);
  };

  return {
    /** The last look; `unknown` before the first. */
    report: (): NodeReport => report,
    /** Something happened to the database: looks at once. */
    soon: () => due.ring(),
    /** One look now, beside the steady ones: for a decision. Null: it does not answer, or does not run. */
    async look(signal: AbortSignal): Promise<NodeReport | null> {
      const seen = await look(signal);
      return seen.status === "unknown" || seen.status === "unavailable" ? null : seen;
    },
    async run(signal: AbortSignal): Promise<void> {
      const slower = backoff(intervalMs, Math.max(MOST_WAIT_MS, intervalMs), pacing.random);
      while (!signal.aborted) {
        const started = clock.now();
        const next = await look(signal);
        if (signal.aborted) return;
        take(next);
        const silent = next.status === "unavailable";
        if (!silent) slower.reset();
        const wait = silent ? slower.take() : Math.max(0, started + intervalMs - clock.now());
        if (await due.wait(clock, wait, signal)) slower.reset();
      }
    },
  };
}
export type Probe = ReturnType<typeof openProbe>;
