/** Tasks that wait for a worker, and the workers. A task that waits already is not added again; a full queue says so. */
import type { Clock } from "../lib/clock.ts";
import type { TaskPage } from "./pages.ts";

/** One run of a discovery or of a cluster's refresh. `expectedAt`: when it should have begun, on the schedule's clock. */
export type Task = {
  readonly kind: TaskPage["kind"];
  readonly name: string;
  readonly reason: TaskPage["reason"];
  readonly expectedAt: number;
};

export type QueueOptions = {
  /** How many may wait. */
  readonly most: number;
  readonly workers: number;
  /** Never throws. */
  readonly run: (task: Task) => Promise<void>;
  readonly clock: Pick<Clock, "now">;
};

export function openQueue({ most, workers, run, clock }: QueueOptions) {
  const waiting = new Map<string, { task: Task; since: number }>();
  const running = new Map<object, { task: Task; since: number }>();
  let idle = Promise.withResolvers<void>();

  function start(): void {
    for (const [name, { task }] of waiting) {
      if (running.size >= workers) return;
      waiting.delete(name);
      const mark = {};
      running.set(mark, { task, since: clock.now() });
      void run(task).finally(() => {
        running.delete(mark);
        start();
        if (running.size === 0) idle.resolve();
      });
    }
  }

  return {
    /** `full`: the task is dropped, and its next scheduled run is the next chance. */
    offer(task: Task): "queued" | "waiting" | "full" {
      const name = `${task.kind} ${task.name}`;
      if (waiting.has(name)) return "waiting";
      if (waiting.size >= most) return "full";
      waiting.set(name, { task, since: clock.now() });
      start();
      return "queued";
    },
    /** What waits and what runs, the oldest first. */
    tasks(): readonly TaskPage[] {
      const now = clock.now();
      const page = (state: TaskPage["state"]) => (one: { task: Task; since: number }) => ({
        kind: one.task.kind,
        name: one.task.name,
        state,
        reason: one.task.reason,
        since_ms: Math.round(now - one.since),
      });
      return [...[...running.values()].map(page("running")), ...[...waiting.values()].map(page("queued"))];
    },
    /** Drops what waits, and resolves once nothing runs any more. */
    async close(): Promise<void> {
      waiting.clear();
      if (running.size === 0) return;
      idle = Promise.withResolvers<void>();
      await idle.promise;
    },
  };
}
