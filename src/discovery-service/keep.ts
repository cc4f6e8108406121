/** What is kept of the service beyond its process: who tells of changes, and what comes back after a restart. */

/** A register's value. `revision` is never used twice. */
export type Entry = { readonly value: string; readonly revision: string };

/** A member's entry. `record` is its JSON text as it came; `deadlineMs` is on the caller's clock. */
export type Row = {
  readonly incarnation: string;
  readonly record: string;
  readonly ttlMs: number;
  readonly lease: string;
  deadlineMs: number;
};

/** One id. Times are milliseconds since the epoch. */
export type List = {
  readonly createdMs: number;
  /** When somebody last asked for it, up to an hour ago. */
  readonly usedMs: number;
  /** For how many voters it is; null: nobody said. */
  readonly size: number | null;
  /** SHA-256 of the token that its callers must show; null: the id is enough. */
  readonly tokenHash: string | null;
  /** How many have ever registered. */
  readonly arrivals: number;
  /** The positions of those who are registered, from 1, by address. Nobody gets the position of another. */
  readonly nodes: ReadonlyMap<string, number>;
};

/** Is told of each change within the change itself, as what there is now; null: nothing any more. Never throws. */
export interface Keep {
  register(id: string, name: string, entry: Entry | null): void;
  /** A renewal changes nothing that is kept: after a restart every lease begins anew. */
  member(id: string, nodeId: string, row: Row | null): void;
  /** An id that was created, without its nodes. */
  list(id: string, list: Omit<List, "nodes"> | null): void;
  node(id: string, addr: string, position: number | null): void;
}

/** Everything that was kept. `nodes` are in the order in which they came. */
export type Kept = {
  readonly registers: readonly ({ readonly id: string; readonly name: string } & Entry)[];
  readonly members: readonly ({ readonly id: string; readonly nodeId: string } & Omit<Row, "deadlineMs">)[];
  readonly lists: readonly ({ readonly id: string } & Omit<List, "nodes">)[];
  readonly nodes: readonly { readonly id: string; readonly addr: string; readonly position: number }[];
};

/** Keeps nothing: the service lives in memory. */
export const NOWHERE: Keep = { register() {}, member() {}, list() {}, node() {} };
