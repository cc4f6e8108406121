/** The simulated agents of the story, and what can happen to them. Each change is one that their states tell. */
import type { ListedCluster } from "../demo/coordinator.ts";
import { type Listening, listenAsAgents } from "./listening.ts";
import { joined, type SimulatedCluster, type SimulatedNode, simulatedClusters, touch } from "./simulated.ts";

export type Agents = ReturnType<typeof openAgents>;

/** None yet. */
export function openAgents() {
  const opened: Listening[] = [];
  const listen = async (nodes: readonly SimulatedNode[]) => {
    opened.push(await listenAsAgents(nodes, () => {}));
  };
  return {
    /** Answers for all nodes of these clusters from now on. Throws when an address is taken. */
    async listen(shape: Parameters<typeof simulatedClusters>[0]): Promise<readonly SimulatedCluster[]> {
      const clusters = simulatedClusters(shape);
      await listen(clusters.flatMap(({ nodes }) => nodes));
      return clusters;
    },
    /** A new node of a cluster, at an address that nobody has; the others know of it. */
    async join(cluster: SimulatedCluster, address: string): Promise<SimulatedNode> {
      const node = joined(cluster, address);
      await listen([node]);
      for (const one of cluster.nodes) touch(one);
      return node;
    },
    /** Its database does not answer any more, or does again. */
    turn(node: SimulatedNode, status: SimulatedNode["status"]): void {
      node.status = status;
      touch(node);
    },
    /** Ends every connection. Safe twice. */
    async close(): Promise<void> {
      await Promise.all(opened.splice(0).map((one) => one.close()));
    },
  };
}

/** The cluster as an inventory lists it. */
export function listed({ cluster_id, nodes }: SimulatedCluster): ListedCluster {
  return { cluster_id, nodes: nodes.map(({ address }) => `http://${address}/`) };
}
