/**
 * The events of the coordinator: their types, what each carries, and the envelope (CloudEvents 1.0, JSON). Source of
 * the names: Replicante; of the meanings: src/DESIGN.md, "Events".
 */
import * as z from "zod";

/** Every type, in the order in which events of one commit are written, and when it is told: for the README. */
export const EVENT_MEANINGS = {
  DISCOVERY_SETTINGS_APPLY: "settings of a discovery were applied that differ from those before",
  DISCOVERY_SETTINGS_DELETE: "a discovery was deleted",
  CLUSTER_NEW: "a cluster was refreshed for the first time: one event with all its nodes",
  CLUSTER_CHANGED: "the inventory lists it otherwise, another discovery owns it, or it got its genesis",
  DISCOVERY_CONFLICT: "other discoveries list the cluster too",
  DISCOVERY_SUSPECT: "the inventory lists so few of the nodes that the old record is kept",
  OBSERVATION_GAP: "an agent went through more states between two polls than it remembers",
  AGENT_NEW: "an address of the inventory was polled for the first time, whatever came of it",
  AGENT_UP: "an agent answers",
  AGENT_DOWN: "an agent does not answer, or not as the agent of this node; the code says which",
  AGENT_INFO_CHANGED: "another version of the agent, or a restart",
  NODE_NEW: "a node told who it is for the first time",
  NODE_REPLACED: "another incarnation of a node (a new disk), or another node at its address",
  NODE_CHANGED: "a node's role, version, addresses or genesis, or the address of its agent",
  NODE_UP: "a node's database is healthy, by its own report",
  NODE_DOWN: "a node's database does not serve, by its own report",
  NODE_STALE: "a node's agent stopped answering: the last report stands",
  NODE_REMOVED:
    "a node is known no more: it left in order, took the place of another entry, or never answered and is not listed any more",
  SHARD_ALLOCATION_NEW: "a node has a unit of data that it had not",
  SHARD_ALLOCATION_CHANGED: "the role of a node's unit of data",
  SHARD_ALLOCATION_LOST: "a node has a unit of data no more",
  LEADER_CHANGED: "another node leads, or nobody",
  PRIMARY_CONFLICT: "several nodes say that they lead",
  PRIMARY_MISSING: "nobody leads",
  CLUSTER_SPLIT: "nodes hold different geneses",
  MEMBERSHIP_DRIFT: "inventory, agents and database list different nodes",
  CLUSTER_REMOVED: "no discovery lists the cluster any more",
  ORCHESTRATE_REPORT: "how a refresh went that somebody asked for",
} as const;

export const EventType = z.enum(Object.keys(EVENT_MEANINGS) as (keyof typeof EVENT_MEANINGS)[]);
export type EventType = z.infer<typeof EventType>;

/** One change, before it has a place in the log. */
export type Change = {
  readonly type: EventType;
  /** `<cluster_id>/<node_id>[/<shard>]`, as far as it goes; a node without a known id is named by its address. */
  readonly subject: string;
  /** What the event covers, before and after; null: was not there, is not there. */
  readonly before: unknown;
  readonly after: unknown;
};

/** An event as it is stored, served and streamed. */
export const Event = z.strictObject({
  specversion: z.literal("1.0"),
  /** `<scope>:<seq>`; the scope is the cluster's id, or `discovery:<name>` for what is told of settings. */
  id: z.string(),
  /** `/rollcall/<coordinator name>`. */
  source: z.string(),
  /** `rollcall.<TYPE>`. */
  type: z.string(),
  subject: z.string(),
  /** RFC 3339, UTC. */
  time: z.string(),
  datacontenttype: z.literal("application/json"),
  data: z.looseObject({ before: z.unknown(), after: z.unknown() }),
});
export type Event = z.infer<typeof Event>;

/** What a change needs to be an event: the log it belongs to, its place there, who tells it, and when (milliseconds since the epoch). */
export type Place = {
  /** The cluster's id, or `discovery:<name>`. */
  readonly scope: string;
  /** From 1, without gaps. */
  readonly seq: number;
  /** `/rollcall/<coordinator name>`. */
  readonly source: string;
  readonly time: number;
};

/** A change as the event that it becomes at its place in the log. */
export function envelope(
  { type, subject, before, after }: Change,
  { scope, seq, source, time }: Place,
): Event {
  return {
    specversion: "1.0",
    id: `${scope}:${seq}`,
    source,
    type: `rollcall.${type}`,
    subject,
    time: new Date(time).toISOString(),
    datacontenttype: "application/json",
    data: { before, after },
  };
}
