/**
 * Reading what an agent says: tolerant of what is unknown, strict about what names it. Checked by hand: a schema over
 * the whole state would cost more than all the rest of a poll. Everything is bounded, and no text can speak to a terminal.
 */
import { VERSION } from "../core/model.ts";
import { type DatabaseMember, type NodeReport, Role, type Shard, StatusCode } from "../core/node-report.ts";
import type { Seen, SeenTransition } from "../core/observation.ts";
import { RollcallError } from "../lib/errors.ts";

const MOST_NAME = 512;
const MOST_TEXT = 1_000;
/** Peers, members and shards that are read; a list that is longer is cut. */
const MOST_LISTED = 1_024;
const MOST_TRANSITIONS = 64;
/** Of the values of a transition, which are an agent's own: deeper is cut off, so that nobody's recursion is ended by it. */
const MOST_DEPTH = 6;

/** Control characters, and those that change the direction or the lines of a text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const UNFIT = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const ALL_UNFIT = new RegExp(UNFIT.source, "g");

type Values = Readonly<Record<string, unknown>>;
type State = Omit<Seen, "shards">;

const statuses = new Set<string>(StatusCode.options);
const roles = new Set<string>(Role.options);
const shardRoles = new Set(["primary", "secondary", "recovering", "other"]);

/** The state in the body of `/v1/state`. Throws `not_an_agent` where it is none, or one of a later version. */
export function readState(body: string): State {
  const state = valuesOf(body);
  if (typeof state.v === "number" && state.v > VERSION)
    throw bad(`its state has v ${state.v}; this rollcall reads v ${VERSION}`);
  if (state.v !== VERSION) throw bad("its state has no version");
  const [agent, node, outcome] = [part(state.agent), part(state.node), part(state.outcome)];
  const peers = list(state.peers).map(part);
  const own = peers.find((peer) => peer.self === true);
  return {
    kind: "state",
    boot_id: name(state.boot_id, "boot_id"),
    seq: count(state.seq),
    key: name(agent.key, "agent.key"),
    node_id: name(node.node_id, "node.node_id"),
    incarnation: name(node.incarnation, "node.incarnation"),
    version: line(agent.version, MOST_NAME) ?? "",
    voter: agent.voter === true,
    api_addr: nameOr(agent.api_addr, ""),
    addr: nameOr(agent.addr, ""),
    genesis_id: nameOr(outcome.genesis_id, null) ?? nameOr(own?.genesis_id, null),
    report: reportOf(node),
    peers: peers.flatMap((peer) => nameOr(peer.id, null) ?? []),
    transitions: list(state.transitions, -MOST_TRANSITIONS).flatMap(transitionOf),
  };
}

/** The shards in the body of `/v1/shards`. Throws `not_an_agent` where there is no list of them. */
export function readShards(body: string): Shard[] {
  const { shards } = valuesOf(body);
  if (!Array.isArray(shards)) throw bad("its shards are no list");
  return list(shards).flatMap((one) => {
    const { id: given, role, commit_offset, lag } = part(one);
    const id = nameOr(given, null);
    if (id === null) return [];
    const known = typeof role === "string" && shardRoles.has(role) ? (role as Shard["role"]) : "other";
    return [{ id, role: known, commit_offset: gaugeOf(commit_offset), lag: gaugeOf(lag) }];
  });
}

/** A text for people in one line: bounded, and without what a terminal would obey. Null: it is no text. */
export function line(value: unknown, most = MOST_TEXT): string | null {
  if (typeof value !== "string") return null;
  const short = value.length > most ? `${value.slice(0, most).toWellFormed()}…` : value;
  return UNFIT.test(short) ? short.replace(ALL_UNFIT, " ") : short;
}

function reportOf(node: Values): Omit<NodeReport, "shards"> {
  return {
    kind: line(node.kind, MOST_NAME) ?? "",
    version: line(node.version, MOST_NAME),
    status:
      typeof node.status === "string" && statuses.has(node.status) ? (node.status as StatusCode) : "unknown",
    problem: line(node.problem),
    role: typeof node.role === "string" && roles.has(node.role) ? (node.role as Role) : "unknown",
    term: number(node.term),
    leader: memberOf(node.leader),
    members: Array.isArray(node.members) ? list(node.members).flatMap((one) => memberOf(one) ?? []) : null,
  };
}

function memberOf(value: unknown): DatabaseMember | null {
  const { id: given, addr, api_addr, voter, reachable } = part(value);
  const id = nameOr(given, null);
  if (id === null) return null;
  return {
    id,
    addr: nameOr(addr, ""),
    api_addr: nameOr(api_addr, ""),
    voter: typeof voter === "boolean" ? voter : null,
    reachable: typeof reachable === "boolean" ? reachable : null,
  };
}

function transitionOf(value: unknown): SeenTransition | [] {
  const { seq, kind, before, after } = part(value);
  if (typeof kind !== "string" || !isCount(seq)) return [];
  return { seq, kind: line(kind, MOST_NAME) ?? "", before: bounded(before, 0), after: bounded(after, 0) };
}

function gaugeOf(value: unknown): Shard["lag"] {
  const gauge = part(value);
  const [unit, amount] = [line(gauge.unit, MOST_NAME), number(gauge.value)];
  return unit === null || amount === null ? null : { unit, value: amount };
}

/** A value of any shape, so deep and wide at most, with harmless texts. */
function bounded(value: unknown, depth: number): unknown {
  if (typeof value === "string") return line(value);
  if (typeof value !== "object" || value === null) return value ?? null;
  if (depth === MOST_DEPTH) return null;
  if (Array.isArray(value)) return list(value).map((one) => bounded(one, depth + 1));
  const entries = Object.entries(value).slice(0, MOST_LISTED);
  return Object.fromEntries(entries.map(([key, one]) => [line(key, MOST_NAME), bounded(one, depth + 1)]));
}

function valuesOf(body: string): Values {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw bad("its answer is not JSON");
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw bad("its answer is no object");
  return json as Values;
}

function part(value: unknown): Values {
  return typeof value === "object" && value !== null ? (value as Values) : {};
}

/** A list's first entries, or its last where `most` is negative; none where it is no list. */
function list(value: unknown, most = MOST_LISTED): readonly unknown[] {
  if (!Array.isArray(value)) return [];
  return most < 0 ? value.slice(most) : value.slice(0, most);
}

/** A name is what it is: one that is too long or unfit is none, for a part of it may be another's. */
function nameOr<T>(value: unknown, otherwise: T): string | T {
  return typeof value === "string" && value.length <= MOST_NAME && !UNFIT.test(value) ? value : otherwise;
}

function name(value: unknown, field: string): string {
  const found = nameOr(value, "");
  if (found === "") throw bad(`its state has no usable ${field}`);
  return found;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function count(value: unknown): number {
  if (!isCount(value)) throw bad("its state has no usable seq");
  return value;
}

function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function bad(problem: string): RollcallError {
  return new RollcallError("not_an_agent", problem);
}
