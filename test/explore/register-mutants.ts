/**
 * Registers that differ from the shipped one by one rule, or live in a world that breaks its contract. Each must be
 * caught in a scope in which the shipped one is complete and safe.
 */
import type { Mutant } from "./cases.ts";
import type { RegisterDifference } from "./register-scope.ts";

const symmetric = { formation: "symmetric" } as const;
/** Three nodes that expect two, of which only the one in the middle hears both others. */
const chain = { nodes: 3, awake: true, live: false, views: { 0: [1], 2: [1] }, rules: symmetric } as const;

/** Mutants of the world. */
const worlds: Record<string, Mutant<RegisterDifference>> = {
  "wiped acceptor that keeps its identity": {
    about: "a founder votes a second time for a genesis, as if it had never voted",
    scope: {
      nodes: 3,
      rules: { expect: 3 },
      start: "elected",
      live: false,
      faults: { elections: 0, foundings: 2, diskWipe: 1 },
    },
    world: { wipeKeepsName: true },
    caughtAs: "violation",
    long: true,
  },
  "reply before sync": {
    about: "a vote is told and then forgotten",
    scope: { ...chain, faults: { crash: 1 } },
    world: { repliesFirst: true },
    caughtAs: "violation",
  },
};

/** Mutants of the decree on the founders. */
const ofMembers: Record<string, Mutant<RegisterDifference>> = {
  "majority quorums over differing views": {
    about: "most of the set are enough; of two overlapping sets there are two majorities that do not overlap",
    scope: {
      nodes: 4,
      rules: { ...symmetric, expect: 3 },
      views: { 0: [1, 2], 1: [0, 2], 2: [1, 3], 3: [1, 2] },
      live: false,
    },
    edits: [{ find: `  if (isOfMembers(message)) return to.length;\n`, replace: `` }],
    caughtAs: "violation",
    long: true,
  },
  "same ballot instead of same value": {
    about: "a decided set that was proposed again is accepted in two ballots, and taken for undecided",
    scope: {
      nodes: 4,
      rules: { ...symmetric, expect: 3 },
      views: { 0: [], 1: [2, 3], 2: [1, 3], 3: [1, 2] },
      start: "accepted",
      live: false,
      faults: { elections: 2 },
    },
    edits: [
      {
        find: `reply.accepted?.members != null && sameFounders(reply.accepted.members, set)`,
        replace: `reply.accepted != null && compareBallots(reply.accepted.ballot, last?.ballot ?? null) === 0`,
      },
    ],
    caughtAs: "violation",
  },
  "a ballot used twice": {
    about: "a proposer does not keep its own vote, and so begins the same round again",
    scope: { ...chain, faults: { crash: 1 } },
    edits: [
      {
        find: `return { state: { ...own.state, phase }, effects: [{ type: "save", kept: own.state.kept, aside: null }] };`,
        replace: `return { state: { ...state, phase }, effects: [{ type: "save", kept: state.kept, aside: null }] };`,
      },
    ],
    caughtAs: "violation",
  },
  "mixed expect": {
    about: "nobody looks at how many the others expect: neither who proposes nor who votes",
    scope: {
      nodes: 4,
      rules: symmetric,
      each: { 1: { expect: 3 }, 3: { expect: 3 } },
      views: { 0: [1], 1: [0], 2: [3], 3: [2] },
      live: false,
    },
    edits: [
      { find: `  if (members.length !== acceptor.expect) return "other_expect";\n`, replace: `` },
      { find: `theirs === null || theirs === expect ? []`, replace: `theirs !== undefined ? []` },
    ],
    caughtAs: "violation",
  },
  "unreachable counted as a vote": {
    about: "who does not answer is taken to agree",
    scope: { ...chain, faults: { elections: 2, lost: 1 } },
    edits: [
      {
        find: `return reply?.kind === "promise" ||`,
        replace: `return reply === null || reply.kind === "promise" ||`,
      },
    ],
    caughtAs: "violation",
  },
  "amnesiac founder": {
    about: "a founder that lost its data starts again under the same incarnation",
    scope: { rules: symmetric, live: false, faults: { crash: 1, dataWipe: 1 } },
    edits: [
      {
        find: `{ ...state, kept: { ...blank(fresh), votes: state.kept.votes && noVotes } }`,
        replace: `{ ...state, kept: { ...state.kept, opened: false } }`,
      },
    ],
    caughtAs: "violation",
  },
};

/** Mutants of the decree on the genesis, and of who opens. */
const ofGenesis: Record<string, Mutant<RegisterDifference>> = {
  "its own genesis over an accepted one": {
    about: "a proposer proposes its own whatever the others have accepted",
    scope: { start: "elected", faults: { elections: 0 } },
    edits: [{ find: `return highest(promises)?.founding ?? own;`, replace: `return own;` }],
    caughtAs: "violation",
  },
  "anybody opens what is decided": {
    about: "who knows the genesis creates the cluster",
    scope: { start: "elected", faults: { elections: 0 } },
    edits: [
      {
        find: `if (founding.owner === incarnation) return enter(rules, state, genesisOf(members, founding, "single"));`,
        replace: `return enter(rules, state, genesisOf(members, { ...founding, owner: incarnation }, "single"));`,
      },
    ],
    caughtAs: "violation",
  },
  "a marker told before it is synced": {
    about: "its owner, killed in between, hears of its own genesis and takes its database for another's",
    scope: { rules: { initialises: true }, faults: { crash: 1, elections: 1, foundings: 1 } },
    edits: [{ find: `votes === null || !isSynced ? {}`, replace: `votes === null ? {}` }],
    caughtAs: "stuck",
  },
  "a database set aside that looks lost": {
    about: "a founder, killed between setting its database aside and saying so, takes itself for a new node",
    scope: { rules: { initialises: true }, start: "elected", faults: { elections: 0, crash: 2 } },
    edits: [
      {
        find: `if (stamp !== null) return setAside(state, stamp);`,
        replace: `if (stamp !== null) return park(state, stamp.claim_id);`,
      },
    ],
    caughtAs: "stuck",
  },
};

/** A founder is gone for good, and the others of two are told; or wrongly so. */
const gone = {
  rules: symmetric,
  awake: true,
  counts: "living",
  live: false,
  faults: { diskWipe: 1, assumeLost: 1, elections: 2, crash: 1 },
} as const;
const wrong = {
  nodes: 4,
  rules: { expect: 3 },
  views: { 0: [1, 2], 1: [], 2: [], 3: [1, 2] },
  start: "accepted",
  awake: true,
  operator: "wrong",
  live: false,
  faults: { assumeLost: 2, elections: 1, foundings: 2 },
} as const;

/** Mutants of `rollcall genesis assume-lost`. */
const ofLost: Record<string, Mutant<RegisterDifference>> = {
  "assume-lost without the refusal": {
    about: "who has been told that a founder is gone votes with it all the same",
    scope: wrong,
    edits: [{ find: `  if (hasLost(votes, members)) return "assumed_lost";\n`, replace: `` }],
    caughtAs: "violation",
    long: true,
  },
  "assume-lost despite a vote for a genesis": {
    about: "who has voted for a genesis gives its founders up",
    scope: wrong,
    edits: [
      {
        find: `  if (marker !== null || promised !== null || accepted !== null || decided !== null) return null;\n`,
        replace: `  if (marker !== null) return null;\n`,
      },
      {
        find: `lost === incarnation || (founders !== null && isListed(founders, incarnation))`,
        replace: `lost === incarnation`,
      },
    ],
    caughtAs: "violation",
    long: true,
  },
  "decided learnt although ruled out": {
    about: "a late word that the founders are decided reaches one that has given them up",
    scope: gone,
    edits: [
      {
        find: `if (marker !== null || hasLost(votes, members)) return votes;`,
        replace: `if (marker !== null) return votes;`,
      },
    ],
    caughtAs: "violation",
  },
  "decided by votes that came too late": {
    about: "a proposer is told that a founder is gone while that founder's vote is on its way",
    scope: gone,
    edits: [{ find: `if (known === null || !sameFounders(known, members)) return read(next);`, replace: `` }],
    caughtAs: "violation",
    long: true,
  },
  "a marker of those given up": {
    about: "a founder that has given the others up hears a lost one's marker late, and starts with it",
    scope: { ...gone, hears: "late" },
    edits: [{ find: `if (isGivenUp(state, record, hellos))`, replace: `if (false)` }],
    caughtAs: "violation",
    long: true,
  },
  "ruled out for ever": {
    about: "a founder that was told keeps refusing, although another one has voted for a genesis with it",
    scope: {
      nodes: 3,
      rules: { expect: 3 },
      faults: { diskWipe: 1, assumeLost: 1, elections: 1, foundings: 1 },
    },
    edits: [
      {
        find: `const asked = { ...acceptor, votes: reassured(votes, message) };`,
        replace: `const asked = acceptor;`,
      },
    ],
    caughtAs: "stuck",
    long: true,
  },
};

/** Every mutant by its name. */
export const registerMutants: Readonly<Record<string, Mutant<RegisterDifference>>> = {
  ...worlds,
  ...ofMembers,
  ...ofGenesis,
  ...ofLost,
};
