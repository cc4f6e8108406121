/**
 * What a coordinator knows, in memory as it is in the store: read once at start, and changed only after the store
 * has taken the change. One process owns a store, so nothing is read twice.
 */
import type { Cluster, Facts, Marks } from "../core/cluster.ts";
import type { Change } from "../core/events.ts";
import type { ClusterRecord } from "../core/inventory.ts";
import type { RefreshReport } from "../core/report.ts";
import { type ClusterSettings, type DiscoverySettings, syntheticSettings } from "../core/settings.ts";
import { codeOf } from "../lib/errors.ts";
import type { Commit, Run, Store, StoredEvent } from "../store/store.ts";
import type { Counts } from "./counts.ts";

/** A discovery: its settings, and what it last listed. */
export type KnownDiscovery = {
  settings: DiscoverySettings;
  document: string;
  run: Run | null;
  lateMs: number;
  records: readonly ClusterRecord[];
  /** Of the last look that went well. */
  foreign: readonly string[];
  problems: readonly string[];
};

/** A cluster that some discovery lists, or that settings were applied for. */
export type KnownCluster = {
  readonly id: string;
  /** Null until its first refresh. */
  cluster: Cluster | null;
  settings: ClusterSettings;
  /** Null: the settings are synthetic. */
  document: string | null;
  run: Run | null;
  lateMs: number;
  /** Granted to this process with the first refresh; null before. */
  fence: number | null;
  /** Newest first. */
  reports: readonly RefreshReport[];
};

/** A cluster as it shall be, and the events of the way there. Null facts: it goes. */
export type Step = {
  readonly facts: Facts | null;
  readonly marks: Marks;
  readonly changes: readonly Change[];
};

export type KnownOptions = {
  readonly store: Store;
  readonly counts: Counts;
  /** Wall-clock time in milliseconds. */
  readonly wall: () => number;
  /** Told of the events of every commit, in the log's order. */
  readonly told: (events: readonly StoredEvent[]) => void;
};

/** Reads everything there is. */
export async function openKnown({ store, counts, wall, told }: KnownOptions) {
  let works = true;
  const discoveries = new Map<string, KnownDiscovery>();
  const clusters = new Map<string, KnownCluster>();
  for (const { settings, run, document } of await store.discoveries())
    discoveries.set(settings.name, blank(settings, document, run));
  for (const { discovery, record } of await store.records()) {
    const owner = discoveries.get(discovery);
    if (owner !== undefined) owner.records = [...owner.records, record];
    clusterOf(record.cluster_id);
  }
  for (const cluster of await store.clusters()) clusterOf(cluster.facts.cluster_id).cluster = cluster;
  for (const { settings, synthetic, run, document } of await store.settings()) {
    const known = clusterOf(settings.cluster_id);
    known.settings = settings;
    known.run = run;
    known.document = synthetic ? null : document;
  }

  /** The cluster of that id, made with synthetic settings when it is new. */
  function clusterOf(id: string): KnownCluster {
    const there = clusters.get(id);
    if (there !== undefined) return there;
    const made = {
      ...{ id, cluster: null, settings: syntheticSettings(id), document: null, run: null },
      ...{ lateMs: 0, fence: null, reports: [] },
    };
    clusters.set(id, made);
    return made;
  }

  /** The names of the discoveries that list a cluster; the owner first. */
  function listers(id: string): readonly string[] {
    const owner = clusters.get(id)?.cluster?.facts.discovery;
    const names = [...discoveries].filter(([, one]) => one.records.some((r) => r.cluster_id === id));
    return names.map(([name]) => name).sort((a, b) => Number(b === owner) - Number(a === owner));
  }

  /**
   * Commits the steps of some clusters together with what belongs to them, and takes them over. Only in the turn of
   * all those clusters. Throws what the store throws; where it cannot tell, what it has is read back first.
   */
  async function commit(steps: ReadonlyMap<KnownCluster, Step>, beside: readonly Commit[]) {
    const at = wall();
    const commits: Commit[] = [...beside];
    for (const [known, step] of steps) {
      known.fence ??= await store.fence(known.id);
      commits.push({
        ...{ kind: "cluster", clusterId: known.id, fence: known.fence, at },
        ...{ version: (known.cluster?.version ?? 0) + 1, ...step },
      });
    }
    const events = await store.commit(commits).catch(async (error: unknown) => {
      works = false;
      if (codeOf(error) === "store_unknown")
        for (const known of steps.keys()) known.cluster = await store.cluster(known.id);
      throw error;
    });
    works = true;
    for (const [known, { facts, marks }] of steps) {
      const version = (known.cluster?.version ?? 0) + 1;
      const seq = lastSeq(known.id, events) ?? known.cluster?.seq ?? 0;
      known.cluster = facts === null ? null : { facts, marks, version, seq };
    }
    counts.commits++;
    counts.events += events.length;
    if (events.length > 0) told(events);
    return events;
  }

  return {
    ...{ discoveries, clusters, clusterOf, listers, commit },
    /** Whether the store took the last commit. */
    works: () => works,
  };
}
export type Known = Awaited<ReturnType<typeof openKnown>>;

/** A discovery that was not looked at yet. */
export function blank(settings: DiscoverySettings, document: string, run: Run | null): KnownDiscovery {
  return { settings, document, run, lateMs: 0, records: [], foreign: [], problems: [] };
}

/** The sequence number that the last of a cluster's events got; null: none of them is its. */
function lastSeq(clusterId: string, events: readonly StoredEvent[]): number | null {
  const id = events.findLast(({ event }) => event.id.startsWith(`${clusterId}:`))?.event.id;
  return id === undefined ? null : Number(id.slice(clusterId.length + 1));
}
