/**
 * What one exploration of the register is about: how many agents without a store, who hears whom, what may go wrong
 * how often, and, for mutants of the world, how a disk or a shell behaves that breaks its contract.
 */
import type { Kept, Rules, State } from "../../src/core/genesis-state.ts";
import type { Hello } from "../../src/core/model.ts";
import type { Data } from "../../src/core/quorum.ts";
import type { Input, Step } from "../../src/core/register-steps.ts";
import type { Message, Reply } from "../../src/core/votes.ts";

/** The functions under exploration: the shipped ones, or mutants of them. */
export type RegisterProtocol = {
  initial(kept: Kept, data: Data): State;
  step(rules: Rules, state: State, input: Input, fresh: string): Step;
  testimony(
    state: State,
  ): Pick<Hello, "incarnation" | "birth" | "marker" | "pending" | "used"> & Partial<Pick<Hello, "votes">>;
  vote(rules: Rules, state: State, message: Message): { readonly state: State; readonly reply: Reply };
  giveUp(rules: Rules, state: State, incarnation: string): State | null;
};

/** How often each thing may happen in one history. */
export type RegisterFaults = {
  /** kill -9 of an agent and its database, at any point. */
  readonly crash: number;
  /** A vote that is asked for in vain although its node runs: the question is late, or the answer is lost. */
  readonly lost: number;
  /** An agent that runs and is not heard in one round. */
  readonly cut: number;
  /** An initialisation hook that fails when it has written something. */
  readonly hook: number;
  /** A node is killed, and everything on its disk is lost. */
  readonly diskWipe: number;
  /** Only the database's data of a stopped node are lost. */
  readonly dataWipe: number;
  /** `rollcall genesis assume-lost`. What operators do is no fault: the goal may rest on it. */
  readonly assumeLost: number;
  /** Ballots for the founders. The explored histories have no more; what follows is looked at by a calm run. */
  readonly elections: number;
  /** Ballots for the genesis, likewise. */
  readonly foundings: number;
};

export type RegisterScope = {
  readonly nodes: number;
  readonly rules: Omit<Rules, "nodeId" | "key">;
  /** What differs from `rules` at single nodes, by index. */
  readonly each: Readonly<Record<number, Partial<Rules>>>;
  /** Whom a node hears, by index, where it is not everybody. Votes reach whoever is named. */
  readonly views: Readonly<Record<number, readonly number[]>>;
  /** Nodes whose list of agents names them alone. */
  readonly alone: readonly number[];
  /** Nodes whose database has data that rollcall did not make. */
  readonly foreign: readonly number[];
  readonly faults: RegisterFaults;
  /**
   * What is so at first. `elected`: the first `expect` nodes are the founders, and know it. `accepted`: they have all
   * accepted that, in a ballot of the first of them, and it alone knows what it makes.
   */
  readonly start: "blank" | "elected" | "accepted";
  /** The agents run at first; else each starts at any time, which gives them differing views. */
  readonly awake: boolean;
  /** What was heard is taken in at once, or at any later time. */
  readonly hears: "atOnce" | "late";
  /** `assume-lost` is said of nodes that are gone for good only, or of anybody. */
  readonly operator: "honest" | "wrong";
  /**
   * Which geneses count as opened for ever: all, or only those that a node has started whose disk is not lost. The
   * database's own majority keeps a symmetric genesis from being more that only lost nodes had started.
   */
  readonly counts: "ever" | "living";
  /** Mutant of the disk: a wiped node keeps its incarnation. */
  readonly wipeKeepsName: boolean;
  /** Mutant of the shell: the reply is sent before the vote is synced, which comes with the next save, or never. */
  readonly repliesFirst: boolean;
  /** Whether every world must be able to reach the goal without a further fault. */
  readonly live: boolean;
};

/** What a scope differs in from two blank nodes that expect each other, in a world where nothing goes wrong. */
export type RegisterDifference = Partial<Omit<RegisterScope, "faults" | "rules">> & {
  readonly faults?: Partial<RegisterFaults>;
  readonly rules?: Partial<RegisterScope["rules"]>;
};

const plain: RegisterScope = {
  nodes: 2,
  rules: { voter: true, expect: 2, genesis: "auto", formation: "single", initialises: false },
  each: {},
  views: {},
  alone: [],
  foreign: [],
  faults: {
    crash: 0,
    lost: 0,
    cut: 0,
    hook: 0,
    diskWipe: 0,
    dataWipe: 0,
    assumeLost: 0,
    elections: 2,
    foundings: 2,
  },
  start: "blank",
  awake: false,
  hears: "atOnce",
  operator: "honest",
  counts: "ever",
  wipeKeepsName: false,
  repliesFirst: false,
  live: true,
};

/** A whole scope. */
export function registerScope(difference: RegisterDifference): RegisterScope {
  return {
    ...plain,
    ...difference,
    faults: { ...plain.faults, ...difference.faults },
    rules: { ...plain.rules, ...difference.rules },
  };
}
