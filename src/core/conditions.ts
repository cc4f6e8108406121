/** What is so of a cluster as a whole, by what its nodes last said of themselves. */
import type { Conditions, Marks } from "./cluster.ts";
import { byText, equal } from "./equal.ts";
import type { InventoryNode } from "./inventory.ts";
import { type Listed, leading } from "./sights.ts";

export type Whole = {
  readonly before: Conditions;
  readonly pending: Marks["pending"];
  readonly genesisId: string | null;
  readonly inventory: readonly InventoryNode[];
  /** The nodes at the addresses of the inventory, sorted by address. */
  readonly listed: readonly Listed[];
};

/** These count when two refreshes in a row see the same; a node that was asked a moment later makes them for once. */
const TWICE = ["primary_conflict", "primary_missing", "drift"] as const;

/**
 * The conditions after a refresh, but for `suspect` and `conflict`, which discoveries tell. While no node is up they
 * stay as they were: nothing is known.
 */
export function conditionsOf(whole: Whole): { conditions: Conditions; pending: Marks["pending"] } {
  const up = whole.listed.filter(({ node }) => node.agent.status === "up");
  if (up.length === 0) return { conditions: whole.before, pending: whole.pending };
  const { leader, somebody } = leading(whole.listed, whole.genesisId, whole.before.leader?.node_id ?? null);
  const seen = {
    primary_conflict: conflict(up),
    primary_missing: somebody ? null : missing(up, whole),
    drift: drift(up, leader, whole),
  };
  const conditions = {
    ...whole.before,
    leader: leader === null ? null : { node_id: leader },
    split: split(whole),
  };
  const pending: Marks["pending"] = {};
  for (const name of TWICE) settle(name, seen, { conditions, pending }, whole);
  return { conditions, pending };
}

/**
 * The same in the middle of a refresh, while some agents have not answered: what counts only when it is seen twice
 * waits for the others, and so neither begins nor ends.
 */
export function conditionsSoFar(whole: Whole): ReturnType<typeof conditionsOf> {
  const { primary_conflict, primary_missing, drift: drifted } = whole.before;
  const { conditions } = conditionsOf(whole);
  return {
    conditions: { ...conditions, primary_conflict, primary_missing, drift: drifted },
    pending: whole.pending,
  };
}

type Settling = { readonly conditions: Conditions; readonly pending: Marks["pending"] };

/** What ends, ends at once. What begins or changes waits for the next refresh. */
function settle<Name extends (typeof TWICE)[number]>(
  name: Name,
  seen: Pick<Conditions, (typeof TWICE)[number]>,
  { conditions, pending }: Settling,
  { before, pending: waiting }: Whole,
): void {
  const value = seen[name];
  if (value === null || equal(value, before[name]) || equal(value, waiting[name]))
    Object.assign(conditions, { [name]: value });
  else Object.assign(pending, { [name]: value });
}

/**
 * The genesis that the cluster is held to: the first that is seen, of several that most nodes hold. Another one only
 * when every listed node is up and holds that one: then it is the cluster that was born again.
 */
export function pinnedGenesis(
  pinned: string | null,
  listed: readonly Listed[],
  inventory: readonly InventoryNode[],
): string | null {
  const up = listed.filter(({ node }) => node.agent.status === "up");
  const held = up.map(({ node }) => node.report?.genesis_id ?? null);
  if (pinned === null) return mostHeld(held.filter((id) => id !== null));
  const first = held[0] ?? null;
  const isWhole = up.length === inventory.length && held.every((id) => id === first);
  return isWhole && first !== null ? first : pinned;
}

function mostHeld(ids: readonly string[]): string | null {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  const sorted = [...counts].sort(([a, n], [b, m]) => m - n || byText(a, b));
  return sorted[0]?.[0] ?? null;
}

/** Counts what nodes held when they last answered: what is on a disk does not go away with its agent. */
function split({ listed, genesisId }: Whole): Conditions["split"] {
  const holders = new Map<string, string[]>();
  for (const { node } of listed) {
    const id = node.report?.genesis_id ?? null;
    if (id === null || node.identity === null) continue;
    holders.set(id, [...(holders.get(id) ?? []), node.identity.node_id]);
  }
  if ([...holders.keys()].every((id) => id === genesisId)) return null;
  return Object.fromEntries(
    [...holders]
      .map(([id, nodes]): [string, string[]] => [id, nodes.sort(byText)])
      .sort(([a], [b]) => byText(a, b)),
  );
}

function conflict(up: readonly Listed[]): string[] | null {
  const claiming = up.flatMap(({ node: { identity, report } }) =>
    identity !== null && report?.status === "healthy" && report.role === "leader" ? [identity.node_id] : [],
  );
  return claiming.length > 1 ? claiming.sort(byText) : null;
}

/** A cluster that never led, of which no node knows a role yet, misses nobody. */
function missing(up: readonly Listed[], { before, pending }: Whole): Conditions["primary_missing"] {
  const databases = up.filter(({ node }) => node.report !== null && node.report.kind !== "none");
  const known = before.primary_missing ?? pending.primary_missing ?? null;
  const last = before.leader?.node_id ?? known?.last ?? null;
  const knowsRoles = databases.some(
    ({ node, marks }) => node.report?.role !== "unknown" || marks.term !== null,
  );
  if (databases.length === 0 || (last === null && known === null && !knowsRoles)) return null;
  return { last };
}

/**
 * Three lists, compared as far as each tells: the inventory when every id in it is known, the agents that are up
 * together, and the database of the leader. A node whose agent is down is not missed among the agents.
 */
function drift(
  up: readonly Listed[],
  leader: string | null,
  { listed, inventory }: Whole,
): Conditions["drift"] {
  const down = new Set(
    listed.filter(({ node }) => node.agent.status === "down").map(({ node }) => node.identity?.node_id),
  );
  const lists = {
    inventory: listedIds(listed, inventory),
    agents: told(up.flatMap(({ marks }) => marks.agents ?? [])),
    database: told(databaseOf(up, leader) ?? []),
  };
  const { inventory: listing, agents, database } = lists;
  const without = (ids: readonly string[]) => ids.filter((id) => !down.has(id));
  const agree = (a: readonly string[], b: readonly string[]) =>
    a.length === 0 || b.length === 0 || equal(a, b);
  const agentsAgree = (others: readonly string[]) =>
    agents.length === 0 || others.length === 0 || equal(without(agents), without(others));
  return agree(listing, database) && agentsAgree(listing) && agentsAgree(database) ? null : lists;
}

function listedIds(listed: readonly Listed[], inventory: readonly InventoryNode[]): string[] {
  const byAddress = new Map(listed.map(({ node }) => [node.agent_addr, node.identity?.node_id]));
  const known = inventory.map(({ agent_addr, node_id }) => node_id ?? byAddress.get(agent_addr));
  return known.every((id) => id !== undefined) ? told(known) : [];
}

function databaseOf(up: readonly Listed[], leader: string | null): readonly string[] | null {
  const leads = up.find(({ node }) => node.identity?.node_id === leader);
  return leads === undefined || leads.node.report?.kind === "none" ? null : leads.marks.database;
}

function told(list: readonly string[]): string[] {
  return [...new Set(list)].sort(byText);
}
