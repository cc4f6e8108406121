/**
 * Who leads, as an agent shows it (`/v1/leader`, `outcome.leader`): the newer of what the leader key and the
 * agent's own database say, whether somebody who must know has confirmed it, and how long ago. Pure: the
 * moment of the last confirmation goes in and comes out.
 */
import { type LeaderRecord, type MemberRef, VERSION } from "./model.ts";
import type { NodeReport } from "./node-report.ts";

/** Who leads according to one node, when its agent was last asked (`hello.leader`). `at` is on the clock of `now`. */
export type LeaderClaim = {
  readonly id: string;
  readonly incarnation: string;
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
  readonly claims: readonly LeaderClaim[];
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
  /** Where the record is from. */
  readonly source: "key" | "database" | null;
  /** The own database, or the named node itself, says the same now. */
  readonly verified: boolean;
  /** Milliseconds since it was last verified; 0 while it is, null if it never was. */
  readonly stale_for: number | null;
};

/** How long the word of the named node counts as present, in milliseconds: agents ask each other rarely. */
export const CLAIM_FRESH_MS = 5_000;

/** The view, and what to give as `before` the next time. */
export function leaderView(
  sources: LeaderSources,
  before: Confirmed | null,
): { readonly view: LeaderView; readonly confirmed: Confirmed | null } {
  const own = fromDatabase(sources);
  const chosen = newer(sources, own);
  if (chosen === null)
    return { view: { record: null, source: null, verified: false, stale_for: null }, confirmed: before };
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
function fromDatabase({ report, self, members, genesis, clientAddress }: LeaderSources): LeaderRecord | null {
  if (report === null) return null;
  const leader =
    report.leader ?? (report.role === "leader" ? { id: self.id, addr: self.addr, api_addr: "" } : null);
  if (leader === null) return null;
  const listed = report.members?.find((m) => m.id === leader.id);
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
    ...(report.term === null ? {} : { term: report.term }),
    ...(member === undefined ? {} : { incarnation: member.incarnation }),
  };
}

/**
 * The newer of the two. A record of this genesis with a term no lower than the database's stands; so does any
 * where neither has a term, since the agents have agreed on it. A record without a term, or of another
 * genesis, gives way to what the own database says.
 */
function newer(
  { record, genesis }: LeaderSources,
  own: LeaderRecord | null,
): { readonly record: LeaderRecord; readonly source: "key" | "database" } | null {
  if (own === null) return record && { record, source: "key" };
  if (record === null) return { record: own, source: "database" };
  const ours = record.genesis_id === genesis && record.term !== undefined;
  const behind = own.term !== undefined && (record.term ?? 0) < own.term;
  const agree = names(own, record) && !behind;
  return agree || (ours && !behind) ? { record, source: "key" } : { record: own, source: "database" };
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
