/** One case by its name, run and told: the same for the command, for the worker and for the tests. */
import {
  type Kept,
  type Limit,
  type Mutant,
  type Run,
  register,
  runKept,
  runLimit,
  runMutant,
  store,
} from "./cases.ts";
import { limits } from "./limits.ts";
import { mutants } from "./mutants.ts";
import { registerLimits } from "./register-limits.ts";
import { registerMutants } from "./register-mutants.ts";
import { registerScopes } from "./register-scopes.ts";
import { keptScopes } from "./scopes.ts";

export type Kind = "scope" | "limit" | "mutant";
export type Report = {
  readonly kind: Kind;
  readonly name: string;
  readonly about: string;
  readonly runs: readonly Run[];
  /** Everything is as it must be. */
  readonly ok: boolean;
};

/** Something to explore. `long`: not in the tests of every change. */
type Case = {
  readonly kind: Kind;
  readonly name: string;
  readonly about: string;
  readonly long: boolean;
  run(): Promise<Run[]>;
};

const cases: readonly Case[] = [
  ...listed("scope", keptScopes, async (kept: Kept) => [runKept(store, kept)]),
  ...listed("limit", limits, async (limit: Limit) => runLimit(store, limit)),
  ...listed("mutant", mutants, (mutant: Mutant) => runMutant(store, mutant)),
  ...listed("scope", registerScopes, async (kept) => [runKept(register, kept)]),
  ...listed("limit", registerLimits, async (limit) => runLimit(register, limit)),
  ...listed("mutant", registerMutants, (mutant) => runMutant(register, mutant)),
];

/** Every case there is, in the order in which they are told. */
export const names: readonly Pick<Case, "kind" | "name" | "long">[] = cases;

/** Runs one case. Throws where there is none of that name. */
export async function report(kind: Kind, name: string): Promise<Report> {
  const of = cases.find((one) => one.kind === kind && one.name === name);
  if (of === undefined) throw new RangeError(`there is no ${kind} "${name}"`);
  const runs = await of.run();
  return { kind, name, about: of.about, runs, ok: runs.every((run) => run.verdict === run.expected) };
}

function listed<T extends { readonly about: string; readonly long?: true }>(
  kind: Kind,
  from: Readonly<Record<string, T>>,
  run: (of: T) => Promise<Run[]>,
): Case[] {
  return Object.entries(from).map(([name, of]) => ({
    kind,
    name,
    about: of.about,
    long: of.long === true,
    run: () => run(of),
  }));
}

/** A report as lines: one for each exploration, and the traces where they are asked for or something is wrong. */
export function told({ kind, name, about, runs, ok }: Report, traces: boolean): string[] {
  return runs.flatMap((run, at) => {
    const label = at === 0 ? `${kind}: ${name}` : `  ${run.of}`;
    const line = `${run.verdict === run.expected ? "ok  " : "FAIL"} ${label.padEnd(68)} ${numbers(run)}  ${outcome(run)}`;
    const head = at === 0 && traces ? [line, `       ${about}`] : [line];
    return traces || run.verdict !== run.expected || !ok ? [...head, ...traceOf(run)] : head;
  });
}

function numbers({ states, transitions, seconds }: Run): string {
  const count = (n: number) => n.toLocaleString("en").padStart(10);
  return `${count(states)} states ${count(transitions)} transitions ${seconds.toFixed(1).padStart(6)} s`;
}

function outcome({ of, verdict, expected, trace, what }: Run): string {
  const found = trace.length > 0 ? `${verdict} after ${trace.length} moves: ${what}` : verdict;
  const wanted = verdict === expected ? "" : `, not ${expected}`;
  return of === "mutant"
    ? `${verdict === expected ? "caught" : "MISSED"}, ${found}${wanted}`
    : `${found}${wanted}`;
}

function traceOf({ trace }: Run): string[] {
  return trace.map((move, at) => `       ${String(at + 1).padStart(3)}  ${move}`);
}
