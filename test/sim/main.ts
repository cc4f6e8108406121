/**
 * `npm run sim -- --seed S --schedules N`: N simulated schedules from seed S on, over two threads. With `--seconds T`
 * as many as that time gives; `--trace` prints all that happens in them; `--mode names` (or `store`) has only those;
 * `--mutant NAME` runs another agent, in the mode that it is wrong in. Exits
 * with 1 after a violation, or where a kind of fault took effect in fewer schedules than `--least`.
 */
import { parseArgs } from "node:util";
import { conclude, FLAGS, print, seedsOf } from "../support/simulation.ts";
import { kinds } from "./faults.ts";
import { mutantProgram, mutants } from "./mutants.ts";
import { addResult, noResults, replay, report, type Summary } from "./report.ts";
import { runSchedule } from "./schedule.ts";
import { runThreads } from "./threads.ts";

const { values } = parseArgs({ options: { ...FLAGS, mode: { type: "string" } } });
const { first, schedules, untilMs } = seedsOf(values);

const mode =
  values.mode === "store" || values.mode === "names"
    ? values.mode
    : (mutants[values.mutant ?? ""]?.mode ?? null);

const began = performance.now();
const sum = values.trace || schedules === 1 ? await here() : await threads();
const lines = report(sum, (performance.now() - began) / 1_000);
process.exitCode = conclude(sum, lines, { kinds, least: Number(values.least) });

/** One after the other, with what each came to. */
async function here(): Promise<Summary> {
  const all = noResults();
  const mutant = mutants[values.mutant ?? ""];
  const program = mutant === undefined ? {} : { program: await mutantProgram(mutant) };
  for (let seed = first; seed < first + schedules; seed++) {
    const result = await runSchedule({ seed, mode, ...program, ...(values.trace ? { print } : {}) });
    addResult(all, result);
    print(`seed ${seed}: trace ${result.hash}, ${result.events} events, ${result.formed} formed`);
  }
  return all;
}

function threads(): Promise<Summary> {
  return runThreads({
    first,
    schedules,
    mode,
    mutant: values.mutant ?? null,
    done(block) {
      for (const { seed, what } of block.violations)
        print(`VIOLATION: ${what}\n  ${replay(seed)}${mode === null ? "" : ` --mode ${mode}`}`);
      return performance.now() - began > untilMs;
    },
  });
}
