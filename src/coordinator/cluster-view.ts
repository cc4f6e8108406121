/** What is made of a cluster for those who look at it: the one place through which the HTTP has it. */
import * as z from "zod";
import type { Facts, Marks } from "../core/cluster.ts";
import type { ClusterSettings } from "../core/settings.ts";

export const Health = z.enum(["green", "yellow", "red"]);

const ids = z.array(z.string());

/** A cluster at one moment, in counts and in who is who. */
export const ClusterView = z.strictObject({
  cluster_id: z.string(),
  display_name: z.string().nullable(),
  discovery: z.string(),
  genesis_id: z.string().nullable(),
  health: z.strictObject({ status: Health, reasons: ids }),
  /** `expected`: by the settings, or what the inventory lists. `up`: nodes whose database is healthy. */
  nodes: z.strictObject({ expected: z.int(), discovered: z.int(), reached: z.int(), up: z.int() }),
  /** The ids of the nodes that lead. */
  primaries: ids,
  lag: z.array(
    z.strictObject({ agent_addr: z.string(), shard: z.string(), unit: z.string(), value: z.number() }),
  ),
});
export type ClusterView = z.infer<typeof ClusterView>;

/** The view of a cluster. */
export function clusterView(of: { facts: Facts; marks: Marks; settings: ClusterSettings }): ClusterView {
  const { facts, marks, settings } = of;
  const reached = facts.nodes.filter((node) => node.agent.status === "up");
  const up = reached.filter((node) => node.report?.status === "healthy");
  const nodes = {
    expected: settings.expected_nodes ?? facts.inventory.length,
    discovered: facts.inventory.length,
    reached: reached.length,
    up: up.length,
  };
  const primaries = up
    .filter((node) => node.report?.role === "leader")
    .map((node) => node.identity?.node_id ?? "");
  const few = nodes.up < nodes.expected ? [`${nodes.up} of ${nodes.expected} nodes are up`] : [];
  const nobody = primaries.length === 0 ? ["nobody leads"] : [];
  return {
    cluster_id: facts.cluster_id,
    display_name: facts.display_name,
    discovery: facts.discovery,
    genesis_id: facts.genesis_id,
    health: {
      status: nobody.length > 0 ? "red" : few.length > 0 ? "yellow" : "green",
      reasons: [...nobody, ...few],
    },
    nodes,
    primaries,
    lag: Object.entries(marks.nodes).flatMap(([agent_addr, { shards }]) =>
      Object.entries(shards).flatMap(([shard, { lag }]) =>
        lag === null ? [] : [{ agent_addr, shard, ...lag }],
      ),
    ),
  };
}
