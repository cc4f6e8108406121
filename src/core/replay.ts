/**
 * The facts of a cluster, made again out of its events: what `diff` says, applied. Events are our own, so that one
 * that does not fit the state it is applied to is a broken log, and changes nothing.
 */
import type { Conditions, Facts, Identity, NodeFacts, ShardFact } from "./cluster.ts";
import { CONDITION_EVENTS } from "./diff.ts";
import { byText } from "./equal.ts";
import type { Change, Event } from "./events.ts";

const CONDITION_OF = new Map(
  (Object.keys(CONDITION_EVENTS) as (keyof Conditions)[]).map((name) => [
    CONDITION_EVENTS[name] as string,
    name,
  ]),
);

/** What one change or event makes of the facts; null: there is no cluster. Types that carry no facts leave them. */
export function replayed(facts: Facts | null, change: Change | Event): Facts | null {
  const { type, before, after } = bare(change);
  if (type === "CLUSTER_NEW") return after as Facts;
  if (type === "CLUSTER_REMOVED" || facts === null) return null;
  if (type === "CLUSTER_CHANGED") return { ...facts, ...(after as Partial<Facts>) };
  const condition = CONDITION_OF.get(type);
  if (condition !== undefined) return { ...facts, conditions: { ...facts.conditions, [condition]: after } };
  const name = change.subject.slice(facts.cluster_id.length + 1);
  switch (type) {
    case "AGENT_NEW":
      return placed(facts, null, {
        ...(after as Pick<NodeFacts, "agent_addr" | "agent" | "info">),
        ...{ identity: null, report: null, shards: [] },
      });
    case "AGENT_UP":
    case "AGENT_DOWN":
    case "AGENT_INFO_CHANGED": {
      const { agent_addr, ...rest } = after as Partial<NodeFacts>;
      return altered(
        facts,
        agent_addr === undefined ? byName(facts, name) : byAddress(facts, agent_addr),
        rest,
      );
    }
    case "NODE_NEW": {
      const { agent_addr = "", ...rest } = after as Partial<NodeFacts>;
      return altered(facts, byAddress(facts, agent_addr), rest);
    }
    case "NODE_REPLACED": {
      const { node_id } = (before as { identity: Identity }).identity;
      return altered(facts, byName(facts, node_id), { ...(after as Partial<NodeFacts>), shards: [] });
    }
    case "NODE_CHANGED":
    case "NODE_UP":
    case "NODE_DOWN":
      return altered(facts, byName(facts, name), after as Partial<NodeFacts>);
    case "NODE_REMOVED": {
      const { agent_addr, identity } = before as NodeFacts;
      return placed(facts, identity === null ? byAddress(facts, agent_addr) : byName(facts, name), null);
    }
    case "SHARD_ALLOCATION_NEW":
    case "SHARD_ALLOCATION_CHANGED":
    case "SHARD_ALLOCATION_LOST":
      return sharded(facts, name, before as ShardFact | null, after as ShardFact | null);
    default:
      return facts;
  }
}

/** Of an event, the change in it. */
function bare(change: Change | Event): {
  readonly type: string;
  readonly before: unknown;
  readonly after: unknown;
} {
  if (!("data" in change)) return change;
  const { before, after } = change.data;
  return { type: change.type.slice("rollcall.".length), before, after };
}

function byName({ nodes }: Facts, id: string): NodeFacts | null {
  return nodes.find(({ identity }) => identity?.node_id === id) ?? null;
}

/** Of a node whose id is not known. */
function byAddress({ nodes }: Facts, address: string): NodeFacts | null {
  return nodes.find(({ identity, agent_addr }) => identity === null && agent_addr === address) ?? null;
}

function altered(facts: Facts, node: NodeFacts | null, fields: Partial<NodeFacts>): Facts {
  return node === null ? facts : placed(facts, node, { ...node, ...fields });
}

/** With `next` in the place of `node`; null: nothing there. Sorted again, for an address may have changed. */
function placed(facts: Facts, node: NodeFacts | null, next: NodeFacts | null): Facts {
  const others = facts.nodes.filter((other) => other !== node);
  const nodes = next === null ? others : [...others, next];
  return { ...facts, nodes: nodes.sort((a, b) => byText(a.agent_addr, b.agent_addr)) };
}

/** The subject ends with the shard's id, which may hold a slash; so may no node id. */
function sharded(facts: Facts, name: string, before: ShardFact | null, after: ShardFact | null): Facts {
  const id = (after ?? before)?.id ?? "";
  const node = byName(facts, name.slice(0, name.length - id.length - 1));
  if (node === null) return facts;
  const others = node.shards.filter((shard) => shard.id !== id);
  const shards = after === null ? others : [...others, after].sort((a, b) => byText(a.id, b.id));
  return placed(facts, node, { ...node, shards });
}
