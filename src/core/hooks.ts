/**
 * What an operator's programs are to be told: the difference between what this node knows now and what each
 * hook was last told. Level-triggered, so that nothing is lost while a hook runs or fails, or while no agent
 * runs: what changed meanwhile is one further call, and what changed back is none. Pure.
 */
import * as z from "zod";
import { byIdentity, MemberRef, Outcome, VERSION } from "./model.ts";
import { Role } from "./node-report.ts";
import type { OutcomeValues } from "./outcome-values.ts";

export const HookEvent = z.enum([
  "bootstrap",
  "join",
  "members-change",
  "leader-change",
  "role-change",
  "leave",
]);
export type HookEvent = z.infer<typeof HookEvent>;

/** A leader as far as a change of leader goes: another term of the same one is no change. */
const Leader = z.object({ id: z.string(), api_addr: z.string() });

/** What a node knows at one moment. */
export type HookFacts = {
  /** Null: not settled yet; then nothing is told. */
  readonly outcome: Outcome | null;
  /** What this node did when it first opened in this genesis, also once the outcome is `existing`; null: not known. */
  readonly first: "bootstrap" | "join" | null;
  /** Everybody who belongs to the genesis, at their present addresses; null: the directory was not seen yet. */
  readonly members: readonly MemberRef[] | null;
  /** Of this node's database. */
  readonly role: Role;
  /** This node. */
  readonly node: MemberRef;
  /** For the environment; null: the database could not be started at this moment. */
  readonly values: OutcomeValues | null;
};

/** What a hook reads on standard input: one line of JSON. Everything but `reason` and `outcome` is about the call's event. */
export const HookPayload = z.object({
  v: z.literal(VERSION),
  event: HookEvent.describe("which hook this is"),
  reason: z.string().describe("what happened, as one line for people"),
  outcome: Outcome.nullable().describe("as GET /v1/outcome gives it; null only in leave"),
  node: MemberRef.describe("this node"),
  role: Role.describe("of this node's database, as last seen"),
  members: z
    .array(MemberRef)
    .nullable()
    .describe("everybody who belongs to the cluster now, this node included; null: not known yet"),
  added: z.array(MemberRef).describe("members-change: who came since the hook last succeeded"),
  removed: z.array(MemberRef).describe("members-change: who went; with an empty disk a node goes and comes"),
  changed: z.array(MemberRef).describe("members-change: who has another address, with the new one"),
  previous: z
    .object({ leader: Leader.nullable(), role: Role })
    .describe("the leader and the role that the hooks were last told; null and unknown: none yet"),
});
export type HookPayload = z.infer<typeof HookPayload>;

/** What the hooks were told of one genesis, in one life of this node's disk; kept on disk. */
export const Told = z.looseObject({
  v: z.int().min(1).max(VERSION),
  /** Null: there was no outcome yet. */
  genesis_id: z.string().nullable(),
  incarnation: z.string(),
  /** The call that is owed for the beginning; null: it was made, or there is none. */
  start: z.enum(["bootstrap", "join"]).nullable(),
  members: z.array(MemberRef),
  leader: Leader.nullable(),
  role: Role,
});
export type Told = z.infer<typeof Told>;

/** One call that is due. `told` is what the hook has been told once it succeeds; two calls that tell the same are one. */
export type HookCall = {
  readonly event: HookEvent;
  readonly payload: HookPayload;
  readonly told: Partial<Pick<Told, "start" | "members" | "leader" | "role">>;
};

/**
 * What was told, brought to the present genesis and life of the node: the same object where it is about them
 * already. Null goes in where nothing was kept: then an outcome that is `existing` is as old as it may be, and
 * no beginning is told. To be saved before any hook runs, so that a beginning is owed from then on.
 */
export function begin(told: Told | null, { outcome, first, node }: HookFacts): Told {
  const blank = {
    v: VERSION,
    genesis_id: null,
    incarnation: node.incarnation,
    start: null,
    members: [],
    leader: null,
    role: "unknown" as const,
  };
  if (outcome === null) return told ?? blank;
  const { genesis_id, kind } = outcome;
  if (told?.genesis_id === genesis_id && told.incarnation === node.incarnation) return told;
  // Something was kept, but not of this: the genesis came while these hooks were there, whatever it is called
  // by an agent that was killed right after it settled.
  const start = kind === "existing" ? told && first : kind;
  return { ...blank, genesis_id, start };
}

/** The calls that are due, in the order in which they are made. */
export function due(told: Told, facts: HookFacts, wanted: ReadonlySet<HookEvent>): readonly HookCall[] {
  if (facts.outcome === null || told.genesis_id !== facts.outcome.genesis_id) return [];
  const calls = [start(told, facts), members(told, facts), leader(told, facts), role(told, facts)];
  return calls.flatMap((call) => (call !== null && wanted.has(call.event) ? [call] : []));
}

/** What was told once this call has succeeded. */
export function toldAfter(told: Told, call: HookCall): Told {
  return { ...told, ...call.told };
}

/** The one call that no difference asks for: this node has left. */
export function leaveCall(told: Told | null, facts: HookFacts): HookCall {
  const line = "this node has left the cluster";
  return { event: "leave", payload: payload("leave", line, told ?? begin(null, facts), facts), told: {} };
}

function start(told: Told, facts: HookFacts): HookCall | null {
  if (told.start === null) return null;
  const what = { bootstrap: "this node creates the cluster", join: "this node joins the cluster" };
  const line = `${what[told.start]}, genesis ${told.genesis_id}`;
  return {
    event: told.start,
    payload: payload(told.start, line, told, facts),
    told: { start: null },
  };
}

function members(told: Told, facts: HookFacts): HookCall | null {
  if (facts.members === null) return null;
  const now = facts.members.map(plain).sort(byIdentity);
  const added = now.filter((m) => find(told.members, m) === undefined);
  const removed = told.members.filter((m) => find(now, m) === undefined);
  const changed = now.filter((m) => {
    const before = find(told.members, m);
    return before !== undefined && !sameAddresses(before, m);
  });
  if (added.length + removed.length + changed.length === 0) return null;
  const parts = Object.entries({ added, removed, changed }).filter(([, some]) => some.length > 0);
  const line = parts.map(([word, some]) => `${word}: ${some.map((m) => m.id).join(", ")}`).join("; ");
  return {
    event: "members-change",
    payload: { ...payload("members-change", line, told, facts), added, removed, changed },
    told: { members: now },
  };
}

/** While nobody leads there is nothing to tell: an election ends with a leader, often the same. */
function leader(told: Told, facts: HookFacts): HookCall | null {
  const record = facts.outcome?.leader ?? null;
  if (record === null) return null;
  const { id, api_addr } = record;
  if (told.leader?.id === id && told.leader.api_addr === api_addr) return null;
  const line = `the leader is ${id}${told.leader === null ? "" : `, was ${told.leader.id}`}`;
  return {
    event: "leader-change",
    payload: payload("leader-change", line, told, facts),
    told: { leader: { id, api_addr } },
  };
}

/** A database that is down, or between two elections, has no other role: it has none. */
function role(told: Told, facts: HookFacts): HookCall | null {
  const now = facts.role;
  if (now === "unknown" || now === told.role) return null;
  const line = `this node is ${now}${told.role === "unknown" ? "" : `, was ${told.role}`}`;
  return { event: "role-change", payload: payload("role-change", line, told, facts), told: { role: now } };
}

function payload(event: HookEvent, reason: string, told: Told, facts: HookFacts): HookPayload {
  const { outcome, node, role, members } = facts;
  return {
    v: VERSION,
    event,
    reason,
    outcome,
    node,
    role,
    members: members && [...members],
    added: [],
    removed: [],
    changed: [],
    previous: { leader: told.leader, role: told.role },
  };
}

/** Only what a change is seen by. */
function plain({ id, incarnation, agent_addr, api_addr, addr }: MemberRef): MemberRef {
  return { id, incarnation, agent_addr, api_addr, addr };
}

function find(some: readonly MemberRef[], one: MemberRef): MemberRef | undefined {
  return some.find((m) => m.id === one.id && m.incarnation === one.incarnation);
}

function sameAddresses(a: MemberRef, b: MemberRef): boolean {
  return a.agent_addr === b.agent_addr && a.api_addr === b.api_addr && a.addr === b.addr;
}
