/** What is explored, and what must come out of it: kept scopes, limits, mutants, and the run that judges each. */
import { explore, type Found } from "./explore.ts";
import { genesisModel } from "./genesis-model.ts";
import { type Edit, mutant, shipped } from "./mutate.ts";
import { registerModel } from "./register-model.ts";
import { type RegisterDifference, type RegisterProtocol, registerScope } from "./register-scope.ts";
import { type Difference, type Protocol, scope } from "./scope.ts";

/** What one exploration found. `incomplete`: the bound came first, and nothing is shown. */
export type Verdict = "safe" | "violation" | "stuck" | "incomplete";

/** The shipped protocol must be complete, safe, and, where the scope is live, never stuck. `D`: what scopes are said in. */
export type Kept<D = Difference> = {
  readonly about: string;
  readonly scope: D;
  /** Too long for the tests of every change: `npm run explore` only. */
  readonly long?: true;
};

/** The shipped protocol must be seen to fail here: this is where its guarantees end. */
export type Limit<D = Difference> = {
  readonly about: string;
  readonly scope: D;
  readonly shows: "violation" | "stuck";
  /** What closes the limit, and the scope in which it must be seen to. */
  readonly closedBy?: { readonly what: string; readonly scope: D };
  readonly long?: true;
};

/** The shipped protocol must be safe in the scope, and the mutant must be caught in it. */
export type Mutant<D = Difference> = {
  readonly about: string;
  readonly scope: D;
  readonly caughtAs: "violation" | "stuck";
  readonly long?: true;
} & (
  | { readonly edits: readonly Edit[] }
  /** A mutant of the world: what differs from the scope in it. */
  | { readonly world: D }
);

/** One exploration: what it was to show, and what it showed. */
export type Run = {
  readonly of: string;
  readonly expected: Verdict;
  readonly verdict: Verdict;
  readonly states: number;
  readonly transitions: number;
  readonly seconds: number;
  /** What went wrong, and how it came about; empty when nothing did. */
  readonly what: string;
  readonly trace: readonly string[];
};

/** Worlds after which an exploration gives up. */
const MOST_STATES = 4_000_000;

/** What can be explored: a protocol, its mutants, and its model in a scope. */
export type Bench<P, D> = {
  readonly shipped: P;
  mutant(edits: readonly Edit[]): Promise<P>;
  explored(protocol: P, difference: D): Found;
};

/** The genesis where there is a store. */
export const store: Bench<Protocol, Difference> = {
  shipped: shipped.store,
  mutant: async (edits) => (await mutant(edits)).store,
  explored: (protocol, difference) => explore(genesisModel(protocol, scope(difference)), MOST_STATES),
};

/** The register where there is none. */
export const register: Bench<RegisterProtocol, RegisterDifference> = {
  shipped: shipped.register,
  mutant: async (edits) => (await mutant(edits)).register,
  explored: (protocol, difference) =>
    explore(registerModel(protocol, registerScope(difference)), MOST_STATES),
};

/** Explores a kept scope. */
export function runKept<P, D>(bench: Bench<P, D>, kept: Kept<D>): Run {
  return run(bench, "shipped", bench.shipped, kept.scope, "safe");
}

/** Explores a limit, and what closes it. */
export function runLimit<P, D>(bench: Bench<P, D>, { scope: difference, shows, closedBy }: Limit<D>): Run[] {
  const limit = run(bench, "limit", bench.shipped, difference, shows);
  if (closedBy === undefined) return [limit];
  return [limit, run(bench, closedBy.what, bench.shipped, closedBy.scope, "safe")];
}

/** Explores the shipped protocol in the mutant's scope, and the mutant. */
export async function runMutant<P, D extends { readonly faults?: object }>(
  bench: Bench<P, D>,
  of: Mutant<D>,
): Promise<Run[]> {
  const control = run(bench, "shipped", bench.shipped, of.scope, "safe");
  if ("edits" in of)
    return [control, run(bench, "mutant", await bench.mutant(of.edits), of.scope, of.caughtAs)];
  const changed = { ...of.scope, ...of.world, faults: { ...of.scope.faults, ...of.world.faults } };
  return [control, run(bench, "mutant", bench.shipped, changed, of.caughtAs)];
}

/** Explores one scope with one protocol. */
function run<P, D>(bench: Bench<P, D>, of: string, protocol: P, difference: D, expected: Verdict): Run {
  const began = performance.now();
  const found = bench.explored(protocol, difference);
  const { states, transitions, violation, stuck } = found;
  return {
    of,
    expected,
    verdict: verdictOf(found),
    states,
    transitions,
    seconds: (performance.now() - began) / 1000,
    what: violation?.what ?? (stuck === null ? "" : "from here no cluster can come to be any more"),
    trace: violation?.trace ?? stuck ?? [],
  };
}

function verdictOf({ complete, violation, stuck }: Found): Verdict {
  if (violation !== null) return "violation";
  if (!complete) return "incomplete";
  return stuck === null ? "safe" : "stuck";
}
