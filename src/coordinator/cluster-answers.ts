/** The answers about clusters, their nodes and their refreshes. */
import type { RefreshReport } from "../core/report.ts";
import type { ClusterView, NodeView } from "../core/view.ts";
import type { Answers } from "./answer.ts";
import { pageOf, sortedBy } from "./list.ts";
import type { ClusterPage, View } from "./pages.ts";
import { noCluster, queued } from "./refusals.ts";
import type { ViewOf } from "./views.ts";

export function clusterAnswers(view: View, viewOf: ViewOf) {
  const found = (id: string): ClusterPage => {
    const page = view.cluster(id);
    if (page === null) throw noCluster(id);
    return page;
  };
  return {
    clusters: ({ query: { q, health, ...query } }) => {
      const part = q?.toLowerCase() ?? "";
      const keep = (page: ClusterPage) =>
        named(page, part) && (health === undefined || health.includes(viewOf(page).health));
      const { items, next } = pageOf(view.clusters(), query, idOf, { keep });
      return { items: items.map((page) => ({ ...stateOf(page), view: summaryOf(viewOf(page)) })), next };
    },
    cluster: ({ params: { id } }) => {
      const page = found(id);
      return { ...stateOf(page), view: viewOf(page), settings: page.settings };
    },
    nodes: ({ params: { id }, query }) => {
      const rows = nodesOf(viewOf(found(id)));
      return pageOf(sortedBy(rows, addressOf), query, addressOf);
    },
    reports: ({ params: { id }, query }) => {
      found(id);
      const begun = (report: RefreshReport) => report.started_at;
      return pageOf(view.reports(id), query, begun, { falling: true });
    },
    refresh: async ({ params: { id } }) => {
      const asked = await view.refresh(id);
      if (asked === "unknown") throw noCluster(id);
      return queued(asked, `the cluster ${id}`);
    },
  } satisfies Partial<Answers>;
}

function idOf(page: ClusterPage): string {
  return page.cluster_id;
}

function named({ cluster_id, cluster }: ClusterPage, part: string): boolean {
  return [cluster_id, cluster?.facts.display_name ?? ""].some((text) => text.toLowerCase().includes(part));
}

/** How a cluster is treated and refreshed. */
function stateOf({ cluster_id, settings, synthetic, refreshing, late_ms, run, cluster }: ClusterPage) {
  const { version, seq } = cluster ?? { version: 0, seq: 0 };
  return { cluster_id, enabled: settings.enabled, synthetic, refreshing, late_ms, run, version, seq };
}

function summaryOf({ nodes, members, lag, ...summary }: ClusterView) {
  return summary;
}

type NodeRow = Omit<NodeView, "agent"> & { readonly agent: NodeView["agent"] | null };

/** Everything that was asked, and what the inventory lists beside it. */
function nodesOf({ nodes, members }: ClusterView): NodeRow[] {
  const asked = new Set(nodes.map(addressOf));
  const unasked = members.inventory.filter((listed) => !asked.has(listed.agent_addr));
  return [...nodes, ...unasked.map((listed) => ({ ...NOT_ASKED, ...listed }))];
}

const NOT_ASKED: Omit<NodeRow, "agent_addr" | "node_id"> = {
  ...{ listed: true, stale: false, leader: false, agent: null, info: null, incarnation: null },
  ...{ report: null, shards: [], problem: null, misses: 0, seen_at: null },
};

function addressOf(node: { readonly agent_addr: string }): string {
  return node.agent_addr;
}
