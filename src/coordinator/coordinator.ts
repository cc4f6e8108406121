/**
 * The coordinator: finds clusters, asks their agents, keeps what changed, and shows it. The parts are put together
 * here; src/DESIGN.md, "Story 2", walks through a refresh.
 */
import type { Inventory } from "../core/inventory.ts";
import type { DiscoverySettings } from "../core/settings.ts";
import { reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Pacing } from "../lib/loop.ts";
import { runAll } from "../lib/run.ts";
import type { Store, StoredEvent } from "../store/store.ts";
import type { AgentClient } from "./agent-client.ts";
import { type ApplyDeps, apply, remove } from "./applying.ts";
import { type Counts, noCounts } from "./counts.ts";
import { type DiscoverDeps, discover } from "./discover.ts";
import type { InventoryCheck } from "./documents.ts";
import { type Known, openKnown } from "./known.ts";
import { type Locks, openLocks } from "./locks.ts";
import type { Asked, ClusterPage, DiscoveryPage, View } from "./pages.ts";
import type { Task } from "./queue.ts";
import { type RefreshDeps, refresh } from "./refresh.ts";
import { queued, refusal } from "./refusals.ts";
import { openScheduler, type Room, type Scheduler } from "./scheduler.ts";
import { settle } from "./settling.ts";

export type CoordinatorDeps = {
  readonly name: string;
  readonly version: string;
  readonly store: Store;
  readonly client: Pick<AgentClient, "poll">;
  readonly openInventory: (settings: DiscoverySettings) => Promise<Inventory>;
  readonly checkInventory: InventoryCheck;
  readonly retention: { readonly ageMs: number; readonly most: number };
  readonly pacing: Pacing;
  readonly log: Log;
  /** For its tasks; as much as one process is good for where it is not given. */
  readonly room?: Room;
};

/** A coordinator that has read its store. `run` ends when the signal is aborted, after what was under way. */
export type Coordinator = { readonly view: View; run(): Promise<void> };

/** Who follows the events at most. */
const MOST_FOLLOWERS = 1_024;
/** How often old events are looked for. */
const RETAIN_MS = 60_000;

export async function openCoordinator(deps: CoordinatorDeps, signal: AbortSignal): Promise<Coordinator> {
  const { store, log } = deps;
  const { clock } = deps.pacing;
  const followers = new Set<(events: readonly StoredEvent[]) => void>();
  const counts = noCounts();
  const locks = openLocks();
  const told = (events: readonly StoredEvent[]) => {
    for (const wake of followers) wake(events);
  };
  const reread = (kind: "discovery" | "cluster", name: string, isNews: boolean) =>
    isNews ? scheduler.set(kind, name, "now") : scheduler.ensure(kind, name);
  const known = await openKnown({ store, counts, wall: clock.wall, told, reread });
  const shared = { known, locks, counts, clock, log, signal };
  const discoverDeps: DiscoverDeps = {
    ...shared,
    openInventory: deps.openInventory,
    listed: (id) => scheduler.ensure("cluster", id),
  };
  const refreshDeps: RefreshDeps = { ...shared, client: deps.client };
  const run = async (task: Task, lateMs: number): Promise<string | null> =>
    task.kind === "discovery" ? discover(task.name, false, discoverDeps) : refresh(task, lateMs, refreshDeps);
  const scheduler = openScheduler({ known, store, counts, clock, log, run, room: deps.room });
  for (const name of known.discoveries.keys()) scheduler.set("discovery", name, "kept");
  for (const id of known.clusters.keys()) scheduler.set("cluster", id, "kept");

  const applyDeps: ApplyDeps = {
    ...{ known, locks, clock, checkInventory: deps.checkInventory },
    rescheduled: (kind, name) => scheduler.set(kind, name, "now"),
  };
  return {
    view: viewOf({ deps, known, locks, counts, scheduler, followers, applyDeps, discoverDeps, signal }),
    run: () =>
      runAll(signal, [
        scheduler.loop,
        (until) => settle({ doubts: known.doubts, locks, pacing: deps.pacing, log }, until),
        (until) => retain(deps, until),
      ]),
  };
}

type Parts = {
  readonly deps: CoordinatorDeps;
  readonly known: Known;
  readonly locks: Locks;
  readonly counts: Counts;
  readonly scheduler: Scheduler;
  readonly followers: Set<(events: readonly StoredEvent[]) => void>;
  readonly applyDeps: ApplyDeps;
  readonly discoverDeps: DiscoverDeps;
  readonly signal: AbortSignal;
};

function viewOf(parts: Parts): View {
  const { deps, known, locks, counts, scheduler, followers, signal } = parts;
  const ask = (kind: Task["kind"], name: string, enabled: boolean | null): Asked => {
    if (enabled === null) return "unknown";
    if (!enabled) return "disabled";
    if (kind === "refresh" && locks.isHeld(name)) return "running";
    const answer = scheduler.ask(kind, name);
    return answer === "waiting" ? "queued" : answer;
  };
  return {
    name: deps.name,
    version: deps.version,
    store: deps.store,
    clusters: () => [...known.clusters.keys()].sort().flatMap((id) => clusterPage(id, parts) ?? []),
    cluster: (id) => clusterPage(id, parts),
    discoveries: () => [...known.discoveries.keys()].sort().flatMap((name) => discoveryPage(name, known)),
    settings: () =>
      [...known.clusters.values()].map(({ settings, document, run }) => ({
        ...{ settings, document, run, synthetic: document === null },
      })),
    reports: (id) => known.clusters.get(id)?.reports ?? [],
    inDoubt: () => known.doubts.scopes().length,
    tasks: scheduler.tasks,
    counters: () => counts,
    lateness: scheduler.lateness,
    apply: (text) => apply(text, parts.applyDeps),
    remove: (kind, name) => remove(kind, name, parts.applyDeps),
    refresh: async (id) => ask("refresh", id, clusterPage(id, parts)?.settings.enabled ?? null),
    discover: async (name) => ask("discovery", name, known.discoveries.get(name)?.settings.enabled ?? null),
    accept: (name) => accept(name, parts),
    follow(wake) {
      if (followers.size >= MOST_FOLLOWERS) return null;
      followers.add(wake);
      return () => followers.delete(wake);
    },
    readiness: () => (signal.aborted ? "stopping" : known.works() ? null : "store"),
    failed: (error) => deps.log.error({ error: reason(error) }, "request failed"),
    stopping: signal,
  };
}

/** Null: no discovery lists it, and nothing is kept of it. */
function clusterPage(id: string, { known, locks }: Parts): ClusterPage | null {
  const found = known.clusters.get(id);
  if (found === undefined || (found.cluster === null && known.listers(id).length === 0)) return null;
  const { cluster, settings, document, run, lateMs: late_ms } = found;
  const synthetic = document === null;
  return {
    cluster,
    cluster_id: id,
    settings,
    synthetic,
    document,
    run,
    late_ms,
    refreshing: locks.isHeld(id),
  };
}

function discoveryPage(name: string, known: Known): DiscoveryPage[] {
  const found = known.discoveries.get(name);
  if (found === undefined) return [];
  const { settings, document, run, lateMs: late_ms, foreign, problems, records } = found;
  const clusters = records.map((record) => record.cluster_id);
  return [{ settings, document, run, late_ms, foreign, problems, clusters }];
}

/** The clusters that it lists otherwise now, or that are suspect no more. Throws a refusal. */
async function accept(name: string, { known, discoverDeps }: Parts): Promise<readonly string[] | null> {
  const discovery = known.discoveries.get(name);
  if (discovery === undefined) return null;
  if (!discovery.settings.enabled) queued("disabled", `the discovery ${name}`);
  const standing = () => {
    const records = known.discoveries.get(name)?.records ?? [];
    const suspects = [...known.clusters].flatMap(([id, { cluster }]) => {
      const suspect = cluster?.facts.conditions.suspect ?? null;
      return suspect?.discovery === name ? [[`suspect ${id}`, id] as const] : [];
    });
    return new Map([...records.map((one) => [JSON.stringify(one), one.cluster_id] as const), ...suspects]);
  };
  const before = standing();
  const problem = await discover(name, true, discoverDeps);
  if (problem !== null) throw refusal("discovery", `accept ${name}: ${problem}`, "nothing was accepted");
  const after = standing();
  const changed = [...before.keys(), ...after.keys()].filter((one) => before.has(one) !== after.has(one));
  return [...new Set(changed.map((one) => before.get(one) ?? after.get(one) ?? ""))].sort();
}

async function retain({ store, retention, pacing, log }: CoordinatorDeps, signal: AbortSignal) {
  const { clock } = pacing;
  while (!signal.aborted) {
    await store
      .retain({ olderThan: clock.wall() - retention.ageMs, most: retention.most })
      .catch((error: unknown) => log.warn({ error: reason(error) }, "old events not removed"));
    await clock.sleep(RETAIN_MS, signal);
  }
}
