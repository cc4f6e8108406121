/**
 * Clusters as inventories write them: Replicante 0.7's `{cluster_id, display_name, nodes: ["https://host:port/"]}`, its
 * later `nodes: [{agent_address, node_id, …}]`, and `{cluster, nodes}` of its first files.
 */
import * as z from "zod";
import { type Address, formatAddress, parseAddress } from "../src/core/address.ts";
import { ClusterKey } from "../src/core/cluster-key.ts";
import { type ClusterRecord, type InventoryNode, type Listing, normalised } from "../src/core/inventory.ts";
import { RollcallError } from "../src/lib/errors.ts";

/** In one listing, at most. */
const MOST_CLUSTERS = 20_000;
const MOST_NODES = 200_000;
const MOST_PROBLEMS = 20;
/** Where an agent listens that is listed without a port. */
const AGENT_PORT = 4100;

const Node = z.looseObject({
  agent_address: z.string(),
  node_id: z.string().min(1).nullish(),
  incarnation: z.string().min(1).nullish(),
});
const Named = z.looseObject({ cluster_id: z.string().optional(), cluster: z.string().optional() });
const Cluster = z.looseObject({
  display_name: z.string().nullish(),
  nodes: z.array(z.unknown()),
});

/** A listing of what was read. What cannot be understood is left out, and is lacking of its cluster. Throws `too_large` for too much. */
export function listingOf(doing: string, list: readonly unknown[]): Listing {
  const problems: string[] = [];
  const clusters: ClusterRecord[] = [];
  const lacking = new Set<string | null>();
  let nodes = 0;
  for (const [at, one] of list.entries()) {
    const read = clusterOf(one, at);
    nodes += read.nodes;
    if (at >= MOST_CLUSTERS || nodes > MOST_NODES) {
      const what = `more than ${MOST_CLUSTERS} clusters or ${MOST_NODES} nodes`;
      throw new RollcallError("too_large", `${doing}: ${what}`);
    }
    for (const problem of read.problems) problems.push(problem);
    if (read.problems.length > 0) lacking.add(read.id);
    if (read.record !== null) clusters.push(normalised(read.record));
  }
  const more = problems.length - MOST_PROBLEMS;
  return {
    kind: lacking.has(null) ? "partial" : "complete",
    clusters,
    lacking: [...lacking].filter((id) => id !== null).sort(),
    leased: false,
    retired: [],
    foreign: [],
    problems: more > 0 ? [...problems.slice(0, MOST_PROBLEMS), `and ${more} more`] : problems,
  };
}

type Read = {
  /** Null: nobody can tell which cluster it is. */
  readonly id: string | null;
  readonly record: ClusterRecord | null;
  /** Listed, whether they could be read or not. */
  readonly nodes: number;
  readonly problems: readonly string[];
};

function clusterOf(value: unknown, at: number): Read {
  const named = Named.safeParse(value).data;
  const given = named?.cluster_id ?? named?.cluster;
  const id = ClusterKey.safeParse(given);
  const none = (problem: string): Read => ({
    ...{ id: id.data ?? null, record: null, nodes: 0 },
    problems: [`cluster ${at + 1}: ${problem}`],
  });
  const parsed = Cluster.safeParse(value);
  if (!parsed.success || named === undefined) return none("must be {cluster_id, nodes: […]}");
  if (given === undefined) return none("has no cluster_id");
  if (!id.success) return none(`cluster_id: ${id.error.issues[0]?.message ?? "is missing"}`);
  const nodes = parsed.data.nodes.map(nodeOf);
  const problems = nodes.flatMap((node, place) =>
    typeof node === "string" ? [`cluster ${id.data}: node ${place + 1}: ${node}`] : [],
  );
  const record = {
    cluster_id: id.data,
    display_name: parsed.data.display_name || null,
    nodes: nodes.filter((node) => typeof node !== "string"),
  };
  return { id: id.data, record, nodes: nodes.length, problems };
}

/** One node, or what is wrong with it; its text is not repeated, since URLs may hold credentials. */
function nodeOf(value: unknown): InventoryNode | string {
  const parsed = Node.safeParse(typeof value === "string" ? { agent_address: value } : value);
  if (!parsed.success) return "must be an agent's address, or {agent_address, node_id}";
  const { agent_address, node_id = null, incarnation = null } = parsed.data;
  const address = addressOf(agent_address);
  if (typeof address === "string") return address;
  return { agent_addr: formatAddress(address), secure: /^https:/i.test(agent_address), node_id, incarnation };
}

/** An agent's address from `host:port`, 4100 where the port is missing, or an http or https URL; or what is wrong with it. */
export function addressOf(text: string): Address | string {
  if (!text.includes("://")) {
    const parsed = parseAddress(text, AGENT_PORT);
    return parsed.ok ? parsed.value : parsed.problem;
  }
  const [, scheme = "", rest = ""] = /^(https?):\/\/([^/?#@]+)\/?$/i.exec(text) ?? [];
  if (scheme === "") return "must be host:port, or an http or https URL without a path";
  const parsed = parseAddress(rest, scheme.toLowerCase() === "https" ? 443 : 80);
  return parsed.ok ? parsed.value : parsed.problem;
}
