/**
 * Who answered where: whether an answer counts for the node that it names, and which entry is that node's. Judged
 * over all answers of a refresh at once, so that their order never matters.
 */
import type { AgentCode, Identity } from "./cluster.ts";
import { byText } from "./equal.ts";
import type { InventoryNode } from "./inventory.ts";
import type { Observation } from "./observation.ts";
import { type Answer, type Entry, isOlder } from "./observe-node.ts";

/**
 * `taken`: it counts; `base` is what is kept of that node, wherever its agent was. `down`: the agent failed, or
 * answered as somebody else: `as` names the node it claims to be, null where it is of no node of this cluster.
 * `dropped`: it says nothing about now.
 */
export type Verdict =
  | {
      readonly kind: "taken";
      readonly answer: Answer;
      readonly identity: Identity;
      readonly base: Entry | null;
    }
  | {
      readonly kind: "down";
      readonly code: AgentCode;
      readonly problem: string;
      readonly answered: boolean;
      readonly as: string | null;
    }
  | { readonly kind: "dropped"; readonly code: "older" | "not_stored"; readonly problem: string };

export type Claims = {
  readonly clusterId: string;
  /** By agent address. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly inventory: readonly InventoryNode[];
  readonly observations: ReadonlyMap<string, Observation>;
};

/** What an agent may call its node: as `-node-id` allows. */
const NODE_ID = /^[A-Za-z0-9._:@-]{1,128}$/;

/** By address, for every listed address that was asked. */
export function verdicts(claims: Claims): Map<string, Verdict> {
  const { entries, inventory, observations } = claims;
  const holders = new Map<string, Entry>();
  for (const entry of entries.values())
    if (entry.node.identity !== null) holders.set(entry.node.identity.node_id, entry);
  const alone = new Map<string, Verdict>();
  for (const listed of inventory) {
    const observation = observations.get(listed.agent_addr);
    if (observation !== undefined)
      alone.set(listed.agent_addr, byItself(observation, listed, holders, claims));
  }
  return together(alone, holders, claims);
}

/** As far as one answer can be judged without the others. */
function byItself(
  observation: Observation,
  listed: InventoryNode,
  holders: ReadonlyMap<string, Entry>,
  { clusterId, entries }: Claims,
): Verdict {
  if (observation.kind === "failed")
    return { kind: "down", code: observation.code, problem: observation.problem, answered: false, as: null };
  const there = entries.get(observation.agent_addr) ?? null;
  if (observation.kind === "unchanged") {
    const identity = there?.node.identity ?? null;
    const isStored = there?.marks.boot_id === observation.boot_id && there.marks.seq === observation.seq;
    if (there === null || identity === null || !isStored) return dropped("not_stored", observation);
    return fixedOtherwise(listed, identity) ?? { kind: "taken", answer: observation, identity, base: there };
  }
  const { key, node_id, incarnation } = observation;
  if (key !== clusterId) return down("wrong_cluster", `an agent of cluster ${key}`, null);
  if (!NODE_ID.test(node_id)) return down("not_an_agent", "names its node as no agent does", null);
  const identity = { node_id, incarnation };
  const base = holders.get(node_id) ?? there;
  const isLate = [base, there].some((entry) => entry !== null && isOlder(entry, observation));
  if (isLate) return dropped("older", observation);
  return fixedOtherwise(listed, identity) ?? { kind: "taken", answer: observation, identity, base };
}

function fixedOtherwise({ node_id, incarnation }: InventoryNode, said: Identity): Verdict | null {
  if (node_id !== null && node_id !== said.node_id)
    return down("wrong_node", `is node ${said.node_id}; the inventory lists ${node_id} here`, said.node_id);
  if (incarnation !== null && incarnation !== said.incarnation)
    return down(
      "wrong_node",
      `is incarnation ${said.incarnation}; the inventory lists ${incarnation}`,
      said.node_id,
    );
  return null;
}

/** Each node stands at one address: that of its entry while it is there, else the first that answers as it. */
function together(
  alone: ReadonlyMap<string, Verdict>,
  holders: ReadonlyMap<string, Entry>,
  { entries, inventory }: Claims,
): Map<string, Verdict> {
  const listed = new Set(inventory.map(({ agent_addr }) => agent_addr));
  const fixed = new Map<string, Set<string>>();
  for (const { node_id, agent_addr } of inventory)
    if (node_id !== null) fixed.set(node_id, (fixed.get(node_id) ?? new Set()).add(agent_addr));
  const winners = new Map<string, string>();
  for (const [nodeId, addresses] of claimants(alone)) {
    const home = holders.get(nodeId)?.node.agent_addr ?? null;
    const isAllowed = (address: string) => fixed.get(nodeId)?.has(address) ?? true;
    const may = addresses.filter(isAllowed);
    const stays = home !== null && listed.has(home) && isAllowed(home) && !isAnother(alone.get(home), nodeId);
    const winner = home !== null && (stays || may.includes(home)) ? home : may[0];
    const fixedAt = [...(fixed.get(nodeId) ?? [])].sort(byText)[0];
    winners.set(nodeId, winner ?? fixedAt ?? "");
  }
  const settled = new Map(alone);
  for (const [address, verdict] of alone) {
    if (verdict.kind !== "taken") continue;
    const { node_id } = verdict.identity;
    const winner = winners.get(node_id);
    if (winner !== address)
      settled.set(address, down("duplicate", `is node ${node_id}, which is polled at ${winner}`, node_id));
    else if (!holders.has(node_id))
      settled.set(address, { ...verdict, base: left(entries.get(address) ?? null, address, winners) });
  }
  return settled;
}

/** The entry of an address whose node is somebody else now, unless that node has gone to another address. */
function left(entry: Entry | null, address: string, winners: ReadonlyMap<string, string>): Entry | null {
  const nodeId = entry?.node.identity?.node_id;
  return nodeId !== undefined && (winners.get(nodeId) ?? address) !== address ? null : entry;
}

/** The addresses that answer as each node, sorted. */
function claimants(alone: ReadonlyMap<string, Verdict>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [address, verdict] of alone) {
    if (verdict.kind !== "taken") continue;
    const { node_id } = verdict.identity;
    found.set(node_id, [...(found.get(node_id) ?? []), address]);
  }
  for (const addresses of found.values()) addresses.sort(byText);
  return found;
}

/** Whether somebody who is not this node answers there. Silence proves nothing. */
function isAnother(verdict: Verdict | undefined, nodeId: string): boolean {
  if (verdict === undefined || verdict.kind === "dropped") return false;
  if (verdict.kind === "taken") return verdict.identity.node_id !== nodeId;
  return verdict.answered && verdict.as !== nodeId;
}

function down(code: AgentCode, problem: string, as: string | null): Verdict {
  return { kind: "down", code, problem, answered: true, as };
}

function dropped(code: "older" | "not_stored", { boot_id, seq }: Answer): Verdict {
  const problem =
    code === "older"
      ? `what it said at ${seq} of ${boot_id} is older than what is known`
      : `nothing changed since ${seq} of ${boot_id}, which is not what is known`;
  return { kind: "dropped", code, problem };
}
