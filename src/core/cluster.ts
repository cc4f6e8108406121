/**
 * A cluster as the coordinator keeps it: facts, every change of which is an event, and marks, which change without
 * one (gauges, positions, texts). A new fact needs an event that carries it; everything else belongs to the marks.
 */
import * as z from "zod";
import { InventoryNode } from "./inventory.ts";
import { Role, StatusCode } from "./node-report.ts";

/** Why an agent counts as up or not. A status changes by its code, never by the text of an error. */
export const AgentCode = z.enum([
  "ok",
  /** No connection, no answer in time, or a broken one. */
  "unreachable",
  /** It wants a credential that we do not have, or we do not trust its certificate. */
  "unauthorized",
  /** Its address is outside the discovery's allow-list. */
  "not_allowed",
  /** Something answered, and not as an agent does. */
  "not_an_agent",
  /** An agent of another cluster, or of another node than the inventory lists there. */
  "wrong_cluster",
  "wrong_node",
  /** Another address of the inventory already stands for this node. */
  "duplicate",
]);
export type AgentCode = z.infer<typeof AgentCode>;

export const AgentStatus = z.strictObject({ status: z.enum(["up", "down"]), code: AgentCode });
export type AgentStatus = z.infer<typeof AgentStatus>;

/** The agent itself, as it last said; a new boot id is a restart. */
export const AgentInfo = z.strictObject({ version: z.string(), boot_id: z.string() });
export type AgentInfo = z.infer<typeof AgentInfo>;

/** Who the node is. Pinned at the first contact, or by the inventory. */
export const Identity = z.strictObject({ node_id: z.string(), incarnation: z.string() });
export type Identity = z.infer<typeof Identity>;

/** The node's own last report. It holds while its agent is up, and is stale otherwise. */
export const Report = z.strictObject({
  kind: z.string(),
  version: z.string().nullable(),
  status: StatusCode,
  role: Role,
  voter: z.boolean(),
  api_addr: z.string(),
  addr: z.string(),
  genesis_id: z.string().nullable(),
});
export type Report = z.infer<typeof Report>;

export const ShardFact = z.strictObject({
  id: z.string(),
  role: z.enum(["primary", "secondary", "recovering", "other"]),
});
export type ShardFact = z.infer<typeof ShardFact>;

/** One node that was asked at least once. Without `identity` nothing of the inventory's has answered there yet. */
export const NodeFacts = z.strictObject({
  agent_addr: z.string(),
  agent: AgentStatus,
  info: AgentInfo.nullable(),
  identity: Identity.nullable(),
  /** Null exactly where `identity` is. */
  report: Report.nullable(),
  /** Sorted by id. */
  shards: z.array(ShardFact),
});
export type NodeFacts = z.infer<typeof NodeFacts>;

const ids = z.array(z.string());

/** What is so of the cluster as a whole; null: not so. Each has its own event, which carries the value before and after. */
export const Conditions = z.strictObject({
  /** Who leads. */
  leader: z.strictObject({ node_id: z.string() }).nullable(),
  /** The nodes that claim it, sorted, where more than one does. */
  primary_conflict: ids.nullable(),
  /** Nobody leads; who did before. */
  primary_missing: z.strictObject({ last: z.string().nullable() }).nullable(),
  /** The genesis ids of one cluster, and the nodes that hold each, where there is more than the pinned one. */
  split: z.record(z.string(), ids).nullable(),
  /** The node ids that the inventory, the agents and the database list, where they differ. Sorted; empty where it does not tell. */
  drift: z.strictObject({ inventory: ids, agents: ids, database: ids }).nullable(),
  /** The inventory lists so many fewer nodes than before that the old record is kept. */
  suspect: z.strictObject({ discovery: z.string(), listed: z.int(), found: z.int() }).nullable(),
  /** Other discoveries that list this cluster too. Sorted. */
  conflict: ids.nullable(),
});
export type Conditions = z.infer<typeof Conditions>;

/** Everything about a cluster that events tell. */
export const Facts = z.strictObject({
  cluster_id: z.string(),
  display_name: z.string().nullable(),
  /** The name of the discovery that owns it: the first that listed it. */
  discovery: z.string(),
  /** What is polled. Sorted by address. */
  inventory: z.array(InventoryNode),
  /** Pinned at the first sealed answer. */
  genesis_id: z.string().nullable(),
  /** Sorted by address. Nodes that answered and that the inventory lists no more stay until they are retired. */
  nodes: z.array(NodeFacts),
  conditions: Conditions,
});
export type Facts = z.infer<typeof Facts>;

const gauge = z.strictObject({ unit: z.string(), value: z.number() });

/** Of one node, what changes without an event. */
export const NodeMarks = z.strictObject({
  /** The last state of the agent that was taken; observations that are older are dropped. */
  boot_id: z.string().nullable(),
  seq: z.int(),
  /** Boot ids that newer ones replaced, the newest last, at most 8: none of them comes back. Absent: none. */
  earlier: ids.optional(),
  /** Its agent had started again and not looked at the database yet when it last answered: it is asked for all. Absent: it had. */
  unlooked: z.literal(true).optional(),
  /** When it last answered, and how often in a row it has not since; milliseconds since the epoch. */
  seen_at: z.number().nullable(),
  misses: z.int(),
  /** What is wrong with the agent or, where that is up, with the database; for people. */
  problem: z.string().nullable(),
  /** Who leads as this node's database sees it, and in which term. */
  leader: z.string().nullable(),
  term: z.number().nullable(),
  /** The node ids that its database and its agent list, itself included; null where it does not tell. */
  database: ids.nullable(),
  agents: ids.nullable(),
  /** By shard id. */
  shards: z.record(z.string(), z.strictObject({ lag: gauge.nullable(), commit_offset: gauge.nullable() })),
});
export type NodeMarks = z.infer<typeof NodeMarks>;

/** Everything else that is kept of a cluster. */
export const Marks = z.strictObject({
  /** By agent address. */
  nodes: z.record(z.string(), NodeMarks),
  /** Conditions seen once, which count when the next refresh sees the same. */
  pending: Conditions.partial(),
  /** Refreshes so far; shards' gauges are read with every 6th. */
  refreshes: z.int(),
});
export type Marks = z.infer<typeof Marks>;

/** A cluster as it is stored. */
export type Cluster = {
  readonly facts: Facts;
  readonly marks: Marks;
  /** Raised by every commit. */
  readonly version: number;
  /** Of its last event. */
  readonly seq: number;
};

/** The conditions of a cluster of which nothing is known yet. */
export const NO_CONDITIONS: Conditions = {
  leader: null,
  primary_conflict: null,
  primary_missing: null,
  split: null,
  drift: null,
  suspect: null,
  conflict: null,
};

/** The marks of a cluster that was never refreshed. */
export const NO_MARKS: Marks = { nodes: {}, pending: {}, refreshes: 0 };
