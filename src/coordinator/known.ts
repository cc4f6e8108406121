/**
 * What a coordinator knows, in memory as it is in the store: read once at start, and changed only after the store
 * has taken the change. One process owns a store, so nothing is read twice but what is in doubt (`doubts.ts`).
 */
import type { Calm } from "../core/calm.ts";
import type { Cluster, Facts, Marks } from "../core/cluster.ts";
import { byText } from "../core/equal.ts";
import type { Change } from "../core/events.ts";
import type { ClusterRecord } from "../core/inventory.ts";
import type { RefreshReport } from "../core/report.ts";
import { type ClusterSettings, type DiscoverySettings, syntheticSettings } from "../core/settings.ts";
import { codeOf } from "../lib/errors.ts";
import type { Commit, Run, SettingsCommit, Store, StoredEvent } from "../store/store.ts";
import type { Counts } from "./counts.ts";
import { openDoubts, type Readers } from "./doubts.ts";

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
  /** Granted to this process before anything is made of the cluster; null until then. */
  fence: number | null;
  /** Newest first. */
  reports: readonly RefreshReport[];
  /** What its last refresh went by, where that changed nothing; else null. */
  calm: Calm | null;
  /** Agents whose units of data could not be read when they last answered. */
  unread: ReadonlySet<string>;
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
  /** Told of all that was read back, and may be there no more, or again. `isNews`: its settings are other ones. */
  readonly reread: (kind: "discovery" | "cluster", name: string, isNews: boolean) => void;
};

/** Reads everything there is. */
export async function openKnown({ store, counts, wall, told, reread }: KnownOptions) {
  let works = true;
  const discoveries = new Map<string, KnownDiscovery>();
  const clusters = new Map<string, KnownCluster>();
  const again: KnownOptions["reread"] = (kind, name, isNews) => {
    if (kind === "cluster") forget(name);
    reread(kind, name, isNews);
  };
  const read = readingBack({ store, discoveries, clusters, clusterOf, reread: again });
  const doubts = openDoubts({ read, isUnfenced, listers });
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
      ...{ lateMs: 0, fence: null, reports: [], calm: null, unread: new Set<string>() },
    };
    clusters.set(id, made);
    return made;
  }

  /** Lets go of a cluster of which there is nothing left: nobody lists it, and nothing was applied for it or seen of it. */
  function forget(id: string): void {
    const known = clusters.get(id);
    if (known?.cluster === null && known.document === null && listers(id).length === 0) clusters.delete(id);
  }

  /** The names of the discoveries that list a cluster; the owner first, and before there is one the first by name. */
  function listers(id: string): readonly string[] {
    const owner = clusters.get(id)?.cluster?.facts.discovery;
    const names = [...discoveries].filter(([, one]) => one.records.some((r) => r.cluster_id === id));
    const first = (name: string) => Number(name !== owner);
    return names.map(([name]) => name).sort((a, b) => first(a) - first(b) || byText(a, b));
  }

  /**
   * Commits the steps of some clusters together with what belongs to them, and takes them over. Only in the turn of
   * all those clusters, when all of that is sure. Throws what the store throws; where that cannot tell, what it has is
   * read back first.
   */
  async function commit(steps: ReadonlyMap<KnownCluster, Step>, beside: readonly Commit[]) {
    const at = wall();
    const commits: Commit[] = [...beside];
    for (const [known, step] of steps) {
      // What is sure has its fence; without one the store refuses.
      const fence = known.fence ?? 0;
      commits.push({
        ...{ kind: "cluster", clusterId: known.id, fence, at },
        ...{ version: (known.cluster?.version ?? 0) + 1, ...step },
      });
      commits.push(...syntheticOf(known, step));
    }
    const events = await store.commit(commits).catch(async (error: unknown) => {
      works = false;
      if (!UNSURE.has(codeOf(error) ?? "")) throw error;
      // What cannot be read back now is before anything is made of it.
      await doubts.sure(doubts.raise(commits)).catch(() => {});
      throw error;
    });
    works = true;
    for (const [known, { facts, marks }] of steps) {
      const version = (known.cluster?.version ?? 0) + 1;
      const seq = lastSeq(known.id, events) ?? known.cluster?.seq ?? 0;
      known.cluster = facts === null ? null : { facts, marks, version, seq };
      if (facts === null && known.document === null) clusters.delete(known.id);
    }
    counts.commits++;
    counts.events += events.length;
    if (events.length > 0) told(events);
    return events;
  }

  /** Until a fence is granted here, a predecessor that was only paused may still commit: what was read at start is not sure. */
  function isUnfenced(scope: string): boolean {
    const known = clusters.get(scope);
    return known !== undefined && known.fence === null;
  }

  return {
    ...{ discoveries, clusters, clusterOf, forget, listers, commit, doubts },
    /** Whether the store took the last commit. */
    works: () => works,
  };
}
export type Known = Awaited<ReturnType<typeof openKnown>>;

/** After these the store may have taken what was asked for, or something else than was thought to be there. */
const UNSURE: ReadonlySet<string> = new Set(["store_unknown", "fenced"]);

/** The settings that nobody applied come and go with their cluster. Its runs are kept beside them. */
function syntheticOf({ id, cluster, settings, document }: KnownCluster, { facts }: Step): SettingsCommit[] {
  if (document !== null || (cluster === null) === (facts === null)) return [];
  const stored = facts === null ? null : { settings, synthetic: true, document };
  return [{ kind: "settings", clusterId: id, stored }];
}

type Reading = Pick<KnownOptions, "store" | "reread"> & {
  readonly discoveries: Map<string, KnownDiscovery>;
  readonly clusters: ReadonlyMap<string, KnownCluster>;
  readonly clusterOf: (id: string) => KnownCluster;
};

/** Takes over what the store has of one of each; what is given then is to be called once nothing of it is in doubt. */
function readingBack({ store, reread, discoveries, clusters, clusterOf }: Reading): Readers {
  return { cluster, discovery };

  async function cluster(id: string): Promise<() => void> {
    const fence = clusters.get(id)?.fence ?? (await store.fence(id));
    const cluster = await store.cluster(id);
    const stored = await store.settingsOf(id);
    const document = stored?.synthetic === false ? stored.document : null;
    // Only now: it may have been forgotten meanwhile.
    const known = clusterOf(id);
    const isNews = known.document !== document;
    // It is fenced once it is read, or what was known before would count as sure.
    Object.assign(known, { fence, cluster, document, settings: stored?.settings ?? syntheticSettings(id) });
    return () => reread("cluster", id, isNews);
  }

  async function discovery(name: string): Promise<() => void> {
    const stored = await store.discovery(name);
    const records = await store.recordsOf(name);
    const before = discoveries.get(name);
    const ids = new Set([...(before?.records ?? []), ...records].map((record) => record.cluster_id));
    const isNews = before?.document !== stored?.document;
    if (stored === null) discoveries.delete(name);
    else {
      const known = before ?? blank(stored.settings, stored.document, stored.run);
      // Who looks by them just now may go on where they still hold.
      const { settings, document } = isNews ? stored : known;
      discoveries.set(name, Object.assign(known, { settings, document, records }));
      for (const { cluster_id } of records) clusterOf(cluster_id);
    }
    return () => {
      reread("discovery", name, isNews);
      for (const id of ids) reread("cluster", id, false);
    };
  }
}

/** A discovery that was not looked at yet. */
export function blank(settings: DiscoverySettings, document: string, run: Run | null): KnownDiscovery {
  return { settings, document, run, lateMs: 0, records: [], foreign: [], problems: [] };
}

/** The sequence number that the last of a cluster's events got; null: none of them is its. */
function lastSeq(clusterId: string, events: readonly StoredEvent[]): number | null {
  const id = events.findLast(({ event }) => event.id.startsWith(`${clusterId}:`))?.event.id;
  return id === undefined ? null : Number(id.slice(clusterId.length + 1));
}
