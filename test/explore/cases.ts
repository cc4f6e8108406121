/** What is explored, and what must come out of it: kept scopes, limits, mutants, and the run that judges each. */
import { explore, type Found } from "./explore.ts";
import { genesisModel } from "./genesis-model.ts";
import { type Edit, mutant, shipped } from "./mutate.ts";
import { type Difference, type Protocol, type Scope, scope } from "./scope.ts";

/** What one exploration found. `incomplete`: the bound came first, and nothing is shown. */
export type Verdict = "safe" | "violation" | "stuck" | "incomplete";

/** The shipped protocol must be complete, safe, and, where the scope is live, never stuck. */
export type Kept = {
  readonly about: string;
  readonly scope: Difference;
  /** Too long for the tests of every change: `npm run explore` only. */
  readonly long?: true;
};

/** The shipped protocol must be seen to fail here: this is where its guarantees end. */
export type Limit = {
  readonly about: string;
  readonly scope: Difference;
  readonly shows: "violation" | "stuck";
  /** What closes the limit, and the scope in which it must be seen to. */
  readonly closedBy?: { readonly what: string; readonly scope: Difference };
};

/** The shipped protocol must be safe in the scope, and the mutant must be caught in it. */
export type Mutant = {
  readonly about: string;
  readonly scope: Difference;
  readonly caughtAs: "violation" | "stuck";
} & (
  | { readonly edits: readonly Edit[] }
  | {
      readonly world:
        | Partial<Pick<Scope, "leased" | "silenceCounts" | "compare">>
        | Pick<Difference, "faults">;
    }
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

/** Explores a kept scope. */
export function runKept(kept: Kept): Run {
  return run("shipped", shipped, kept.scope, "safe");
}

/** Explores a limit, and what closes it. */
export function runLimit({ scope: difference, shows, closedBy }: Limit): Run[] {
  const limit = run("limit", shipped, difference, shows);
  return closedBy === undefined ? [limit] : [limit, run(closedBy.what, shipped, closedBy.scope, "safe")];
}

/** Explores the shipped protocol in the mutant's scope, and the mutant. */
export async function runMutant(of: Mutant): Promise<Run[]> {
  const control = run("shipped", shipped, of.scope, "safe");
  if ("edits" in of) return [control, run("mutant", await mutant(of.edits), of.scope, of.caughtAs)];
  const { faults, ...world } = { faults: {}, ...of.world };
  const changed = { ...of.scope, ...world, faults: { ...of.scope.faults, ...faults } };
  return [control, run("mutant", shipped, changed, of.caughtAs)];
}

/** Explores one scope with one protocol. */
export function run(of: string, protocol: Protocol, difference: Difference, expected: Verdict): Run {
  const began = performance.now();
  const found = explore(genesisModel(protocol, scope(difference)), MOST_STATES);
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
