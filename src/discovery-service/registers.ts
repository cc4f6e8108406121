/**
 * The register of the Discovery Service, as it is in memory: for each id some named values under check-and-set, the
 * leased members, and one index that moves with every visible change. Synchronous and without a clock: the
 * caller passes the time, and calls `expire`. One call is one moment.
 *
 * Revisions and indexes are `<store>-<n>`: `store` is random and new with every life of the store, and `n`
 * counts the changes of all ids. So neither ever repeats, not after a wipe and not for an id that was emptied.
 */
import { createHash } from "node:crypto";
import { type Entry, type Keep, type Kept, NOWHERE, type Row } from "./keep.ts";
import { createLeases, type Leases } from "./members.ts";
import { checkId, checkName } from "./names.ts";
import {
  checkSize,
  createShelves,
  DEFAULT_LIMITS,
  full,
  type Limits,
  type Shelves,
  weight,
} from "./shelves.ts";

export type { Entry } from "./keep.ts";
export { DEFAULT_LIMITS, type Limits } from "./shelves.ts";

/** What a conditional write demands: that the register still has this revision and, unless null, this value. */
export type Expected = { readonly revision: string; readonly sha256: string | null };

/** How a conditional write ended. A removal's revision is the id's index after it. */
export type Written =
  | { readonly kind: "won"; readonly revision: string }
  | { readonly kind: "lost"; readonly current: Entry | null };

/** One id at one moment. `members` are JSON texts in the order of their node ids. */
export type View = {
  readonly index: string;
  readonly members: readonly string[];
  readonly registers: ReadonlyMap<string, Entry>;
};

/**
 * The store. Every method throws `bad_name` for a name outside its alphabet; writes throw `store_full` or
 * `value_too_large` and `onChange` throws `too_many_waiters` where a bound is met, and nothing changed then.
 */
export interface Registers extends Omit<Leases, "refilled"> {
  /** Holds exactly this from now on. Every lease begins anew: nobody could renew it meanwhile. */
  fill(kept: Pick<Kept, "registers" | "members">, nowMs: number): void;
  /** The id's index. An id that holds nothing has one too. */
  index(id: string): string;
  /** The register, or null when it is absent. */
  read(id: string, name: string): Entry | null;
  /** Members and registers together. An id that holds nothing gives an empty view. */
  view(id: string): View;
  /** Writes the value if the register is as expected (null: absent). The first value brings the id into being. */
  put(write: { id: string; name: string; value: string; expected: Expected | null }): Written;
  /** Removes the register if it is as expected. */
  remove(write: { id: string; name: string; expected: Expected }): Written;
  /** Calls `wake` once, at the id's next visible change. The answer cancels; too late is harmless. */
  onChange(id: string, wake: () => void): () => void;
  /** Whether the id holds anything. Never throws. */
  holds(id: string): boolean;
  /** How much is held now. */
  size(): { ids: number; bytes: number; waiters: number };
}

/**
 * An empty store, in memory only unless a `keep` is given. `uuid` names this life of the store and every lease, so it
 * must be random.
 */
export function createRegisters(
  deps: { uuid: () => string },
  limits: Limits = DEFAULT_LIMITS,
  keep: Keep = NOWHERE,
): Registers {
  const shelves = createShelves(deps.uuid(), limits, keep);
  const { refilled, ...leases } = createLeases(shelves, deps.uuid);
  return {
    ...leases,
    fill(kept, nowMs) {
      shelves.fill(shelved(kept, nowMs));
      refilled();
    },
    index: (id) => shelves.index(checkId(id)),
    read: (id, name) => readFrom(shelves, id, name),

    view(id) {
      const shelf = shelves.get(checkId(id));
      const members = [...(shelf?.members ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
      return {
        index: shelves.index(id),
        members: members.map(([, row]) => row.record),
        registers: new Map(shelf?.registers),
      };
    },

    put: (write) => putInto(shelves, write),

    remove({ id, name, expected }) {
      const current = readFrom(shelves, id, name);
      const shelf = shelves.get(id);
      if (shelf === undefined || current === null || !matches(current, expected)) {
        return { kind: "lost", current };
      }
      shelf.registers.delete(name);
      keep.register(id, name, null);
      return { kind: "won", revision: shelves.changed(id, shelf, -weight(name, current.value)) };
    },

    onChange: (id, wake) => shelves.waiters.add(checkId(id), wake),
    holds: (id) => shelves.get(id) !== undefined,
    size: () => shelves.size(),
  };
}

/** SHA-256 of a value's UTF-8 bytes, hexadecimal: the `sha256` of `Expected`. */
export function digest(value: string): string {
  return createHash("sha256").update(value).digest("hex");
}

/** What was kept, by id. */
function shelved({ registers, members }: Pick<Kept, "registers" | "members">, nowMs: number) {
  const shelves = new Map<string, { registers: Map<string, Entry>; members: Map<string, Row> }>();
  const of = (id: string) => {
    const shelf = shelves.get(id) ?? { registers: new Map(), members: new Map() };
    shelves.set(id, shelf);
    return shelf;
  };
  for (const { id, name, ...entry } of registers) of(id).registers.set(name, entry);
  for (const { id, nodeId, ...row } of members)
    of(id).members.set(nodeId, { ...row, deadlineMs: nowMs + row.ttlMs });
  return shelves;
}

function readFrom(shelves: Shelves, id: string, name: string): Entry | null {
  checkName(name);
  return shelves.get(checkId(id))?.registers.get(name) ?? null;
}

function putInto(
  shelves: Shelves,
  { id, name, value, expected }: { id: string; name: string; value: string; expected: Expected | null },
): Written {
  const current = readFrom(shelves, id, name);
  if (!matches(current, expected)) return { kind: "lost", current };
  checkSize(value, shelves.limits);
  const more = weight(name, value) - (current === null ? 0 : weight(name, current.value));
  const shelf = shelves.room(id, more);
  if (current === null && shelf.registers.size >= shelves.limits.registersPerId) {
    throw full(`${shelves.limits.registersPerId} registers in one id`);
  }
  // The value is there before the change is made known: nobody sees the new index with the old value.
  const entry = { value, revision: shelves.next() };
  shelf.registers.set(name, entry);
  shelves.keep.register(id, name, entry);
  return { kind: "won", revision: shelves.changed(id, shelf, more) };
}

function matches(current: Entry | null, expected: Expected | null): boolean {
  if (current === null || expected === null) return current === null && expected === null;
  if (current.revision !== expected.revision) return false;
  return expected.sha256 === null || expected.sha256 === digest(current.value);
}
