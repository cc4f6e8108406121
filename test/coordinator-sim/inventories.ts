/** What the discoveries list: some of the clusters each, in any order, and sometimes not as it is. */
import { equal } from "../../src/core/equal.ts";
import type { ClusterRecord, Listing } from "../../src/core/inventory.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import type { Chance } from "../sim/chance.ts";
import type { Tally } from "./faults.ts";
import type { Fleet, SimCluster } from "./fleet.ts";

export type Source = {
  readonly name: string;
  /** Ids of the clusters that it lists. */
  readonly clusters: Set<string>;
  /** It says which node stands at an address. */
  readonly naming: boolean;
  /** Its entries end with their agents' leases; it says which nodes are gone for good. */
  readonly leased: boolean;
  /** All that it ever said so of. */
  readonly retired: Set<string>;
  trouble: "none" | "fails" | "never answers" | "late" | "lists nothing" | "lists less than half" | "partial";
};

/** What a source would list if nothing were wrong with it. */
export function recordsOf({ clusters, naming }: Source, fleet: Fleet): ClusterRecord[] {
  return fleet.clusters
    .filter(({ id }) => clusters.has(id))
    .map((cluster) => recordOf(cluster, naming))
    .sort((a, b) => (a.cluster_id < b.cluster_id ? -1 : 1));
}

function recordOf({ id, agents }: SimCluster, naming: boolean): ClusterRecord {
  return {
    cluster_id: id,
    display_name: id.toUpperCase(),
    nodes: agents
      .filter(({ listed }) => listed)
      .map(({ address, node_id, incarnation }) => ({
        agent_addr: address,
        secure: false,
        node_id: naming ? node_id : null,
        incarnation: naming ? incarnation : null,
      })),
  };
}

export type Look = {
  /** Milliseconds until it comes; null: never. */
  readonly delayMs: number | null;
  readonly answer: () => Listing;
};

/** One look, as the trouble of the source has it; what is listed is as of the look's begin, or of its end. */
export function lookAt(source: Source, fleet: Fleet, chance: Chance, tally: Tally): Look {
  const delayMs = chance.is(0.1) ? chance.between(100, 3_000) : chance.between(1, 30);
  const list = () => {
    const whole = listingOf(recordsOf(source, fleet), chance);
    return source.leased ? leasedOf(whole, source, fleet, tally) : whole;
  };
  const early = chance.is(0.5) ? list() : null;
  const answer = () => early ?? list();
  switch (source.trouble) {
    case "none":
      return { delayMs, answer };
    case "late": {
      tally.hit("an inventory was late");
      const before = answer();
      return { delayMs: chance.between(1_000, 35_000), answer: () => before };
    }
    case "fails":
      tally.hit("an inventory failed");
      return {
        delayMs,
        answer: () => {
          throw new RollcallError("unreachable", "read the inventory: connection refused");
        },
      };
    case "never answers":
      tally.hit("an inventory never answered");
      return { delayMs: null, answer };
    case "lists nothing": {
      tally.hit("an inventory listed nothing");
      const whole = answer();
      const clusters = whole.clusters.map((record) => ({ ...record, nodes: [] }));
      const empty = { ...whole, clusters: chance.is(0.5) ? [] : clusters };
      return { delayMs, answer: () => empty };
    }
    case "lists less than half":
      tally.hit("an inventory listed less than half");
      return { delayMs, answer: () => fewer(answer(), chance) };
    case "partial":
      tally.hit("an inventory was partial");
      return {
        delayMs,
        answer: () => {
          const found = fewer(answer(), chance);
          const lacking = found.clusters.map(({ cluster_id }) => cluster_id);
          return { ...found, kind: "partial", lacking, problems: ["one page could not be read"] };
        },
      };
    default:
      return source.trouble satisfies never;
  }
}

/** Without the agents that are away, and with the incarnations that are gone for good. */
function leasedOf(listing: Listing, { clusters, retired }: Source, fleet: Fleet, tally: Tally): Listing {
  const agents = fleet.clusters.filter(({ id }) => clusters.has(id)).flatMap((cluster) => cluster.agents);
  const gone = agents.filter(({ listed }) => !listed).flatMap(({ incarnations }) => incarnations);
  const away = new Set(agents.filter(({ reach }) => reach === "refuses").map(({ address }) => address));
  for (const one of gone) retired.add(one);
  if (gone.length > 0) tally.hit("a node was retired");
  const here = listing.clusters.map((record) => ({
    ...record,
    nodes: record.nodes.filter(({ agent_addr }) => !away.has(agent_addr)),
  }));
  if (!equal(here, listing.clusters)) tally.hit("a lease ran out");
  return { ...listing, clusters: here, leased: true, retired: gone };
}

function fewer(listing: Listing, chance: Chance): Listing {
  const clusters = listing.clusters.flatMap((record) => {
    if (chance.is(0.2)) return [];
    const keep = chance.whole(0, Math.floor(record.nodes.length / 2));
    return [{ ...record, nodes: record.nodes.slice(0, keep) }];
  });
  return { ...listing, clusters };
}

function listingOf(records: readonly ClusterRecord[], chance: Chance): Listing {
  const clusters = chance
    .shuffled(records)
    .map((record) => ({ ...record, nodes: chance.shuffled(record.nodes) }));
  return { kind: "complete", clusters, lacking: [], leased: false, retired: [], foreign: [], problems: [] };
}
