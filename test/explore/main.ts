/**
 * `npm run explore`: every kept scope, limit and mutant, one line for each exploration. `--traces` shows how
 * each limit and mutant fails, one move to a line; `--only NAME` runs what has NAME in its name, with traces.
 * Exits with 1 if anything is not as it must be.
 */
import { parseArgs } from "node:util";
import { names, report, told } from "./report.ts";

const { values } = parseArgs({ options: { traces: { type: "boolean" }, only: { type: "string" } } });
const print = (line: string) => process.stdout.write(`${line}\n`);
const began = performance.now();
const chosen = names.filter(({ name }) => values.only === undefined || name.includes(values.only));
const failed: string[] = [];
let states = 0;

for (const { kind, name } of chosen) {
  const about = await report(kind, name);
  for (const line of told(about, values.traces === true || values.only !== undefined)) print(line);
  for (const run of about.runs) states += run.states;
  if (!about.ok) failed.push(name);
}

const seconds = ((performance.now() - began) / 1000).toFixed(0);
print(`${chosen.length} cases, ${states.toLocaleString("en")} states, ${seconds} s`);
if (chosen.length === 0) print(`there is no case with "${values.only}" in its name`);
for (const name of failed) print(`not as it must be: ${name}`);
process.exitCode = failed.length === 0 && chosen.length > 0 ? 0 : 1;
