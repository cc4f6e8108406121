/** One look at one inventory: what it lists is compared with what is known, and stored with its events. */
import { diff } from "../core/diff.ts";
import { equal } from "../core/equal.ts";
import type { Inventory, Listing } from "../core/inventory.ts";
import { type Taken, taken } from "../core/listing.ts";
import type { DiscoverySettings } from "../core/settings.ts";
import type { Clock } from "../lib/clock.ts";
import { reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { withDeadline } from "../lib/loop.ts";
import type { Commit } from "../store/store.ts";
import type { Counts } from "./counts.ts";
import { discoveryTurn } from "./doubts.ts";
import type { Known, KnownCluster, Step } from "./known.ts";
import type { Locks } from "./locks.ts";

/** The longest that one look may take. */
const LOOK_MS = 30_000;

export type DiscoverDeps = {
  readonly known: Known;
  readonly locks: Locks;
  readonly counts: Counts;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Opens the inventory of settings that were checked. */
  readonly openInventory: (settings: DiscoverySettings) => Promise<Inventory>;
  /** Told of every cluster that was listed before or is now, after each listing: it is to be refreshed, or no more. */
  readonly listed: (clusterId: string) => void;
};

/**
 * Looks once, and takes what it lists; `accept`: even where that is suspect. One look at a time: of two, the one that
 * answers later may have asked earlier. Never throws; gives what is wrong, or null.
 */
export async function discover(name: string, accept: boolean, deps: DiscoverDeps): Promise<string | null> {
  const { locks, counts } = deps;
  const turn = `look:${name}`;
  if (!accept && locks.isTaken(turn)) {
    counts.discarded++;
    return null;
  }
  return locks.inTurn([turn], () => lookAndTake(name, accept, deps));
}

/** Until the settings it looked by are those that hold: who changes them meanwhile need not wait for the next run. */
async function lookAndTake(name: string, accept: boolean, deps: DiscoverDeps): Promise<string | null> {
  for (;;) {
    const settings = deps.known.discoveries.get(name)?.settings;
    if (settings === undefined) return null;
    const problem = await lookBy(settings, accept, deps);
    const now = deps.known.discoveries.get(name)?.settings;
    if (now === undefined || now === settings || !now.enabled || deps.signal.aborted) return problem;
  }
}

async function lookBy(
  settings: DiscoverySettings,
  accept: boolean,
  deps: DiscoverDeps,
): Promise<string | null> {
  const { name } = settings;
  deps.counts.discoveries++;
  try {
    const listing = await look(settings, deps);
    await takeListing(settings, listing, accept, deps);
    return null;
  } catch (error) {
    if (deps.signal.aborted) return null;
    deps.counts.discoveryFailures++;
    const problem = reason(error);
    deps.log.warn({ discovery: name, error: problem }, "discovery failed");
    return problem;
  }
}

async function look(settings: DiscoverySettings, deps: DiscoverDeps): Promise<Listing> {
  const inventory = await deps.openInventory(settings);
  try {
    const what = `look at ${settings.name}`;
    return await withDeadline(deps.clock, deps.signal, LOOK_MS, what, (signal) => inventory.look(signal));
  } finally {
    await inventory.close();
  }
}

/** In the turn of the discovery, and of every cluster that the listing can change: those it lists, listed, or owns. */
async function takeListing(
  settings: DiscoverySettings,
  listing: Listing,
  accept: boolean,
  deps: DiscoverDeps,
): Promise<void> {
  const { known, locks } = deps;
  const { name } = settings;
  await locks.inTurn([discoveryTurn(name)], async () => {
    await known.doubts.sure([discoveryTurn(name)]);
    const discovery = known.discoveries.get(name);
    // Deleted, or told to look elsewhere, while it was being looked at.
    if (discovery === undefined || discovery.settings !== settings) return;
    const ids = idsOf(name, known);
    for (const { cluster_id } of listing.clusters) ids.add(cluster_id);
    const work = async () => {
      await known.doubts.sure([...ids]);
      const [records, facts] = [recordsOf(known), factsOf(known)];
      const found = taken({ discovery: name, listing, accept, records, facts });
      await commitListed(name, found, [], deps);
      discovery.records = found.records;
      for (const { cluster_id } of found.records) known.clusterOf(cluster_id);
      discovery.foreign = listing.foreign;
      const isNews = !equal(discovery.problems, listing.problems);
      discovery.problems = listing.problems;
      if (isNews && listing.problems.length > 0)
        deps.log.warn({ discovery: name, problems: listing.problems }, "discovery could not read everything");
      for (const id of ids) known.forget(id);
    };
    await locks.inTurn([...ids], work);
    for (const id of ids) deps.listed(id);
  });
}

/** The clusters that a discovery lists, or owns though their record is lost. In its turn no others become so. */
export function idsOf(name: string, { discoveries, clusters }: Known): Set<string> {
  const ids = new Set(discoveries.get(name)?.records.map((record) => record.cluster_id));
  for (const [id, { cluster }] of clusters) if (cluster?.facts.discovery === name) ids.add(id);
  return ids;
}

/** Stores what a discovery lists now together with what follows from it for clusters; nothing when nothing changed. */
export async function commitListed(
  name: string,
  { records, clusters }: Pick<Taken, "clusters"> & { readonly records?: Taken["records"] },
  beside: readonly Commit[],
  { known, clock }: Pick<DiscoverDeps, "known" | "clock">,
): Promise<void> {
  const steps = new Map<KnownCluster, Step>();
  for (const [id, facts] of clusters) {
    const cluster = known.clusterOf(id);
    const marks = cluster.cluster?.marks ?? { nodes: {}, pending: {}, refreshes: 0 };
    steps.set(cluster, { facts, marks, changes: diff(cluster.cluster?.facts ?? null, facts) });
  }
  const same =
    records === undefined ||
    JSON.stringify(records) === JSON.stringify(known.discoveries.get(name)?.records ?? []);
  const commits: Commit[] = same
    ? [...beside]
    : [...beside, { kind: "discovery", name, records, changes: [], at: clock.wall() }];
  if (steps.size > 0 || commits.length > 0) await known.commit(steps, commits);
}

export function recordsOf(known: Known) {
  return [...known.discoveries].flatMap(([discovery, { records }]) =>
    records.map((record) => ({ discovery, record })),
  );
}

export function factsOf(known: Known) {
  const facts = [...known.clusters].flatMap(([id, { cluster }]) =>
    cluster === null ? [] : [[id, cluster.facts] as const],
  );
  return new Map(facts);
}
