/**
 * Agents that are none: one process that answers on many loopback addresses as the agents of many clusters would,
 * with states that change. For the example beside this file, and for measuring a coordinator.
 */
import { createHash } from "node:crypto";

/** One node of one cluster, as its agent would tell of it. */
export type SimulatedNode = {
  readonly cluster: SimulatedCluster;
  readonly address: string;
  readonly node_id: string;
  readonly incarnation: string;
  boot_id: string;
  seq: number;
  status: "healthy" | "unavailable";
  /** Takes connections, and answers nothing. */
  silent: boolean;
  /** The two answers, made when they are asked for first after a change. */
  written: { readonly tag: string; readonly state: string; readonly shards: string } | null;
};

export type SimulatedCluster = {
  readonly cluster_id: string;
  readonly genesis_id: string;
  readonly nodes: SimulatedNode[];
  leader: SimulatedNode | null;
  term: number;
};

/** `clusters` of `nodes` each; addresses count up from `127.<first>.0.1`, all on `port`. */
export function simulatedClusters(options: {
  clusters: number;
  nodes: number;
  first: number;
  port: number;
}): SimulatedCluster[] {
  return Array.from({ length: options.clusters }, (_, at) => {
    const cluster_id = `sim/cluster-${String(at + 1).padStart(3, "0")}`;
    const cluster: SimulatedCluster = {
      ...{ cluster_id, genesis_id: idOf(`genesis ${cluster_id}`), nodes: [], leader: null, term: 1 },
    };
    for (let node = 0; node < options.nodes; node++)
      joined(cluster, `${loopback(options.first, at * options.nodes + node)}:${options.port}`);
    cluster.leader = cluster.nodes[0] ?? null;
    return cluster;
  });
}

/** A further node of a cluster, at this address. */
export function joined(cluster: SimulatedCluster, address: string): SimulatedNode {
  const node: SimulatedNode = {
    ...{ cluster, address, node_id: `n${cluster.nodes.length + 1}` },
    incarnation: idOf(`incarnation ${address}`),
    ...{ boot_id: idOf(`boot ${address}`), seq: 1, status: "healthy", silent: false, written: null },
  };
  cluster.nodes.push(node);
  return node;
}

/** The state and the shards of a node as JSON, and the tag that names the state. */
export function pagesOf(node: SimulatedNode): NonNullable<SimulatedNode["written"]> {
  node.written ??= {
    tag: `"${node.boot_id}-${node.seq}"`,
    state: JSON.stringify(stateOf(node)),
    shards: JSON.stringify({
      shards: [
        {
          id: node.cluster.cluster_id,
          role: roleOf(node) === "leader" ? "primary" : "secondary",
          commit_offset: { unit: "entries", value: 1_000 + node.seq },
          lag: { unit: "entries", value: 0 },
        },
      ],
    }),
  };
  return node.written;
}

/** The node's agent would count a transition: its state and its tag are others now. */
export function touch(node: SimulatedNode): void {
  node.seq += 1;
  node.written = null;
}

/** Another node leads, in a new term; null: nobody does. */
export function lead(cluster: SimulatedCluster, leader: SimulatedNode | null): void {
  cluster.leader = leader;
  if (leader !== null) cluster.term += 1;
  for (const node of cluster.nodes) touch(node);
}

function roleOf({ cluster, status, address }: SimulatedNode): "leader" | "replica" | "unknown" {
  if (status !== "healthy") return "unknown";
  return cluster.leader?.address === address ? "leader" : "replica";
}

function stateOf(node: SimulatedNode) {
  const { cluster, status } = node;
  const down = status !== "healthy";
  const leader = down ? null : (cluster.leader ?? null);
  return {
    ...{ v: 1, boot_id: node.boot_id, seq: node.seq },
    agent: {
      ...{ v: 1, node_id: node.node_id, http_addr: node.address, incarnation: node.incarnation },
      ...{ agent_addr: node.address, api_addr: node.address.replace(/\d+$/, "4001") },
      addr: node.address.replace(/\d+$/, "4002"),
      ...{ boot_id: node.boot_id, key: cluster.cluster_id, version: "0.1.0" },
      ...{ started_at: "2026-01-01T00:00:00.000Z", voter: true, expect: cluster.nodes.length },
      ...{ genesis: "auto", formation: "symmetric", mode: "static", database: "rqlite" },
    },
    node: {
      ...{ v: 1, node_id: node.node_id, incarnation: node.incarnation, kind: "rqlite", version: "8.26.8" },
      ...{ status, problem: down ? "connection refused" : null, role: roleOf(node) },
      term: down ? null : cluster.term,
      leader: leader === null ? null : memberOf(leader),
      members: down ? null : cluster.nodes.map(memberOf),
    },
    ...{ phase: "open", code: "settled", summary: "belongs to its cluster", settled: true, overdue: false },
    outcome: { kind: "existing", genesis_id: cluster.genesis_id, formation: "symmetric", revision: 1 },
    ...{ registration: "held", store: { mode: "static", ok: true }, leader: null, process: null },
    ...{ hooks: [], outputs: [] },
    peers: cluster.nodes.map((peer) => peerOf(peer, node)),
    transitions: [],
  };
}

function memberOf(node: SimulatedNode) {
  const client = node.address.replace(/\d+$/, "4001");
  const peer = node.address.replace(/\d+$/, "4002");
  return { id: node.node_id, addr: peer, api_addr: client, voter: true, reachable: true };
}

function peerOf(peer: SimulatedNode, self: SimulatedNode) {
  const { id, addr, api_addr } = memberOf(peer);
  return {
    ...{ id, incarnation: peer.incarnation, agent_addr: peer.address, api_addr, addr, voter: true },
    ...{ status: "settled", genesis_id: peer.cluster.genesis_id, registered: true, reachable: true },
    ...{ problem: null, self: peer === self },
  };
}

/** 127.<first>.0.1 and on, leaving out .0 and .255. */
function loopback(first: number, number: number): string {
  const third = Math.floor(number / 250);
  return `127.${first + Math.floor(third / 250)}.${third % 250}.${1 + (number % 250)}`;
}

/** The same id for the same words, of the shape of a UUID. */
function idOf(words: string): string {
  const hex = createHash("sha256").update(words).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    "-",
  );
}
