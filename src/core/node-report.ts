/**
 * What one look at a node's database gave, in the terms of Replicante's agents: kind, version, role, a status
 * code with the error's text apart, and what the database itself sees of its cluster. Types and the few pure
 * functions on them. Source of the words: src/DESIGN.md, "The database".
 */
import * as z from "zod";

/**
 * `healthy`: serves. `unhealthy`: answers, but has no leader, or cannot serve. `joining`: started, not yet in its
 * cluster. `leaving`: on its way out. `unavailable`: did not answer. `not_in_cluster`: answers, and belongs to
 * none or to another. `unknown`: there is nothing to ask, or nobody has asked yet.
 */
export const StatusCode = z.enum([
  "healthy",
  "unhealthy",
  "joining",
  "leaving",
  "unavailable",
  "not_in_cluster",
  "unknown",
]);
export type StatusCode = z.infer<typeof StatusCode>;

/** `leader`: takes writes (a primary). `replica`: follows one. `unknown`: neither is known. */
export const Role = z.enum(["leader", "replica", "unknown"]);
export type Role = z.infer<typeof Role>;

/** One node as a database lists it. Addresses are as the database writes them; empty where it does not say. */
export type DatabaseMember = {
  readonly id: string;
  /** The database's own peer address. */
  readonly addr: string;
  /** The address for clients. */
  readonly api_addr: string;
  /** Null where the database does not tell. */
  readonly voter: boolean | null;
  readonly reachable: boolean | null;
};

/** A unit of data with a role. Lag and offset are gauges: their changes are no transitions. */
export type Shard = {
  readonly id: string;
  readonly role: "primary" | "secondary" | "recovering" | "other";
  readonly commit_offset: Gauge | null;
  readonly lag: Gauge | null;
};
export type Gauge = { readonly unit: string; readonly value: number };

/** One look. Nothing in it is older than the look itself, but for `version` and `shards`, which change rarely or matter rarely. */
export type NodeReport = {
  /** `rqlite`, or what the answering program calls itself. */
  readonly kind: string;
  readonly version: string | null;
  readonly status: StatusCode;
  /** What is wrong, in one line, where the status is not healthy; may change without the status changing. */
  readonly problem: string | null;
  readonly role: Role;
  /** The term, timeline or epoch in which `role` and `leader` hold; null where the database has none or did not say. */
  readonly term: number | null;
  /** Who leads, as this database sees it; null where it knows of nobody. */
  readonly leader: DatabaseMember | null;
  /** Everybody in the cluster, as this database sees it, sorted by id; null where it does not tell. */
  readonly members: readonly DatabaseMember[] | null;
  readonly shards: readonly Shard[];
};

/** A report without anything known. */
export function blankReport(kind: string, status: StatusCode, problem: string | null): NodeReport {
  return {
    kind,
    version: null,
    status,
    problem,
    role: "unknown",
    term: null,
    leader: null,
    members: null,
    shards: [],
  };
}

/**
 * Who leads by the database of the node `id` alone, never by the leader key, which would then confirm itself: what
 * `hello` says. Not every database names itself. Null: it knows of nobody.
 */
export function leadIn(
  { role, leader, term }: NodeReport,
  id: string,
): { readonly id: string; readonly term: number | null } | null {
  const named = leader?.id ?? (role === "leader" ? id : null);
  return named === null ? null : { id: named, term };
}

/** Whether the database counts the node `id` among its members; null where it does not tell. */
export function lists(report: NodeReport, id: string): boolean | null {
  return report.members === null ? null : report.members.some((m) => m.id === id);
}

/** What a load balancer asks for. */
export type Want = "leader" | "replica" | "health";

/** Whether this node is what a load balancer asks for, and the word that says what it is. */
export function fits(report: NodeReport, want: Want): { readonly ok: boolean; readonly word: string } {
  if (report.kind === "none") return { ok: false, word: "no_database" };
  if (report.status !== "healthy") return { ok: false, word: report.status };
  return { ok: want === "health" || report.role === want, word: want === "health" ? "ok" : report.role };
}
