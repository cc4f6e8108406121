/** Schedules over two threads. */
import { overThreads, type Seeds } from "../support/simulation.ts";
import { addSummary, noResults, type Summary } from "./report.ts";
import type { Order } from "./worker.ts";

export type Task = Seeds & {
  /** Null: the coordinator as it is shipped. */
  readonly mutant?: string | null;
  /** Told each block when it is done; true ends it all. */
  readonly done?: (block: Summary) => boolean;
};

/** What a thread takes at once. A mutant is mostly found in the first few. */
const BLOCK = { shipped: 20, mutant: 5 } as const;

/** Runs the seeds in blocks, which come in any order, and gives what they came to. */
export async function runThreads(task: Task): Promise<Summary> {
  const { first, schedules, mutant = null, done } = task;
  const sum = noResults();
  await overThreads<Order, Summary>({
    ...{ first, schedules },
    worker: new URL("./worker.ts", import.meta.url),
    block: mutant === null ? BLOCK.shipped : BLOCK.mutant,
    order: (from, to) => ({ from, to, mutant }),
    done(results) {
      addSummary(sum, results);
      return done?.(results) ?? false;
    },
  });
  return sum;
}
