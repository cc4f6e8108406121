/**
 * What a coordinator knows, in memory as it is in the store: read once at start, and changed only after the store
 * has taken the change. One process owns a store, so nothing is read twice.
 */
import type { Cluster, Facts, Marks } from "../core/cluster.ts";
import { byText } from "../core/equal.ts";
import type { Change } from "../core/events.ts";
import type { ClusterRecord } from "../core/inventory.ts";
import type { RefreshReport } from "../core/report.ts";
import { type ClusterSettings, type DiscoverySettings, syntheticSettings } from "../core/settings.ts";
import { codeOf } from "../lib/errors.ts";
import type { Commit, Run, SettingsCommit, Store, StoredEvent } from "../store/store.ts";
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

/** The turn of a discovery's settings and records, and the name of what may be in doubt. No cluster's id has a colon. */
export const discoveryTurn = (name: string) => `discovery:${name}`;
/** The name of what may be in doubt of a cluster's settings. */
export const settingsScope = (clusterId: string) => `settings:${clusterId}`;

/** Reads everything there is. */
export async function openKnown({ store, counts, wall, told }: KnownOptions) {
  let works = true;
  const discoveries = new Map<string, KnownDiscovery>();
  const clusters = new Map<string, KnownCluster>();
  /** What the store may have otherwise than it is here: a commit of it failed, and nobody could tell how far. */
  const doubts = new Set<string>();
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
      const scopes = commits.flatMap(scopesOf);
      for (const scope of scopes) doubts.add(scope);
      // What cannot be read back now is before anything is made of it.
      await sure(scopes).catch(() => {});
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

  /**
   * Reads back what is in doubt of these: clusters by their ids, discoveries and settings by their scopes. Only in the
   * turn of all of them. True when anything was in doubt, and may be another now.
   */
  async function sure(scopes: readonly string[]): Promise<boolean> {
    const unsure = scopes.filter((scope) => doubts.has(scope) || isUnfenced(scope));
    // All of it in this turn: what came later would be older than what the next one makes.
    const failed = (await Promise.allSettled(unsure.map(readBack))).find((one) => one.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return unsure.length > 0;
  }

  /** Until a fence is granted here, a predecessor that was only paused may still commit: what was read at start is not sure. */
  function isUnfenced(scope: string): boolean {
    const known = clusters.get(scope);
    return known !== undefined && known.fence === null;
  }

  async function readBack(scope: string): Promise<void> {
    const at = scope.indexOf(":");
    const [kind, name] = [scope.slice(0, Math.max(0, at)), scope.slice(at + 1)];
    if (kind === "discovery") await readDiscovery(name);
    else if (kind === "settings") await readSettings(name);
    else {
      const known = clusterOf(name);
      known.fence ??= await store.fence(name);
      known.cluster = await store.cluster(name);
    }
    doubts.delete(scope);
  }

  async function readDiscovery(name: string): Promise<void> {
    const stored = (await store.discoveries()).find(({ settings }) => settings.name === name);
    const records = (await store.records()).filter(({ discovery }) => discovery === name);
    if (stored === undefined) {
      discoveries.delete(name);
      return;
    }
    const { settings, document, run } = stored;
    const known = discoveries.get(name) ?? blank(settings, document, run);
    discoveries.set(name, Object.assign(known, { settings, document, records: records.map(recordIn) }));
    for (const { record } of records) clusterOf(record.cluster_id);
  }

  async function readSettings(id: string): Promise<void> {
    const stored = (await store.settings()).find(({ settings }) => settings.cluster_id === id);
    const settings = stored?.settings ?? syntheticSettings(id);
    Object.assign(clusterOf(id), {
      settings,
      document: stored?.synthetic === false ? stored.document : null,
    });
  }

  return {
    ...{ discoveries, clusters, clusterOf, listers, commit, sure },
    /** Whether the store took the last commit. */
    works: () => works,
  };
}
export type Known = Awaited<ReturnType<typeof openKnown>>;

/** After these the store may have taken what was asked for, or something else than was thought to be there. */
const UNSURE: ReadonlySet<string> = new Set(["store_unknown", "fenced"]);

function scopesOf(commit: Commit): string[] {
  switch (commit.kind) {
    case "cluster":
      return [commit.clusterId];
    case "discovery":
      return [discoveryTurn(commit.name)];
    case "settings":
      return [settingsScope(commit.clusterId)];
    // The next run is written with its own times.
    case "run":
      return [];
    default:
      return commit satisfies never;
  }
}

/** The settings that nobody applied come and go with their cluster. Its runs are kept beside them. */
function syntheticOf({ id, cluster, settings, document }: KnownCluster, { facts }: Step): SettingsCommit[] {
  if (document !== null || (cluster === null) === (facts === null)) return [];
  const stored = facts === null ? null : { settings, synthetic: true, document };
  return [{ kind: "settings", clusterId: id, stored }];
}

const recordIn = ({ record }: { readonly record: ClusterRecord }) => record;

/** A discovery that was not looked at yet. */
export function blank(settings: DiscoverySettings, document: string, run: Run | null): KnownDiscovery {
  return { settings, document, run, lateMs: 0, records: [], foreign: [], problems: [] };
}

/** The sequence number that the last of a cluster's events got; null: none of them is its. */
function lastSeq(clusterId: string, events: readonly StoredEvent[]): number | null {
  const id = events.findLast(({ event }) => event.id.startsWith(`${clusterId}:`))?.event.id;
  return id === undefined ? null : Number(id.slice(clusterId.length + 1));
}
