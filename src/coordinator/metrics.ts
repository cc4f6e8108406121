/** The coordinator's metrics. Times are seconds, as is usual there. */
import { Health } from "../core/health.ts";
import type { ClusterView } from "../core/view.ts";
import { gauge, type Metric, metricsPage } from "../lib/metrics.ts";
import type { ClusterPage, Counters, TaskPage, View } from "./pages.ts";

/** What they are made of. */
export type MetricFacts = Pick<View, "name" | "version"> & {
  readonly clusters: readonly { readonly page: ClusterPage; readonly view: ClusterView }[];
  readonly discoveries: number;
  readonly inDoubt: number;
  readonly counters: Counters;
  readonly lateness: ReturnType<View["lateness"]>;
  readonly tasks: readonly TaskPage[];
  readonly followers: number;
  readonly extent: { readonly oldest: number; readonly newest: number };
  /** Of what else its server serves. */
  readonly more: readonly Metric[];
};

/** The page of `/metrics`. */
export function coordinatorMetrics(facts: MetricFacts): string {
  const { lateness, tasks, extent } = facts;
  const inState = (state: string) => tasks.filter((task) => task.state === state).length;
  return metricsPage([
    gauge("coordinator_info", "The coordinator; always 1.", 1, { version: facts.version, name: facts.name }),
    gauge("discoveries", "Discoveries that are applied.", facts.discoveries),
    gauge("clusters", "Clusters that are listed.", facts.clusters.length),
    gauge("in_doubt", "Clusters and discoveries of which the store may have something else.", facts.inDoubt),
    ...clusterMetrics(facts.clusters),
    many("scheduler_lateness_seconds", "How late the runs of the last minute began.", [
      { labels: { quantile: "0.5" }, value: lateness.p50 / 1_000 },
      { labels: { quantile: "0.99" }, value: lateness.p99 / 1_000 },
      { labels: { quantile: "1" }, value: lateness.most / 1_000 },
    ]),
    many("tasks", "Tasks that are queued and that run.", [
      { labels: { state: "queued" }, value: inState("queued") },
      { labels: { state: "running" }, value: inState("running") },
    ]),
    gauge("sse_followers", "Streams of events that are open.", facts.followers),
    gauge("events_oldest_position", "Of the oldest event that is kept; 0 in an empty log.", extent.oldest),
    gauge("events_newest_position", "Of the newest event; 0 in an empty log.", extent.newest),
    ...counterMetrics(facts.counters),
    ...facts.more,
  ]);
}

/** What is known of each cluster. */
function clusterMetrics(clusters: MetricFacts["clusters"]): Metric[] {
  // Of one that was never refreshed it is not known what to expect.
  const seen = clusters.flatMap(({ page, view }) => (page.cluster === null ? [] : [view]));
  const of = (cluster_id: string, labels: Record<string, string> = {}) => ({ cluster_id, ...labels });
  return [
    many(
      "cluster_nodes",
      "Nodes of a cluster: expected, discovered in the inventory, reached, and up.",
      seen.flatMap((view) =>
        Object.entries(view.counts).map(([state, value]) => ({
          labels: of(view.cluster_id, { state }),
          value,
        })),
      ),
    ),
    many(
      "cluster_health",
      "1 with the health that the cluster has.",
      seen.flatMap((view) =>
        Health.shape.health.options.map((status) => ({
          labels: of(view.cluster_id, { status }),
          value: view.health === status ? 1 : 0,
        })),
      ),
    ),
    many(
      "cluster_enabled",
      "1 where a cluster is refreshed by its schedule, 0 where its settings have enabled: false.",
      clusters.map(({ page }) => ({
        labels: of(page.cluster_id),
        value: page.settings.enabled ? 1 : 0,
      })),
    ),
    many(
      "cluster_primaries",
      "Nodes that say that they are a shard's primary.",
      seen.flatMap((view) =>
        view.primaries.map(({ shard, nodes }) => ({
          labels: of(view.cluster_id, { shard }),
          value: nodes.length,
        })),
      ),
    ),
    many(
      "cluster_lag",
      "How far a node's shard is behind, in its unit.",
      seen.flatMap((view) =>
        view.lag.map(({ value, ...labels }) => ({ labels: of(view.cluster_id, labels), value })),
      ),
    ),
    ...runMetrics(clusters.map(({ page }) => page)),
  ];
}

function runMetrics(pages: readonly ClusterPage[]): Metric[] {
  const ran = pages.flatMap(({ cluster_id, run }) => (run === null ? [] : [{ labels: { cluster_id }, run }]));
  return [
    many(
      "cluster_refresh_late_seconds",
      "How late the last refresh of a cluster began.",
      pages.map(({ cluster_id, late_ms }) => ({ labels: { cluster_id }, value: late_ms / 1_000 })),
    ),
    many(
      "cluster_refresh_last_end_timestamp_seconds",
      "When the last refresh of a cluster ended.",
      ran.flatMap(({ labels, run }) =>
        run.ended_at === null ? [] : [{ labels, value: run.ended_at / 1_000 }],
      ),
    ),
    many(
      "cluster_refresh_failed",
      "1 when the last refresh of a cluster failed.",
      ran.map(({ labels, run }) => ({ labels, value: run.error === null ? 0 : 1 })),
    ),
  ];
}

const counterTexts: Readonly<Record<Exclude<keyof Counters, "pollFailures">, readonly [string, string]>> = {
  scheduled: ["scheduled_total", "Tasks that were scheduled."],
  queueFull: ["queue_full_total", "Tasks that found the queue full."],
  discarded: ["discarded_total", "Refreshes that found another one of their cluster running."],
  refreshes: ["refreshes_total", "Refreshes that ended."],
  refreshFailures: ["refresh_failures_total", "Refreshes that failed by our own fault."],
  discoveries: ["discovery_looks_total", "Looks at inventories."],
  discoveryFailures: ["discovery_failures_total", "Looks at inventories that failed."],
  polls: ["polls_total", "Polls of agents."],
  pollsUnchanged: ["polls_unchanged_total", "Polls that were answered with nothing new."],
  events: ["events_total", "Events that were committed."],
  commits: ["commits_total", "Commits."],
};

function counterMetrics(counters: Counters): Metric[] {
  const { pollFailures, ...rest } = counters;
  const failures = Object.entries(pollFailures).map(([code, value]) => ({ labels: { code }, value }));
  return [
    ...Object.entries(counterTexts).map(([key, [name, help]]) =>
      many(name, help, [{ value: rest[key as keyof typeof rest] }], "counter"),
    ),
    many("poll_failures_total", "Polls that failed, by what came of them.", failures, "counter"),
  ];
}

function many(name: string, help: string, values: Metric["values"], type: Metric["type"] = "gauge"): Metric {
  return { name: `rollcall_${name}`, help, type, values };
}
