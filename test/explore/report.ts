/** One case by its name, run and told: the same for the command, for the worker and for the tests. */
import { type Run, runKept, runLimit, runMutant } from "./cases.ts";
import { limits } from "./limits.ts";
import { mutants } from "./mutants.ts";
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

/** Every case there is, in the order in which they are told. */
export const names: readonly { readonly kind: Kind; readonly name: string }[] = [
  ...Object.keys(keptScopes).map((name) => ({ kind: "scope" as const, name })),
  ...Object.keys(limits).map((name) => ({ kind: "limit" as const, name })),
  ...Object.keys(mutants).map((name) => ({ kind: "mutant" as const, name })),
];

/** Runs one case. Throws where there is none of that name. */
export async function report(kind: Kind, name: string): Promise<Report> {
  const of = { scope: keptScopes, limit: limits, mutant: mutants }[kind][name];
  if (of === undefined) throw new RangeError(`there is no ${kind} "${name}"`);
  const runs = await runsOf(kind, name);
  return { kind, name, about: of.about, runs, ok: runs.every((run) => run.verdict === run.expected) };
}

async function runsOf(kind: Kind, name: string): Promise<Run[]> {
  const kept = kind === "scope" ? keptScopes[name] : undefined;
  if (kept !== undefined) return [runKept(kept)];
  const limit = kind === "limit" ? limits[name] : undefined;
  if (limit !== undefined) return runLimit(limit);
  const mutant = mutants[name];
  return mutant === undefined ? [] : await runMutant(mutant);
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
