/**
 * Why a node waits, in words: for every phase, wait and refusal what it waits for, who is missing and what
 * unblocks it. Pure: facts in, an explanation out. The README and the HTTP API show it as it is.
 */
import type { State } from "./genesis-state.ts";
import { notCountedText } from "./not-counted.ts";
import { type Facts, reasonOf } from "./reasons.ts";
import { type DatabaseFacts, withDatabase } from "./reasons-database.ts";

export type { Facts } from "./reasons.ts";

export type Explanation = {
  /** What it is doing: `reading`, `asking`, `claiming`, `initialising`, `sealing`, `restoring`, `adopting`, `saving`, `parking`, `waiting`, `refused`, `open`. */
  readonly phase: string;
  /** A stable word for the reason. */
  readonly code: string;
  readonly settled: boolean;
  readonly overdue: boolean;
  /** One sentence. */
  readonly summary: string;
  /** What resolves it, most likely first; empty when nothing needs to be done. */
  readonly unblock: readonly string[];
  readonly expected: number;
  readonly seen: number;
  readonly reachable: number;
  /** Voters that count for creating the cluster, at the last count. */
  readonly counted: readonly string[];
  /** Everybody else, with the reason. */
  readonly not_counted: readonly { readonly id: string; readonly why: string; readonly text: string }[];
  readonly genesis: {
    readonly state: string;
    readonly id: string | null;
    readonly birth: number;
    readonly expect: number;
    readonly node: string | null;
  } | null;
  readonly next_try_ms: number | null;
};

/** `database`: null where the agent asks none. */
export function explain(facts: Facts, database: DatabaseFacts | null = null): Explanation {
  const { state, rules } = facts;
  const { tally, seen } = state;
  const reason = withDatabase(reasonOf(facts), database);
  const record = seen?.record ?? state.settled?.record ?? null;
  return {
    phase: phaseOf(state),
    ...reason,
    settled: state.settled !== null,
    overdue: facts.overdue && state.settled === null,
    expected: rules.expect,
    seen: facts.seen,
    reachable: facts.reachable,
    counted: state.settled === null ? (tally?.counted.map((m) => m.id) ?? []) : [],
    not_counted:
      state.settled === null
        ? (tally?.notCounted.map((n) => ({ id: n.id, why: n.why, text: notCountedText(n) })) ?? [])
        : [],
    genesis: record && {
      state: record.state,
      id: record.state === "sealed" ? record.genesis_id : null,
      birth: record.birth,
      expect: record.expect,
      node: record.state === "unborn" ? null : record.node,
    },
    next_try_ms: facts.nextTryMs,
  };
}

function phaseOf({ phase }: State): string {
  if (phase.at === "swapping")
    return {
      init: "initialising_record",
      claim: "claiming",
      seal: "sealing",
      restore: "restoring",
      adopt: "adopting",
    }[phase.about];
  return phase.at;
}
