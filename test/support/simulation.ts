/** What the simulators have in common: seeds over two threads, and the flags and the end of the command that runs them. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** Seeds from `first` on, so many at most. */
export type Seeds = { readonly first: number; readonly schedules: number };

export type Threads<Order, Summary> = Seeds & {
  /** Takes orders as messages, and answers each with a summary. */
  readonly worker: URL;
  /** How many seeds a thread takes at once. */
  readonly block: number;
  /** For the seeds from `from` up to before `to`. */
  readonly order: (from: number, to: number) => Order;
  /** Told each block when it is done; true ends it all. */
  readonly done: (block: Summary) => boolean;
};

const THREADS = 2;

/** Runs the seeds in blocks, which come in any order. Rejects where a thread fails. */
export async function overThreads<Order, Summary>(task: Threads<Order, Summary>): Promise<void> {
  const { first, schedules, worker: program, block, order, done } = task;
  let next = first;
  let over = false;
  const thread = async () => {
    const worker = new Worker(program, { resourceLimits: { maxYoungGenerationSizeMb: 64 } });
    try {
      while (!over && next < first + schedules) {
        const from = next;
        next = Math.min(first + schedules, from + block);
        worker.postMessage(order(from, next));
        const [results] = (await once(worker, "message")) as [Summary];
        over ||= done(results);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(THREADS, Math.ceil(schedules / block)) }, thread));
}

/** The flags that every simulator's command takes. */
export const FLAGS = {
  seed: { type: "string", default: "1" },
  schedules: { type: "string" },
  seconds: { type: "string" },
  least: { type: "string", default: "0" },
  mutant: { type: "string" },
  trace: { type: "boolean", default: false },
} as const;

type Values = {
  readonly seed: string;
  readonly schedules?: string | undefined;
  readonly seconds?: string | undefined;
};

/** The seeds that were asked for: without a number 200, or as many as the seconds give. */
export function seedsOf({ seed, schedules, seconds }: Values): Seeds & { readonly untilMs: number } {
  const most = Number(schedules ?? (seconds === undefined ? 200 : Infinity));
  const untilMs = seconds === undefined ? Infinity : Number(seconds) * 1_000;
  return { first: Number(seed), schedules: most, untilMs };
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/**
 * Prints what came of it, and the kinds of fault that took effect in fewer schedules than `least`. Gives the exit code:
 * 1 where there are such, or violations.
 */
export function conclude<Kind extends string>(
  sum: {
    readonly hit: Readonly<Partial<Record<Kind, number>>>;
    readonly violations: readonly unknown[];
  },
  lines: readonly string[],
  { kinds, least }: { readonly kinds: readonly Kind[]; readonly least: number },
): number {
  for (const line of lines) print(line);
  const rare = kinds.filter((kind) => (sum.hit[kind] ?? 0) < least);
  for (const kind of rare) print(`hit in fewer than ${least} schedules: ${kind}`);
  return sum.violations.length === 0 && rare.length === 0 ? 0 : 1;
}
