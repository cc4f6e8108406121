/** The shapes of the coordinator's answers. What is said over HTTP parses with these, and /openapi.json is made of them. */
import * as z from "zod";
import { AgentStatus } from "../core/cluster.ts";
import { Event } from "../core/events.ts";
import { ClusterSettings, DiscoverySettings } from "../core/settings.ts";
import { ClusterView, NodeView } from "../core/view.ts";

/** Every error. `problems`: where a whole text is refused, all that is wrong with it, one line each. */
export const Problem = z.strictObject({
  error: z.strictObject({
    code: z.string(),
    message: z.string(),
    hint: z.string(),
    problems: z.array(z.string()).optional(),
  }),
});

/** When something ran and will run, in milliseconds since the epoch. */
export const Run = z.strictObject({
  next_at: z.number(),
  started_at: z.number().nullable(),
  ended_at: z.number().nullable(),
  error: z.string().nullable(),
});

export const Applied = z.strictObject({
  applied: z.array(z.strictObject({ kind: z.string(), name: z.string(), changed: z.boolean() })),
});

export const Removed = z.strictObject({ removed: z.string() });

/** `running` stands for a run that was under way already, and is not repeated. */
export const Asked = z.strictObject({ asked: z.enum(["queued", "running"]) });

/** The ids of the clusters that an accepted listing changed. */
export const Accepted = z.strictObject({ clusters: z.array(z.string()) });

/** `{apiVersion, kind, metadata, spec}` as it was applied, without secrets. */
const Document = z.record(z.string(), z.unknown());

/** A discovery, without the secrets in its `config`. */
export const Discovery = z.strictObject({
  name: z.string(),
  settings: DiscoverySettings,
  document: Document,
  run: Run.nullable(),
  late_ms: z.number(),
  foreign: z.array(z.string()),
  problems: z.array(z.string()),
  clusters: z.array(z.string()),
});

/** What a list has of a cluster's view: the parts that do not grow with its nodes. */
export const ClusterSummary = ClusterView.omit({ nodes: true, members: true, lag: true });

/** A cluster in a list. `version` and `seq`: 0 until its first refresh. */
export const ClusterItem = z.strictObject({
  cluster_id: z.string(),
  enabled: z.boolean(),
  synthetic: z.boolean(),
  refreshing: z.boolean(),
  late_ms: z.number(),
  run: Run.nullable(),
  version: z.int(),
  seq: z.int(),
  view: ClusterSummary,
});

/** A cluster by itself: the whole view, and how it is treated. */
export const ClusterDetail = ClusterItem.extend({ view: ClusterView, settings: ClusterSettings });

/** A node as in a cluster's view, or one that was not asked yet: without `agent`. */
export const Node = NodeView.extend({ agent: AgentStatus.nullable() });

/** How one refresh went. */
export const RefreshReport = z.strictObject({
  cluster_id: z.string(),
  reason: z.enum(["schedule", "request"]),
  started_at: z.string(),
  duration_ms: z.number(),
  late_ms: z.number(),
  outcome: z.enum(["done", "discarded", "failed", "disabled", "gone"]),
  polled: z.int(),
  unchanged: z.int(),
  failed: z.int(),
  events: z.int(),
  version: z.int(),
  decisions: z.array(z.strictObject({ code: z.string(), message: z.string(), node: z.string().nullable() })),
});

/** The settings of a cluster. `synthetic`: nobody applied them. `document`: null then. */
export const Settings = z.strictObject({
  settings: ClusterSettings,
  synthetic: z.boolean(),
  run: Run.nullable(),
  document: Document.nullable(),
});

export const Task = z.strictObject({
  kind: z.enum(["discovery", "refresh"]),
  name: z.string(),
  state: z.enum(["queued", "running"]),
  reason: z.enum(["schedule", "request"]),
  since_ms: z.number(),
});

/** What Prometheus' http_sd reads: https://prometheus.io/docs/prometheus/latest/http_sd/. */
export const TargetGroups = z.array(
  z.strictObject({ targets: z.array(z.string()), labels: z.record(z.string(), z.string()) }),
);

/** One page of a list; `next` is the `after` of the following one, null on the last. */
const pageOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({ items: z.array(item), next: z.string().nullable() });

export const Discoveries = pageOf(Discovery);
export const Clusters = pageOf(ClusterItem);
export const Nodes = pageOf(Node);
export const RefreshReports = pageOf(RefreshReport);
export const SettingsList = pageOf(Settings);
export const Tasks = pageOf(Task);
export const Events = pageOf(Event);

/** Those that have a name in /openapi.json. */
export const named = {
  ...{
    Problem,
    Run,
    Applied,
    Removed,
    Asked,
    Accepted,
    Discovery,
    Discoveries,
    ClusterView,
    ClusterSummary,
    ClusterItem,
  },
  ...{ ClusterDetail, Clusters, Node, Nodes, RefreshReport, RefreshReports, ClusterSettings, Settings },
  ...{ SettingsList, Task, Tasks, Event, Events, TargetGroups },
};
