/**
 * What one exploration is about: how many nodes with which rules, what may go wrong how often, and, for
 * mutants of the world, how a store or a peer behaves that breaks its contract.
 */
import type { Effect, Input, Kept, Rules, State } from "../../src/core/genesis-state.ts";
import type { Hello } from "../../src/core/model.ts";
import type { Data } from "../../src/core/quorum.ts";

/** The functions under exploration: the shipped ones, or mutants of them. */
export type Protocol = {
  initial(kept: Kept, data: Data): State;
  step(rules: Rules, state: State, input: Input, fresh: string): { state: State; effects: readonly Effect[] };
  testimony(state: State): Pick<Hello, "incarnation" | "birth" | "marker" | "pending" | "used">;
};

/** How often each thing may go wrong in one history. */
export type Faults = {
  /** kill -9 of an agent and its database, at any point. */
  readonly crash: number;
  /** A write that was applied, or will be at any later time, or never, and whose answer is lost. */
  readonly unknown: number;
  /** A peer that is up and cannot be reached in one round of asking. */
  readonly cut: number;
  /** A read of the record that fails. */
  readonly away: number;
  /** An initialisation hook that fails when it has written something. */
  readonly hook: number;
  /** The data directory of a stopped node is lost, the agent's own files with it. */
  readonly diskWipe: number;
  /** Only the database's data of a stopped node are lost. */
  readonly dataWipe: number;
  /** The store loses everything; `Scope.wipedTo` says what is there afterwards. */
  readonly storeWipe: number;
  /** The store goes back to what it once was. */
  readonly rollback: number;
  /** `rollcall genesis rebirth`. What operators do is no fault: the goal may rest on it. */
  readonly rebirth: number;
  /** A native database writes its leader record where there is none, as it does when it makes a cluster. */
  readonly nativeStart: number;
  /** The native cluster goes down, and its leader record stays. It comes back, unless an operator may forget it. */
  readonly nativeStop: number;
  /** `rollcall genesis adopt`. */
  readonly adopt: number;
  /** `rollcall genesis init -forget-leader`, once the native cluster is down. */
  readonly forget: number;
};

export type Scope = {
  readonly nodes: number;
  readonly rules: Omit<Rules, "nodeId" | "key">;
  /** What differs from `rules` at single nodes, by index. */
  readonly each: Readonly<Record<number, Partial<Rules>>>;
  /** Nodes whose database has data that rollcall did not make, by index. */
  readonly foreign: readonly number[];
  /** Nodes whose databases are a part of the native cluster, by index. */
  readonly beside: readonly number[];
  /** The native cluster at first: none; running and named in the store, or not named there; named there and gone. */
  readonly native: "none" | "named" | "unnamed" | "gone";
  readonly faults: Faults;
  /** Whether the agents are told where the database's data are. */
  readonly watchesData: boolean;
  /** Whether the peers are asked one after the other, in any order, or all at one moment (fewer worlds, less said). */
  readonly asks: "each" | "atOnce";
  /** What the store holds first: nothing, the record of `rollcall genesis init`, or that of a fleet that is gone. */
  readonly start: "absent" | "unborn" | "orphaned";
  /** A wiped store stays empty, or is as likely initialised anew by an operator. */
  readonly wipedTo: "empty" | "either";
  /** The store is wiped only while no node has decided to open. */
  readonly wipeBeforeOpen: boolean;
  /** A database's data may be lost before its agent has looked at them once since the first start. */
  readonly losesUnseenData: boolean;
  /** `rebirth` while a node that holds the old genesis runs where the command does not see it. */
  readonly rebirthOverLiving: boolean;
  /**
   * How the store compares. `version`: revision and value (etcd, disco). `init`: revision and init key
   * (Consul). Mutants: `index`, the revision alone; `presence`, only whether there is a record.
   */
  readonly compare: "version" | "init" | "index" | "presence";
  /** Mutant of the record's life: it may vanish at any time, as under a lease. */
  readonly leased: boolean;
  /** Mutant of asking: who cannot be reached counts as an agent that says it is blank. */
  readonly silenceCounts: boolean;
  /** Whether every world must be able to reach the goal without a further fault. */
  readonly live: boolean;
};

/** What a scope differs in from two blank nodes that wait for each other, in a world where nothing goes wrong. */
export type Difference = Partial<Omit<Scope, "faults" | "rules">> & {
  readonly faults?: Partial<Faults>;
  readonly rules?: Partial<Scope["rules"]>;
};

const plain: Scope = {
  nodes: 2,
  rules: { voter: true, expect: 2, genesis: "auto", formation: "single", initialises: false },
  each: {},
  foreign: [],
  beside: [],
  native: "none",
  faults: {
    crash: 0,
    unknown: 0,
    cut: 0,
    away: 0,
    hook: 0,
    diskWipe: 0,
    dataWipe: 0,
    storeWipe: 0,
    rollback: 0,
    rebirth: 0,
    nativeStart: 0,
    nativeStop: 0,
    adopt: 0,
    forget: 0,
  },
  watchesData: true,
  asks: "each",
  start: "absent",
  wipedTo: "either",
  wipeBeforeOpen: false,
  losesUnseenData: false,
  rebirthOverLiving: false,
  compare: "version",
  leased: false,
  silenceCounts: false,
  live: true,
};

/** A whole scope. */
export function scope(difference: Difference): Scope {
  return {
    ...plain,
    ...difference,
    faults: { ...plain.faults, ...difference.faults },
    rules: { ...plain.rules, ...difference.rules },
  };
}

/** Whether a native database ever has a part in it. */
export function hasNative({ native, faults }: Scope): boolean {
  return native !== "none" || faults.nativeStart > 0;
}
