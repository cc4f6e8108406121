/**
 * `npm run sim:coordinator -- --seed S --schedules N`: N simulated schedules from seed S on, over two threads. With
 * `--seconds T` as many as that time gives; `--trace` prints all that happens in them; `--mutant NAME` runs another
 * coordinator. Exits with 1 after a violation, or where a kind of fault took effect in fewer schedules than `--least`.
 */
import { parseArgs } from "node:util";
import { kinds } from "./faults.ts";
import { mutantProgram, mutants } from "./mutants.ts";
import { addResult, noResults, replay, report, type Summary } from "./report.ts";
import { runSchedule } from "./schedule.ts";
import { runThreads } from "./threads.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    schedules: { type: "string" },
    seconds: { type: "string" },
    least: { type: "string", default: "0" },
    mutant: { type: "string" },
    trace: { type: "boolean", default: false },
  },
});
const first = Number(values.seed);
const untilMs = values.seconds === undefined ? Infinity : Number(values.seconds) * 1_000;
const schedules = Number(values.schedules ?? (values.seconds === undefined ? 200 : Infinity));
const mutant = values.mutant ?? null;
if (mutant !== null && mutants[mutant] === undefined)
  throw new Error(`there is no mutant "${mutant}"; there are:\n  ${Object.keys(mutants).join("\n  ")}`);

const print = (line: string) => process.stdout.write(`${line}\n`);
const began = performance.now();
const sum = values.trace || schedules === 1 ? await here() : await threads();
for (const line of report(sum, (performance.now() - began) / 1_000)) print(line);
const rare = kinds.filter((kind) => (sum.hit[kind] ?? 0) < Number(values.least));
for (const kind of rare) print(`hit in fewer than ${values.least} schedules: ${kind}`);
process.exitCode = sum.violations.length === 0 && rare.length === 0 ? 0 : 1;

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
