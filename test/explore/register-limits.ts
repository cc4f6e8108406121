/** Where the guarantees of the register end, each by the run that shows it: c of the README's limits, and what an operator resolves. */
import type { Limit } from "./cases.ts";
import type { RegisterDifference } from "./register-scope.ts";

/** Every limit by its name. */
export const registerLimits: Readonly<Record<string, Limit<RegisterDifference>>> = {
  "c: 2N incarnations vote, in two sets": {
    about:
      "four nodes that expect two and are listed to each other in pairs; all would be seen to be too many",
    scope: { nodes: 4, views: { 0: [1], 1: [0], 2: [3], 3: [2] } },
    shows: "violation",
    closedBy: {
      what: "one more expected, and all are seen",
      scope: { nodes: 3, rules: { formation: "symmetric" }, views: { 0: [1], 2: [1] } },
    },
  },
  "c: 2N incarnations vote, one of them after a wipe": {
    about: "three nodes that expect two, one of which begins anew: four incarnations",
    scope: {
      nodes: 3,
      rules: { formation: "symmetric" },
      views: { 0: [1], 2: [1] },
      awake: true,
      live: false,
      faults: { diskWipe: 1 },
    },
    shows: "violation",
    closedBy: {
      what: "2N - 1 incarnations",
      scope: { rules: { formation: "symmetric" }, faults: { diskWipe: 1, assumeLost: 1 }, counts: "living" },
    },
  },
  "c: different N that do not see each other": {
    about: "two nodes that expect two, and one that expects itself alone and is listed to nobody",
    scope: {
      nodes: 3,
      each: { 2: { expect: 1 } },
      views: { 0: [1], 1: [0], 2: [] },
      alone: [2],
      live: false,
    },
    shows: "violation",
    closedBy: {
      what: "they see each other",
      scope: { nodes: 3, each: { 2: { expect: 1 } }, rules: { formation: "symmetric" }, live: false },
    },
  },
  "l: a founder gone before the founders are known": {
    about: "nobody can tell gone from down: the others wait for it, or for `rollcall genesis assume-lost`",
    scope: { rules: { formation: "symmetric" }, counts: "living", faults: { diskWipe: 1 } },
    shows: "stuck",
    closedBy: {
      what: "assume-lost",
      scope: { rules: { formation: "symmetric" }, counts: "living", faults: { diskWipe: 1, assumeLost: 1 } },
    },
  },
  "m: assume-lost said of a node that lives": {
    about: "in a symmetric formation it may have opened by itself; its database has no majority",
    scope: {
      nodes: 3,
      rules: { formation: "symmetric" },
      operator: "wrong",
      live: false,
      faults: { assumeLost: 1, elections: 2, cut: 1 },
    },
    long: true,
    shows: "violation",
    closedBy: {
      what: "a single creator",
      scope: {
        nodes: 3,
        operator: "wrong",
        live: false,
        faults: { assumeLost: 1, elections: 2, foundings: 1 },
      },
    },
  },
};
