/**
 * Where the register keeps things: a shelf for each id, the bounds, and the one counter that revisions and
 * indexes are made of.
 */
import { RollcallError } from "../lib/errors.ts";
import type { Entry, Keep, Row } from "./keep.ts";
import { createWaiters, type Waiters } from "./waiters.ts";

/** What one id holds. `changed` is the count of changes at its last one. */
export type Shelf = {
  changed: number;
  bytes: number;
  readonly registers: Map<string, Entry>;
  readonly members: Map<string, Row>;
};

/** The bounds. `bytes…` count names and values in UTF-8; `waiters…` count held calls of `onChange`. */
export type Limits = {
  readonly ids: number;
  readonly registersPerId: number;
  readonly membersPerId: number;
  readonly valueBytes: number;
  readonly bytesPerId: number;
  readonly bytes: number;
  readonly waitersPerId: number;
  readonly waiters: number;
};

/** Bounds for one small machine, and as many ids as `POST /` gives. An id's whole view stays below 8 MiB of JSON, however much it must escape. */
export const DEFAULT_LIMITS: Limits = {
  ids: 10_000,
  registersPerId: 64,
  membersPerId: 1_000,
  valueBytes: 64 * 1024,
  bytesPerId: 1024 * 1024,
  bytes: 128 * 1024 * 1024,
  waitersPerId: 2_000,
  waiters: 8_000,
};

/** All shelves. */
export interface Shelves {
  readonly limits: Limits;
  /** Is told of every change. */
  readonly keep: Keep;
  readonly waiters: Waiters;
  /** The shelf of an id that holds something. */
  get(id: string): Shelf | undefined;
  /** The shelf to write to, a fresh one when there is none, if `more` bytes fit. Throws `store_full`. */
  room(id: string, more: number): Shelf;
  /** The revision that the next change will have. */
  next(): string;
  /** Makes one visible change known: counts it, frees an empty shelf, wakes who waits. Gives its revision. */
  changed(id: string, shelf: Shelf, more: number): string;
  /** Holds exactly these from now on. Everybody who waits is woken. */
  fill(contents: ReadonlyMap<string, Pick<Shelf, "registers" | "members">>): void;
  /** The id's index; one that holds nothing has an index too. */
  index(id: string): string;
  /** The ids that hold something. */
  entries(): [string, Shelf][];
  size(): { ids: number; bytes: number; waiters: number };
}

/** No shelves yet. `store` is the name of this life of the store, and must be new with every life. */
export function createShelves(store: string, limits: Limits, keep: Keep): Shelves {
  const shelves = new Map<string, Shelf>();
  const waiters = createWaiters(limits);
  let changes = 0;
  let bytes = 0;
  const revisionOf = (n: number) => `${store}-${n}`;

  return {
    limits,
    keep,
    waiters,
    get: (id) => shelves.get(id),

    room(id, more) {
      const shelf = shelves.get(id);
      if (shelf === undefined && shelves.size >= limits.ids)
        throw full(`${limits.ids} ids with registers or members`);
      if ((shelf?.bytes ?? 0) + more > limits.bytesPerId) throw full(`${limits.bytesPerId} bytes in one id`);
      if (bytes + more > limits.bytes) throw full(`${limits.bytes} bytes`);
      return shelf ?? { changed: 0, bytes: 0, registers: new Map(), members: new Map() };
    },

    next: () => revisionOf(changes + 1),

    changed(id, shelf, more) {
      changes += 1;
      shelf.changed = changes;
      shelf.bytes += more;
      bytes += more;
      if (shelf.registers.size + shelf.members.size === 0) shelves.delete(id);
      else shelves.set(id, shelf);
      waiters.wake(id);
      return revisionOf(changes);
    },

    fill(contents) {
      const before = [...shelves.keys()];
      shelves.clear();
      bytes = 0;
      for (const [id, content] of contents) {
        const shelf = { ...content, changed: ++changes, bytes: bytesOf(content) };
        bytes += shelf.bytes;
        shelves.set(id, shelf);
      }
      for (const id of before) waiters.wake(id);
    },

    index: (id) => revisionOf(shelves.get(id)?.changed ?? 0),
    entries: () => [...shelves],
    size: () => ({ ids: shelves.size, bytes, waiters: waiters.size() }),
  };
}

function bytesOf({ registers, members }: Pick<Shelf, "registers" | "members">): number {
  let sum = 0;
  for (const [name, { value }] of registers) sum += weight(name, value);
  for (const [nodeId, { record }] of members) sum += weight(nodeId, record);
  return sum;
}

/** What a name and its value count in bytes. */
export function weight(name: string, value: string): number {
  return Buffer.byteLength(name) + Buffer.byteLength(value);
}

/** Throws `value_too_large`. */
export function checkSize(value: string, limits: Limits): void {
  if (Buffer.byteLength(value) <= limits.valueBytes) return;
  throw new RollcallError("value_too_large", `the value is larger than ${limits.valueBytes} bytes`);
}

/** The error of a bound that was met. */
export function full(bound: string): RollcallError {
  return new RollcallError("store_full", `the store is full: it takes ${bound}`, {
    hint: "remove the registers of ids that are no longer used, or use another Discovery Service",
  });
}
