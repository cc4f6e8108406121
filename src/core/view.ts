/** A cluster as people and programs read it: made of facts and marks, sorted throughout, the same bytes for the same cluster. */
import * as z from "zod";
import {
  AgentInfo,
  AgentStatus,
  Conditions,
  type Facts,
  Identity,
  type Marks,
  NO_CONDITIONS,
  Report,
  ShardFact,
} from "./cluster.ts";
import { byText } from "./equal.ts";
import { Health, healthOf, isUp, type Sources, serves } from "./health.ts";
import { cannotTell } from "./observe-node.ts";

const ids = z.array(z.string());
const gauge = z.strictObject({ unit: z.string(), value: z.number() }).nullable();

/** A shard with its gauges, as they were last read. */
const ShardView = ShardFact.extend({ lag: gauge, commit_offset: gauge });

export const NodeView = z.strictObject({
  /** Null: nothing of the inventory's has answered there yet. */
  node_id: z.string().nullable(),
  agent_addr: z.string(),
  /** Whether the inventory lists it, so that it is polled. */
  listed: z.boolean(),
  /** Whether its report is of an earlier time. */
  stale: z.boolean(),
  leader: z.boolean(),
  agent: AgentStatus,
  info: AgentInfo.nullable(),
  incarnation: Identity.shape.incarnation.nullable(),
  report: Report.nullable(),
  shards: z.array(ShardView),
  problem: z.string().nullable(),
  /** How often in a row its agent did not answer. */
  misses: z.int(),
  /** When its agent was last asked and answered; RFC 3339. */
  seen_at: z.string().nullable(),
});
export type NodeView = z.infer<typeof NodeView>;

/** Whom one node lists. */
const Sees = z.strictObject({ node_id: z.string(), sees: ids });

export const ClusterView = z.strictObject({
  cluster_id: z.string(),
  display_name: z.string().nullable(),
  /** The discovery that owns it; null: never refreshed. */
  discovery: z.string().nullable(),
  genesis_id: z.string().nullable(),
  ...Health.shape,
  counts: z.strictObject({
    /** By the settings, else what is listed. */
    expected: z.int(),
    /** Listed in the inventory. */
    discovered: z.int(),
    /** Of those, the agents that answered as theirs. */
    reached: z.int(),
    /** Of those, the nodes that serve. */
    up: z.int(),
  }),
  /** What runs, by the nodes' last reports. */
  kinds: z.array(z.strictObject({ kind: z.string(), version: z.string().nullable(), nodes: z.int() })),
  leader: z.string().nullable(),
  /** By shard id, who says it is its primary. Nodes whose reports are stale, or whose databases do not tell, do not count. */
  primaries: z.array(z.strictObject({ shard: z.string(), nodes: ids })),
  /** As last read, where it is told, of nodes that are reached. */
  lag: z.array(
    z.strictObject({ node_id: z.string(), shard: z.string(), unit: z.string(), value: z.number() }),
  ),
  /** Who belongs to it, as each side sees it; who is not asked or does not tell is not there. */
  members: z.strictObject({
    inventory: z.array(z.strictObject({ agent_addr: z.string(), node_id: z.string().nullable() })),
    agents: z.array(Sees),
    database: z.array(Sees),
  }),
  /** By id, those without a known one by address. */
  nodes: z.array(NodeView),
  conditions: Conditions,
  /** Refreshes so far. */
  refreshes: z.int(),
});
export type ClusterView = z.infer<typeof ClusterView>;

/** The view. `facts` is null before the first refresh; then only the settings are known. */
export function clusterView(sources: Sources): ClusterView {
  const { facts, marks, settings } = sources;
  const nodes = facts === null ? [] : nodeViews(facts, marks);
  const here = nodes.filter(({ listed, agent }) => listed && agent.status === "up");
  const discovered = facts?.inventory.length ?? 0;
  return {
    cluster_id: settings.cluster_id,
    display_name: facts?.display_name ?? null,
    discovery: facts?.discovery ?? null,
    genesis_id: facts?.genesis_id ?? null,
    ...healthOf(sources),
    counts: {
      expected: settings.expected_nodes ?? discovered,
      discovered,
      reached: here.length,
      up: facts === null ? 0 : facts.nodes.filter(isUp(facts)).filter(serves).length,
    },
    kinds: kindsOf(nodes),
    leader: facts?.conditions.leader?.node_id ?? null,
    primaries: primariesOf(here),
    lag: here.flatMap(lagOf),
    members: {
      inventory: inventoryOf(facts, nodes),
      agents: seenBy(here, marks, "agents"),
      database: seenBy(here, marks, "database"),
    },
    nodes,
    conditions: facts?.conditions ?? NO_CONDITIONS,
    refreshes: marks.refreshes,
  };
}

function nodeViews(facts: Facts, marks: Marks): NodeView[] {
  const listed = new Set(facts.inventory.map(({ agent_addr }) => agent_addr));
  const known = new Map(Object.entries(marks.nodes));
  const views = facts.nodes.map((node): NodeView => {
    const own = known.get(node.agent_addr);
    const isListed = listed.has(node.agent_addr);
    const nodeId = node.identity?.node_id ?? null;
    const gauges = new Map(Object.entries(own?.shards ?? {}));
    return {
      ...{ node_id: nodeId, agent_addr: node.agent_addr, listed: isListed },
      stale: node.report !== null && !(isListed && node.agent.status === "up"),
      leader: nodeId !== null && facts.conditions.leader?.node_id === nodeId,
      ...{ agent: node.agent, info: node.info, incarnation: node.identity?.incarnation ?? null },
      report: node.report,
      shards: node.shards.map((shard) => {
        const { lag = null, commit_offset = null } = gauges.get(shard.id) ?? {};
        return { ...shard, lag, commit_offset };
      }),
      problem: own?.problem ?? null,
      misses: own?.misses ?? 0,
      seen_at: own === undefined || own.seen_at === null ? null : new Date(own.seen_at).toISOString(),
    };
  });
  const name = ({ node_id, agent_addr }: NodeView) => node_id ?? agent_addr;
  return views.sort((a, b) => byText(name(a), name(b)));
}

function kindsOf(nodes: readonly NodeView[]): ClusterView["kinds"] {
  const kinds = new Map<string, ClusterView["kinds"][number]>();
  for (const { report } of nodes) {
    if (report === null) continue;
    const { kind, version } = report;
    const key = JSON.stringify([kind, version]);
    kinds.set(key, { kind, version, nodes: (kinds.get(key)?.nodes ?? 0) + 1 });
  }
  return [...kinds].sort(([a], [b]) => byText(a, b)).map(([, kind]) => kind);
}

function primariesOf(here: readonly NodeView[]): ClusterView["primaries"] {
  const shards = new Map<string, string[]>();
  for (const { node_id, report, shards: own } of here)
    for (const { id, role } of own) {
      const leads = role === "primary" && report !== null && !cannotTell(report);
      if (node_id !== null) shards.set(id, [...(shards.get(id) ?? []), ...(leads ? [node_id] : [])]);
    }
  return [...shards].sort(([a], [b]) => byText(a, b)).map(([shard, nodes]) => ({ shard, nodes }));
}

function lagOf({ node_id, shards }: NodeView): ClusterView["lag"] {
  return shards.flatMap(({ id, lag }) =>
    lag === null || node_id === null ? [] : [{ node_id, shard: id, ...lag }],
  );
}

function inventoryOf(facts: Facts | null, nodes: readonly NodeView[]): ClusterView["members"]["inventory"] {
  const known = new Map(nodes.map(({ agent_addr, node_id }) => [agent_addr, node_id]));
  return (facts?.inventory ?? []).map(({ agent_addr, node_id }) => ({
    agent_addr,
    node_id: node_id ?? known.get(agent_addr) ?? null,
  }));
}

function seenBy(
  here: readonly NodeView[],
  marks: Marks,
  which: "agents" | "database",
): ClusterView["members"]["agents"] {
  const known = new Map(Object.entries(marks.nodes));
  return here.flatMap(({ node_id, agent_addr }) => {
    const sees = known.get(agent_addr)?.[which] ?? null;
    return node_id === null || sees === null ? [] : [{ node_id, sees }];
  });
}
