/** The agent's metrics. */
import type { Explanation } from "../core/explain.ts";
import { fits, type NodeReport } from "../core/node-report.ts";
import { gauge, type Metric, metricsPage } from "../lib/metrics.ts";

/** What the agent's metrics are made of. */
export type MetricFacts = {
  readonly version: string;
  readonly nodeId: string;
  readonly key: string;
  readonly mode: string;
  readonly expect: number;
  readonly explanation: Explanation;
  /** Of the outcome; 0 before there is one. */
  readonly revision: number;
  readonly seq: number;
  readonly storeUp: boolean;
  /** Resident, in bytes. */
  readonly memory: number;
  readonly report: NodeReport;
  /** The id of the node that leads; null: not known. */
  readonly leader: string | null;
  /** Of the supervised database; null: not supervised. */
  readonly restarts: number | null;
  readonly failingHooks: readonly string[];
};

/** The page of `/metrics`. */
export function agentMetrics(facts: MetricFacts): string {
  const { code, counted, seen, reachable, overdue } = facts.explanation;
  const { version, nodeId: node_id, key, mode, report } = facts;
  return metricsPage([
    gauge("info", "The agent, its node and cluster; always 1.", 1, { version, node_id, key, mode }),
    gauge("settled", "1 once the agent has an outcome.", facts.revision === 0 ? 0 : 1),
    gauge("waiting", "1 with the code that /v1/explain gives.", 1, { code }),
    gauge("overdue", "1 when no outcome came within -bootstrap-expect-timeout.", overdue ? 1 : 0),
    gauge("expected_voters", "Voters that must be there before a cluster is created.", facts.expect),
    gauge("counted_voters", "Voters that counted when this agent last asked.", counted.length),
    gauge("registered_members", "Entries in the members directory.", seen),
    gauge("reachable_agents", "Agents that answered when last asked, this one included.", reachable),
    gauge("store_up", "1 when the last look at the store succeeded.", facts.storeUp ? 1 : 0),
    gauge("outcome_revision", "Revision of the outcome; 0 before there is one.", facts.revision),
    gauge("state_seq", "Transitions of /v1/state since the agent started.", facts.seq),
    gauge("failing_hooks", "Hooks whose last run failed.", facts.failingHooks.length),
    ...(facts.restarts === null
      ? []
      : [gauge("database_restarts", "Starts of the database after its first.", facts.restarts)]),
    ...databaseMetrics(report, facts.leader),
    gauge("process_resident_memory_bytes", "Resident memory.", facts.memory),
  ]);
}

/** What is known of the database; nothing where none is asked. */
function databaseMetrics(report: NodeReport, leader: string | null): Metric[] {
  if (report.kind === "none") return [];
  const { kind, status, term, shards } = report;
  const lags = shards.flatMap(({ id, lag }) =>
    lag === null ? [] : [{ value: lag.value, labels: { shard: id, unit: lag.unit } }],
  );
  return [
    gauge(
      "database_up",
      "1 with the status of the last look, when that is healthy.",
      status === "healthy" ? 1 : 0,
      {
        kind,
        status,
      },
    ),
    gauge("database_leads", "1 when this node's database leads.", fits(report, "leader").ok ? 1 : 0),
    gauge("leader_known", "1 with the node that leads.", leader === null ? 0 : 1, { leader: leader ?? "" }),
    ...(term === null ? [] : [gauge("database_term", "The term in which the role holds.", term)]),
    ...(lags.length === 0
      ? []
      : [
          {
            name: "rollcall_database_lag",
            help: "How far a shard is behind.",
            type: "gauge" as const,
            values: lags,
          },
        ]),
  ];
}
