/**
 * What a node does that has heard who is there: the part of the register's step function (register.ts) in which it
 * joins, opens, waits, or goes on with the decree that is due.
 */
import type { Rules, State } from "./genesis-state.ts";
import { hadData, open, park, refuse, renew, save, still, wait } from "./genesis-steps.ts";
import { byIdentity, type MemberRef, type Sealed } from "./model.ts";
import {
  acceptorOf,
  admit,
  ask,
  candidate,
  enter,
  founded,
  nextBallot,
  type Step,
  setAside,
  symmetric,
  votesOf,
  withVotes,
} from "./register-steps.ts";
import { answering, countVoters, type Heard, type Held, heldBy, highestRound } from "./voters.ts";
import { type Founders, hasLost, isListed, learn, majorityOf, type Votes } from "./votes.ts";

/** Who is there, and what they hold. Outcomes: open, refuse, join, wait, or go on with the decree that is due. */
export function onHeard(rules: Rules, state: State, heard: Heard, fresh: string): Step {
  if (state.phase.at !== "reading") return still(state);
  const { kept, data } = state;
  if (kept.marker !== null) return asHolder(rules, state, kept.marker, heard, fresh);
  if (data === "present" && kept.stamp === null) return refuse(state, { code: "foreign_data", doubt: null });
  const [held, other] = heldBy(rules.key, null, heard.hellos);
  if (held && other)
    return refuse(state, {
      code: "genesis_conflict",
      why: "two_others",
      with: `${held.record.genesis_id} and ${other.record.genesis_id}`,
      where: `${held.by.node_id} and ${other.by.node_id}`,
    });
  if (held) return join(rules, state, held, heard);
  const informed = learnFrom(rules, state, heard);
  const { members, genesis } = votesOf(informed);
  if (members.decided === null) return elect(rules, informed, heard);
  if (!isListed(members.decided, kept.incarnation))
    return wait(informed, { on: "founders", founders: members.decided });
  if (rules.formation === "symmetric") return enter(rules, informed, symmetric(members.decided));
  return genesis.decided === null
    ? found(rules, informed, members.decided, heard, fresh)
    : founded(rules, informed, members.decided, genesis.decided);
}

/** A genesis is held by others: it is joined, and what was initialised for one of this node's own is set aside before. */
function join(rules: Rules, state: State, { record, by }: Held, { self, hellos }: Heard): Step {
  if (state.kept.stamp !== null) return setAside(state, state.kept.stamp);
  // Under a node id that is another's, this node would be a second database of one name.
  const other = hellos.find((h) => h.node_id === self.id);
  if (other !== undefined) return wait(state, { on: "duplicate_node_id", by: other.agent_addr });
  if (isGivenUp(state, record, hellos))
    return refuse(state, {
      code: "genesis_conflict",
      why: "given_up",
      with: record.genesis_id,
      where: by.node_id,
    });
  return enter(rules, state, record);
}

/**
 * An operator has told this founder that others of them are gone, and nobody else of them has the marker: those that
 * remain may have given the set up, and then nobody of them may start with it. One that has the marker never does.
 */
function isGivenUp(
  state: State,
  { formation, members, genesis_id }: Sealed,
  hellos: Heard["hellos"],
): boolean {
  const votes = votesOf(state);
  if (formation === "single" || !isListed(members, state.kept.incarnation) || !hasLost(votes, members))
    return false;
  return !hellos.some(
    ({ incarnation, marker }) =>
      marker?.genesis_id === genesis_id &&
      marker.record !== undefined &&
      isListed(members, incarnation) &&
      !votes.lost.includes(incarnation),
  );
}

/** A marker is on disk. Outcomes: open, go on as a new node where the disk was replaced, or stay closed over a conflict. */
function asHolder(rules: Rules, state: State, marker: Sealed, { hellos }: Heard, fresh: string): Step {
  const { kept, data } = state;
  if (!kept.opened && data === "empty" && hadData(rules, kept)) return renew(state, fresh);
  const [held] = heldBy(rules.key, marker, hellos);
  if (held)
    return refuse(state, {
      code: "genesis_conflict",
      with: held.record.genesis_id,
      where: held.by.node_id,
    });
  if (!kept.opened) return admit(state, marker);
  // Until its data have been seen once, the first start may have been cut short, and is made again.
  if (kept.stamp === null || data === "empty") return open(state, marker);
  return save({ ...state, kept: { ...kept, stamp: null } }, "read");
}

/** What those who answered know to be decided. */
function learnFrom(rules: Rules, state: State, { hellos }: Heard): State {
  let votes = votesOf(state);
  for (const { key, votes: theirs } of hellos)
    if (key === rules.key && theirs?.members)
      votes = learn({ votes, marker: null }, theirs.members, theirs.founding);
  return withVotes(state, votes);
}

/** The founders are not decided. Outcomes: wait, or ask for promises. */
function elect(rules: Rules, state: State, heard: Heard): Step {
  const { expect } = rules;
  const { voter, used, votes } = acceptorOf(rules, state);
  const { tally, voters } = countVoters(rules.key, heard, { voter, used, lost: votes.lost });
  const counting = { ...state, tally };
  if (!voter) return wait(counting, { on: "others" });
  const others = voters.flatMap(({ id, expect: theirs }) =>
    theirs === null || theirs === expect ? [] : [{ id, expect: theirs }],
  );
  if (others.length > 0) return wait(counting, { on: "expect_differs", others });
  if (voters.length >= 2 * expect)
    return wait(counting, {
      on: "too_many_voters",
      voters: voters.length,
      safe: Math.floor(voters.length / 2) + 1,
    });
  if (voters.length < expect) return wait(counting, { on: "voters" });
  if (expect === 1 && !heard.alone) return wait(counting, { on: "not_alone" });
  const members = candidates(tally.counted, votes, expect);
  const rank = members.findIndex((m) => m.incarnation === state.kept.incarnation);
  if (rank === -1) return wait(counting, { on: "others" });
  if (rank > 0 && !heard.impatient) return wait(counting, { on: "turn" });
  const ballot = nextBallot(state, highestRound(heard.hellos));
  return ask(rules, counting, heard.self, { kind: "prepare", decree: "members", ballot, members });
}

/**
 * The lowest that many. Where an operator has ruled out the set that this node accepted last, those that remain of it
 * come first: only with the promises of all of them can it be given up.
 */
function candidates(counted: readonly MemberRef[], votes: Votes, expect: number): Founders {
  const accepted = votes.members.accepted?.value ?? [];
  const remaining = hasLost(votes, accepted) ? counted.filter((m) => isListed(accepted, m.incarnation)) : [];
  const others = counted.filter((m) => !remaining.includes(m));
  return [...remaining, ...others].slice(0, expect).sort(byIdentity);
}

/** The founders are decided, and who creates the cluster is not. Outcomes: wait, initialise, or ask for promises. */
function found(rules: Rules, state: State, members: Founders, heard: Heard, fresh: string): Step {
  const { incarnation, stamp } = state.kept;
  const present = answering(members, heard.hellos);
  const first = present.find(
    (m) => members.indexOf(m) < members.findIndex((o) => o.incarnation === incarnation),
  );
  if (first !== undefined && !heard.impatient)
    return wait(state, rules.initialises ? { on: "claimer", claimer: first.id } : { on: "turn" });
  if (present.length + 1 < majorityOf(members))
    return wait(state, { on: "votes", silent: silentOf(members, heard), refused: [] });
  if (rules.initialises && stamp?.done !== true) return initialise(state, fresh);
  const seen = highestRound(heard.hellos);
  return candidate(rules, state, heard.self, { members, seen, fresh });
}

/** Initialises the database closed, for the genesis that this node will propose. */
function initialise(state: State, fresh: string): Step {
  const claim_id = votesOf(state).candidate ?? fresh;
  const ready = withVotes(state, { ...votesOf(state), candidate: claim_id });
  // A stamp without "done" is an initialisation cut short: what it left is set aside, and it is done again.
  if (ready.kept.stamp !== null) return park(ready, claim_id);
  return save({ ...ready, kept: { ...ready.kept, stamp: { claim_id, done: false } } }, "initialise");
}

function silentOf(members: Founders, { self, hellos }: Heard): MemberRef[] {
  const present = answering(members, hellos);
  return members.filter((m) => m.incarnation !== self.incarnation && !present.includes(m));
}
