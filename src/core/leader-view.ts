/**
 * Who leads, as an agent shows it (`/v1/leader`, `outcome.leader`): the newer of what the leader key and the
 * agent's own database say, or, where there is no such key, of what the databases of all agents say; whether
 * somebody who must know has confirmed it, and how long ago. Pure: the moment of the last confirmation goes in and
 * comes out.
 */
import { type LeaderRecord, type MemberRef, VERSION } from "./model.ts";
import type { NodeReport } from "./node-report.ts";

/** Who leads according to one node's database, as its agent last said. `at` is on the clock of `now`. */
export type LeaderClaim = {
  readonly id: string;
  readonly incarnation: string;
  /** The genesis that node belongs to; null: none. */
  readonly genesis: string | null;
  readonly leader: { readonly id: string; readonly term: number | null } | null;
  readonly at: number;
};

export type LeaderSources = {
  /** As the key shows it; null: absent, unreadable or not seen. */
  readonly record: LeaderRecord | null;
  /** The genesis of this node; null: none yet. */
  readonly genesis: string | null;
  /** The last look at the own database. */
  readonly report: NodeReport | null;
  /** Of agents that answer. */
  readonly claims: readonly LeaderClaim[];
  /** Where there is no key: who was last known to lead, maybe to the agent before this one. */
  readonly known: LeaderRecord | null;
  readonly self: MemberRef;
  /** Everybody known, for addresses that a database does not tell. */
  readonly members: readonly MemberRef[];
  /** As clients of this kind of database write an address. */
  readonly clientAddress: (advAddr: string) => string;
  /** Monotonic, in milliseconds. */
  readonly now: number;
};

/** When it was last confirmed that this node leads in this term; null: of no leader so far. */
export type Confirmed = { readonly id: string; readonly term: number | null; readonly at: number };

export type LeaderView = {
  /** Null: nobody is known to lead. */
  readonly record: LeaderRecord | null;
  /** Where the record is from. `peers`: other agents say so, or it was last known. */
  readonly source: Source | null;
  /** The own database, or the named node itself, says the same now. */
  readonly verified: boolean;
  /** Milliseconds since it was last verified; 0 while it is, null if it never was. */
  readonly stale_for: number | null;
  /** Why nobody is named although somebody leads; null: nothing is wrong. */
  readonly trouble: { readonly code: "leader_conflict"; readonly message: string } | null;
};
type Source = "key" | "database" | "peers";

/** How long the word of the named node counts as present, in milliseconds: agents ask each other rarely. */
export const CLAIM_FRESH_MS = 5_000;

/** The view, and what to give as `before` the next time. */
export function leaderView(
  sources: LeaderSources,
  before: Confirmed | null,
): { readonly view: LeaderView; readonly confirmed: Confirmed | null } {
  const own = fromDatabase(sources);
  const chosen = sources.record === null ? newest(sources, own) : newer(sources.record, sources.genesis, own);
  if (chosen === null || "rivals" in chosen) {
    const trouble = chosen === null ? null : conflict(chosen);
    return {
      view: { record: null, source: null, verified: false, stale_for: null, trouble },
      confirmed: before,
    };
  }
  const { record } = chosen;
  const at = confirmedAt(record, own, sources);
  const term = record.term ?? null;
  // A confirmation is of one leader in one term, and tells nothing of the next.
  const earlier = before !== null && before.id === record.id && before.term === term ? before.at : null;
  const last = at === null ? earlier : Math.max(at, earlier ?? at);
  const verified = last !== null && at !== null && sources.now - at < CLAIM_FRESH_MS;
  return {
    view: {
      ...chosen,
      verified,
      stale_for: verified ? 0 : last === null ? null : Math.max(0, Math.round(sources.now - last)),
      trouble: null,
    },
    confirmed: last === null ? before : { id: record.id, term, at: last },
  };
}

/** The record an outcome carries: without the count of writes, which says nothing about the leader. */
export function outcomeLeader({ record }: LeaderView): LeaderRecord | null {
  if (record === null) return null;
  const { seq: _, ...rest } = record;
  return rest;
}

/** The record as the own database would have it; null where it knows of nobody. */
function fromDatabase(sources: LeaderSources): LeaderRecord | null {
  const { report, self } = sources;
  if (report === null) return null;
  const leader =
    report.leader ?? (report.role === "leader" ? { id: self.id, addr: self.addr, api_addr: "" } : null);
  return leader && recordOf(leader, report.term, sources);
}

/** A leader in a term as a record, with the addresses that are known. */
function recordOf(
  leader: { readonly id: string; readonly addr: string; readonly api_addr: string },
  term: number | null,
  { report, self, members, genesis, clientAddress }: LeaderSources,
): LeaderRecord {
  const listed = report?.members?.find((m) => m.id === leader.id);
  const member = [self, ...members].find((m) =>
    leader.id === "" ? leader.addr !== "" && m.addr === leader.addr : m.id === leader.id,
  );
  const advertised = member === undefined || member.api_addr === "" ? "" : clientAddress(member.api_addr);
  return {
    id: leader.id || (member?.id ?? ""),
    api_addr: leader.api_addr || listed?.api_addr || advertised,
    addr: leader.addr || listed?.addr || member?.addr || "",
    v: VERSION,
    ...(genesis === null ? {} : { genesis_id: genesis }),
    ...(term === null ? {} : { term }),
    ...(member === undefined ? {} : { incarnation: member.incarnation }),
  };
}

type Chosen = { readonly record: LeaderRecord; readonly source: Source };
/** Several nodes say that they lead, in one term or in none. */
type Rivals = { readonly rivals: readonly string[]; readonly term: number | null };

/**
 * The newer of the key's record and the database's. A record of this genesis with a term no lower than the
 * database's stands; so does any where neither has a term, since the agents have agreed on it. A record without a
 * term, or of another genesis, gives way to what the own database says.
 */
function newer(record: LeaderRecord, genesis: string | null, own: LeaderRecord | null): Chosen {
  if (own === null) return { record, source: "key" };
  const ours = record.genesis_id === genesis && record.term !== undefined;
  const behind = own.term !== undefined && (record.term ?? 0) < own.term;
  const agree = names(own, record) && !behind;
  return agree || (ours && !behind) ? { record, source: "key" } : { record: own, source: "database" };
}

/**
 * Without a key: what the databases of this genesis say in the newest term, the own one first. Where they have no
 * terms, who says so of itself knows better than those who follow. Who was last known stands while nobody says
 * anything newer.
 */
function newest(sources: LeaderSources, own: LeaderRecord | null): Chosen | Rivals | null {
  const { genesis, known, self } = sources;
  const said = sources.claims.flatMap(({ id: by, leader, genesis: of }) =>
    leader === null || of === null || of !== genesis ? [] : [{ by, ...leader }],
  );
  if (own !== null) said.push({ by: self.id, id: own.id, term: own.term ?? null });
  const term = said.reduce((most: number | null, s) => higher(most, s.term), null);
  const now = said.filter((s) => s.term === term);
  const leading = [...new Set(now.filter(({ by, id }) => by === id).map(({ id }) => id))].sort();
  if (leading.length > 1) return { rivals: leading, term };
  const isOwn = own !== null && (own.term ?? null) === term;
  const id = leading[0] ?? (term === null ? undefined : now[0]?.id);
  const follows = term === null && id !== undefined && id !== own?.id;
  if (known !== null && known.genesis_id === genesis && outlives(known, term, isOwn || id !== undefined))
    return { record: relocated(known, sources), source: "peers" };
  if (isOwn && !follows) return { record: own, source: "database" };
  return id === undefined
    ? null
    : { record: recordOf({ id, addr: "", api_addr: "" }, term, sources), source: "peers" };
}

/** Whether who was last known stands against what is said now. A term that is said is compared with a term only. */
function outlives({ term: last }: LeaderRecord, term: number | null, isSaid: boolean): boolean {
  return !isSaid || (term !== null && last !== undefined && last > term);
}

/** Who was last known to lead, where it is now. */
function relocated(known: LeaderRecord, { members, clientAddress }: LeaderSources): LeaderRecord {
  const member = members.find((m) => m.id === known.id && m.incarnation === known.incarnation);
  if (member === undefined) return known;
  const api_addr = member.api_addr === "" ? known.api_addr : clientAddress(member.api_addr);
  return { ...known, api_addr, addr: member.addr || known.addr };
}

function higher(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}

function conflict({ rivals, term }: Rivals): LeaderView["trouble"] {
  const when = term === null ? "and have no terms to compare" : `in term ${term}`;
  return {
    code: "leader_conflict",
    message: `${rivals.join(" and ")} each say that they lead, ${when}; nobody is named`,
  };
}

/** When somebody who must know last said that this record is true; null: nobody does. */
function confirmedAt(
  record: LeaderRecord,
  own: LeaderRecord | null,
  { claims, now }: LeaderSources,
): number | null {
  if (own !== null && names(own, record) && !isBehind(own.term ?? null, record)) return now;
  const said = claims.filter(
    ({ id, incarnation, leader }) =>
      id === record.id &&
      leader?.id === id &&
      (record.incarnation === undefined || record.incarnation === incarnation) &&
      !isBehind(leader.term, record),
  );
  return said.length === 0 ? null : Math.max(...said.map(({ at }) => at));
}

/** What was said about an earlier term says nothing about this one. */
function isBehind(term: number | null, record: LeaderRecord): boolean {
  return term !== null && record.term !== undefined && term < record.term;
}

/** The same node: by id, or by an address where a database knows no ids. */
function names(own: LeaderRecord, record: LeaderRecord): boolean {
  if (own.id !== "" && record.id !== "") return own.id === record.id;
  return (
    (own.addr !== "" && own.addr === record.addr) || (own.api_addr !== "" && own.api_addr === record.api_addr)
  );
}
