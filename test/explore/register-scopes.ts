/**
 * The kept scopes of the register: worlds in which the shipped one must be complete, safe and, without a further fault,
 * never stuck. Unless said otherwise: two blank nodes that expect two, `single`, two ballots for each decree.
 */
import type { Kept } from "./cases.ts";
import type { RegisterDifference } from "./register-scope.ts";

const symmetric = { formation: "symmetric" } as const;
/** Three nodes that expect two: the one in the middle hears both others, these hear it alone. */
const chain = { nodes: 3, views: { 0: [1], 2: [1] } } as const;

/** The founders alone: where all start with the identical list, no second decree follows. */
const ofMembers: Record<string, Kept<RegisterDifference>> = {
  "founders of two": {
    about: "a crash, a vote in vain, an agent unheard; three ballots",
    scope: { rules: symmetric, faults: { crash: 1, lost: 1, cut: 1, elections: 3 } },
  },
  "founders of two, overlapping views": {
    about: "01 and 12, two expected: the sets overlap in one node",
    scope: { ...chain, rules: symmetric, faults: { lost: 1 } },
  },
  "founders of two, overlapping views, a crash": {
    about: "likewise, and any agent may be killed",
    scope: { ...chain, rules: symmetric, faults: { crash: 1 } },
    long: true,
  },
  "founders of three, overlapping views": {
    about: "012 and 123, three expected: two nodes hear everybody",
    scope: { nodes: 4, rules: { ...symmetric, expect: 3 }, views: { 0: [1, 2], 3: [1, 2] } },
    long: true,
  },
  "founders of two among three": {
    about: "everybody hears everybody, and the sets still differ by who has started",
    scope: { nodes: 3, rules: symmetric },
  },
  "founders beside one that is no voter": {
    about: "it waits and joins, and is never one of them",
    scope: { nodes: 3, rules: symmetric, each: { 0: { voter: false } }, faults: { lost: 1 } },
  },
  "founders, data lost": {
    about: "a founder that lost its data is a new node, not the listed one",
    scope: { rules: symmetric, live: false, faults: { crash: 1, dataWipe: 1, elections: 3 } },
  },
};

/** The genesis alone: the founders are decided. */
const ofGenesis: Record<string, Kept<RegisterDifference>> = {
  "genesis of two": {
    about: "a crash, a vote in vain, an agent unheard; three ballots",
    scope: { start: "elected", faults: { crash: 1, lost: 1, cut: 1, elections: 0, foundings: 3 } },
  },
  "genesis of three": {
    about: "most of three are enough; one agent may be killed",
    scope: {
      nodes: 3,
      rules: { expect: 3 },
      start: "elected",
      faults: { elections: 0, foundings: 2, crash: 1 },
    },
    long: true,
  },
  "genesis, initialised": {
    about: "a hook initialises the database before the vote, and may fail and leave something behind",
    scope: {
      rules: { initialises: true },
      start: "elected",
      faults: { elections: 0, crash: 2, lost: 1, hook: 1 },
    },
  },
  "genesis, initialised, data lost": {
    about: "what was initialised is lost while the agent is down",
    scope: {
      rules: { initialises: true },
      start: "elected",
      faults: { elections: 0, crash: 2, dataWipe: 1 },
    },
  },
};

/** Both, one after the other. */
const both: Record<string, Kept<RegisterDifference>> = {
  "one alone": {
    about: "the list names this node and no other",
    scope: { nodes: 1, rules: { expect: 1 }, alone: [0], faults: { crash: 2 } },
  },
  "two form": {
    about: "both decrees, and any agent may be killed",
    scope: { faults: { crash: 1 } },
  },
  "two form, everything at once": {
    about: "a crash and a vote in vain; three ballots for the founders",
    scope: { faults: { crash: 1, lost: 1, elections: 3 } },
    long: true,
  },
  "two form, heard late": {
    about: "what was heard is taken in at any later time",
    scope: { hears: "late", faults: { crash: 1, elections: 1, foundings: 1 } },
  },
  "two form, a third joins": {
    about: "01 and 12: whichever two found the cluster, the third joins it",
    scope: { ...chain, faults: { foundings: 1 } },
  },
  "two form beside foreign data": {
    about: "a node whose database has data is no voter and stays closed",
    scope: { nodes: 3, foreign: [1], faults: { foundings: 1 } },
  },
};

/** Disks are lost, and operators say so. */
const lost: Record<string, Kept<RegisterDifference>> = {
  "a disk lost, assumed lost": {
    about: "the founder begins anew, and the other one is told, or is not",
    scope: { faults: { diskWipe: 1, assumeLost: 1, foundings: 1, crash: 1 } },
    long: true,
  },
  "a disk lost among founders, assumed lost": {
    about: "where all start with the identical list, what a lost node alone had started does not count",
    scope: {
      rules: symmetric,
      counts: "living",
      faults: { diskWipe: 1, assumeLost: 1, crash: 1 },
    },
  },
  "a disk lost among founders, an agent unheard": {
    about: "likewise, with a round in which an agent is not heard",
    scope: { rules: symmetric, counts: "living", faults: { diskWipe: 1, assumeLost: 1, cut: 1 } },
  },
  "one of three lost, assumed lost": {
    about: "two of three go on, whether they are told before or after they know the founders",
    scope: {
      nodes: 3,
      rules: { expect: 3 },
      faults: { diskWipe: 1, assumeLost: 1, elections: 1, foundings: 1 },
    },
    long: true,
  },
  "assumed lost wrongly": {
    about: "the creator is single: it does no harm that the lost node lives",
    scope: {
      nodes: 3,
      operator: "wrong",
      live: false,
      faults: { assumeLost: 1, foundings: 1 },
    },
    long: true,
  },
};

/** Every kept scope by its name. */
export const registerScopes: Readonly<Record<string, Kept<RegisterDifference>>> = {
  ...ofMembers,
  ...ofGenesis,
  ...both,
  ...lost,
};
