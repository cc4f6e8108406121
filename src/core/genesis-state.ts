/**
 * The genesis step function's vocabulary: what a node keeps on disk, what it may be doing, what it is told
 * and what it asks of the shell. The rules themselves are in genesis.ts.
 */
import type { NamedLeader } from "./genesis-adoption.ts";
import type { Claimed, Formation, GenesisRecord, Hello, MemberRef, Sealed } from "./model.ts";
import type { Versioned } from "./provider.ts";
import type { Answers, Data, Seen, Tally } from "./quorum.ts";
import { type Accept, type NoVote, type Prepare, type Reply, roundOf, type Votes } from "./votes.ts";

/** What the operator told this node, fixed for the life of the process. */
export type Rules = {
  readonly key: string;
  readonly nodeId: string;
  readonly voter: boolean;
  readonly expect: number;
  readonly genesis: "auto" | "strict" | "never";
  readonly formation: Formation;
  /** The database is initialised by a hook (`-on-init`) between claim and seal. */
  readonly initialises: boolean;
};

/** What is synced on this node's disk before anything depends on it. */
export type Kept = {
  readonly incarnation: string;
  /** A claim that may have been written, and the record it was to replace. */
  readonly claim: { readonly claim_id: string; readonly init_id: string; readonly base: Versioned } | null;
  /**
   * Without a marker: the database was initialised, or is being, under this claim, and may be set aside if the
   * claim is lost. With one: the database was to be started for the first time, and no data have been seen yet.
   */
  readonly stamp: { readonly claim_id: string; readonly done: boolean } | null;
  /** The genesis this node belongs to. */
  readonly marker: Sealed | null;
  /** The database has been allowed to open under the marker. */
  readonly opened: boolean;
  /** What it has voted where the agents agree among themselves; null: never. */
  readonly votes: Votes | null;
};

/** What could not be read: the store, or the database's directory. */
export type Source = "store" | "database";

/** Why a node without a cluster waits. */
export type Wait =
  | { readonly on: "store"; readonly problem: string; readonly of: Source }
  | { readonly on: "no_record" }
  /** The cluster is there, but this node's id in the directory is not (yet) this node's. */
  | { readonly on: "registration" }
  /** `answers`: its cluster runs, and another agent has to write the genesis. `silentMs`: null where it cannot be asked. */
  | {
      readonly on: "foreign_leader";
      readonly leader: NamedLeader;
      readonly answers: boolean;
      readonly silentMs: number | null;
    }
  /** A genesis is sealed, and nobody who answers belongs to it. */
  | { readonly on: "members_gone"; readonly genesisId: string; readonly gone: readonly Gone[] }
  | { readonly on: "holder"; readonly holder: string; readonly genesisId: string }
  | { readonly on: "expect_mismatch"; readonly recordExpect: number }
  | { readonly on: "voters" }
  | { readonly on: "claimant"; readonly claimant: string }
  | { readonly on: "turn" }
  | { readonly on: "others" }
  | { readonly on: "claimer"; readonly claimer: string }
  | VotersWait;

/** Why a node waits where the agents agree among themselves. */
export type VotersWait =
  /** Another live agent, at this address, has this node's id. */
  | { readonly on: "duplicate_node_id"; readonly by: string }
  /** Voters that were started with another expectation. */
  | {
      readonly on: "expect_differs";
      readonly others: readonly { readonly id: string; readonly expect: number }[];
    }
  /** So many voters that two sets could be decided; `safe` is the expectation with which they could not. */
  | { readonly on: "too_many_voters"; readonly voters: number; readonly safe: number }
  /** One voter is enough, but the list names others, or does not name this node. */
  | { readonly on: "not_alone" }
  /** All are there, but some gave no vote. */
  | { readonly on: "votes"; readonly silent: readonly MemberRef[]; readonly refused: readonly Refused[] }
  /** A set that may be decided needs these, who do not vote. */
  | { readonly on: "lost_voters"; readonly missing: readonly MemberRef[]; readonly of: readonly MemberRef[] }
  /** The founders are decided, and this node is none of them. */
  | { readonly on: "founders"; readonly founders: readonly MemberRef[] }
  /** The genesis is decided; its owner has not opened. */
  | { readonly on: "owner"; readonly owner: MemberRef; readonly genesisId: string };

/** Who gave no vote, and why. */
export type Refused = { readonly id: string; readonly why: NoVote };

/** A member that does not answer. `wiped`: a node of that id does, but it has begun anew. */
export type Gone = { readonly id: string; readonly address: string; readonly wiped: boolean };

/** Why data that are there cannot be taken for a part of the cluster that was adopted; null: none was. */
export type Doubt = "silent" | "not_listed" | "other_cluster" | null;

/** Why a node does not open its database, or what is wrong under an open one. */
export type Refusal =
  | { readonly code: "foreign_data"; readonly doubt: Doubt }
  | {
      readonly code: "genesis_conflict";
      readonly with: string;
      readonly where: string;
      /** Where this node has no marker: two others have each another one, or it was told that its founders are gone. */
      readonly why?: "two_others" | "given_up";
    }
  | { readonly code: "reborn"; readonly birth: number }
  | { readonly code: "park_failed"; readonly problem: string; readonly commands: readonly string[] };

/** What is wrong under a node that has settled. */
export type Trouble = Refusal | { readonly code: "store"; readonly problem: string; readonly of: Source };

/**
 * What a round of asking is about: whether the record may be made, claimed or restored; whether anybody belongs to
 * the sealed genesis (`join`); whether this node's data do (`adopted`); whether there are data at all (`data`).
 */
export type Question = "init" | "claim" | "restore" | "join" | "adopted" | "data";

/** What a write is for. */
export type Writing = "init" | "claim" | "seal" | "restore" | "adopt";

/** What the node is doing; exactly one effect is outstanding in every phase but the last three. */
export type Phase =
  | { readonly at: "reading" }
  | { readonly at: "asking"; readonly about: Question }
  | {
      readonly at: "saving";
      readonly before: "read" | "claim" | "initialise" | "open";
      readonly next?: Claimed;
    }
  /** This node's own vote is being synced, before others are asked for theirs. */
  | { readonly at: "saving"; readonly before: "poll"; readonly poll: Poll }
  | { readonly at: "voting"; readonly poll: Poll }
  | {
      readonly at: "swapping";
      readonly about: Writing;
      readonly next: GenesisRecord;
    }
  | { readonly at: "initialising" }
  | { readonly at: "parking" }
  | { readonly at: "waiting"; readonly wait: Wait }
  | { readonly at: "refused"; readonly refusal: Refusal }
  | { readonly at: "open" };

/** Others are asked for their votes. `own`: what this node answered itself; null: it is none of those asked. */
export type Poll = {
  readonly message: Prepare | Accept;
  readonly to: readonly MemberRef[];
  readonly own: Reply | null;
};

export type Settled = { readonly kind: "bootstrap" | "join" | "existing"; readonly record: Sealed };

export type State = {
  readonly kept: Kept;
  readonly data: Data;
  readonly phase: Phase;
  /** The record at the last read or won write; null when it was absent; undefined before the first. */
  readonly seen: Seen | null | undefined;
  /** The last count, for `explain`. */
  readonly tally: Tally | null;
  /** Set once the database may run. Never unset. */
  readonly settled: Settled | null;
  /** Set while the last look at the record found something wrong under a settled node. */
  readonly trouble: Trouble | null;
};

/** What any node is told, whatever it agrees by. */
export type Common =
  | { readonly type: "start" }
  /** Something may have changed. Ignored while an effect is outstanding: the shell repeats it afterwards. */
  | { readonly type: "wake" }
  /** A look at how things are failed, or cannot be understood. */
  | { readonly type: "unreadable"; readonly problem: string; readonly of?: Source }
  | { readonly type: "saved" }
  /** `failed`: what the hook left behind is set aside, and it is run again. */
  | { readonly type: "initialised"; readonly failed?: boolean }
  | {
      readonly type: "parked";
      readonly failure: { readonly problem: string; readonly commands: readonly string[] } | null;
    };

export type Input =
  | Common
  /** `registered`: this incarnation holds its node id in the directory. */
  | { readonly type: "record"; readonly seen: Seen | null; readonly registered: boolean }
  | { readonly type: "answers"; readonly answers: Answers }
  | {
      readonly type: "swapped";
      readonly result:
        | { readonly kind: "won"; readonly revision: string }
        | { readonly kind: "lost" }
        /** It may have been written, may come late, or was refused: `problem` says what went wrong. */
        | { readonly kind: "unknown"; readonly problem: string };
    };

/** What any node asks of the shell, whatever it agrees by. `read`: look at how things are. */
export type CommonEffect =
  | { readonly type: "read" }
  /** Sync `kept` to disk; `aside`: keep this marker beside it under another name first. */
  | { readonly type: "save"; readonly kept: Kept; readonly aside: Sealed | null }
  | { readonly type: "initialise"; readonly claimId: string }
  /** Rename the database's directory, if there is one with anything in it. */
  | { readonly type: "park"; readonly claimId: string }
  | { readonly type: "settle"; readonly settled: Settled };

export type Effect =
  | CommonEffect
  | { readonly type: "ask" }
  | { readonly type: "swap"; readonly expected: Versioned | null; readonly value: string };

/** What this node answers of itself when asked: the part of `hello` that the protocol rests on. */
export function testimony(
  state: State,
): Pick<Hello, "incarnation" | "birth" | "marker" | "pending" | "used" | "votes"> {
  const { claim, incarnation, marker, opened, stamp, votes } = state.kept;
  // Where agents have the genesis from each other alone, they have it from those that cannot forget it.
  const { phase } = state;
  const isSynced = phase.at !== "saving" || (opened && phase.before !== "open");
  return {
    incarnation,
    birth: marker?.birth ?? state.seen?.record.birth ?? 0,
    marker: marker && {
      genesis_id: marker.genesis_id,
      birth: marker.birth,
      ...(votes === null || !isSynced ? {} : { record: marker }),
    },
    pending: claim && { claim_id: claim.claim_id, init_id: claim.init_id, revision: claim.base.revision },
    used: state.data === "present" && marker === null && stamp === null,
    ...(votes === null
      ? {}
      : {
          votes: {
            round: roundOf(votes),
            members: votes.members.decided,
            founding: votes.genesis.decided,
            ...(votes.lost.length === 0 ? {} : { lost: votes.lost }),
          },
        }),
  };
}

/** How a step ends: the state, and what the shell is to do. `E` beyond what any node may ask of it. */
export type StepOf<E> = { readonly state: State; readonly effects: readonly E[] };
export type Step = StepOf<Effect>;
export type CommonStep = StepOf<CommonEffect>;

/** The state of a node whose disk holds `kept`, before its first input, `start`. */
export function initial(kept: Kept, data: Data): State {
  return { kept, data, phase: { at: "reading" }, seen: undefined, tally: null, settled: null, trouble: null };
}

/** The value a register holds for a record. */
export function encode(record: GenesisRecord): string {
  return JSON.stringify(record);
}
