/** Schedules over two threads. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { addSummary, noResults, type Summary } from "./report.ts";
import type { Order } from "./worker.ts";

export type Task = {
  readonly first: number;
  /** How many at most. */
  readonly schedules: number;
  /** Null: the coordinator as it is shipped. */
  readonly mutant?: string | null;
  /** Told each block when it is done; true ends it all. */
  readonly done?: (block: Summary) => boolean;
};

const THREADS = 2;
/** What a thread takes at once. A mutant is mostly found in the first few. */
const BLOCK = { shipped: 20, mutant: 5 } as const;

/** Runs the seeds in blocks, which come in any order, and gives what they came to. */
export async function runThreads({ first, schedules, mutant = null, done }: Task): Promise<Summary> {
  const sum = noResults();
  let next = first;
  let over = false;
  const block = mutant === null ? BLOCK.shipped : BLOCK.mutant;
  const thread = async () => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: 64 },
    });
    try {
      while (!over && next < first + schedules) {
        const order: Order = { from: next, to: Math.min(first + schedules, next + block), mutant };
        next = order.to;
        worker.postMessage(order);
        // Rejects where the thread fails.
        const [results] = (await once(worker, "message")) as [Summary];
        addSummary(sum, results);
        over ||= done?.(results) ?? false;
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(THREADS, Math.ceil(schedules / block)) }, thread));
  return sum;
}
