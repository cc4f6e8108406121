/** The answers about clusters, their nodes and their refreshes. */
import type { RefreshReport } from "../core/report.ts";
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
      return { items: items.map((page) => item(page, viewOf)), next };
    },
    cluster: ({ params: { id } }) => {
      const page = found(id);
      return { ...item(page, viewOf), settings: page.settings };
    },
    nodes: ({ params: { id }, query }) => {
      const { cluster } = found(id);
      return pageOf(cluster === null ? [] : nodesOf(cluster), query, (node) => node.agent_addr);
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

function item(page: ClusterPage, viewOf: ViewOf) {
  const { cluster_id, settings, synthetic, refreshing, late_ms, run, cluster } = page;
  const { version, seq } = cluster ?? { version: 0, seq: 0 };
  const { enabled } = settings;
  return { cluster_id, enabled, synthetic, refreshing, late_ms, run, version, seq, view: viewOf(page) };
}

/** Everything that the inventory lists and everything that was asked, by address. */
function nodesOf({ facts, marks }: NonNullable<ClusterPage["cluster"]>) {
  const listed = new Map(facts.inventory.map((node) => [node.agent_addr, node]));
  const asked = new Map(facts.nodes.map((node) => [node.agent_addr, node]));
  const addresses = sortedBy([...new Set([...listed.keys(), ...asked.keys()])], (address) => address);
  return addresses.map((agent_addr) => {
    const node = asked.get(agent_addr);
    return {
      agent_addr,
      listed: listed.get(agent_addr) ?? null,
      agent: node?.agent ?? null,
      info: node?.info ?? null,
      identity: node?.identity ?? null,
      report: node?.report ?? null,
      shards: node?.shards ?? [],
      marks: marks.nodes[agent_addr] ?? null,
    };
  });
}
