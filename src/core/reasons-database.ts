/** What `explain` adds for a node that has settled and whose database is not well. */
import type { NodeReport } from "./node-report.ts";
import type { Reason } from "./reasons.ts";

/** The database as far as an explanation goes; `process`: what is wrong with starting it, null: nothing. */
export type DatabaseFacts = Pick<NodeReport, "kind" | "status" | "problem"> & {
  readonly process: string | null;
};

/** The same reason, and why the database does not serve yet. The code stays: it is about the cluster's genesis. */
export function withDatabase(reason: Reason, database: DatabaseFacts | null): Reason {
  if (database === null || reason.code !== "settled" || database.status === "healthy") return reason;
  const { kind, status, problem, process } = database;
  const why = [process, problem].filter((text) => text !== null).join("; ");
  const what = status === "unknown" ? "does not run yet" : `is ${status.replaceAll("_", " ")}`;
  return {
    ...reason,
    summary: `${reason.summary} Its database (${kind}) ${what}${why === "" ? "" : `: ${why}`}.`,
    unblock: [...reason.unblock, ...advice[status]],
  };
}

const advice: Readonly<Record<NodeReport["status"], readonly string[]>> = {
  healthy: [],
  leaving: [],
  unknown: [],
  unavailable: ["See the database's own log, and whether -db-addr and -db-config are right."],
  joining: [
    "Nothing to do while the others run: it joins once they have a leader and reach it at its peer address.",
    "If it stays: see whether -db-peer-addr, or -raft-adv-addr after --, can be reached from the others.",
  ],
  unhealthy: ["Start the missing nodes: without a majority there is no leader."],
  not_in_cluster: ["See whether the database's node id is this agent's -node-id."],
};
