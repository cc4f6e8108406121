/** Simulated agents for tests of a coordinator: many of them in this process, at free places, with states that change on demand. */
import { type Listening, listenAsAgents } from "../../examples/coordinator/listening.ts";
import {
  lead,
  type SimulatedCluster,
  simulatedClusters,
  touch,
} from "../../examples/coordinator/simulated.ts";
import { freePort, loopbackAddress } from "./loopback.ts";

export type SimulatedFleet = {
  readonly clusters: readonly SimulatedCluster[];
  /** Of all agents, each `host:port`. */
  addresses(): string[];
  /** By cluster id, as `writeClusters` takes them. */
  listing(): Record<string, string[]>;
  /** With every poll of its leader from now on, a cluster has another leader. */
  restless(changing: boolean): void;
  /** From now on they take connections, and answer nothing. */
  silent(isSilent: boolean): void;
  /** Polls so far that reached an agent, by cluster id. */
  polls(clusterId: string): number;
  counts: Listening["counts"];
  close(): Promise<void>;
};

/** Starts so many clusters of so many nodes, at `port` where told, each node at an address of its own then. */
export async function startSimulatedFleet(size: {
  readonly clusters: number;
  readonly nodes: number;
  readonly port?: number;
}): Promise<SimulatedFleet> {
  const clusters = simulatedClusters({ ...size, first: 1, port: 1 });
  const shared = await loopbackAddress();
  const all = clusters.flatMap(({ nodes }) => nodes);
  // Of one port, one address each; else one address, and one port each, which are free as long as all are taken.
  const taken = new Set<string>();
  for (const node of all) {
    let address: string;
    do
      address =
        size.port === undefined
          ? `${shared}:${await freePort(shared)}`
          : `${await loopbackAddress()}:${size.port}`;
    while (taken.has(address));
    taken.add(address);
    Object.assign(node, { address });
  }
  const polls = new Map<string, number>();
  let changing = false;
  const listening = await listenAsAgents(all, (node) => {
    const { cluster } = node;
    polls.set(cluster.cluster_id, (polls.get(cluster.cluster_id) ?? 0) + 1);
    if (!changing || cluster.leader !== node) return;
    const at = cluster.nodes.indexOf(node);
    lead(cluster, cluster.nodes[(at + 1) % cluster.nodes.length] ?? null);
  });
  return {
    clusters,
    addresses: () => all.map(({ address }) => address),
    listing: () =>
      Object.fromEntries(
        clusters.map(({ cluster_id, nodes }) => [cluster_id, nodes.map(({ address }) => address)]),
      ),
    restless(now) {
      changing = now;
    },
    silent(isSilent) {
      for (const node of all) {
        node.silent = isSilent;
        touch(node);
      }
    },
    polls: (clusterId) => polls.get(clusterId) ?? 0,
    counts: listening.counts,
    close: listening.close,
  };
}
