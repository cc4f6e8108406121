/** The files kept with the outcome, as text: for a shell, for programs, and for whoever resolves names. Pure. */
import { type LeaderRecord, type MemberRef, type Outcome, VERSION } from "./model.ts";
import type { Role } from "./node-report.ts";
import { type OutcomeValues, outcomeEnvironment } from "./outcome-values.ts";

/** What the files are made of. */
export type OutputFacts = {
  readonly outcome: Outcome;
  /** Everybody who belongs to the genesis, at their present addresses; null: the directory was not seen yet. */
  readonly members: readonly MemberRef[] | null;
  /** This node. */
  readonly node: MemberRef;
  /** Of this node's database. */
  readonly role: Role;
  /** Null: the database must not be started at this moment. */
  readonly values: OutcomeValues | null;
};

export type OutputKind = "env" | "json" | "hosts";

/** The name of whoever leads in a hosts file, beside its node id. */
export const LEADER_ALIAS = "rollcall-leader";

/**
 * What a file should hold: its text; `leave`: nothing is known, so whatever is there stays; `remove`: it must
 * not be there. The file that a database is started from is there only while it may be started: one of an
 * earlier life could start it wrongly.
 */
export function outputText(
  kind: OutputKind,
  facts: OutputFacts | null,
): { readonly text: string } | "leave" | "remove" {
  if (kind === "env")
    return facts === null || facts.values === null ? "remove" : { text: envText(facts.values) };
  if (facts === null) return "leave";
  if (kind === "json") return { text: jsonText(facts) };
  const { members, outcome } = facts;
  return members === null ? "leave" : { text: hostsText(members, outcome.leader) };
}

/** `OUTCOME_KIND='join'` and so on, one a line, safe to source by any POSIX shell whatever the values are. */
export function envText(values: OutcomeValues): string {
  const lines = Object.entries(outcomeEnvironment(values)).map(([name, value]) => `${name}=${quoted(value)}`);
  return `${["# Kept by rollcall: what this node's database is to do.", ...lines].join("\n")}\n`;
}

/** The outcome and what goes with it. `values`: the words of `OUTCOME_*`; null: the database must not be started now. */
export function jsonText({ outcome, members, node, role, values }: OutputFacts): string {
  const { leader } = outcome;
  return `${JSON.stringify({ v: VERSION, outcome, node, role, leader, members, values }, null, 2)}\n`;
}

/**
 * `10.0.0.1<TAB>node-1` for every member whose database is at an IP address, with `rollcall-leader` as a second
 * name for whoever leads. What has no place in a hosts file is a comment: a database at a host name, and a
 * node id that is no host name.
 */
export function hostsText(members: readonly MemberRef[], leader: LeaderRecord | null): string {
  const lines = members.map((m) => {
    const host = hostOf(m.api_addr) ?? hostOf(m.addr);
    if (host === null) return `# ${shown(m.id)} has no database address`;
    if (!isIp(host)) return `# ${shown(m.id)} is at ${shown(host)}`;
    if (!isName(m.id)) return `# ${host} is ${shown(m.id)}, which is no host name`;
    return `${host}\t${m.id}${m.id === leader?.id ? ` ${LEADER_ALIAS}` : ""}`;
  });
  return `${["# Kept by rollcall: the members' databases.", ...lines].join("\n")}\n`;
}

/** In single quotes nothing has a meaning but the quote itself. No variable of a shell can hold a NUL. */
function quoted(value: string): string {
  return `'${value.replaceAll("\0", "").replaceAll("'", `'\\''`)}'`;
}

/** The host in `host:port` or in a URL, without brackets; null: there is none. */
function hostOf(address: string): string | null {
  const at = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)/i.exec(address)?.[1] ?? "";
  const host = at.replace(/^\[|\]$/g, "");
  return host === "" ? null : host;
}

function isIp(host: string): boolean {
  try {
    const at = new URL(`http://${host.includes(":") ? `[${host}]` : host}/`).hostname.replace(/^\[|\]$/g, "");
    return host.includes(":") || (/^\d+\.\d+\.\d+\.\d+$/.test(at) && at === host);
  } catch {
    return false;
  }
}

/** Whether a node id may stand in a hosts file: a name that says nothing of this machine itself. */
function isName(id: string): boolean {
  const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;
  if (id.length > 253 || !id.split(".").every((part) => label.test(part))) return false;
  return !isIp(id) && !/(^|\.)localhost$/i.test(id) && id.toLowerCase() !== LEADER_ALIAS;
}

/** Text from elsewhere on one line: nothing in it ends the comment. */
function shown(text: string): string {
  return /^[\x21-\x7e]+$/.test(text) ? text : JSON.stringify(text).replace(/[\u0085\u2028\u2029]/g, "?");
}
