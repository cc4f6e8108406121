/** How a step of the register ends where a node votes, and what a node says and knows of the votes. */
import type { Common, CommonEffect, Poll, Rules, State, StepOf } from "./genesis-state.ts";
import { blank, park, save, take, wait } from "./genesis-steps.ts";
import { byIdentity, type Founding, memberHash, type PeerRef, type Sealed, VERSION } from "./model.ts";
import type { Polled } from "./proposer.ts";
import { againstIn } from "./proposer.ts";
import type { Heard } from "./voters.ts";
import {
  type Acceptor,
  answer,
  type Ballot,
  type Decided,
  type Founders,
  isListed,
  type Message,
  noVotes,
  type Reply,
  roundOf,
  type Votes,
} from "./votes.ts";

/** Beyond what any node is told. */
export type Input =
  | Common
  | { readonly type: "heard"; readonly heard: Heard }
  /** Those asked for their votes have answered, or not in time. */
  | { readonly type: "polled"; readonly polled: Polled };

/** Beyond what any node asks of the shell. */
export type Effect =
  | CommonEffect
  /** Ask these for their votes. `needs`: so many more in favour decide it; the rest need not be waited for. */
  | { readonly type: "poll"; readonly poll: Poll; readonly needs: number }
  /** Tell the others; nothing rests on its arrival. */
  | { readonly type: "tell"; readonly message: Decided; readonly to: Founders };

export type Step = StepOf<Effect>;

type Question =
  | Pick<Extract<Poll["message"], { kind: "prepare" }>, "kind" | "decree" | "ballot" | "members">
  | Pick<Extract<Poll["message"], { kind: "accept" }>, "kind" | "ballot" | "members" | "founding">;

/** This node's votes; those of one that has never voted are blank. */
export function votesOf({ kept }: State): Votes {
  return kept.votes ?? noVotes;
}

/** This node as it answers messages. */
export function acceptorOf(rules: Rules, state: State): Acceptor {
  const { incarnation, marker, stamp } = state.kept;
  return {
    key: rules.key,
    incarnation,
    voter: rules.voter && rules.genesis !== "never",
    expect: rules.expect,
    used: state.data === "present" && marker === null && stamp === null,
    marker,
    votes: votesOf(state),
  };
}

export function withVotes(state: State, votes: Votes): State {
  return votes === votesOf(state) ? state : { ...state, kept: { ...state.kept, votes } };
}

/**
 * Another agent says something about a decree, at any time. The shell syncs `kept`, where it is another than before,
 * before it sends the reply.
 */
export function vote(
  rules: Rules,
  state: State,
  message: Message,
): { readonly state: State; readonly reply: Reply } {
  const { votes, reply } = answer(acceptorOf(rules, state), message);
  return { state: withVotes(state, votes), reply };
}

/** This node votes itself, and syncs that, before it asks the others. */
export function ask(
  rules: Rules,
  state: State,
  { id, incarnation, agent_addr }: PeerRef,
  question: Question,
): Step {
  const message: Poll["message"] = {
    v: VERSION,
    key: rules.key,
    from: { id, incarnation, agent_addr },
    ...question,
  };
  const to = message.members.filter((m) => m.incarnation !== incarnation);
  const asked = isListed(message.members, incarnation);
  const own = asked ? vote(rules, state, message) : { state, reply: null };
  const poll: Poll = { message, to, own: own.reply };
  if (own.reply?.kind === "rejected") {
    const { members } = message;
    const missing = members.filter((m) => votesOf(state).lost.includes(m.incarnation));
    return missing.length > 0
      ? wait(state, { on: "lost_voters", missing, of: members })
      : wait(state, { on: "votes", ...againstIn({ ...poll, to: [] }, []) });
  }
  const phase = { at: "saving", before: "poll", poll } as const;
  return { state: { ...own.state, phase }, effects: [{ type: "save", kept: own.state.kept, aside: null }] };
}

/** Above every ballot that this node has promised, so it is never used twice, and above the round that others have seen. */
export function nextBallot(state: State, seen: number): Ballot {
  const round = Math.max(roundOf(votesOf(state)), seen) + 1;
  return { round, incarnation: state.kept.incarnation };
}

/** The genesis that this node proposes where it is free to. */
export function own(state: State): Founding {
  return { genesis_id: votesOf(state).candidate ?? "", owner: state.kept.incarnation };
}

/**
 * The founders are decided, and nobody of them that is there comes first: asks for promises to create the cluster.
 * `seen`: the highest round that anybody is known to have seen.
 */
export function candidate(
  rules: Rules,
  state: State,
  self: PeerRef,
  { members, seen, fresh }: { readonly members: Founders; readonly seen: number; readonly fresh: string },
): Step {
  const votes = votesOf(state);
  const ready = withVotes(state, { ...votes, candidate: votes.candidate ?? fresh });
  const ballot = nextBallot(ready, seen);
  return ask(rules, ready, self, { kind: "prepare", decree: "genesis", ballot, members });
}

/**
 * Takes the genesis for this node's own. Those who could know of another one were asked just now, so its database may
 * run as well, in one write; but what was initialised for it is looked at once more, since it may be gone.
 */
export function enter(rules: Rules, state: State, record: Sealed): Step {
  const isOwner = record.incarnation === state.kept.incarnation;
  return rules.initialises && isOwner ? take(state, record) : admit(state, record);
}

/** The database may run under this marker; with a stamp, as long as no data of it have been seen. */
export function admit(state: State, marker: Sealed): Step {
  const { kept, data } = state;
  const stamp = data === "empty" ? { claim_id: marker.claim_id, done: false } : null;
  const next = { ...blank(kept.incarnation), votes: kept.votes, marker, opened: true, stamp };
  return save({ ...state, kept: next }, "open");
}

/** The genesis is decided. Its owner opens; everybody else sets aside what it has initialised, and waits for that. */
export function founded(rules: Rules, state: State, members: Founders, founding: Founding): Step {
  const { incarnation, stamp } = state.kept;
  if (founding.owner === incarnation) return enter(rules, state, genesisOf(members, founding, "single"));
  if (stamp !== null) return setAside(state, stamp);
  const owner = members.find((m) => m.incarnation === founding.owner);
  return owner === undefined
    ? wait(state, { on: "founders", founders: members })
    : wait(state, { on: "owner", owner, genesisId: founding.genesis_id });
}

/**
 * What was initialised is not needed. That it was is taken back on disk first: a node that is stopped when it is gone
 * would take it for lost, begin anew, and be missing among the founders.
 */
export function setAside(state: State, stamp: NonNullable<State["kept"]["stamp"]>): Step {
  if (!stamp.done) return park(state, stamp.claim_id);
  return save({ ...state, kept: { ...state.kept, stamp: { ...stamp, done: false } } }, "read");
}

/** All founders start with the identical list, so the list is the genesis: its id is made of it (a UUID of version 8). */
export function symmetric(founders: Founders): Sealed {
  const hash = memberHash(founders);
  const id = `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
  const [first] = founders;
  return genesisOf(founders, { genesis_id: id, owner: first?.incarnation ?? "" }, "symmetric");
}

/** The record that a store would hold. */
function genesisOf(
  founders: Founders,
  { genesis_id, owner }: Founding,
  formation: Sealed["formation"],
): Sealed {
  const members = [...founders].sort(byIdentity);
  return {
    v: VERSION,
    state: "sealed",
    init_id: genesis_id,
    birth: 1,
    expect: members.length,
    gen: 1,
    claim_id: genesis_id,
    genesis_id,
    node: members.find((m) => m.incarnation === owner)?.id ?? "",
    incarnation: owner,
    formation,
    members,
    hash: memberHash(members),
  };
}
