/**
 * The size that an id was created with, over both ways in which a node comes: by its address (the legacy API, where
 * everybody votes) and as a leased member. A place goes with its lease; but who belongs to the sealed genesis has one for
 * good, since the size is there for a cluster to form. Synchronous: who is counted and who is let in are one moment.
 */
import * as z from "zod";
import { decode } from "../core/model.ts";
import { RollcallError } from "../lib/errors.ts";
import type { Contents } from "./durable.ts";

/** What counts of a member. One that does not say whether it votes does. */
const Counted = z.looseObject({
  id: z.string(),
  incarnation: z.string(),
  genesis_id: z.string().nullable().catch(null),
  voter: z.boolean().catch(true),
  api_addr: z.string().catch(""),
});
type Counted = z.infer<typeof Counted>;

/** What counts of a sealed genesis. A record of a later version passes here too. */
const Founded = z.looseObject({
  state: z.literal("sealed"),
  genesis_id: z.string().min(1),
  members: z.array(z.looseObject({ id: z.string(), incarnation: z.string() })).catch([]),
});

/**
 * The places of each id. Both throw `id_full` when this would be one voter more than the id is for; never for a member of
 * the sealed genesis.
 */
export interface Seats {
  /** Before a node registers by this address. */
  node(id: string, addr: string, nowMs: number): void;
  /** Before a member is entered with this record. */
  member(id: string, record: string, nowMs: number): void;
}

/** The places as the contents are at each call. */
export function openSeats({ lists, registers }: Pick<Contents, "lists" | "registers">): Seats {
  const check = (id: string, nowMs: number, next: typeof taken, hint: string) => {
    const list = lists.find(id);
    if (list === null || list.size === null) return;
    registers.expire(nowMs);
    const nodes = [...list.nodes.keys()];
    const members = registers.view(id).members.map(countedIn);
    const after = next(nodes, members);
    // Who takes no place more is not refused, also where more came before anybody was counted.
    if (after <= list.size || after <= taken(nodes, members)) return;
    throw new RollcallError("id_full", `this id is for ${list.size} voters, and all have registered`, {
      hint,
    });
  };
  return {
    node(id, addr, nowMs) {
      const hint = "remove one that is gone with DELETE, or create another id";
      check(id, nowMs, (nodes, members) => taken([...new Set([...nodes, addr])], members), hint);
    },
    member(id, record, nowMs) {
      const own = countedIn(record);
      const hint = "wait until the entry of one that is gone ends, come without a vote, or create another id";
      const next: typeof taken = (nodes, members) => {
        const before = members.find((one) => one.id === own.id);
        // It has its place, whatever it says of its address now: refused, it would lose its lease.
        if (before?.voter) return taken(nodes, members);
        if (belongs(own, registers.read(id, "genesis")?.value ?? "")) return taken(nodes, members);
        return taken(nodes, [...members.filter((one) => one !== before), own]);
      };
      check(id, nowMs, next, hint);
    },
  };
}

/**
 * Whether a member is of the genesis in this text. One that has settled names it. A founder that has not settled
 * since its agent started is known by its disk: refused, it might wait for its registration for as long as others live.
 */
function belongs({ id, incarnation, genesis_id }: Counted, text: string): boolean {
  const genesis = decode(Founded, text);
  if (!genesis.ok) return false;
  const { members, genesis_id: sealed } = genesis.value;
  return genesis_id === sealed || members.some((one) => one.id === id && one.incarnation === incarnation);
}

/**
 * How many places are taken. A member and an address are the same node when the member's `api_addr` is that address:
 * both are where the database's clients connect. Members are told apart by their node ids, whatever they say of addresses,
 * so an address is one of them.
 */
function taken(nodes: readonly string[], members: readonly Counted[]): number {
  const alone = new Map<string, number>();
  for (const at of nodes.map(bare)) alone.set(at, (alone.get(at) ?? 0) + 1);
  let places = nodes.length;
  for (const { voter, api_addr } of members) {
    if (!voter) continue;
    const at = bare(api_addr);
    const left = alone.get(at) ?? 0;
    if (left === 0) places += 1;
    else alone.set(at, left - 1);
  }
  return places;
}

/** An address as both write it: legacy clients with a scheme, members with or without one. */
function bare(address: string): string {
  return address
    .replace(/^https?:\/\//i, "")
    .replace(/\/+$/, "")
    .toLowerCase();
}

/** Records were checked when they came. */
function countedIn(record: string): Counted {
  return Counted.parse(JSON.parse(record));
}
