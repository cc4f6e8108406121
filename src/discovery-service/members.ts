/** The leased members of each id: entered, renewed, withdrawn, expired. */
import type { Row } from "./keep.ts";
import { checkId, checkNodeId } from "./names.ts";
import { checkSize, full, type Shelf, type Shelves, weight } from "./shelves.ts";

/** A member to enter. `record` is JSON text, kept as it came. */
export type Announcement = {
  readonly id: string;
  readonly nodeId: string;
  readonly incarnation: string;
  readonly record: string;
  readonly ttlMs: number;
};

/** How an announcement ended. `taken`: another incarnation holds the node id, and its lease still lasts. */
export type Announced =
  | { readonly kind: "held"; readonly lease: string }
  | { readonly kind: "taken"; readonly record: string };

/** The entry that a lease holds. */
export type Held = { readonly id: string; readonly nodeId: string; readonly lease: string };

/** The leased directory. Methods throw `bad_name`; `announce` also `store_full` and `value_too_large`. */
export interface Leases {
  /** Enters a member, or replaces the entry of the same incarnation. Every success makes a new lease id. */
  announce(announcement: Announcement, nowMs: number): Announced;
  /** Extends the lease by its own time to live. False: this lease does not hold the entry (any more). */
  renew(held: Held, nowMs: number): boolean;
  /** Removes the entry if this lease holds it. False: it does not. */
  withdraw(held: Held): boolean;
  /** Removes the members whose lease ended at or before `nowMs`. Gives when to call again, or null: never. */
  expire(nowMs: number): number | null;
  /** The members are others than before: deadlines are to be looked for anew. */
  refilled(): void;
}

/** The directory over these shelves. `uuid` makes the lease ids. */
export function createLeases(shelves: Shelves, uuid: () => string): Leases {
  // At or before every deadline: renewals leave it behind, and the next sweep corrects it.
  let nextMs: number | null = null;

  function expire(nowMs: number): number | null {
    if (nextMs === null || nowMs < nextMs) return nextMs;
    nextMs = sweep(shelves, nowMs);
    return nextMs;
  }

  return {
    announce(announcement, nowMs) {
      expire(nowMs);
      const row = { ...announcement, lease: uuid(), deadlineMs: nowMs + announcement.ttlMs };
      const holder = enter(shelves, row);
      if (holder !== null) return { kind: "taken", record: holder.record };
      nextMs = Math.min(nextMs ?? row.deadlineMs, row.deadlineMs);
      return { kind: "held", lease: row.lease };
    },

    renew(held, nowMs) {
      expire(nowMs);
      const found = find(shelves, held);
      if (found === null) return false;
      found.row.deadlineMs = nowMs + found.row.ttlMs;
      return true;
    },

    withdraw(held) {
      const found = find(shelves, held);
      if (found === null) return false;
      found.shelf.members.delete(held.nodeId);
      shelves.keep.member(held.id, held.nodeId, null);
      shelves.changed(held.id, found.shelf, -weight(held.nodeId, found.row.record));
      return true;
    },

    expire,
    refilled() {
      nextMs = Number.NEGATIVE_INFINITY;
    },
  };
}

/** Enters the row and gives null, or gives the row of another incarnation, which stays. */
function enter(shelves: Shelves, entry: Announcement & Row): Row | null {
  const { id, nodeId, ...row } = entry;
  checkNodeId(nodeId);
  const before = shelves.get(checkId(id))?.members.get(nodeId);
  if (before !== undefined && before.incarnation !== row.incarnation) return before;
  checkSize(row.record, shelves.limits);
  const more = weight(nodeId, row.record) - (before === undefined ? 0 : weight(nodeId, before.record));
  const shelf = shelves.room(id, more);
  if (before === undefined && shelf.members.size >= shelves.limits.membersPerId) {
    throw full(`${shelves.limits.membersPerId} members in one id`);
  }
  shelf.members.set(nodeId, row);
  shelves.keep.member(id, nodeId, row);
  // A new lease for the same record is nothing that others see.
  if (before?.record !== row.record) shelves.changed(id, shelf, more);
  return null;
}

/** The entry that this lease holds, or null. */
function find(shelves: Shelves, { id, nodeId, lease }: Held): { shelf: Shelf; row: Row } | null {
  checkNodeId(nodeId);
  const shelf = shelves.get(checkId(id));
  const row = shelf?.members.get(nodeId);
  return shelf !== undefined && row !== undefined && row.lease === lease ? { shelf, row } : null;
}

/** Removes what has expired, one change an id, and gives the earliest deadline that is left. */
function sweep(shelves: Shelves, nowMs: number): number | null {
  let next: number | null = null;
  for (const [id, shelf] of shelves.entries()) {
    let freed = 0;
    for (const [nodeId, row] of [...shelf.members]) {
      if (row.deadlineMs > nowMs) {
        next = Math.min(next ?? row.deadlineMs, row.deadlineMs);
        continue;
      }
      shelf.members.delete(nodeId);
      shelves.keep.member(id, nodeId, null);
      freed += weight(nodeId, row.record);
    }
    if (freed > 0) shelves.changed(id, shelf, -freed);
  }
  return next;
}
