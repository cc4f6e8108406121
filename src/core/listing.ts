/**
 * What becomes of an inventory's answer: which records are kept, who owns a cluster, and what of its facts changes. Pure.
 *
 * An answer is believed unless it lists nothing of a cluster, or fewer than half of what was known: then the old record
 * stays, and the cluster is suspect until a later answer heals it or an operator accepts it. What could not
 * be read takes nothing away, and neither does the absence of a leased entry, unless an operator accepts it. The first discovery that
 * lists a cluster owns it.
 */
import type { Conditions, Facts } from "./cluster.ts";
import { byText, equal } from "./equal.ts";
import { type ClusterRecord, type InventoryNode, type Listing, normalised } from "./inventory.ts";

/** What one discovery last listed of one cluster. */
export type Listed = { readonly discovery: string; readonly record: ClusterRecord };

/** All that the coordinator has, before an answer is looked at. */
export type Known = {
  /** Of all discoveries, in any order. */
  readonly records: readonly Listed[];
  /** Of every cluster that was refreshed once, by its id. */
  readonly facts: ReadonlyMap<string, Facts>;
};

export type Answer = Known & {
  /** Whose answer it is. */
  readonly discovery: string;
  readonly listing: Listing;
  /** An operator takes what is listed for the truth, this once. */
  readonly accept: boolean;
};

export type Taken = {
  /** The whole of what to keep for this discovery, sorted by cluster. */
  readonly records: readonly ClusterRecord[];
  /** The clusters whose facts change, sorted; null: the cluster goes, since nobody lists it any more. */
  readonly clusters: ReadonlyMap<string, Facts | null>;
};

/** Takes one answer of one discovery. Taking the same answer twice changes nothing the second time. */
export function taken(answer: Answer): Taken {
  const { discovery, facts } = answer;
  const before = byCluster(answer.records);
  const found = joined(answer.listing.clusters);
  const ids = new Set(found.keys());
  for (const [id, listings] of before) if (recordOf(discovery, listings) !== null) ids.add(id);
  for (const [id, one] of facts) if (one.discovery === discovery) ids.add(id);
  const kept: ClusterRecord[] = [];
  const clusters = new Map<string, Facts | null>();
  for (const id of [...ids].sort(byText)) {
    const listings = before.get(id) ?? [];
    const cluster = facts.get(id) ?? null;
    const owner = ownerOf(listings, cluster);
    const { record, suspect } = judge(answer, {
      owned: owner === null || owner === discovery,
      old: recordOf(discovery, listings) ?? lostRecord(discovery, cluster),
      found: found.get(id) ?? null,
    });
    if (record !== null) kept.push(record);
    if (cluster === null) continue;
    const others = listings.filter((one) => one.discovery !== discovery);
    const now = record === null ? others : [...others, { discovery, record }];
    const after = factsAfter(cluster, now, { discovery, suspect, retired: answer.listing.retired });
    if (!equal(after, cluster)) clusters.set(id, after);
  }
  return { records: kept, clusters };
}

/** A discovery is deleted: its clusters go, or to another discovery that lists them. */
export function withdrawn(discovery: string, { records, facts }: Known): Taken {
  const before = byCluster(records);
  const clusters = new Map<string, Facts | null>();
  for (const [id, cluster] of [...facts].sort(([a], [b]) => byText(a, b))) {
    const listings = before.get(id) ?? [];
    const others = listings.filter((one) => one.discovery !== discovery);
    if (cluster.discovery !== discovery && others.length === listings.length) continue;
    const after = factsAfter(cluster, others, { discovery, suspect: null, retired: [] });
    if (!equal(after, cluster)) clusters.set(id, after);
  }
  return { records: [], clusters };
}

/**
 * The owner as the facts say, as long as it lists the cluster. Where there are no facts yet the first by name: who
 * began to list it before its first refresh did so at the same time.
 */
function ownerOf(listings: readonly Listed[], cluster: Facts | null): string | null {
  const names = listings.map(({ discovery }) => discovery).sort(byText);
  const owner = cluster?.discovery ?? null;
  return owner !== null && names.includes(owner) ? owner : (names[0] ?? null);
}

type Suspect = Conditions["suspect"];
/** `suspect`: as it is from now on; undefined: this answer says nothing of it. */
type Judged = { readonly record: ClusterRecord | null; readonly suspect: Suspect | undefined };
/** `owned`: by this discovery; that of another one has no say in what is polled, so it is taken as it is. */
type Case = {
  readonly owned: boolean;
  readonly old: ClusterRecord | null;
  readonly found: ClusterRecord | null;
};

function judge({ discovery, listing, accept }: Answer, { owned, old, found }: Case): Judged {
  if (old === null || accept) return { record: found, suspect: null };
  const seen = found?.nodes.length ?? 0;
  // A cluster that never had nodes may go on without; one that is not listed at all may not.
  const isFewOf = ({ nodes }: ClusterRecord) => found === null || 2 * seen < nodes.length;
  const { cluster_id: id } = old;
  if (listing.lacking.includes(id) || (found === null && listing.kind === "partial")) {
    const record = found === null ? old : merged(old, found, listing.retired);
    return { record, suspect: isFewOf(record) ? undefined : null };
  }
  // Agents that are away are not listed where their entries are leased, but their cluster is.
  if (listing.leased && found !== null) return { record: merged(old, found, listing.retired), suspect: null };
  if (!isFewOf(old) || !owned) return { record: found, suspect: null };
  return { record: old, suspect: { discovery, listed: old.nodes.length, found: seen } };
}

/** Both; but not an old node that has moved to another address, or is known to be gone for good. */
function merged(old: ClusterRecord, found: ClusterRecord, retired: readonly string[]): ClusterRecord {
  const gone = new Set(retired);
  const here = new Set(found.nodes.map(({ node_id }) => node_id));
  const stays = ({ node_id, incarnation }: InventoryNode) =>
    !(node_id !== null && here.has(node_id)) && !(incarnation !== null && gone.has(incarnation));
  const at = new Set(found.nodes.map(({ agent_addr }) => agent_addr));
  const left = old.nodes.filter((node) => stays(node) && !at.has(node.agent_addr));
  return normalised({ ...found, nodes: [...left, ...found.nodes] });
}

/** What an answer says of a cluster beside its record. */
type Said = {
  readonly discovery: string;
  readonly suspect: Suspect | undefined;
  readonly retired: readonly string[];
};

/** The facts of a cluster that `now` lists, by whichever discoveries; null: nobody does. */
function factsAfter(
  before: Facts,
  now: readonly Listed[],
  { discovery, suspect, retired }: Said,
): Facts | null {
  const owner = ownerOf(now, before);
  const own = now.find((one) => one.discovery === owner);
  if (own === undefined) return null;
  // What made the answer of an owner before suspect is no affair of the next one.
  const inherited = own.discovery === before.discovery ? before.conditions.suspect : null;
  return {
    ...before,
    discovery: own.discovery,
    display_name: own.record.display_name,
    inventory: own.record.nodes,
    nodes: staying(before.nodes, own.record, own.discovery === discovery ? retired : []),
    conditions: {
      ...before.conditions,
      suspect: own.discovery === discovery && suspect !== undefined ? suspect : inherited,
      conflict: othersIn(now, own.discovery),
    },
  };
}

/**
 * Without the nodes that are listed no more and of which there is nothing to lose: those that left for good, and
 * those that never answered. The others stay: nobody said that they are gone.
 */
function staying(nodes: Facts["nodes"], { nodes: listed }: ClusterRecord, retired: readonly string[]) {
  const here = new Set(listed.flatMap(({ agent_addr, incarnation }) => [agent_addr, incarnation]));
  const gone = new Set(retired.filter((incarnation) => !here.has(incarnation)));
  return nodes.filter(
    ({ agent_addr, identity }) =>
      here.has(agent_addr) || (identity !== null && !gone.has(identity.incarnation)),
  );
}

function othersIn(listings: readonly Listed[], owner: string): string[] | null {
  const names = listings.map(({ discovery }) => discovery).filter((name) => name !== owner);
  return names.length === 0 ? null : names.sort(byText);
}

function recordOf(discovery: string, listings: readonly Listed[]): ClusterRecord | null {
  return listings.find((one) => one.discovery === discovery)?.record ?? null;
}

/** What the facts of a cluster say of a record that is not there: records and facts are not committed as one. */
function lostRecord(discovery: string, cluster: Facts | null): ClusterRecord | null {
  if (cluster?.discovery !== discovery) return null;
  return { cluster_id: cluster.cluster_id, display_name: cluster.display_name, nodes: cluster.inventory };
}

function byCluster(records: readonly Listed[]): ReadonlyMap<string, readonly Listed[]> {
  return Map.groupBy(records, ({ record }) => record.cluster_id);
}

/** One record a cluster; what is listed in several pieces is put together. */
function joined(records: readonly ClusterRecord[]): ReadonlyMap<string, ClusterRecord> {
  const all = new Map<string, ClusterRecord>();
  for (const record of records) {
    const before = all.get(record.cluster_id);
    const display_name = record.display_name ?? before?.display_name ?? null;
    all.set(record.cluster_id, {
      ...before,
      ...record,
      display_name,
      nodes: [...(before?.nodes ?? []), ...record.nodes],
    });
  }
  for (const [id, record] of all) all.set(id, normalised(record));
  return all;
}
