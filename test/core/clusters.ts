/** Clusters of a coordinator and what polling them gives, for tests. */
import { type Facts, type Marks, NO_MARKS } from "../../src/core/cluster.ts";
import type { Change } from "../../src/core/events.ts";
import type { ClusterRecord, InventoryNode } from "../../src/core/inventory.ts";
import type { DatabaseMember, NodeReport, Shard } from "../../src/core/node-report.ts";
import type { Failed, Observation, Seen, Unchanged } from "../../src/core/observation.ts";
import { changesOf, type Observed, observe, type Refresh } from "../../src/core/observe.ts";

export const KEY = "prod/orders";
const STARTED = Date.UTC(2026, 10, 21, 12);

/** Node `a` listens at `a:4100`. */
export function addressOf(id: string): string {
  return `${id}:4100`;
}

export function listed(id: string, fields: Partial<InventoryNode> = {}): InventoryNode {
  return { agent_addr: addressOf(id), secure: false, node_id: null, incarnation: null, ...fields };
}

export function recordOf(ids: string, fields: Partial<ClusterRecord> = {}): ClusterRecord {
  return { cluster_id: KEY, display_name: null, nodes: [...ids].map((id) => listed(id)), ...fields };
}

export function memberOf(id: string): DatabaseMember {
  return { id, addr: `${id}:4002`, api_addr: `${id}:4001`, voter: true, reachable: null };
}

export const LEADS = { role: "leader" } as const satisfies Partial<NodeReport>;
export const DOWN = {
  ...{ status: "unavailable", role: "unknown", leader: null, term: null, members: null },
  problem: "connection refused",
} as const satisfies Partial<NodeReport>;

export function shard(role: Shard["role"], lag: number | null = null): Shard {
  return {
    id: "raft",
    role,
    lag: lag === null ? null : { unit: "entries", value: lag },
    commit_offset: null,
  };
}

type Fields = Partial<Omit<Seen, "kind" | "report">> & {
  readonly report?: Partial<NodeReport>;
  readonly agent_addr?: string;
};

/** A replica of three nodes, of which `a` leads, unless told otherwise. */
export function seen(id: string, { report = {}, ...fields }: Fields = {}): Observation & Seen {
  return {
    ...{ kind: "state", agent_addr: addressOf(id), at: STARTED, boot_id: `boot-${id}`, seq: 5, key: KEY },
    ...{ node_id: id, incarnation: `disk-${id}`, version: "0.1.0", voter: true, genesis_id: "genesis-1" },
    ...{ api_addr: `${id}:4001`, addr: `${id}:4002`, peers: ["a", "b", "c"], transitions: [], shards: null },
    ...fields,
    report: {
      ...{ kind: "rqlite", version: "8.26.8", status: "healthy", problem: null, term: 3 },
      role: id === "a" ? "leader" : "replica",
      leader: memberOf("a"),
      members: ["a", "b", "c"].map(memberOf),
      ...report,
    },
  };
}

export function unchanged(id: string, fields: Partial<Unchanged> = {}): Observation {
  const base = { kind: "unchanged", boot_id: `boot-${id}`, seq: 5, shards: null } as const;
  return { agent_addr: addressOf(id), at: STARTED + 10_000, ...base, ...fields };
}

export function failed(id: string, code: Failed["code"] = "unreachable"): Observation {
  const problem = "connect: connection refused";
  return { kind: "failed", agent_addr: addressOf(id), at: STARTED + 10_000, code, problem };
}

/** A refresh of the three nodes. */
export function refresh(observations: readonly Observation[], fields: Partial<Refresh> = {}): Refresh {
  const told = { record: recordOf("abc"), discovery: "consul", suspect: null, conflict: [] };
  return { ...told, ...fields, observations };
}

export const CALM = refresh([seen("a"), seen("b"), seen("c")]);

export type Run = Observed & {
  readonly before: { readonly facts: Facts | null; readonly marks: Marks };
  /** Of the last refresh. */
  readonly changes: readonly Change[];
};

/** One refresh after the other, from nothing. */
export function run(first: Refresh, ...more: readonly Refresh[]): Run {
  return more.reduce<Run>((last, next) => step(last, next), step({ facts: null, marks: NO_MARKS }, first));
}

/** One more refresh. */
export function step(before: { readonly facts: Facts | null; readonly marks: Marks }, next: Refresh): Run {
  const observed = observe(before, next);
  return { ...observed, before, changes: changesOf(before.facts, observed) };
}

export function typesOf(changes: readonly Change[]): string[] {
  return changes.map(({ type, subject }) => `${type} ${subject.slice(KEY.length + 1)}`.trim());
}
