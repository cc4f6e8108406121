/**
 * The rows that a cluster keeps in a key-value store, below its key and named relative to it:
 * `genesis`, `leader`, `members/<node-id>`, `init/<init_id>`, `retired/<incarnation>`.
 */
import * as z from "zod";
import { decode, Member, VERSION } from "../src/core/model.ts";
import type { Announced, Lookup, Versioned } from "../src/core/provider.ts";
import { RollcallError } from "../src/lib/errors.ts";

/** One row as a store holds it. `name` is relative to the cluster's key; `revision` as in `Versioned`. */
export type Row = { readonly name: string; readonly value: string; readonly revision: string };

/** The names of the rows, relative to the cluster's key. */
export const rowNames = {
  genesis: "genesis",
  leader: "leader",
  members: "members/",
  member: (nodeId: string) => `members/${nodeId}`,
  init: (initId: string) => `init/${initId}`,
  retired: (incarnation: string) => `retired/${incarnation}`,
} as const;

const DIRECTORIES = ["members", "init", "retired"];

/**
 * Throws `bad_key` for a key whose rows another cluster's would be: the leader of `a/members` and the member
 * `leader` of `a` are one row.
 */
export function checkKey(key: string): void {
  const taken = key
    .split("/")
    .slice(1)
    .find((segment) => DIRECTORIES.includes(segment));
  if (taken === undefined) return;
  const hint = `choose a key without the segments ${DIRECTORIES.join(", ")}`;
  throw new RollcallError(
    "bad_key",
    `the key ${key} has a segment "${taken}", the name of a directory of rows`,
    { hint },
  );
}

/** True for the rows that a look-up shows. Everything else below the key is private, or another cluster's (keys may nest). */
export function isShown(name: string): boolean {
  return name === rowNames.genesis || name === rowNames.leader || nodeIdOf(name) !== null;
}

/** What rows read at one moment say. "partial": a member's row could not be decoded and is left out. */
export function toLookup(rows: readonly Row[]): Lookup {
  const found = (name: string): Versioned | null => {
    const row = rows.find((one) => one.name === name);
    return row === undefined ? null : { value: row.value, revision: row.revision };
  };
  const entries = rows.filter((row) => nodeIdOf(row.name) !== null);
  const members = entries.map(memberOf).filter((member) => member !== null);
  const addresses = members.map((member) => member.agent_addr).filter((address) => address !== "");
  return {
    kind: members.length === entries.length ? "complete" : "partial",
    addresses: [...new Set(addresses)],
    members,
    genesis: found(rowNames.genesis),
    leader: found(rowNames.leader),
  };
}

/** Two sets of rows with one fingerprint give the same look-up. A member written again as it was is no change. */
export function fingerprint(rows: readonly Row[]): string {
  const parts = rows
    .filter((row) => isShown(row.name))
    .map((row) =>
      nodeIdOf(row.name) === null ? [row.name, row.value, row.revision] : [row.name, row.value],
    );
  return JSON.stringify(parts);
}

/** The `init_id` of a genesis record's JSON, or null when it has none. */
export function initIdOf(value: string): string | null {
  const decoded = decode(z.looseObject({ init_id: z.string().min(1) }), value);
  return decoded.ok ? decoded.value.init_id : null;
}

/** A member's row, or null when it is not one's own. `name` ends in `members/<node-id>`. */
export function memberOf(row: Pick<Row, "name" | "value">): Member | null {
  const decoded = decode(Member, row.value);
  return decoded.ok && decoded.value.id === nodeIdOf(row.name) ? decoded.value : null;
}

function nodeIdOf(name: string): string | null {
  return /^members\/([^/]+)$/.exec(name)?.[1] ?? null;
}

/** What a tombstone holds; its name says all that counts. */
export function tombstone(id: string): string {
  return JSON.stringify({ v: VERSION, id });
}

/** How often an entry may change under a registration before that is no coincidence any more. */
const ATTEMPTS = 4;

/** Registers by tries that give null when the entry changed in between. Throws `store_conflict` when it keeps changing. */
export async function untilSettled(
  doing: string,
  attempt: () => Promise<Announced | null>,
): Promise<Announced> {
  for (let tries = 0; tries < ATTEMPTS; tries++) {
    const ended = await attempt();
    if (ended !== null) return ended;
  }
  throw new RollcallError(
    "store_conflict",
    `${doing}: the entry changed ${ATTEMPTS} times while it was written`,
  );
}
