/**
 * The ids that were created and the nodes that registered under each, in the order in which they came: the legacy part
 * of the service (rqlite's Discovery Service). Synchronous: one call is one moment, so exactly one node is the first.
 */
import { RollcallError } from "../lib/errors.ts";
import { type Keep, type Kept, type List, NOWHERE } from "./keep.ts";

/** The bounds. */
export type ListLimits = {
  readonly ids: number;
  readonly nodesPerId: number;
  readonly nodes: number;
  readonly addrLength: number;
};
export const LIST_LIMITS: ListLimits = { ids: 10_000, nodesPerId: 1_000, nodes: 100_000, addrLength: 255 };

/** All ids that were created. Methods that are given an id throw `id_absent` where there is none, but for `find`. */
export interface Lists {
  /** Brings an id into being. Throws `store_full`. */
  create(id: string, wish: Pick<List, "size" | "tokenHash">, nowMs: number): List;
  find(id: string): List | null;
  get(id: string): List;
  /** Enters an address at the end, once, and gives its position. Throws `bad_address` or `store_full`. */
  register(id: string, addr: string): number;
  /** Takes an address out; one that is not there is out already. */
  remove(id: string, addr: string): void;
  /** The id is in use. */
  use(id: string, nowMs: number): void;
  /** Forgets the ids that nobody has used for `unusedMs`, but for those that are `needed` all the same. */
  expire(nowMs: number, unusedMs: number, needed: (id: string) => boolean): void;
  /** Holds exactly this from now on. */
  fill(kept: Pick<Kept, "lists" | "nodes">): void;
  size(): { readonly ids: number; readonly nodes: number };
}

/** A use is written at most so often, or every reading would be a write. */
const USE_MS = 3_600_000;

type Held = { -readonly [K in keyof Omit<List, "nodes">]: List[K] } & { readonly nodes: Map<string, number> };

/** No ids yet. */
export function createLists(keep: Keep = NOWHERE, limits: ListLimits = LIST_LIMITS): Lists {
  const lists = new Map<string, Held>();
  let nodes = 0;
  const held = (id: string): Held => {
    const list = lists.get(id);
    if (list === undefined) throw new RollcallError("id_absent", `${id} does not exist`);
    return list;
  };
  const tell = (id: string, { nodes: _, ...list }: Held) => keep.list(id, list);
  return {
    create(id, wish, nowMs) {
      if (lists.size >= limits.ids) throw full(`${limits.ids} ids`);
      const list = { ...wish, createdMs: nowMs, usedMs: nowMs, arrivals: 0, nodes: new Map() };
      lists.set(id, list);
      tell(id, list);
      return list;
    },

    find: (id) => lists.get(id) ?? null,
    get: held,

    register(id, addr) {
      const list = held(id);
      const known = list.nodes.get(addr);
      if (known !== undefined) return known;
      checkRoom(list, addr, limits);
      if (nodes >= limits.nodes) throw full(`${limits.nodes} nodes`);
      nodes += 1;
      list.arrivals += 1;
      list.nodes.set(addr, list.arrivals);
      keep.node(id, addr, list.arrivals);
      tell(id, list);
      return list.arrivals;
    },

    remove(id, addr) {
      if (!held(id).nodes.delete(addr)) return;
      nodes -= 1;
      keep.node(id, addr, null);
    },

    use(id, nowMs) {
      const list = lists.get(id);
      if (list === undefined || nowMs - list.usedMs < USE_MS) return;
      list.usedMs = nowMs;
      tell(id, list);
    },

    expire(nowMs, unusedMs, needed) {
      for (const [id, list] of [...lists]) {
        if (nowMs - list.usedMs < unusedMs || needed(id)) continue;
        lists.delete(id);
        nodes -= list.nodes.size;
        for (const addr of list.nodes.keys()) keep.node(id, addr, null);
        keep.list(id, null);
      }
    },

    fill(kept) {
      lists.clear();
      nodes = kept.nodes.length;
      for (const { id, ...list } of kept.lists) lists.set(id, { ...list, nodes: new Map() });
      for (const { id, addr, position } of kept.nodes) lists.get(id)?.nodes.set(addr, position);
    },

    size: () => ({ ids: lists.size, nodes }),
  };
}

function checkRoom(list: List, addr: string, limits: ListLimits): void {
  if (addr.length > limits.addrLength || !/^[\x21-\x7e]+$/.test(addr))
    throw new RollcallError("bad_address", "this cannot be a node's address", {
      hint: `it has 1 to ${limits.addrLength} printable ASCII characters and no space`,
    });
  if (list.nodes.size >= limits.nodesPerId) throw full(`${limits.nodesPerId} nodes in one id`);
}

function full(bound: string): RollcallError {
  return new RollcallError("store_full", `the store is full: it takes ${bound}`, {
    hint: "remove what is no longer used, or use another Discovery Service",
  });
}
