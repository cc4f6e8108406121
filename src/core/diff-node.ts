/** What changed with the nodes of a cluster: one after the other by id, and of each in the order of the event types. */
import type { Facts, NodeFacts, Report, ShardFact } from "./cluster.ts";
import { byText, equal } from "./equal.ts";
import type { Change, EventType } from "./events.ts";

/** A node before and after; null: not there. */
type Pair = { readonly was: NodeFacts | null; readonly is: NodeFacts | null };

/** How a node is named in subjects: by its id, and by its agent's address as long as that is not known. */
export function nodeName(node: NodeFacts): string {
  return node.identity?.node_id ?? node.agent_addr;
}

/** The changes of all nodes. */
export function nodeChanges(before: Facts, after: Facts): Change[] {
  if (before.nodes === after.nodes) return [];
  const subject = (name: string) => `${after.cluster_id}/${name}`;
  return paired(before.nodes, after.nodes)
    .filter(({ was, is }) => was !== is)
    .sort((a, b) => byText(nameOf(a), nameOf(b)))
    .flatMap((pair) => changesOf(pair, subject));
}

/**
 * The same node by its id wherever its agent is now; what is left, by the address. No address holds two nodes and no
 * id stands for two, so that each is in one pair.
 */
function paired(before: readonly NodeFacts[], after: readonly NodeFacts[]): Pair[] {
  const byId = new Map(before.flatMap((node) => (node.identity ? [[node.identity.node_id, node]] : [])));
  const found = new Map(after.map((node) => [node, node.identity && byId.get(node.identity.node_id)]));
  const taken = new Set(found.values());
  const byAddress = new Map(before.filter((node) => !taken.has(node)).map((node) => [node.agent_addr, node]));
  const pairs = after.map((is) => {
    const was = found.get(is) ?? byAddress.get(is.agent_addr) ?? null;
    if (was !== null) byAddress.delete(was.agent_addr);
    return { was, is };
  });
  return [...pairs, ...[...byAddress.values()].map((was) => ({ was, is: null }))];
}

function nameOf({ was, is }: Pair): string {
  const node = is ?? was;
  return node === null ? "" : nodeName(node);
}

function changesOf({ was, is }: Pair, subject: (name: string) => string): Change[] {
  if (is === null)
    return was === null
      ? []
      : [{ type: "NODE_REMOVED", subject: subject(nodeName(was)), before: was, after: null }];
  const known = was ?? blank(is);
  return [
    ...agentChanges(was, is, subject),
    ...identityChanges(known, is, subject),
    ...reportChanges(known, is, subject(nodeName(is))),
    ...staleness(known, is, subject(nodeName(is))),
    ...shardChanges(equal(known.identity, is.identity) ? known.shards : [], is.shards, subject(nodeName(is))),
  ];
}

/** A node as AGENT_NEW leaves it. */
function blank({ agent_addr, agent, info }: NodeFacts): NodeFacts {
  return { agent_addr, agent, info, identity: null, report: null, shards: [] };
}

/**
 * Of the agent. These come before the node's own, so the node has the name that it had before; without a known id
 * they also carry the address, since an id may read like one.
 */
function agentChanges(was: NodeFacts | null, is: NodeFacts, subject: (name: string) => string): Change[] {
  if (was === null) {
    const { agent_addr, agent, info } = is;
    return [
      { type: "AGENT_NEW", subject: subject(nodeName(is)), before: null, after: { agent_addr, agent, info } },
    ];
  }
  const name = subject(nodeName(was));
  const at = was.identity === null ? { agent_addr: was.agent_addr } : {};
  const changes: Change[] = [];
  if (!equal(was.agent, is.agent)) {
    const type = is.agent.status === "up" ? "AGENT_UP" : "AGENT_DOWN";
    changes.push({
      type,
      subject: name,
      before: { ...at, agent: was.agent },
      after: { ...at, agent: is.agent },
    });
  }
  if (!equal(was.info, is.info))
    changes.push({
      type: "AGENT_INFO_CHANGED",
      subject: name,
      before: { ...at, info: was.info },
      after: { ...at, info: is.info },
    });
  return changes;
}

/** NODE_REPLACED has the name of the node that is no more; NODE_NEW finds its agent by the address. */
function identityChanges(was: NodeFacts, is: NodeFacts, subject: (name: string) => string): Change[] {
  if (equal(was.identity, is.identity)) return [];
  const after = { identity: is.identity, report: is.report };
  if (was.identity === null)
    return [
      {
        type: "NODE_NEW",
        subject: subject(nodeName(is)),
        before: null,
        after: { agent_addr: was.agent_addr, ...after },
      },
    ];
  const before = { identity: was.identity, report: was.report };
  return [{ type: "NODE_REPLACED", subject: subject(nodeName(was)), before, after }];
}

function reportChanges(was: NodeFacts, is: NodeFacts, subject: string): Change[] {
  const changes: Change[] = [];
  if (was.agent_addr !== is.agent_addr)
    changes.push({
      type: "NODE_CHANGED",
      subject,
      before: { agent_addr: was.agent_addr },
      after: { agent_addr: is.agent_addr },
    });
  if (!equal(was.identity, is.identity) || equal(was.report, is.report)) return changes;
  const type = reportEvent(was.report, is.report);
  return [...changes, { type, subject, before: { report: was.report }, after: { report: is.report } }];
}

/** A status change wins: one event tells the whole report. */
function reportEvent(was: Report | null, is: Report | null): EventType {
  if (was?.status === is?.status) return "NODE_CHANGED";
  switch (is?.status) {
    case "healthy":
      return "NODE_UP";
    case "unavailable":
    case "unhealthy":
    case "not_in_cluster":
      return "NODE_DOWN";
    default:
      return "NODE_CHANGED";
  }
}

/** What the node last said stands, and nobody says it any more. Nothing new is carried. */
function staleness(was: NodeFacts, is: NodeFacts, subject: string): Change[] {
  if (was.agent.status !== "up" || is.agent.status === "up" || is.report === null) return [];
  return [{ type: "NODE_STALE", subject, before: { agent: was.agent }, after: { agent: is.agent } }];
}

function shardChanges(was: readonly ShardFact[], is: readonly ShardFact[], subject: string): Change[] {
  if (was === is) return [];
  const [before, after] = [new Map(was.map((s) => [s.id, s])), new Map(is.map((s) => [s.id, s]))];
  const ids = [...new Set([...before.keys(), ...after.keys()])].sort(byText);
  const changes = ids.flatMap((id): Change[] => {
    const [old, now] = [before.get(id) ?? null, after.get(id) ?? null];
    if (equal(old, now)) return [];
    const type =
      old === null
        ? "SHARD_ALLOCATION_NEW"
        : now === null
          ? "SHARD_ALLOCATION_LOST"
          : "SHARD_ALLOCATION_CHANGED";
    return [{ type, subject: `${subject}/${id}`, before: old, after: now }];
  });
  const order = ["SHARD_ALLOCATION_NEW", "SHARD_ALLOCATION_CHANGED", "SHARD_ALLOCATION_LOST"];
  return changes.sort((a, b) => order.indexOf(a.type) - order.indexOf(b.type));
}
