/**
 * `npm run sim -- --seed S --schedules N`: N simulated schedules from seed S on, over two threads. `--seconds T`
 * instead of a number runs as many as T seconds give; `--trace` prints what happens in them, one line each. Exits
 * with 1 after a violation, or where a kind of fault was hit in fewer schedules than `--least`.
 */
import { once } from "node:events";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { kinds } from "./faults.ts";
import { addResult, addSummary, noResults, replay, report, type Summary } from "./report.ts";
import { runSchedule } from "./schedule.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    schedules: { type: "string" },
    seconds: { type: "string" },
    least: { type: "string", default: "0" },
    trace: { type: "boolean", default: false },
  },
});
const first = Number(values.seed);
const most =
  values.schedules === undefined && values.seconds !== undefined ? Infinity : Number(values.schedules ?? 200);
const lastMs = values.seconds === undefined ? Infinity : Number(values.seconds) * 1_000;
const THREADS = 2;
const BLOCK = 25;
let next = first;

const print = (line: string) => process.stdout.write(`${line}\n`);
const sum = noResults();
const began = performance.now();
if (values.trace || most === 1) await here();
else await Promise.all(Array.from({ length: Math.min(THREADS, Math.ceil(most / BLOCK)) }, thread));
const seconds = (performance.now() - began) / 1_000;
for (const line of report(sum, seconds)) print(line);
const rare = kinds.filter((kind) => (sum.hit[kind] ?? 0) < Number(values.least));
for (const kind of rare) print(`hit in fewer than ${values.least} schedules: ${kind}`);
process.exitCode = sum.violations.length === 0 && rare.length === 0 ? 0 : 1;

async function here(): Promise<void> {
  for (let seed = first; seed < first + most; seed++) {
    const result = await runSchedule({ seed, ...(values.trace ? { print } : {}) });
    addResult(sum, result);
    print(`seed ${seed}: trace ${result.hash}, ${result.events} events, ${result.formed} formed`);
  }
}

/** Takes block after block until there is none left, or the time is over. */
async function thread(): Promise<void> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url));
  const failed = once(worker, "error").then(([error]) => Promise.reject(error));

  while (next < first + most && performance.now() - began < lastMs) {
    const from = next;
    next = Math.min(first + most, from + BLOCK);
    worker.postMessage({ from, to: next });
    const done = await Promise.race([once(worker, "message"), failed]).then(([sum]) => sum as Summary);
    for (const { seed, what } of done.violations) print(`VIOLATION: ${what}\n  ${replay(seed)}`);
    addSummary(sum, done);
  }
  await worker.terminate();
}
