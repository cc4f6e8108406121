/** What one observation makes of one node: its facts, its marks, and what its agent's ring tells of the time between. */
import type { AgentCode, Identity, NodeFacts, NodeMarks, Report } from "./cluster.ts";
import { byText, equal } from "./equal.ts";
import type { DatabaseMember, Shard } from "./node-report.ts";
import type { Observation, Seen, Unchanged } from "./observation.ts";
import { covers, stagesBetween } from "./stages.ts";

/** A node as it is kept. */
export type Entry = { readonly node: NodeFacts; readonly marks: NodeMarks };
/** An observation of an agent that answered. */
export type Answer = Observation & (Seen | Unchanged);
/** A node after an answer. `stages`: its reports in between. `gap`: where it stood before, when some of them are lost. */
export type Taken = {
  readonly entry: Entry;
  readonly stages: readonly Report[];
  readonly gap: { readonly from: number } | null;
};

/** How a database names nodes, and how we do. */
export type Naming = (member: Pick<DatabaseMember, "id" | "addr" | "api_addr">) => string;

const MOST_EARLIER = 8;
/** The marks of a node that never answered. */
export const NO_NODE_MARKS: NodeMarks = {
  ...{ boot_id: null, seq: 0, seen_at: null, misses: 0, problem: null },
  ...{ leader: null, term: null, database: null, agents: null, shards: {} },
};

/** A node whose agent did not answer, or as somebody else: all that it said before stands, and is stale. */
export function silenced(
  entry: Entry | null,
  agent_addr: string,
  { code, problem }: { readonly code: AgentCode; readonly problem: string },
): Entry {
  const agent = { status: "down", code } as const;
  const { node, marks } = entry ?? {
    node: { agent_addr, agent, info: null, identity: null, report: null, shards: [] },
    marks: NO_NODE_MARKS,
  };
  return {
    node: equal(node.agent, agent) ? node : { ...node, agent },
    marks: { ...marks, misses: marks.misses + 1, problem },
  };
}

/** Whether an answer was given before the one that is kept: of an earlier state of this run, or of an earlier run. */
export function isOlder({ marks }: Entry, { boot_id, seq }: Answer): boolean {
  return marks.boot_id === boot_id ? seq < marks.seq : (marks.earlier?.includes(boot_id) ?? false);
}

/** A node after its agent's answer. `entry`: what is kept of it, wherever its agent was; null: nothing. */
export function taken(entry: Entry | null, answer: Answer, identity: Identity, naming: Naming): Taken {
  if (answer.kind === "unchanged" && entry !== null)
    return { entry: confirmed(entry, answer), stages: [], gap: null };
  // Nobody is asked for what changed since without an entry that says since when.
  if (answer.kind === "unchanged") throw new TypeError("unchanged, of a node that is not known");
  const known = entry !== null && equal(entry.node.identity, identity) ? entry : null;
  if (known !== null && isBeforeItsLook(known, answer))
    return { entry: awaitingItsLook(known, answer), stages: [], gap: null };
  const report = reportOf(answer, known);
  const node: NodeFacts = {
    agent_addr: answer.agent_addr,
    agent: { status: "up", code: "ok" },
    info: { version: answer.version, boot_id: answer.boot_id },
    identity,
    report,
    shards: shardsAfter(known?.node.shards ?? [], report, answer.shards),
  };
  const result = {
    node: entry !== null && equal(entry.node, node) ? entry.node : node,
    marks: marksOf(entry, known, answer, naming),
  };
  const from = known?.marks.boot_id === answer.boot_id ? known.marks.seq : answer.seq;
  const before = known?.node.report ?? report;
  if (!covers(answer.transitions, from, answer.seq)) return { entry: result, stages: [], gap: { from } };
  const stages = stagesBetween(before, report, answer.transitions, { from, to: answer.seq });
  return { entry: result, stages, gap: null };
}

/** The first answer of an agent that has started again, and has not looked at its database since. */
function isBeforeItsLook({ node, marks }: Entry, { boot_id, report }: Seen): boolean {
  const { kind, status } = node.report ?? {};
  const knew = kind !== "none" && status !== "unknown" && !marks.unlooked;
  return knew && marks.boot_id !== boot_id && report.status === "unknown";
}

/**
 * A database does not change with its agent: what was known of it holds until the next answer, which is taken whatever
 * it says.
 */
function awaitingItsLook(
  known: Entry,
  { agent_addr, boot_id, seq, version, at, report }: Answer & Seen,
): Entry {
  return {
    node: {
      ...known.node,
      ...{ agent_addr, agent: { status: "up", code: "ok" }, info: { version, boot_id } },
    },
    marks: {
      ...known.marks,
      ...{ boot_id, seq, unlooked: true, ...earlierBoots(known, boot_id) },
      ...{ seen_at: at, misses: 0, problem: report.problem },
    },
  };
}

/** What it said before still holds. Gauges may have been read, and a role among them is its report's. */
function confirmed({ node, marks }: Entry, { agent_addr, at, shards }: Answer): Entry {
  const facts = shardsAfter(node.shards, node.report, shards);
  const isSame = node.agent.status === "up" && facts === node.shards && node.agent_addr === agent_addr;
  return {
    node: isSame ? node : { ...node, agent_addr, agent: { status: "up", code: "ok" }, shards: facts },
    marks: {
      ...marks,
      ...{ seen_at: at, misses: 0, problem: node.agent.status === "up" ? marks.problem : null },
      ...(shards === null ? {} : { shards: gaugesOf(shards) }),
    },
  };
}

function marksOf(
  entry: Entry | null,
  known: Entry | null,
  answer: Observation & Seen,
  naming: Naming,
): NodeMarks {
  const { boot_id, seq, at, report, peers, shards } = answer;
  return {
    ...{ boot_id, seq, ...earlierBoots(entry, boot_id), seen_at: at, misses: 0, problem: report.problem },
    leader: report.leader === null ? null : naming(report.leader),
    term: report.term,
    database: report.members === null ? null : sorted(report.members.map(naming)),
    agents: sorted(peers),
    shards: shards === null ? (known?.marks.shards ?? {}) : gaugesOf(shards),
  };
}

/** Also those of a node that was there before: an answer of its time is as old. */
function earlierBoots(entry: Entry | null, bootId: string): Pick<NodeMarks, "earlier"> {
  const { boot_id: last = null, earlier = [] } = entry?.marks ?? {};
  const boots = last === null || last === bootId ? earlier : [...earlier, last].slice(-MOST_EARLIER);
  return boots.length === 0 ? {} : { earlier: boots };
}

/** A database that cannot be asked has the version that it had. */
function reportOf({ report, voter, api_addr, addr, genesis_id }: Seen, known: Entry | null): Report {
  const { kind, status, role } = report;
  const before = known?.node.report;
  const kept = cannotTell(report) && before?.kind === kind ? before.version : null;
  return { kind, version: report.version ?? kept, status, role, voter, api_addr, addr, genesis_id };
}

/** Whether its agent could not ask the database, be it that it does not run, so that what it lacks says nothing. */
export function cannotTell({ status }: Pick<Report, "status">): boolean {
  return status === "unavailable" || status === "joining" || status === "unknown";
}

/** The very ones that were known where nothing else is told; `told` null: not asked for. */
function shardsAfter(
  known: NodeFacts["shards"],
  report: Report | null,
  told: readonly Shard[] | null,
): NodeFacts["shards"] {
  if (told === null || (told.length === 0 && report !== null && cannotTell(report))) return known;
  const facts = shardFacts(told);
  return equal(known, facts) ? known : facts;
}

/** Each id once; of two that have one, the same whatever their order. */
function shardFacts(shards: readonly Shard[]): NodeFacts["shards"] {
  const facts = shards.map(({ id, role }) => ({ id, role }));
  facts.sort((a, b) => byText(a.id, b.id) || byText(b.role, a.role));
  return [...new Map(facts.map((shard) => [shard.id, shard])).values()];
}

function gaugesOf(shards: readonly Shard[]): NodeMarks["shards"] {
  const ordered = [...shards].sort((a, b) => byText(a.id, b.id) || byText(b.role, a.role));
  return Object.fromEntries(
    ordered.map(({ id, lag, commit_offset }) => [
      id,
      { lag: gauge(lag), commit_offset: gauge(commit_offset) },
    ]),
  );
}

function gauge(given: Shard["lag"]): { unit: string; value: number } | null {
  return given === null ? null : { unit: given.unit, value: given.value };
}

function sorted(ids: readonly string[]): string[] {
  return [...new Set(ids)].sort(byText);
}
