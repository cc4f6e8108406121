/**
 * A thread that runs schedules: gets an order, gives a summary. Node loads the mutants' files itself here, which a
 * test runner's loader would not.
 */
import { parentPort } from "node:worker_threads";
import { mutantProgram, mutants } from "./mutants.ts";
import { addResult, noResults } from "./report.ts";
import { runSchedule } from "./schedule.ts";
import type { Program } from "./world.ts";

/** The seeds from `from` up to before `to`; null: the coordinator as it is shipped. */
export type Order = { readonly from: number; readonly to: number; readonly mutant: string | null };

// Every abort makes an error, and nobody reads where it was made.
Error.stackTraceLimit = 0;
const programs = new Map<string, Promise<Program>>();

parentPort?.on("message", async ({ from, to, mutant }: Order) => {
  const sum = noResults();
  const program = mutant === null ? {} : { program: await programOf(mutant) };
  for (let seed = from; seed < to; seed++) addResult(sum, await runSchedule({ seed, ...program }));
  parentPort?.postMessage(sum);
});

function programOf(name: string): Promise<Program> {
  const mutant = mutants[name];
  if (mutant === undefined) throw new Error(`there is no mutant "${name}"`);
  const program = programs.get(name) ?? mutantProgram(mutant);
  programs.set(name, program);
  return program;
}
