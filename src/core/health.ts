/** How a cluster is, in one colour and the reasons for it. */
import * as z from "zod";
import type { Facts, Marks } from "./cluster.ts";
import { byText } from "./equal.ts";
import type { ClusterSettings } from "./settings.ts";

export const HealthCode = z.enum([
  // Red.
  "nothing_reachable",
  "primary_missing",
  "primary_conflict",
  "split",
  "no_quorum",
  // Yellow.
  "never_refreshed",
  "no_nodes",
  "fewer_than_expected",
  "leader_unknown",
  "node_down",
  "node_not_ready",
  "node_stale",
  "node_unknown",
  "node_missing",
  "membership_drift",
  "discovery_suspect",
  "discovery_conflict",
]);
export type HealthCode = z.infer<typeof HealthCode>;

const RED: ReadonlySet<HealthCode> = new Set([
  "nothing_reachable",
  "primary_missing",
  "primary_conflict",
  "split",
  "no_quorum",
]);

export const Reason = z.strictObject({
  code: HealthCode,
  /** For people. */
  message: z.string(),
  /** The node it is about: its id, or its agent's address while that is not known; null: the cluster. */
  node: z.string().nullable(),
});
export type Reason = z.infer<typeof Reason>;

/** `green` exactly where there are no reasons. Those for red come first, then by code and node. */
export const Health = z.strictObject({
  health: z.enum(["green", "yellow", "red"]),
  reasons: z.array(Reason),
});
export type Health = z.infer<typeof Health>;

/** What a view is made of; `facts` is null before the first refresh. */
export type Sources = {
  readonly facts: Facts | null;
  readonly marks: Marks;
  readonly settings: ClusterSettings;
};

/** Whether a node's report is of now: it is polled, and its agent answers. */
export function isUp(facts: Facts): (node: Facts["nodes"][number]) => boolean {
  const listed = new Set(facts.inventory.map(({ agent_addr }) => agent_addr));
  return ({ agent, agent_addr }) => agent.status === "up" && listed.has(agent_addr);
}

/** Whether a node serves: its database is healthy, or there is none to ask. */
export function serves({ report }: Facts["nodes"][number]): boolean {
  return report !== null && (report.kind === "none" || report.status === "healthy");
}

/** The colour and all reasons for it. */
export function healthOf(sources: Sources): Health {
  const { facts } = sources;
  const reasons =
    facts === null
      ? [reason("never_refreshed", "it was never refreshed")]
      : [...ofCluster({ ...sources, facts }), ...ofDiscovery(facts), ...ofNodes(facts)];
  const rank = ({ code }: Reason) => HealthCode.options.indexOf(code);
  reasons.sort((a, b) => rank(a) - rank(b) || byText(a.node ?? "", b.node ?? ""));
  const health = reasons.some(({ code }) => RED.has(code)) ? "red" : reasons.length > 0 ? "yellow" : "green";
  return { health, reasons };
}

function reason(code: HealthCode, message: string, node: string | null = null): Reason {
  return { code, message, node };
}

/** Sources with facts. */
type Known = Sources & { readonly facts: Facts };

function ofCluster(known: Known): Reason[] {
  const { facts, settings } = known;
  const { conditions, inventory } = facts;
  const up = facts.nodes.filter(isUp(facts));
  if (inventory.length === 0) return [reason("no_nodes", "the inventory lists no node of it")];
  const reasons: Reason[] = [];
  const expected = settings.expected_nodes ?? 0;
  if (inventory.length < expected)
    reasons.push(
      reason("fewer_than_expected", `the inventory lists ${inventory.length} nodes of ${expected} expected`),
    );
  if (up.length === 0) reasons.push(reason("nothing_reachable", "no agent of it answers"));
  else reasons.push(...ofQuorum(known));
  if (conditions.primary_missing !== null) {
    const { last } = conditions.primary_missing;
    reasons.push(reason("primary_missing", `nobody leads${last === null ? "" : `; ${last} did`}`));
  } else if (conditions.leader === null && up.some(({ report }) => report !== null && report.kind !== "none"))
    reasons.push(reason("leader_unknown", "who leads is not known yet"));
  if (conditions.primary_conflict !== null)
    reasons.push(
      reason("primary_conflict", `${conditions.primary_conflict.join(" and ")} each say that they lead`),
    );
  if (conditions.split !== null) {
    const parts = Object.entries(conditions.split).map(([id, nodes]) => `${id} (${nodes.join(", ")})`);
    reasons.push(
      reason("split", `its nodes hold other geneses than ${facts.genesis_id}: ${parts.join("; ")}`),
    );
  }
  return reasons;
}

/**
 * Voters whose agents are silent are not counted as up: nobody knows. Who they are, the leader's database tells: one
 * that it has no more is none, whatever the inventory lists. What it said before its agent fell silent only adds to
 * the inventory. Without databases only the settings ask for a quorum.
 */
function ofQuorum({ facts, marks, settings: { quorum } }: Known): Reason[] {
  const isHere = isUp(facts);
  const leader = facts.nodes.find(({ identity }) => identity?.node_id === facts.conditions.leader?.node_id);
  const told = leader === undefined ? null : (marks.nodes[leader.agent_addr]?.database ?? null);
  const members = new Set(told);
  // A list without the leader itself names its nodes as nobody else does.
  const tells = leader !== undefined && isHere(leader) && members.has(leader.identity?.node_id ?? "");
  const listed = new Set(tells ? [] : facts.inventory.map(({ agent_addr }) => agent_addr));
  const voters = facts.nodes.filter(
    ({ report, agent_addr, identity }) =>
      report?.voter === true &&
      (quorum !== null || report.kind !== "none") &&
      (listed.has(agent_addr) || members.has(identity?.node_id ?? "")),
  );
  const needed = quorum ?? (voters.length === 0 ? 0 : Math.floor(voters.length / 2) + 1);
  const up = voters.filter((node) => isHere(node) && serves(node)).length;
  if (up >= needed) return [];
  return [reason("no_quorum", `${up} of ${voters.length} voters seen up; ${needed} needed`)];
}

function ofDiscovery({ conditions, discovery }: Facts): Reason[] {
  const { drift, suspect, conflict } = conditions;
  const reasons: Reason[] = [];
  if (drift !== null) {
    const lists = Object.entries(drift).map(([who, ids]) => `${who}: ${ids.join(", ") || "does not tell"}`);
    reasons.push(reason("membership_drift", `who belongs to it is not agreed; ${lists.join("; ")}`));
  }
  if (suspect !== null)
    reasons.push(
      reason(
        "discovery_suspect",
        suspect.listed === 0
          ? `${suspect.discovery} does not list it any more; the old record is kept`
          : `${suspect.discovery} lists ${suspect.found} of ${suspect.listed} nodes; the old list is kept`,
      ),
    );
  if (conflict !== null)
    reasons.push(reason("discovery_conflict", `also listed by ${conflict.join(", ")}; ${discovery} owns it`));
  return reasons;
}

function ofNodes(facts: Facts): Reason[] {
  const listed = new Set(facts.inventory.map(({ agent_addr }) => agent_addr));
  return facts.nodes.flatMap((node) => {
    const { identity, agent_addr, agent, report } = node;
    const name = identity?.node_id ?? agent_addr;
    if (!listed.has(agent_addr))
      return [reason("node_missing", `the inventory does not list ${agent_addr} any more`, name)];
    if (agent.status === "down")
      return report === null
        ? [reason("node_unknown", `nothing of it is known; its agent is ${agent.code}`, name)]
        : [reason("node_stale", `what is known of it is old; its agent is ${agent.code}`, name)];
    if (report === null || serves(node)) return [];
    const isReady = report.status !== "joining" && report.status !== "leaving" && report.status !== "unknown";
    return [reason(isReady ? "node_down" : "node_not_ready", `its database is ${report.status}`, name)];
  });
}
