/**
 * The schedule at work: a tick gives everything that is due to the workers and sets its next time, even where the
 * queue is full. Next times are kept in the store, so that a restart goes on where it was; missed runs are one run.
 */
import { createSchedule, nextAfter } from "../core/schedule.ts";
import type { Clock } from "../lib/clock.ts";
import { reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { bell } from "../lib/loop.ts";
import type { Run, RunCommit, Store } from "../store/store.ts";
import type { Counts } from "./counts.ts";
import type { Known } from "./known.ts";
import { openLateness } from "./lateness.ts";
import type { TaskPage } from "./pages.ts";
import { openQueue, type Task } from "./queue.ts";

type Kind = RunCommit["of"];

export type SchedulerOptions = {
  readonly known: Known;
  readonly store: Pick<Store, "commit">;
  readonly counts: Counts;
  readonly clock: Clock;
  readonly log: Log;
  /** Runs a task that begins `lateMs` after it should; gives what went wrong, or null. Never throws. */
  readonly run: (task: Task, lateMs: number) => Promise<string | null>;
  readonly room?: Room | undefined;
};

/** Tasks that wait at most, and that run at once. */
export type Room = { readonly most: number; readonly workers: number };

/** A refresh waits for its slowest agent, and costs little meanwhile. */
const ROOM: Room = { most: 20_000, workers: 1_024 };
/** Due tasks taken in one turn of the loop. */
const BATCH = 256;
/** The loop rests this long between two ticks, so that what is due together goes together. */
const TICK_MS = 5;
/** Next times are written this often; after a crash a run is made again at worst, never left out. */
const KEEP_MS = 1_000;

export function openScheduler(options: SchedulerOptions) {
  const { known, counts, clock, log } = options;
  const schedule = createSchedule();
  const lateness = openLateness();
  const changed = bell();
  const unkept = new Map<string, RunCommit>();
  // Times are the wall clock's as it was at the start, and never go back afterwards.
  const origin = clock.wall() - clock.now();
  const time = () => origin + clock.now();
  const queue = openQueue({ ...(options.room ?? ROOM), run, clock });
  let keptAt = clock.now();

  async function run(task: Task): Promise<void> {
    const lateMs = Math.max(0, time() - task.expectedAt);
    const kind: Kind = task.kind === "refresh" ? "cluster" : "discovery";
    const of = holderOf(kind, task.name);
    lateness.add(clock.now(), lateMs);
    if (of === null) return;
    const started_at = clock.wall();
    of.lateMs = lateMs;
    const error = await options.run(task, lateMs);
    of.run = { next_at: of.run?.next_at ?? time(), started_at, ended_at: clock.wall(), error };
    keepLater(kind, task.name, of.run);
  }

  function holderOf(kind: Kind, name: string) {
    return (kind === "discovery" ? known.discoveries.get(name) : known.clusters.get(name)) ?? null;
  }

  function keepLater(kind: Kind, name: string, run: Run): void {
    unkept.set(`${kind} ${name}`, { kind: "run", of: kind, name, run });
  }

  /** Offers what is due. */
  function tick(): void {
    for (const { name: key, expectedAt } of schedule.due(time(), BATCH)) {
      const [kind, name] = parted(key);
      counts.scheduled++;
      const task = { kind: kind === "cluster" ? "refresh" : "discovery", name, expectedAt } as const;
      if (queue.offer({ ...task, reason: "schedule" }) === "full") {
        counts.queueFull++;
        log.warn({ task: task.kind, name }, "queue is full, run left out");
      }
      const of = holderOf(kind, name);
      const next_at = schedule.get(key)?.nextAt ?? time();
      if (of === null) continue;
      of.run = { started_at: null, ended_at: null, error: null, ...of.run, next_at };
      keepLater(kind, name, of.run);
    }
  }

  async function keep(): Promise<void> {
    keptAt = clock.now();
    if (unkept.size === 0) return;
    const commits = [...unkept.values()];
    unkept.clear();
    // Whatever is not written is written with the next run; it only decides when a restarted coordinator begins.
    await options.store
      .commit(commits)
      .catch((error: unknown) => log.warn({ error: reason(error) }, "next times not kept"));
  }

  /** Schedules what is enabled, and takes off what is not or is gone. `at`: at once, or where its last run left off. */
  function set(kind: Kind, name: string, at: "now" | "kept"): void {
    const key = `${kind} ${name}`;
    const settings = settingsOf(kind, name, known);
    if (settings === null) {
      schedule.remove(key);
      return;
    }
    const { interval_ms: intervalMs } = settings;
    const kept = at === "kept" ? (holderOf(kind, name)?.run?.next_at ?? 0) : 0;
    // A clock that was put back while nobody ran must not put a run off for more than its interval.
    const nextAt = kept > time() + intervalMs ? nextAfter(time(), intervalMs, key) : Math.max(kept, time());
    schedule.set({ name: key, intervalMs, nextAt });
    changed.ring();
  }

  return {
    lateness: () => lateness.read(clock.now()),
    tasks: queue.tasks,
    set,
    /** Schedules it at once where it is to be run and nobody schedules it; what is scheduled keeps its time. */
    ensure(kind: Kind, name: string): void {
      const isScheduled = schedule.get(`${kind} ${name}`) !== null;
      if (!isScheduled || settingsOf(kind, name, known) === null) set(kind, name, "now");
    },
    /** Asks for a run now, beside the schedule. */
    ask: (kind: TaskPage["kind"], name: string) =>
      queue.offer({ kind, name, reason: "request", expectedAt: time() }),
    /** Ticks until aborted; then waits for what runs, and keeps the next times. */
    async loop(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        tick();
        if (clock.now() - keptAt >= KEEP_MS) await keep();
        const ms = (schedule.nextAt() ?? Infinity) - time();
        await changed.wait(clock, Math.min(KEEP_MS, Math.max(TICK_MS, ms)), signal);
      }
      await queue.close();
      await keep();
    },
  };
}
export type Scheduler = ReturnType<typeof openScheduler>;

/** Null: not to be run. */
function settingsOf(kind: Kind, name: string, known: Known): { readonly interval_ms: number } | null {
  const settings =
    kind === "discovery" ? known.discoveries.get(name)?.settings : known.clusters.get(name)?.settings;
  if (settings === undefined || !settings.enabled) return null;
  return kind === "discovery" || known.listers(name).length > 0 ? settings : null;
}

function parted(key: string): readonly [Kind, string] {
  const at = key.indexOf(" ");
  return [key.slice(0, at) === "cluster" ? "cluster" : "discovery", key.slice(at + 1)];
}
