/** What one poll of one agent gave. Types only; the client makes it of the answer, the view takes it. */
import type { AgentCode } from "./cluster.ts";
import type { NodeReport, Shard } from "./node-report.ts";

/** A transition from the ring of `/v1/state`, as far as the view reads it. */
export type SeenTransition = {
  readonly seq: number;
  readonly kind: string;
  readonly before: unknown;
  readonly after: unknown;
};

/** An agent's whole state. */
export type Seen = {
  readonly kind: "state";
  readonly boot_id: string;
  readonly seq: number;
  /** The cluster it says it belongs to. */
  readonly key: string;
  readonly node_id: string;
  readonly incarnation: string;
  readonly version: string;
  readonly voter: boolean;
  readonly api_addr: string;
  readonly addr: string;
  /** Of the cluster it has settled on; null before. */
  readonly genesis_id: string | null;
  /** Its last look at the database; `shards` in it is not read. */
  readonly report: Omit<NodeReport, "shards">;
  /** The node ids of its peers, itself included. */
  readonly peers: readonly string[];
  readonly transitions: readonly SeenTransition[];
  /** Null: not asked for this time. */
  readonly shards: readonly Shard[] | null;
};

/** 304: what it said before still holds. Gauges may have been read all the same. */
export type Unchanged = {
  readonly kind: "unchanged";
  readonly boot_id: string;
  readonly seq: number;
  readonly shards: readonly Shard[] | null;
};

/** A failing agent is data. `problem` is for people, one line. */
export type Failed = {
  readonly kind: "failed";
  readonly code: Exclude<AgentCode, "ok" | "wrong_cluster" | "wrong_node" | "duplicate">;
  readonly problem: string;
};

/** `at`: when the request was sent, wall clock in milliseconds. */
export type Observation = { readonly agent_addr: string; readonly at: number } & (Seen | Unchanged | Failed);
