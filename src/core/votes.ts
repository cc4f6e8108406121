/**
 * The votes of agents that have no store to agree in: two decisions, each made once. The members decree names the
 * nodes that found the cluster and needs every one of them; the genesis decree, among those, needs a majority. Here is
 * what a node keeps of them, what agents say to each other, and the acceptor: what a node may answer. Pure. The
 * proposer is in register.ts, the argument in src/DESIGN.md, "Without a store".
 */
import * as z from "zod";
import { Founding, MemberRef, PeerRef, Sealed, VERSION } from "./model.ts";

const id = z.string().min(1);
const version = z.int().min(1).max(VERSION, `is of a later version; this rollcall reads v ${VERSION}`);

/** One try to decide. Ordered by round, then by the proposer's incarnation; none is ever used twice. */
export const Ballot = z.looseObject({ round: z.int().min(1), incarnation: id });
export type Ballot = z.infer<typeof Ballot>;

/** A set of founders, in order of identity. */
export const Founders = z.array(MemberRef).min(1).max(99);
export type Founders = z.infer<typeof Founders>;

/** What a node has on disk of both decrees. Only `decided` ever tells that something is so. */
export const Votes = z.looseObject({
  members: z.looseObject({
    promised: Ballot.nullable(),
    accepted: z.looseObject({ ballot: Ballot, value: Founders }).nullable(),
    decided: Founders.nullable(),
  }),
  genesis: z.looseObject({
    promised: Ballot.nullable(),
    accepted: z.looseObject({ ballot: Ballot, value: Founding }).nullable(),
    decided: Founding.nullable(),
  }),
  /** The genesis id that this node proposes as the owner, and for which its database is initialised. */
  candidate: id.nullable(),
  /** Incarnations that an operator has said are gone for good: no set with one of them is agreed to any more. */
  lost: z.array(id),
});
export type Votes = z.infer<typeof Votes>;

/** Nothing promised, nothing accepted. */
export const noVotes: Votes = {
  members: { promised: null, accepted: null, decided: null },
  genesis: { promised: null, accepted: null, decided: null },
  candidate: null,
  lost: [],
};

const said = { v: version, key: z.string(), from: PeerRef };

/** "Promise me to accept nothing of a lower ballot." In the genesis decree `members` is the decided set. */
export const Prepare = z.looseObject({
  ...said,
  kind: z.literal("prepare"),
  decree: z.enum(["members", "genesis"]),
  ballot: Ballot,
  members: Founders,
});
export type Prepare = z.infer<typeof Prepare>;

/** "Accept this": the set itself, or, with `founding`, the genesis of the decided set. */
export const Accept = z.looseObject({
  ...said,
  kind: z.literal("accept"),
  ballot: Ballot,
  members: Founders,
  founding: Founding.nullable(),
});
export type Accept = z.infer<typeof Accept>;

/** "This is decided": the set, and the genesis once that is. */
export const Decided = z.looseObject({
  ...said,
  kind: z.literal("decided"),
  members: Founders,
  founding: Founding.nullable(),
});
export type Decided = z.infer<typeof Decided>;

/** What an agent says to another about a decree, at `/v1/peer/<kind>`. */
export const Message = z.discriminatedUnion("kind", [Prepare, Accept, Decided]);
export type Message = z.infer<typeof Message>;

/** Why a node gives no vote. `promised`: to a higher ballot; the rest is about the node or the set. */
export const NoVote = z.enum([
  "promised",
  "decided",
  "marker",
  "used",
  "non_voter",
  "not_listed",
  "other_key",
  "other_expect",
  "assumed_lost",
  "other_members",
]);
export type NoVote = z.infer<typeof NoVote>;

/** The answer to a message. */
export const Reply = z.discriminatedUnion("kind", [
  z.looseObject({
    kind: z.literal("promise"),
    /** The highest ballot that it has accepted, and what. `founding` in the genesis decree, `members` in the other. */
    accepted: z
      .looseObject({ ballot: Ballot, members: Founders.nullable(), founding: Founding.nullable() })
      .nullable(),
    lost: z.array(id),
  }),
  z.looseObject({ kind: z.literal("accepted") }),
  z.looseObject({ kind: z.literal("noted") }),
  z.looseObject({
    kind: z.literal("rejected"),
    why: NoVote,
    promised: Ballot.nullable(),
    decided: Founders.nullable(),
    founding: Founding.nullable(),
    marker: Sealed.nullable(),
  }),
]);
export type Reply = z.infer<typeof Reply>;

/** The node that is asked for its vote. */
export type Acceptor = {
  readonly key: string;
  readonly incarnation: string;
  readonly voter: boolean;
  readonly expect: number;
  /** Its database has data that are not its own initialisation. */
  readonly used: boolean;
  readonly marker: Sealed | null;
  readonly votes: Votes;
};

/** What it answers, and what it must have synced before that. */
export type Answer = { readonly votes: Votes; readonly reply: Reply };

/** Answers a message. The caller syncs `votes`, where they are others than before, and only then sends the reply. */
export function answer(acceptor: Acceptor, message: Message): Answer {
  const { votes } = acceptor;
  if (message.kind === "decided") {
    const learnt = message.key === acceptor.key ? learn(acceptor, message.members, message.founding) : votes;
    return { votes: learnt, reply: { kind: "noted" } };
  }
  const asked = { ...acceptor, votes: reassured(votes, message) };
  const why = objection(asked, message);
  if (why !== null) return { votes, reply: rejected(acceptor, why) };
  return message.kind === "prepare" ? promise(asked, message) : accept(asked, message);
}

/** Takes in what others say is decided. What an operator has ruled out, or another decision stands against, is not. */
export function learn(
  { votes, marker }: Pick<Acceptor, "votes" | "marker">,
  members: Founders,
  founding: Founding | null,
): Votes {
  const known = votes.members.decided;
  if (marker !== null || hasLost(votes, members)) return votes;
  if (known !== null && !sameFounders(known, members)) return votes;
  const news = known === null || (founding !== null && votes.genesis.decided === null);
  if (!news) return votes;
  return {
    ...votes,
    members: { ...votes.members, decided: known ?? members },
    genesis: { ...votes.genesis, decided: votes.genesis.decided ?? founding },
  };
}

/**
 * An operator says that this incarnation is gone for good. Null: not any more, this node has voted for a genesis, is
 * one of the decided founders, or belongs to a cluster. A node that is none of the founders forgets that they were
 * decided: nothing rests on what it knows of them.
 */
export function assumeLost(
  { votes, marker, incarnation }: Pick<Acceptor, "votes" | "marker" | "incarnation">,
  lost: string,
): Votes | null {
  const { promised, accepted, decided } = votes.genesis;
  const founders = votes.members.decided;
  if (marker !== null || promised !== null || accepted !== null || decided !== null) return null;
  if (lost === incarnation || (founders !== null && isListed(founders, incarnation))) return null;
  if (votes.lost.includes(lost)) return votes;
  const forgets = founders !== null && isListed(founders, lost);
  return {
    ...votes,
    members: forgets ? { ...votes.members, decided: null } : votes.members,
    lost: [...votes.lost, lost].sort(),
  };
}

/** Orders ballots; null is below every one. */
export function compareBallots(a: Ballot | null, b: Ballot | null): number {
  if (a === null || b === null) return (a === null ? 0 : 1) - (b === null ? 0 : 1);
  if (a.round !== b.round) return a.round - b.round;
  return a.incarnation === b.incarnation ? 0 : a.incarnation < b.incarnation ? -1 : 1;
}

/** The same incarnations; addresses may differ. */
export function sameFounders(a: Founders, b: Founders): boolean {
  return a.length === b.length && a.every((one) => isListed(b, one.incarnation));
}

/** Whether this incarnation is one of them. */
export function isListed(members: readonly MemberRef[], incarnation: string): boolean {
  return members.some((m) => m.incarnation === incarnation);
}

/** The highest round this node has promised anything in; 0: none. */
export function roundOf({ members, genesis }: Votes): number {
  return Math.max(members.promised?.round ?? 0, genesis.promised?.round ?? 0);
}

/** How many are more than half. */
export function majorityOf(members: Founders): number {
  return Math.floor(members.length / 2) + 1;
}

/** Whether an operator has ruled this set out. */
export function hasLost({ lost }: Votes, members: Founders): boolean {
  return members.some((m) => lost.includes(m.incarnation));
}

function objection(acceptor: Acceptor, message: Prepare | Accept): NoVote | null {
  const { votes, incarnation } = acceptor;
  const { members, ballot } = message;
  if (message.key !== acceptor.key) return "other_key";
  if (acceptor.marker !== null) return "marker";
  if (!acceptor.voter) return "non_voter";
  if (acceptor.used) return "used";
  if (!isListed(members, incarnation)) return "not_listed";
  if (members.length !== acceptor.expect) return "other_expect";
  if (hasLost(votes, members)) return "assumed_lost";
  const { decided } = votes.members;
  const decree = decreeOf(message);
  if (decree === "members" && decided !== null) return "decided";
  if (decided !== null && !sameFounders(decided, members)) return "other_members";
  if (votes[decree].decided !== null) return "decided";
  const order = compareBallots(ballot, votes[decree].promised);
  // A ballot that was promised may be accepted; it is never promised again.
  return order < 0 || (order === 0 && message.kind === "prepare") ? "promised" : null;
}

/**
 * What an operator has ruled out is taken back where another one of the founders asks for a genesis: it has voted for
 * one itself, so it never agrees any more that anybody is gone, and without it the set cannot be given up.
 */
function reassured(votes: Votes, message: Prepare | Accept): Votes {
  const { members, from } = message;
  if (decreeOf(message) === "members" || !hasLost(votes, members)) return votes;
  if (!isListed(members, from.incarnation) || votes.lost.includes(from.incarnation)) return votes;
  return { ...votes, lost: votes.lost.filter((lost) => !isListed(members, lost)) };
}

function decreeOf(message: Prepare | Accept): "members" | "genesis" {
  if (message.kind === "prepare") return message.decree;
  return message.founding === null ? "members" : "genesis";
}

function promise({ votes }: Acceptor, { decree, ballot, members }: Prepare): Answer {
  const { lost } = votes;
  if (decree === "members") {
    const { accepted } = votes.members;
    return {
      votes: { ...votes, members: { ...votes.members, promised: ballot } },
      reply: {
        kind: "promise",
        accepted: accepted && { ballot: accepted.ballot, members: accepted.value, founding: null },
        lost,
      },
    };
  }
  const { accepted } = votes.genesis;
  return {
    // Who is asked for a genesis learns that the set is decided.
    votes: {
      ...votes,
      members: { ...votes.members, decided: votes.members.decided ?? members },
      genesis: { ...votes.genesis, promised: ballot },
    },
    reply: {
      kind: "promise",
      accepted: accepted && { ballot: accepted.ballot, members: null, founding: accepted.value },
      lost,
    },
  };
}

function accept({ votes }: Acceptor, { ballot, members, founding }: Accept): Answer {
  const reply: Reply = { kind: "accepted" };
  if (founding === null) {
    const accepted = { ballot, value: members };
    return { votes: { ...votes, members: { ...votes.members, promised: ballot, accepted } }, reply };
  }
  return {
    votes: {
      ...votes,
      members: { ...votes.members, decided: votes.members.decided ?? members },
      genesis: { ...votes.genesis, promised: ballot, accepted: { ballot, value: founding } },
    },
    reply,
  };
}

function rejected({ votes, marker }: Acceptor, why: NoVote): Reply {
  return {
    kind: "rejected",
    why,
    promised:
      compareBallots(votes.members.promised, votes.genesis.promised) < 0
        ? votes.genesis.promised
        : votes.members.promised,
    decided: votes.members.decided,
    founding: votes.genesis.decided,
    marker,
  };
}
