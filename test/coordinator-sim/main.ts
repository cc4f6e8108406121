/**
 * `npm run sim:coordinator -- --seed S --schedules N`: N simulated schedules from seed S on, over two threads. With
 * `--seconds T` as many as that time gives; `--trace` prints all that happens in them; `--mutant NAME` runs another
 * coordinator. Exits with 1 after a violation, or where a kind of fault took effect in fewer schedules than `--least`.
 */
import { parseArgs } from "node:util";
import { conclude, FLAGS, print, seedsOf } from "../support/simulation.ts";
import { kinds } from "./faults.ts";
import { mutantProgram, mutants } from "./mutants.ts";
import { addResult, noResults, replay, report, type Summary } from "./report.ts";
import { runSchedule } from "./schedule.ts";
import { runThreads } from "./threads.ts";

const { values } = parseArgs({ options: FLAGS });
const { first, schedules, untilMs } = seedsOf(values);
const mutant = values.mutant ?? null;
if (mutant !== null && mutants[mutant] === undefined)
  throw new Error(`there is no mutant "${mutant}"; there are:\n  ${Object.keys(mutants).join("\n  ")}`);

const began = performance.now();
const sum = values.trace || schedules === 1 ? await here() : await threads();
const lines = report(sum, (performance.now() - began) / 1_000);
process.exitCode = conclude(sum, lines, { kinds, least: Number(values.least) });

/** One after the other, with what each came to. */
async function here(): Promise<Summary> {
  const all = noResults();
  const wrong = mutants[mutant ?? ""];
  const program = wrong === undefined ? {} : { program: await mutantProgram(wrong) };
  for (let seed = first; seed < first + schedules; seed++) {
    const result = await runSchedule({ seed, ...program, ...(values.trace ? { print } : {}) });
    addResult(all, result);
    tell(all.violations.splice(0));
    all.violations.push(...result.violations.map((what) => ({ seed, what })));
    print(`seed ${seed}: trace ${result.hash}, ${result.happened} moments, ${result.committed} events`);
  }
  return all;
}

function threads(): Promise<Summary> {
  return runThreads({
    ...{ first, schedules, mutant },
    done({ violations }) {
      tell(violations);
      return performance.now() - began > untilMs;
    },
  });
}

function tell(violations: Summary["violations"]): void {
  for (const { seed, what } of violations) print(`VIOLATION: ${what}\n  ${replay(seed, mutant)}`);
}
