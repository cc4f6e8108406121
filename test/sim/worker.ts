/** A thread that runs schedules: gets `{from, to}`, gives a summary of the seeds from `from` up to before `to`. */
import { parentPort } from "node:worker_threads";
import { addResult, noResults } from "./report.ts";
import { runSchedule } from "./schedule.ts";

// Every abort makes an error, and nobody reads where it was made.
Error.stackTraceLimit = 0;

parentPort?.on("message", async ({ from, to }: { from: number; to: number }) => {
  const sum = noResults();
  for (let seed = from; seed < to; seed++) addResult(sum, await runSchedule({ seed }));
  parentPort?.postMessage(sum);
});
