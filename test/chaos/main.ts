/**
 * `npm run chaos -- formation --runs N --mode M,M`: N formations of real agents a mode, one of them killed, restarted
 * or held in most, on real stores and name servers. `--seconds T` instead of a number runs as many as T seconds give
 * each mode; `--seed S` repeats plans; `--outages` kills what they agree through too (mode disco); `--db rqlite` puts
 * a real rqlited beside each agent.
 *
 * `npm run chaos -- clients --seconds T --clients N --kills K`: N clients that register on one id of a Discovery Service
 * for T seconds, while it is killed K times.
 *
 * Exits with 1 after a violation. Needs the bundle (`npm run build`).
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { quantile } from "../../bench/figures.ts";
import { startDiscoveryService } from "../support/discovery-services.ts";
import { MODES, type ModeName, openMode } from "../support/modes.ts";
import { besiege } from "./clients.ts";
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
    clients: { type: "string", default: "50" },
    kills: { type: "string", default: "0" },
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

const siege = {
  clients: Number(values.clients),
  forMs: Number(values.seconds ?? 60) * 1_000,
  kills: Number(values.kills),
  seed: first,
};

if (positionals.join() === "clients" && !Object.values(siege).some(Number.isNaN)) {
  process.exitCode = (await clients()) === 0 ? 0 : 1;
} else if (
  positionals.join() !== "formation" ||
  modes.length < names.length ||
  (values.outages && values.mode !== "disco") ||
  !["none", "rqlite"].includes(values.db) ||
  Number.isNaN(first + most + lastMs)
) {
  print(
    `usage: npm run chaos -- formation [--runs N | --seconds T] [--mode ${MODES.join()}] [--seed S] [--outages, in mode disco] [--db rqlite]
       npm run chaos -- clients [--seconds T] [--clients N] [--kills K] [--seed S]`,
  );
  process.exitCode = 2;
} else {
  print(`formations from seed ${first} on, beside ${beside === "rqlite" ? "rqlited" : "a stand-in"}`);
  let bad = 0;
  for (const mode of modes) bad += await formations(mode);
  process.exitCode = bad === 0 ? 0 : 1;
}

/** Clients at one id; how much was wrong in the end. */
async function clients(): Promise<number> {
  const service = await startDiscoveryService(["-log-level=error"]);
  try {
    print(`${siege.clients} clients on one id for ${siege.forMs / 1_000} s, from seed ${first}`);
    const { registrations, removals, repeated, kills, times, wrong } = await besiege(service, siege);
    for (const what of wrong.slice(0, 20)) print(`VIOLATION: ${what}`);
    print(
      [
        `${registrations} registrations and ${removals} removals acknowledged, ${wrong.length} violations`,
        `${(registrations / (siege.forMs / 1_000)).toFixed(0)} registrations a second`,
        `p50 ${quantile(times, 0.5).toFixed(1)}, p99 ${quantile(times, 0.99).toFixed(1)} ms`,
        `${kills} kills, ${repeated} requests repeated`,
        `load ${loadavg()[0]?.toFixed(1)}`,
      ].join("; "),
    );
    return wrong.length;
  } finally {
    await service.stop();
  }
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
