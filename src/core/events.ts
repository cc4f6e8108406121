/**
 * The events of the coordinator: their types, what each carries, and the envelope (CloudEvents 1.0, JSON). Source of
 * the names: Replicante; of the meanings: src/DESIGN.md, "Events".
 */
import * as z from "zod";

/** Every type, in the order in which events of one commit are written. */
export const EventType = z.enum([
  "DISCOVERY_SETTINGS_APPLY",
  "DISCOVERY_SETTINGS_DELETE",
  "CLUSTER_NEW",
  "CLUSTER_CHANGED",
  "DISCOVERY_CONFLICT",
  "DISCOVERY_SUSPECT",
  "OBSERVATION_GAP",
  "AGENT_NEW",
  "AGENT_UP",
  "AGENT_DOWN",
  "AGENT_INFO_CHANGED",
  "NODE_NEW",
  "NODE_REPLACED",
  "NODE_CHANGED",
  "NODE_UP",
  "NODE_DOWN",
  "NODE_STALE",
  "NODE_REMOVED",
  "SHARD_ALLOCATION_NEW",
  "SHARD_ALLOCATION_CHANGED",
  "SHARD_ALLOCATION_LOST",
  "LEADER_CHANGED",
  "PRIMARY_CONFLICT",
  "PRIMARY_MISSING",
  "CLUSTER_SPLIT",
  "MEMBERSHIP_DRIFT",
  "CLUSTER_REMOVED",
  "ORCHESTRATE_REPORT",
]);
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
