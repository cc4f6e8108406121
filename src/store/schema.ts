/**
 * The tables, as the last migration leaves them. JSON is kept as text; times are milliseconds since the epoch; what is
 * yes or no is 1 or 0, since that is what every database has.
 */
import type { ColumnBuilderCallback, Generated, Kysely } from "kysely";
import type { EventType } from "../core/events.ts";

/** When something ran and will run. `next_at` is null until the first run is written. */
export type RunColumns = {
  next_at: number | null;
  started_at: number | null;
  ended_at: number | null;
  error: string | null;
};

export type Tables = {
  /** One row. */
  schema_version: { version: number };
  /** One row: the places of the newest event, and of the newest that retention removed; 0 before there is one. */
  log: { newest: number; removed: number };
  /** The names under which coordinators wrote events. */
  sources: { id: Generated<number>; name: string };
  /** What numbers events from 1: a cluster, or the settings of a discovery. Rows stay for good. */
  scopes: { id: Generated<number>; name: string; seq: number; fence: number };
  events: {
    position: number;
    scope: number;
    seq: number;
    type: EventType;
    subject: string;
    at: number;
    source: number;
    before: string | null;
    after: string | null;
  };
  /** The facts of a scope after the last of its events that retention removed. */
  snapshots: { scope: number; seq: number; facts: string | null };
  clusters: { scope: number; version: number; facts: string; marks: string };
  discoveries: { name: string; settings: string; document: string } & RunColumns;
  records: { discovery: string; cluster_id: string; record: string };
  settings: {
    cluster_id: string;
    settings: string;
    synthetic: number;
    document: string | null;
  } & RunColumns;
};

/** The database, or one connection to it that may be in a transaction. */
export type Db = Kysely<Tables>;

/** The few words in which databases differ: the type of a whole number of 53 bits, and a key that counts itself. */
export type Words = {
  readonly whole: "integer" | "bigint";
  readonly counted: ColumnBuilderCallback;
};
