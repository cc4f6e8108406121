/** One look at one inventory: what it lists is compared with what is known, and stored with its events. */
import { diff } from "../core/diff.ts";
import type { Inventory, Listing } from "../core/inventory.ts";
import { type Taken, taken } from "../core/listing.ts";
import type { DiscoverySettings } from "../core/settings.ts";
import type { Clock } from "../lib/clock.ts";
import { reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { withDeadline } from "../lib/loop.ts";
import type { Commit } from "../store/store.ts";
import type { Counts } from "./counts.ts";
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
  /** These clusters were listed for the first time. */
  readonly fresh: (ids: readonly string[]) => void;
};

/** Looks once, and takes what it lists; `accept`: even where that is suspect. Never throws; gives what is wrong, or null. */
export async function discover(name: string, accept: boolean, deps: DiscoverDeps): Promise<string | null> {
  const discovery = deps.known.discoveries.get(name);
  if (discovery === undefined) return null;
  deps.counts.discoveries++;
  try {
    const listing = await look(discovery.settings, deps);
    await takeListing(name, listing, accept, deps);
    discovery.foreign = listing.foreign;
    discovery.problems = listing.problems;
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

/** In the turn of every cluster that the listing can change: those it lists, and those the discovery listed before. */
async function takeListing(name: string, listing: Listing, accept: boolean, deps: DiscoverDeps) {
  const { known, locks } = deps;
  const before = known.discoveries.get(name)?.records ?? [];
  const ids = new Set([...before, ...listing.clusters].map((record) => record.cluster_id));
  await locks.inTurn([...ids], async () => {
    const discovery = known.discoveries.get(name);
    // Deleted while it was being looked at.
    if (discovery === undefined) return;
    const found = taken({
      discovery: name,
      listing,
      accept,
      records: recordsOf(known),
      facts: factsOf(known),
    });
    await commitListed(name, found, [], deps);
    discovery.records = found.records;
    deps.fresh(found.fresh);
  });
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
