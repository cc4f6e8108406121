/** What a coordinator shows over HTTP, and takes from callers. Types only: the HTTP is written against them. */
import type { Cluster } from "../core/cluster.ts";
import type { RefreshReport } from "../core/report.ts";
import type { ClusterSettings } from "../core/settings.ts";
import type { Run, Store, StoredDiscovery, StoredEvent, StoredSettings } from "../store/store.ts";

/** A cluster as it is served: what is kept of it, how it is treated, and when. */
export type ClusterPage = {
  /** Null: listed, and not refreshed for the first time yet. */
  readonly cluster: Cluster | null;
  readonly cluster_id: string;
  readonly settings: ClusterSettings;
  readonly synthetic: boolean;
  readonly document: string | null;
  readonly run: Run | null;
  /** How late the last refresh began, in milliseconds. */
  readonly late_ms: number;
  readonly refreshing: boolean;
};

export type DiscoveryPage = StoredDiscovery & {
  readonly late_ms: number;
  /** Keys with a leader and no genesis: another program's, not polled. */
  readonly foreign: readonly string[];
  /** What its last look could not read. */
  readonly problems: readonly string[];
  readonly clusters: readonly string[];
};

/** A task that is queued or runs. */
export type TaskPage = {
  readonly kind: "discovery" | "refresh";
  readonly name: string;
  readonly state: "queued" | "running";
  readonly reason: "schedule" | "request";
  readonly since_ms: number;
};

/** One document that was applied. `changed`: false where the same stood there already. */
export type Applied = { readonly kind: string; readonly name: string; readonly changed: boolean };

export type ApplyAnswer =
  | { readonly ok: true; readonly applied: readonly Applied[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** What became of a wish for a run: `running` stands for one that was under way already and is not repeated. */
export type Asked = "queued" | "running" | "full" | "unknown" | "disabled";

/** Counters since the start. */
export type Counters = {
  readonly scheduled: number;
  readonly queueFull: number;
  readonly discarded: number;
  readonly refreshes: number;
  readonly refreshFailures: number;
  readonly discoveries: number;
  readonly discoveryFailures: number;
  readonly polls: number;
  readonly pollsUnchanged: number;
  readonly pollFailures: Readonly<Record<string, number>>;
  readonly events: number;
  readonly commits: number;
};

export type View = {
  readonly name: string;
  readonly version: string;
  readonly store: Pick<Store, "events" | "extent" | "position" | "snapshot">;
  /** Sorted by id. */
  clusters(): readonly ClusterPage[];
  cluster(clusterId: string): ClusterPage | null;
  discoveries(): readonly DiscoveryPage[];
  settings(): readonly StoredSettings[];
  /** The last refreshes of a cluster, newest first. */
  reports(clusterId: string): readonly RefreshReport[];
  /** Clusters and discoveries that the store may have otherwise, until they are read back. */
  inDoubt(): number;
  tasks(): readonly TaskPage[];
  counters(): Counters;
  /** Lateness of the runs of the last minute, in milliseconds. */
  lateness(): { readonly p50: number; readonly p99: number; readonly most: number };
  /** Texts of YAML or JSON with any number of documents; all are taken, or none. */
  apply(text: string): Promise<ApplyAnswer>;
  /** False: there was none. */
  remove(kind: "DiscoverySettings" | "ClusterSettings", name: string): Promise<boolean>;
  refresh(clusterId: string): Promise<Asked>;
  discover(name: string): Promise<Asked>;
  /** Takes what a discovery lists now as the truth, once. Gives the ids of the clusters that it changed; null: no such discovery. Throws a refusal. */
  accept(name: string): Promise<readonly string[] | null>;
  /** Calls `wake` with the events of each commit, until the result is called; null: too many listen already. */
  follow(wake: (events: readonly StoredEvent[]) => void): (() => void) | null;
  /** What keeps it from being ready, in one word; null: nothing. */
  readiness(): string | null;
  /** Something failed while it answered. */
  failed(error: unknown): void;
  readonly stopping: AbortSignal;
};
