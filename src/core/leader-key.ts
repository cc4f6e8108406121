/**
 * The leader key's rules: whether this node may write who leads, and what. Pure: what the key holds and what
 * this agent knows in, a verdict out. When to look is reporter.ts. The key is a hint that stays true: every
 * write is a check-and-set, the term of one genesis never goes back, and nothing is ever deleted, since an
 * absent key tells a native rqlite node to create a cluster. Source: src/DESIGN.md, "The leader key".
 */
import { decode, LeaderRecord, type MemberRef, VERSION } from "./model.ts";
import { lists, type NodeReport } from "./node-report.ts";
import type { Versioned } from "./provider.ts";

/** What the key holds, as far as this program understands it. */
export type Stored =
  | { readonly kind: "absent" }
  | { readonly kind: "record"; readonly record: LeaderRecord }
  /** Not JSON, of the wrong shape, or of a higher version: never overwritten. */
  | { readonly kind: "unreadable"; readonly problem: string };

/** How things stand here at the moment of a decision. */
export type Standing = {
  readonly self: MemberRef;
  /** This database's address for clients, as its own clients write it. */
  readonly apiAddr: string;
  /** The genesis this node belongs to, while the store's record is sealed and of that very genesis; else null. */
  readonly genesis: string | null;
  /** The last look at the database; null before the first. */
  readonly report: NodeReport | null;
};

/** What this agent has learned over time. */
export type Learned = {
  /** The database has given terms: a report without one did not say, and has to be followed by one that does. */
  readonly hasTerms: boolean;
  /** The highest term of this genesis that this agent saw in the key since it was last absent; null: none. */
  readonly highest: number | null;
  /** This agent saw its database become leader while the key held exactly what it holds now. */
  readonly promoted: boolean;
  /** What the node that the record names says of itself; null: it was not asked about this very record. */
  readonly named: "leader" | "not_leader" | null;
};

/** Why there is nothing to write. */
export type Rest =
  /** Everything in the key is as it should be. */
  | "true"
  /** This node belongs to no genesis, or the store's record shows another one. */
  | "no_genesis"
  | "not_leading"
  /** The database leads and did not say in which term; it has said so before. */
  | "no_term"
  /** Another program's record, and the database does not count this node among its members. */
  | "not_listed"
  /** The key names another node in this very term, which says that it does not lead: a report must explain that. */
  | "same_term";

export type Verdict =
  | { readonly kind: "rest"; readonly why: Rest }
  | { readonly kind: "write"; readonly record: LeaderRecord }
  /** Another node in the same term, or without terms another node: it must be asked whether it leads. */
  | { readonly kind: "ask"; readonly record: LeaderRecord }
  /** Both this node and the named one say that they lead: nobody writes. */
  | { readonly kind: "conflict"; readonly record: LeaderRecord }
  /** The key is ahead of this node's database. */
  | { readonly kind: "stale"; readonly term: number; readonly stored: number }
  | { readonly kind: "unreadable"; readonly problem: string };

/** Reads what a register, or a watch, showed. */
export function storedIn(raw: Versioned | null): Stored {
  if (raw === null) return { kind: "absent" };
  const decoded = decode(LeaderRecord, raw.value);
  return decoded.ok
    ? { kind: "record", record: decoded.value }
    : { kind: "unreadable", problem: decoded.problem };
}

/**
 * What to do about the key now. The outcomes, in this order: nothing for who may not write; whoever leads may
 * create it, and may replace what another genesis or a database itself wrote there; in the same genesis the
 * higher term wins, the lower one stops, and an equal one is the same node's, or somebody has to be asked.
 */
export function judge(stored: Stored, standing: Standing, learned: Learned): Verdict {
  const { genesis, report, self } = standing;
  if (stored.kind === "unreadable") return stored;
  if (genesis === null) return rest("no_genesis");
  if (report?.role !== "leader") return rest("not_leading");
  if (report.term === null && learned.hasTerms) return rest("no_term");
  const record = stored.kind === "record" ? stored.record : null;
  const write = (term: number): Verdict => written(record, recordOf(standing, genesis, term, record));
  if (record === null) return write(report.term ?? 1);
  const { highest } = learned;
  if (record.genesis_id !== genesis || record.term === undefined) {
    if (lists(report, self.id) === false) return rest("not_listed");
    // A database's own record hides the term that was there; what this agent remembers of it still holds.
    if (report.term !== null && highest !== null && report.term < highest)
      return { kind: "stale", term: report.term, stored: highest };
    return write(report.term ?? (highest ?? 0) + 1);
  }
  return report.term === null
    ? withoutTerms(record, record.term, standing, learned, write)
    : withTerms(record, record.term, report.term, self.id, learned, write);
}

/** The text of a record, with the keys that rqlite's nodes read first. */
export function encodeLeader(record: LeaderRecord): string {
  return JSON.stringify(record);
}

/** Who a record names, for people: `n1 at http://10.0.0.1:4001`. */
export function nameOf({ id, api_addr, addr }: LeaderRecord): string {
  return [id, api_addr || addr].filter((x) => x !== "").join(" at ") || "nobody";
}

type Write = (term: number) => Verdict;

function withTerms(
  record: LeaderRecord,
  stored: number,
  term: number,
  selfId: string,
  { named }: Learned,
  write: Write,
): Verdict {
  if (term < stored) return { kind: "stale", term, stored };
  if (term > stored || record.id === selfId) return write(term);
  if (named === null) return { kind: "ask", record };
  return named === "leader" ? { kind: "conflict", record } : rest("same_term");
}

/** A database without terms: the key itself counts, one more for each time that the leader is another one. */
function withoutTerms(
  record: LeaderRecord,
  stored: number,
  { self }: Standing,
  { named, promoted }: Learned,
  write: Write,
): Verdict {
  // Under this node's own id an older incarnation is a disk that is gone: there is nobody to ask.
  if (record.id === self.id) return write(record.incarnation === self.incarnation ? stored : stored + 1);
  if (promoted || named === "not_leader") return write(stored + 1);
  return named === null ? { kind: "ask", record } : { kind: "conflict", record };
}

function recordOf(
  { self, apiAddr }: Standing,
  genesis: string,
  term: number,
  before: LeaderRecord | null,
): LeaderRecord {
  // rqlite's keys first, so that a person who knows its record recognises this one.
  return {
    id: self.id,
    api_addr: apiAddr,
    addr: self.addr,
    v: VERSION,
    genesis_id: genesis,
    term,
    incarnation: self.incarnation,
    seq: (before?.seq ?? 0) + 1,
  };
}

/** `seq` alone is no reason to write. */
function written(before: LeaderRecord | null, next: LeaderRecord): Verdict {
  const same =
    before !== null &&
    before.id === next.id &&
    before.api_addr === next.api_addr &&
    before.addr === next.addr &&
    before.v === next.v &&
    before.genesis_id === next.genesis_id &&
    before.term === next.term &&
    before.incarnation === next.incarnation;
  return same ? rest("true") : { kind: "write", record: next };
}

function rest(why: Rest): Verdict {
  return { kind: "rest", why };
}
