/** Several servers of one kind that form one cluster. */
import { until } from "../wait.ts";
import type { Server } from "./server.ts";

/** A cluster of servers. */
export type Cluster<Node extends Server> = {
  readonly nodes: readonly Node[];
  /** The node that leads now; waits up to 20 s for one that runs and that all other running nodes name. */
  leader(): Promise<Node>;
  /** The nodes that do not lead, after `leader()`. */
  followers(): Promise<readonly Node[]>;
  /** Stops all nodes. Safe twice. */
  stop(): Promise<void>;
};

/** A cluster of started nodes; `leaderOf` says which of the nodes this one takes for the leader, or null. */
export function clusterOf<Node extends Server>(
  nodes: readonly Node[],
  leaderOf: (node: Node, nodes: readonly Node[]) => Promise<Node | null>,
): Cluster<Node> {
  const leader = () =>
    until(
      async () => {
        const asked = nodes.filter((node) => node.running());
        const answers = await Promise.all(asked.map((node) => leaderOf(node, nodes)));
        const [first = null] = answers;
        return first?.running() && answers.every((answer) => answer === first) ? first : null;
      },
      { deadlineMs: 20_000, what: "one leader that all running nodes name", everyMs: 20 },
    );
  return {
    nodes,
    leader,
    async followers() {
      const leading = await leader();
      return nodes.filter((node) => node !== leading);
    },
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

/** All servers, once all have started. When one fails the others are killed, and its error is thrown. */
export async function allOrNone<Node extends Server>(starting: readonly Promise<Node>[]): Promise<Node[]> {
  const settled = await Promise.allSettled(starting);
  const nodes = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const failed = settled.find((one) => one.status === "rejected");
  if (failed === undefined) return nodes;
  await Promise.all(nodes.map((node) => node.kill()));
  throw failed.reason;
}
