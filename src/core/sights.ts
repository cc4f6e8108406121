/** Who leads a cluster, out of what each node that is up says of itself and of others. */
import type { NodeFacts, NodeMarks } from "./cluster.ts";
import { byText } from "./equal.ts";

/** A node at an address of the inventory, and its marks. */
export type Listed = { readonly node: NodeFacts; readonly marks: NodeMarks };

/** What one node says: who leads (null: somebody who is no node of ours), in which term, and whether it is that one itself. */
type Sight = { readonly leader: string | null; readonly term: number | null; readonly isClaim: boolean };

/**
 * The leader's node id by the newest term; in one term, a node that says it leads knows better than those that
 * follow; among several of a kind the one that led before stays, else the first by id. `somebody`: whether anybody leads at
 * all, though it may be no node of ours. Nodes of another genesis have no say once one is pinned.
 */
export function leading(
  listed: readonly Listed[],
  genesisId: string | null,
  before: string | null,
): { readonly leader: string | null; readonly somebody: boolean } {
  const names = namesOf(listed);
  const heeded = listed.filter((one) => one.node.agent.status === "up" && !isForeign(one, genesisId));
  const sights = heeded.flatMap((one) => sightsOf(one, names));
  const terms = sights.flatMap(({ term }) => (term === null ? [] : [term]));
  const newest = terms.length === 0 ? null : Math.max(...terms);
  const now = sights.filter(({ term }) => term === newest);
  const claims = now.filter(({ isClaim }) => isClaim);
  const heard = claims.length > 0 ? claims : now;
  const leaders = [...new Set(heard.flatMap(({ leader }) => (leader === null ? [] : [leader])))].sort(byText);
  const leader = before !== null && leaders.includes(before) ? before : (leaders[0] ?? null);
  return { leader, somebody: sights.length > 0 };
}

function isForeign({ node }: Listed, genesisId: string | null): boolean {
  const own = node.report?.genesis_id ?? null;
  return genesisId !== null && own !== null && own !== genesisId;
}

function sightsOf({ node, marks }: Listed, names: ReadonlyMap<string, string>): Sight[] {
  const { identity, report } = node;
  if (identity === null || report === null || report.kind === "none") return [];
  const { leader, term } = marks;
  if (report.role === "leader") return [{ leader: identity.node_id, term, isClaim: true }];
  return leader === null ? [] : [{ leader: names.get(leader) ?? null, term, isClaim: false }];
}

/** Databases name nodes by ids of their own or by addresses; an id of ours goes before any of those. */
function namesOf(listed: readonly Listed[]): Map<string, string> {
  const names = new Map<string, string>();
  const known = listed.flatMap(({ node: { identity, report } }) =>
    identity && report ? [{ identity, report }] : [],
  );
  for (const { identity, report } of known)
    for (const address of [report.api_addr, report.addr]) names.set(address, identity.node_id);
  for (const { identity } of known) names.set(identity.node_id, identity.node_id);
  names.delete("");
  return names;
}
