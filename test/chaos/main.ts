/**
 * `npm run chaos -- formation --runs N --mode M,M`: N formations of real agents a mode, one of them killed, restarted
 * or held in most, on real stores and name servers. `--seconds T` instead of a number runs as many as T seconds give
 * each mode; `--seed S` repeats plans; `--outages` kills what they agree through too (mode disco); `--db rqlite` puts a real rqlited beside each agent. Exits with 1 after a
 * violation. Needs the bundle (`npm run build`).
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { quantile } from "../../bench/figures.ts";
import { MODES, type ModeName, openMode } from "../support/modes.ts";
import { type Beside, type Formed, form } from "./formation.ts";
import { planOf } from "./plan.ts";

delete process.env.NODE_EXTRA_CA_CERTS;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string" },
    seconds: { type: "string" },
    mode: { type: "string", default: MODES.join() },
    seed: { type: "string" },
    db: { type: "string", default: "none" },
    outages: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});
const names = values.mode.split(",");
const modes = names.filter((name): name is ModeName => MODES.some((mode) => mode === name));
const beside: Beside = values.db === "rqlite" ? "rqlite" : "stand-in";
const first = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const most = Number(values.runs ?? (values.seconds === undefined ? 200 : Infinity));
const lastMs = Number(values.seconds ?? Infinity) * 1_000;

// What was started ends with this process: by a signal it would end without its exit hooks.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const print = (line: string) => process.stdout.write(`${line}\n`);
const command = (mode: ModeName, seed: number) =>
  `npm run chaos -- formation --mode ${mode} --seed ${seed} --runs 1${values.outages ? " --outages" : ""}${beside === "rqlite" ? " --db rqlite" : ""}`;

if (
  positionals.join() !== "formation" ||
  modes.length < names.length ||
  (values.outages && values.mode !== "disco") ||
  !["none", "rqlite"].includes(values.db) ||
  Number.isNaN(first + most + lastMs)
) {
  print(
    `usage: npm run chaos -- formation [--runs N | --seconds T] [--mode ${MODES.join()}] [--seed S] [--outages, in mode disco] [--db rqlite]`,
  );
  process.exitCode = 2;
} else {
  print(`formations from seed ${first} on, beside ${beside === "rqlite" ? "rqlited" : "a stand-in"}`);
  let bad = 0;
  for (const mode of modes) bad += await formations(mode);
  process.exitCode = bad === 0 ? 0 : 1;
}

/** All formations of one mode, one after the other; how many of them were not as they must be. */
async function formations(name: ModeName): Promise<number> {
  const mode = await openMode(name);
  const done: Formed[] = [];
  const began = performance.now();
  try {
    while (done.length < most && performance.now() - began < lastMs) {
      const formed = await form(planOf(first + done.length, values), mode, beside);
      done.push(formed);
      for (const what of wrongIn(formed)) print(`VIOLATION: ${what}\n  ${command(name, formed.plan.seed)}`);
      if (values.verbose) print(`${name} seed ${formed.plan.seed}: ${formed.settledMs?.toFixed(0)} ms`);
    }
  } finally {
    await mode.end();
  }
  print(line(name, done, (performance.now() - began) / 1_000));
  return done.filter((formed) => wrongIn(formed).length > 0).length;
}

function wrongIn({ doubles, unsettled }: Formed): readonly string[] {
  return unsettled === null ? doubles : [...doubles, unsettled];
}

function line(name: ModeName, done: readonly Formed[], seconds: number): string {
  const times = (some: readonly Formed[]) =>
    some.flatMap(({ settledMs }) => (settledMs === null ? [] : [settledMs]));
  const p = (q: number, some: readonly Formed[]) => `p${q * 100} ${quantile(times(some), q).toFixed(0)}`;
  const unsettled = done.filter((formed) => formed.unsettled !== null).length;
  const doubles = done.filter((formed) => formed.doubles.length > 0).length;
  const calm = done.filter(({ plan }) => plan.blow === null && plan.outages.length === 0);
  const outages = done.reduce((sum, { plan }) => sum + plan.outages.length, 0);
  const met = done.reduce((sum, formed) => sum + formed.met, 0);
  return [
    `${name}: ${done.length} formations in ${seconds.toFixed(0)} s, ${doubles} double clusters, ${unsettled} unsettled`,
    `${p(0.5, done)}, ${p(0.99, done)} ms from the last start to all settled`,
    ...(outages === 0 ? [] : [`${outages} outages, ${met} of them while a cluster formed`]),
    ...(calm.length === 0
      ? []
      : [`${calm.length} of them undisturbed: ${p(0.5, calm)}, ${p(0.99, calm)} ms`]),
    `load ${loadavg()[0]?.toFixed(1)}`,
  ].join("; ");
}
