/**
 * How exactly one cluster comes to be where there is no store: the agents themselves are the register. One pure step
 * function, of the same shape as genesis.ts: the shell performs the effects, one at a time, and feeds the results
 * back. Two decrees are voted on (votes.ts): who the founders are, by all of them; then, where one of them creates the
 * cluster, who that is, by a majority. Why it holds: src/DESIGN.md, "Without a store".
 */
import type { Poll, Rules, State } from "./genesis-state.ts";
import { common, firstOutcome, open, read, still, wait } from "./genesis-steps.ts";
import { type Founding, type PeerRef, type Sealed, VERSION } from "./model.ts";
import {
  againstIn,
  chooseFounders,
  chooseGenesis,
  isCarried,
  isOfMembers,
  needed,
  type Polled,
  promisesIn,
} from "./proposer.ts";
import { onHeard } from "./register-look.ts";
import {
  acceptorOf,
  ask,
  candidate,
  enter,
  founded,
  type Input,
  own,
  type Step,
  symmetric,
  votesOf,
  withVotes,
} from "./register-steps.ts";
import {
  assumeLost,
  type Decided,
  type Founders,
  isListed,
  learn,
  type Reply,
  sameFounders,
} from "./votes.ts";

/** One step. `fresh` is a UUID never used before, consumed or not. */
export function step(rules: Rules, state: State, input: Input, fresh: string): Step {
  switch (input.type) {
    case "heard":
      return onHeard(rules, { ...state, data: input.heard.data }, input.heard, fresh);
    case "saved":
      return onSaved(state);
    case "polled":
      return onPolled(rules, state, input.polled, fresh);
    default:
      return common(rules, state, input, fresh);
  }
}

/** An operator says that a voter is gone for good. Null: this node may not agree any more. */
export function giveUp(rules: Rules, state: State, incarnation: string): State | null {
  const votes = assumeLost(acceptorOf(rules, state), incarnation);
  return votes === null ? null : withVotes(state, votes);
}

function onSaved(state: State): Step {
  const { phase } = state;
  if (phase.at !== "saving") return still(state);
  switch (phase.before) {
    case "poll":
      return {
        state: { ...state, phase: { at: "voting", poll: phase.poll } },
        effects: [{ type: "poll", poll: phase.poll, needs: needed(phase.poll) }],
      };
    case "initialise":
      return {
        state: { ...state, phase: { at: "initialising" } },
        effects: [{ type: "initialise", claimId: state.kept.stamp?.claim_id ?? "" }],
      };
    case "open":
      return state.kept.marker ? openFirst(state, state.kept.marker) : read(state);
    case "read":
    case "claim":
      return read(state);
    default:
      return phase satisfies never;
  }
}

function openFirst(state: State, marker: Sealed): Step {
  return open(state, marker, null, firstOutcome(state.kept, marker));
}

/** The others have voted. Outcomes: ask them to accept, tell what is decided and go on with it, or wait and try again. */
function onPolled(rules: Rules, state: State, polled: Polled, fresh: string): Step {
  if (state.phase.at !== "voting") return still(state);
  const { poll } = state.phase;
  const { message } = poll;
  const informed = polled.reduce((so, { reply }) => learnFromReply(rules, so, reply), state);
  // Whoever belongs to a cluster, or knows what is being asked, has the answer: everybody is heard again.
  if (informed !== state || polled.some(({ reply }) => holds(reply))) return read(informed);
  if (!isCarried(poll, polled)) return lack(informed, poll, polled);
  if (message.kind === "prepare") return propose(rules, informed, poll, polled);
  return isOfMembers(message)
    ? elected(rules, informed, poll, fresh)
    : decided(rules, informed, message.members, message.founding ?? own(state), message.from);
}

function holds(reply: Reply | null): boolean {
  return reply?.kind === "rejected" && reply.marker !== null;
}

function learnFromReply(rules: Rules, state: State, reply: Reply | null): State {
  if (reply?.kind !== "rejected" || reply.decided === null) return state;
  return withVotes(state, learn(acceptorOf(rules, state), reply.decided, reply.founding));
}

/** Not enough votes. A set that may have been decided is waited for, since another one would make a second cluster. */
function lack(state: State, poll: Poll, polled: Polled): Step {
  const { message } = poll;
  const against = againstIn(poll, polled);
  const replyOf = (incarnation: string) => polled.find((p) => p.incarnation === incarnation)?.reply ?? null;
  const heard = state.tally?.counted ?? [];
  const missing = poll.to.filter(({ incarnation }) => {
    const reply = replyOf(incarnation);
    // Who has answered in this round is only late.
    if (reply === null) return !isListed(heard, incarnation);
    // Where one of them was, another life of it may answer: that one is missing all the same.
    return reply.kind === "rejected" && reply.why === "not_listed";
  });
  return message.kind === "accept" && isOfMembers(message) && missing.length > 0
    ? wait(state, { on: "lost_voters", missing, of: message.members })
    : wait(state, { on: "votes", ...against });
}

/** Enough have promised: what is proposed is what they may have decided already, else the proposer's own. */
function propose(rules: Rules, state: State, poll: Poll, polled: Polled): Step {
  const { ballot, members, from } = poll.message;
  const promises = promisesIn(poll, polled);
  if (isOfMembers(poll.message))
    return ask(rules, state, from, {
      kind: "accept",
      ballot,
      members: chooseFounders(members, promises),
      founding: null,
    });
  return ask(rules, state, from, {
    kind: "accept",
    ballot,
    members,
    founding: chooseGenesis(own(state), promises),
  });
}

/** All of the set have accepted it: these are the founders. The first of them goes on at once. */
function elected(rules: Rules, state: State, { message: { members, from } }: Poll, fresh: string): Step {
  const next = withVotes(state, learn(acceptorOf(rules, state), members, null));
  // An operator has ruled it out while the votes were on their way: then others may have decided another one already.
  const known = votesOf(next).members.decided;
  if (known === null || !sameFounders(known, members)) return read(next);
  const goOn = (): Step => {
    const { incarnation } = state.kept;
    if (rules.formation === "symmetric")
      return isListed(members, incarnation) ? enter(rules, next, symmetric(members)) : read(next);
    const isFirst = members[0]?.incarnation === incarnation;
    return isFirst && !rules.initialises
      ? candidate(rules, next, from, { members, seen: 0, fresh })
      : read(next);
  };
  return telling(rules, from, { members, founding: null }, goOn());
}

/** A majority has accepted it: this is the genesis. */
function decided(rules: Rules, state: State, members: Founders, founding: Founding, from: PeerRef): Step {
  const next = withVotes(state, learn(acceptorOf(rules, state), members, founding));
  return telling(rules, from, { members, founding }, founded(rules, next, members, founding));
}

/** What is decided stays so: it is told at once, whatever this node does next. */
function telling(
  rules: Rules,
  from: PeerRef,
  what: Pick<Decided, "members" | "founding">,
  { state, effects }: Step,
): Step {
  const message: Decided = { v: VERSION, key: rules.key, kind: "decided", from, ...what };
  const to = what.members.filter((m) => m.incarnation !== from.incarnation);
  return { state, effects: [{ type: "tell", message, to }, ...effects] };
}
