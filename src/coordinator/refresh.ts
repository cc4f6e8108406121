/**
 * One refresh of one cluster: its lock, all its agents at once, what they say taken into what is known, and the
 * difference committed with its events. A failing agent is data; a failing store ends the refresh, and nothing of it counts.
 */
import { isAsCalm, isCalm, seenAgain } from "../core/calm.ts";
import { type Marks, NO_MARKS } from "../core/cluster.ts";
import type { Change } from "../core/events.ts";
import type { ClusterRecord, InventoryNode } from "../core/inventory.ts";
import type { Observation } from "../core/observation.ts";
import { changesOf, observe } from "../core/observe.ts";
import type { Decision, Outcome, RefreshReport } from "../core/report.ts";
import type { DiscoverySettings } from "../core/settings.ts";
import type { Clock } from "../lib/clock.ts";
import { codeOf, reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { AgentClient } from "./agent-client.ts";
import type { Counts } from "./counts.ts";
import type { Known, KnownCluster } from "./known.ts";
import type { Locks } from "./locks.ts";
import type { Task } from "./queue.ts";

/** Shards' gauges are read with every so many refreshes; a changed state brings them at once. */
const SHARDS_EVERY = 6;
/** What comes later than this is taken later, so that it keeps nothing waiting. */
const PROMPT_MS = 50;
/** Reports kept of each cluster. */
const MOST_REPORTS = 20;

export type RefreshDeps = {
  readonly known: Known;
  readonly locks: Locks;
  readonly client: Pick<AgentClient, "poll">;
  readonly counts: Counts;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
};

/** What a refresh polls, and with what. */
type Target = { readonly owner: DiscoverySettings; readonly record: ClusterRecord };
/** What came of it. */
type Result = { readonly outcome: Outcome; readonly decisions: readonly Decision[]; readonly events: number };

const nothing = (outcome: Outcome, decisions: readonly Decision[] = []): Result => ({
  ...{ outcome, decisions, events: 0 },
});

/** Runs it, and keeps its report. Never throws; gives what of ours went wrong, or null. */
export async function refresh(task: Task, lateMs: number, deps: RefreshDeps): Promise<string | null> {
  const { known, locks, counts, clock } = deps;
  const cluster = known.clusters.get(task.name);
  if (cluster === undefined) return null;
  const startedAt = clock.wall();
  const began = clock.now();
  const observations: Observation[] = [];
  const release = locks.take(task.name);
  let result = nothing("discarded");
  if (release === null) counts.discarded++;
  else
    try {
      result = await held(cluster, task, observations, deps);
    } finally {
      release();
    }
  if (deps.signal.aborted) return null;
  const report = {
    cluster_id: task.name,
    reason: task.reason,
    started_at: new Date(startedAt).toISOString(),
    duration_ms: Math.round(clock.now() - began),
    late_ms: Math.round(lateMs),
    ...result,
    ...tally(observations),
    version: cluster.cluster?.version ?? 0,
  };
  cluster.reports = [report, ...cluster.reports].slice(0, MOST_REPORTS);
  await tellOfRequest(cluster, report, deps);
  return result.outcome === "failed" ? (result.decisions[0]?.message ?? "failed") : null;
}

/** With the lock in hand. */
async function held(
  cluster: KnownCluster,
  task: Task,
  observations: Observation[],
  deps: RefreshDeps,
): Promise<Result> {
  try {
    // Only what is listed for sure is polled, and only what is not for sure is gone.
    deps.known.doubts.refuse(cluster.id);
    const target = targetOf(cluster.id, deps.known);
    if (target === null) return nothing("gone");
    if (!cluster.settings.enabled && task.reason === "schedule") return nothing("disabled");
    deps.counts.refreshes++;
    const polls = pollAll(cluster, target, deps, observations);
    const prompt = await promptly(polls, deps);
    // The first sight of a cluster is one event, with every node that there is.
    if (prompt || cluster.cluster === null) {
      await polls;
      return await take(cluster, observations, false, deps);
    }
    const early = [...observations];
    const first = await take(cluster, early, true, deps).finally(() => polls);
    const rest = await take(cluster, observations.slice(early.length), false, deps);
    return joined(first, rest);
  } catch (error) {
    if (deps.signal.aborted) return nothing("gone");
    // Of this machine or of the store: it says nothing of any agent.
    deps.counts.refreshFailures++;
    const message = reason(error);
    // Told once: it may last, and concern every cluster.
    const last = cluster.reports.find(({ outcome }) => outcome !== "discarded");
    if (last?.outcome !== "failed" || last.decisions[0]?.message !== message)
      deps.log.warn({ cluster: cluster.id, error: message }, "refresh failed");
    return nothing("failed", [{ code: codeOf(error) ?? "failed", message, node: null }]);
  }
}

/** The cluster's record and whose it is; a cluster that waits for its first refresh belongs to the first that lists it. */
function targetOf(id: string, known: Known): Target | null {
  const name = known.clusters.get(id)?.cluster?.facts.discovery ?? known.listers(id)[0];
  const owner = name === undefined ? undefined : known.discoveries.get(name);
  const record = owner?.records.find((one) => one.cluster_id === id);
  return owner === undefined || record === undefined ? null : { owner: owner.settings, record };
}

/** Asks all agents at once; what they say is added to `observations` as it comes. */
async function pollAll(
  cluster: KnownCluster,
  { owner, record }: Target,
  deps: RefreshDeps,
  observations: Observation[],
): Promise<void> {
  const marks = cluster.cluster?.marks ?? null;
  const due = (marks?.refreshes ?? 0) % SHARDS_EVERY === 0;
  const unread = new Set<string>();
  const poll = async ({ agent_addr, secure }: InventoryNode) => {
    const mark = marks?.nodes[agent_addr];
    const known = mark?.boot_id == null ? null : { boot_id: mark.boot_id, seq: mark.seq };
    const { node_timeout_ms: timeoutMs } = cluster.settings;
    const lacked = cluster.unread.has(agent_addr);
    const shards = due || lacked;
    const wanted = {
      ...{ cluster_id: cluster.id, agent_addr, secure, settings: owner },
      ...{ timeoutMs, known, shards },
    };
    const observation = await deps.client.poll(wanted, deps.signal);
    count(observation, deps.counts);
    observations.push(observation);
    if (isUnread(observation, shards, lacked)) unread.add(agent_addr);
  };
  const polls = await Promise.allSettled(record.nodes.map(poll));
  // The lock is held for as long as any of them is under way, whatever became of the others.
  for (const one of polls) if (one.status === "rejected") throw one.reason;
  cluster.unread = unread;
}

/** Whether its units of data are still to be read. `asked`: they were asked for; `before`: they were to be read then. */
function isUnread(observation: Observation, asked: boolean, before: boolean): boolean {
  if (observation.kind === "failed") return before;
  return observation.shards === null && (asked || observation.kind === "state");
}

/** Whether all of it comes in time. A silent agent must not keep what its neighbours say from being told. */
async function promptly(polls: Promise<void>, { clock }: RefreshDeps): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const cancel = clock.after(PROMPT_MS, () => late.resolve(false));
  try {
    return await Promise.race([polls.then(() => true), late.promise]);
  } finally {
    cancel();
  }
}

function joined(first: Result, rest: Result): Result {
  const decisions = [...first.decisions, ...rest.decisions];
  return { outcome: rest.outcome, decisions, events: first.events + rest.events };
}

function count(observation: Observation, counts: Counts): void {
  counts.polls++;
  if (observation.kind === "unchanged") counts.pollsUnchanged++;
  if (observation.kind === "failed")
    counts.pollFailures[observation.code] = (counts.pollFailures[observation.code] ?? 0) + 1;
}

/** In the cluster's turn: what agents said, against what is known by now. `partial`: others are still to answer. */
function take(
  cluster: KnownCluster,
  observations: readonly Observation[],
  partial: boolean,
  deps: RefreshDeps,
): Promise<Result> {
  return deps.locks.inTurn([cluster.id], () => taken(cluster, observations, partial, deps));
}

async function taken(
  cluster: KnownCluster,
  observations: readonly Observation[],
  partial: boolean,
  deps: RefreshDeps,
): Promise<Result> {
  // It went while its agents were asked, and may even have come back as another.
  if (deps.known.clusters.get(cluster.id) !== cluster) return nothing("gone");
  await deps.known.doubts.sure([cluster.id]);
  const target = targetOf(cluster.id, deps.known);
  if (target === null) return nothing("gone");
  const before = cluster.cluster;
  const { record } = target;
  const { name: discovery } = target.owner;
  const { calm } = cluster;
  const isNews = before === null || !isCalm(before.marks, record, observations);
  if (!isNews && calm !== null && isAsCalm(calm, { facts: before.facts, record, discovery }, observations)) {
    cluster.cluster = { ...before, marks: seenAgain(before.marks, observations) };
    return { outcome: "done", decisions: calm.decisions, events: 0 };
  }
  cluster.calm = null;
  const old = { facts: before?.facts ?? null, marks: before?.marks ?? NO_MARKS };
  const { suspect = null, conflict } = old.facts?.conditions ?? {
    conflict: deps.known.listers(cluster.id).filter((one) => one !== discovery),
  };
  const whose = { record, discovery, suspect, conflict: conflict ?? [] };
  const seen = observe(old, { ...whose, observations, partial });
  const { facts, marks, decisions } = seen;
  // What went and came back is told too: then the way is longer, though it ends where it began.
  const isStill = facts === old.facts && seen.path.length <= 1 && seen.gaps.length === 0;
  const changes = isStill ? [] : changesOf(old.facts, seen);
  if (before !== null && changes.length === 0 && isSamePlace(old.marks, marks)) {
    cluster.cluster = { ...before, marks };
    if (!isNews && isCalm(marks, record, observations))
      cluster.calm = { facts, record, discovery, decisions };
    return { outcome: "done", decisions, events: 0 };
  }
  const events = await deps.known.commit(new Map([[cluster, { facts, marks, changes }]]), []);
  return { outcome: "done", decisions, events: events.length };
}

/** Whether every agent stands where it stood. Its place is kept over a restart; gauges and texts are not worth a write. */
function isSamePlace(before: Marks, after: Marks): boolean {
  for (const [address, { boot_id, seq }] of Object.entries(after.nodes)) {
    const old = before.nodes[address];
    if (old === undefined || old.boot_id !== boot_id || old.seq !== seq) return false;
  }
  return true;
}

/** Who asked for a refresh is told of its end by an event; the others' reports are only kept. */
async function tellOfRequest(
  cluster: KnownCluster,
  report: RefreshReport,
  { known, locks, log }: RefreshDeps,
): Promise<void> {
  if (report.reason !== "request") return;
  const change: Change = { type: "ORCHESTRATE_REPORT", subject: cluster.id, before: null, after: report };
  await locks
    .inTurn([cluster.id], async () => {
      await known.doubts.sure([cluster.id]);
      if (cluster.cluster === null) return;
      const { facts, marks } = cluster.cluster;
      await known.commit(new Map([[cluster, { facts, marks, changes: [change] }]]), []);
    })
    .catch((error: unknown) =>
      log.warn({ cluster: cluster.id, error: reason(error) }, "report could not be committed"),
    );
}

function tally(observations: readonly Observation[]) {
  const of = (kind: Observation["kind"]) => observations.filter((one) => one.kind === kind).length;
  return { polled: observations.length, unchanged: of("unchanged"), failed: of("failed") };
}
