/** The nodes as targets of Prometheus: https://prometheus.io/docs/prometheus/latest/http_sd/. */
import type { NodeFacts } from "../core/cluster.ts";
import type { InventoryNode } from "../core/inventory.ts";
import type { ClusterPage } from "./pages.ts";

export type TargetGroup = {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
};

/**
 * One group a node, because labels are a group's. Of what the inventory lists: what it lists no more is not scraped,
 * and what has not answered yet is. `secure`: the names of discoveries whose agents are asked over TLS.
 */
export function targetGroups(
  pages: readonly ClusterPage[],
  target: "agent" | "db",
  secure: ReadonlySet<string>,
): TargetGroup[] {
  return pages.flatMap(({ cluster }) => {
    if (cluster === null) return [];
    const { facts } = cluster;
    const byAddress = new Map(facts.nodes.map((node) => [node.agent_addr, node]));
    return facts.inventory.flatMap((listed) => {
      const node = byAddress.get(listed.agent_addr);
      const address = target === "agent" ? listed.agent_addr : (node?.report?.api_addr ?? "");
      if (address === "") return [];
      const common = {
        __meta_rollcall_cluster_id: facts.cluster_id,
        __meta_rollcall_display_name: facts.display_name ?? "",
        __meta_rollcall_discovery: facts.discovery,
        __meta_rollcall_genesis_id: facts.genesis_id ?? "",
      };
      const tls = target === "agent" && (listed.secure || secure.has(facts.discovery));
      return [
        {
          targets: [address],
          labels: { ...common, ...(tls ? { __scheme__: "https" } : {}), ...labelsOf(listed, node) },
        },
      ];
    });
  });
}

function labelsOf(listed: InventoryNode, node: NodeFacts | undefined): Record<string, string> {
  const report = node?.report ?? null;
  return {
    __meta_rollcall_agent_addr: listed.agent_addr,
    __meta_rollcall_node_id: node?.identity?.node_id ?? listed.node_id ?? "",
    __meta_rollcall_agent_status: node?.agent.status ?? "unknown",
    __meta_rollcall_kind: report?.kind ?? "",
    __meta_rollcall_version: report?.version ?? "",
    __meta_rollcall_role: report?.role ?? "unknown",
    __meta_rollcall_status: report?.status ?? "unknown",
    __meta_rollcall_voter: report === null ? "" : String(report.voter),
  };
}
