/**
 * One refresh: what polling every agent of a cluster once gave, taken into what is kept of the cluster. The order of
 * observations and of the inventory's nodes never matters. An unchanged cluster keeps its very facts, so that nobody
 * compares them.
 */
import { type Conditions, type Facts, type Marks, NO_CONDITIONS, type Report } from "./cluster.ts";
import { conditionsOf, conditionsSoFar, pinnedGenesis } from "./conditions.ts";
import { judgements, notListed, ofTheCluster } from "./decisions.ts";
import { diff } from "./diff.ts";
import { byText, equal } from "./equal.ts";
import type { Change } from "./events.ts";
import { verdicts } from "./identities.ts";
import { type ClusterRecord, type InventoryNode, normalised } from "./inventory.ts";
import { naming } from "./naming.ts";
import type { Observation } from "./observation.ts";
import { type Entry, NO_NODE_MARKS, silenced, taken } from "./observe-node.ts";
import type { Decision } from "./report.ts";

/** What a refresh goes by. */
export type Refresh = {
  /** What the owner lists of the cluster; its addresses were polled. */
  readonly record: ClusterRecord;
  /** The name of the discovery that owns the cluster. */
  readonly discovery: string;
  readonly suspect: Conditions["suspect"];
  /** The other discoveries that list it. */
  readonly conflict: readonly string[];
  readonly observations: readonly Observation[];
  /** Some agents have not answered yet: what they say is taken later, and only then the refresh is over. */
  readonly partial?: boolean;
};

export type Observed = {
  /** The very facts that were given where nothing in them changed. */
  readonly facts: Facts;
  readonly marks: Marks;
  /** The facts on the way, the oldest first; the last are `facts`. More than those only where an agent's ring told of flips. */
  readonly path: readonly Facts[];
  /** OBSERVATION_GAP, for every node of which transitions were lost. They carry no facts. */
  readonly gaps: readonly Change[];
  readonly decisions: readonly Decision[];
};

/** All changes of a refresh, in the order of the log. Empty where nothing changed. */
export function changesOf(before: Facts | null, { path, gaps }: Pick<Observed, "path" | "gaps">): Change[] {
  const steps = path.flatMap((facts, at) => diff(at === 0 ? before : (path[at - 1] ?? null), facts));
  if (gaps.length === 0) return steps;
  const first = steps.findIndex(({ type }) => !BEFORE_GAPS.has(type));
  return first === -1 ? [...steps, ...gaps] : [...steps.slice(0, first), ...gaps, ...steps.slice(first)];
}

const BEFORE_GAPS: ReadonlySet<Change["type"]> = new Set([
  "CLUSTER_CHANGED",
  "DISCOVERY_CONFLICT",
  "DISCOVERY_SUSPECT",
]);

/** Takes one refresh in. Never throws for what agents say. */
export function observe(
  { facts: before, marks }: { readonly facts: Facts | null; readonly marks: Marks },
  refresh: Refresh,
): Observed {
  const clusterId = before?.cluster_id ?? refresh.record.cluster_id;
  const inventory = inventoryOf(before, refresh.record);
  const nodes = takeAll({ before, marks, clusterId, inventory }, refresh.observations);
  const entries = [...nodes.entries.values()].sort((a, b) => byText(a.node.agent_addr, b.node.agent_addr));
  const addresses = new Set(inventory.map(({ agent_addr }) => agent_addr));
  const listed = entries.filter(({ node }) => addresses.has(node.agent_addr));
  const old = before?.conditions ?? NO_CONDITIONS;
  const genesisId = pinnedGenesis(before?.genesis_id ?? null, listed, inventory);
  const { partial = false } = refresh;
  const judge = partial ? conditionsSoFar : conditionsOf;
  const whole = judge({ before: old, pending: marks.pending, genesisId, inventory, listed });
  const conflict = [...new Set(refresh.conflict)].sort(byText);
  const told = { suspect: refresh.suspect, conflict: conflict.length === 0 ? null : conflict };
  const facts = keptFacts(before, {
    cluster_id: clusterId,
    display_name: refresh.record.display_name,
    discovery: refresh.discovery,
    inventory,
    genesis_id: genesisId,
    nodes: entries.map(({ node }) => node),
    conditions: { ...whole.conditions, ...told },
  });
  return {
    facts,
    marks: {
      nodes: Object.fromEntries(entries.map(({ node, marks: own }) => [node.agent_addr, own])),
      pending: whole.pending,
      refreshes: marks.refreshes + (partial ? 0 : 1),
    },
    path: before === null ? [facts] : [...stepsTo(facts, { ...old, ...told }, nodes.stages), facts],
    gaps: before === null ? [] : nodes.gaps,
    decisions: [...nodes.decisions, ...ofTheCluster(before, facts, whole.pending)],
  };
}

function inventoryOf(before: Facts | null, record: ClusterRecord): InventoryNode[] {
  if (before !== null && record.nodes === before.inventory) return before.inventory;
  const { nodes } = normalised(record);
  return before !== null && equal(nodes, before.inventory) ? before.inventory : nodes;
}

/** With the very parts of `before` that did not change, and `before` itself where none did. */
function keptFacts(before: Facts | null, after: Facts): Facts {
  if (before === null) return after;
  const areSame =
    before.nodes.length === after.nodes.length && after.nodes.every((node, at) => node === before.nodes[at]);
  const conditions = equal(before.conditions, after.conditions) ? before.conditions : after.conditions;
  const facts = { ...after, nodes: areSame ? before.nodes : after.nodes, conditions };
  const fields = Object.keys(facts) as (keyof Facts)[];
  return fields.every((field) => facts[field] === before[field]) ? before : facts;
}

type Kept = {
  readonly before: Facts | null;
  readonly marks: Marks;
  readonly clusterId: string;
  readonly inventory: readonly InventoryNode[];
};
type Nodes = {
  /** By address. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** By address, where there are any. */
  readonly stages: ReadonlyMap<string, readonly Report[]>;
  readonly gaps: readonly Change[];
  readonly decisions: readonly Decision[];
};

/** Every observation, in the order of the addresses. */
function takeAll(kept: Kept, given: readonly Observation[]): Nodes {
  const entries = entriesOf(kept);
  const observations = newestOf(given);
  const judged = verdicts({ ...kept, entries, observations });
  const nameOf = naming(entries, judged);
  const result = new Map<string, Entry>();
  const stages = new Map<string, readonly Report[]>();
  const gaps: Change[] = [];
  const used = new Set<Entry>();
  for (const [address, verdict] of judged) {
    if (verdict.kind !== "taken") continue;
    const { answer, base, identity } = verdict;
    const node = taken(base, answer, identity, nameOf);
    if (base !== null) used.add(base);
    result.set(address, node.entry);
    if (node.stages.length > 0) stages.set(address, node.stages);
    if (node.gap !== null) {
      const { boot_id, seq } = answer;
      const [from, to] = [
        { boot_id, seq: node.gap.from },
        { boot_id, seq },
      ];
      const subject = `${kept.clusterId}/${identity.node_id}`;
      gaps.push({ type: "OBSERVATION_GAP", subject, before: from, after: to });
    }
  }
  for (const [address, entry] of entries)
    if (!used.has(entry) && !result.has(address)) result.set(address, entry);
  for (const [address, verdict] of judged)
    if (verdict.kind === "down") result.set(address, silenced(result.get(address) ?? null, address, verdict));
  const listed = new Set(kept.inventory.map(({ agent_addr }) => agent_addr));
  const strangers = [...observations.keys()].filter((address) => !listed.has(address)).sort(byText);
  return {
    ...{ entries: result, stages, gaps: gaps.sort((a, b) => byText(a.subject, b.subject)) },
    decisions: [...judgements(judged, entries), ...strangers.map(notListed)],
  };
}

function entriesOf({ before, marks }: Kept): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  const known = new Map(Object.entries(marks.nodes));
  for (const node of before?.nodes ?? [])
    entries.set(node.agent_addr, { node, marks: known.get(node.agent_addr) ?? NO_NODE_MARKS });
  return entries;
}

/** One of each address: the one that was asked for last; of two at one time, always the same. */
function newestOf(given: readonly Observation[]): Map<string, Observation> {
  const newest = new Map<string, Observation>();
  for (const observation of given) {
    const other = newest.get(observation.agent_addr);
    if (other === undefined || isBefore(other, observation)) newest.set(observation.agent_addr, observation);
  }
  return newest;
}

function isBefore(a: Observation, b: Observation): boolean {
  return a.at === b.at ? JSON.stringify(a) < JSON.stringify(b) : a.at < b.at;
}

/**
 * The states between the old facts and the new: in each step every node is at its next stage, or has reached its end;
 * what else changed is so from the first, and the conditions change with the last.
 */
function stepsTo(
  facts: Facts,
  conditions: Conditions,
  stages: ReadonlyMap<string, readonly Report[]>,
): Facts[] {
  const most = Math.max(0, ...[...stages.values()].map(({ length }) => length));
  return Array.from({ length: most }, (_, step) => ({
    ...{ ...facts, conditions },
    nodes: facts.nodes.map((node) => {
      const report = stages.get(node.agent_addr)?.[step];
      return report === undefined ? node : { ...node, report };
    }),
  }));
}
