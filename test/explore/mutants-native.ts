/** Mutants of the rules about clusters that were there before: dead, native, adopted. */
import type { Mutant } from "./cases.ts";

export const adoptions: Record<string, Mutant> = {
  "a sealed genesis is joined without asking": {
    about: "blank nodes take the marker of a fleet that is gone, and nothing can form any more",
    scope: { start: "orphaned", rules: { expect: 1 }, faults: { rebirth: 1 } },
    edits: [
      {
        find: `return mine || isListed(kept, record) ? take(state, record) : ask(state, "join");`,
        replace: `return take(state, record);`,
      },
    ],
    caughtAs: "stuck",
  },
  "a native leader record forbids no claim": {
    about: "it is looked for while the record is absent, and not while it is unborn",
    scope: { native: "gone", start: "unborn", rules: { expect: 1 }, live: false },
    edits: [
      {
        find: `const foreign = standing(answers.foreign, record);`,
        replace: `const foreign = null;`,
      },
    ],
    caughtAs: "violation",
  },
  "a native leader that does not answer forbids nothing": {
    about: "silence is taken for death",
    scope: { native: "named", rules: { expect: 1 }, faults: { nativeStop: 1 } },
    edits: [
      {
        find: `const foreign = standing(answers.foreign, record);`,
        replace: `const foreign = answers.foreign?.cluster ? standing(answers.foreign, record) : null;`,
      },
    ],
    caughtAs: "violation",
  },
  "one forgotten, all forgotten": {
    about: "after an operator forgot one native leader, no other forbids anything",
    scope: { native: "gone", rules: { expect: 1 }, faults: { forget: 1, nativeStart: 1 } },
    edits: [
      {
        find: `leader.value === record?.forgets`,
        replace: `record?.forgets !== undefined`,
      },
    ],
    caughtAs: "violation",
  },
  "what was forgotten is remembered by nobody": {
    about: "a claim does not keep which leader was forgotten, and whoever claims next is forbidden to",
    scope: { native: "gone", faults: { forget: 1, crash: 1, diskWipe: 1 } },
    edits: [
      {
        find: `...(forgets === undefined ? {} : { forgets })`,
        replace: ``,
      },
    ],
    caughtAs: "stuck",
  },
  "an absent record is adopted at once": {
    about: "no unborn record first: the write lands late, in a store that was wiped since",
    scope: { native: "named", rules: { expect: 1 }, faults: { storeWipe: 1, unknown: 1 } },
    edits: [
      {
        find: `return swap(state, "init", null, next);`,
        replace: `return foreign?.cluster
          ? swap(state, "adopt", null, adoption(rules, { record: next, at: { value: "", revision: "" } }, foreign.cluster, answers, fresh))
          : swap(state, "init", null, next);`,
      },
    ],
    caughtAs: "violation",
  },
  "a holder is no obstacle to adopting": {
    about: "the store was wiped, its cluster is in reach, and a native database answers",
    scope: { rules: { expect: 1 }, faults: { storeWipe: 1, nativeStart: 1 } },
    edits: [
      {
        find: `return obstacle
      ? wait(counting, obstacle)`,
        replace: `return false
      ? wait(counting, obstacle)`,
      },
    ],
    caughtAs: "violation",
  },
  "who adopts creates": {
    about: "an adopted record names its writer as a created one does",
    scope: { native: "named", rules: { expect: 1 } },
    edits: [
      { find: `    incarnation: fresh,\n`, replace: `    incarnation: state.kept.incarnation,\n` },
      {
        find: `adoption(rules, seen, foreign.cluster, answers, fresh)`,
        replace: `adoption(rules, seen, foreign.cluster, answers, fresh, state)`,
      },
      { find: `  fresh: string,\n): Sealed {`, replace: `  fresh: string,\n  state: State,\n): Sealed {` },
      { find: `if (record.adopted !== undefined) return "join";`, replace: `` },
    ],
    caughtAs: "violation",
  },
  "data are joined without a look": {
    about: "data without a marker are taken for the adopted cluster's, whoever made them",
    scope: { native: "named", foreign: [1], rules: { expect: 1 } },
    edits: [
      {
        find: `if (!isSame(record.adopted, own)) return refuse(state, { code: "foreign_data", doubt: "other_cluster" });`,
        replace: ``,
      },
    ],
    caughtAs: "violation",
  },
  "clusters are told apart by node ids alone": {
    about: "another cluster with the same ids is taken for the adopted one",
    scope: { native: "named", foreign: [1], rules: { expect: 1 } },
    edits: [
      {
        find: `return known.length === 0 || known.some(([one, other]) => one === other);`,
        replace: `return true;`,
      },
    ],
    caughtAs: "violation",
  },
  "an adopted database is told to join": {
    about: "a database that runs in the cluster is started as a new one",
    scope: { nodes: 1, native: "named", beside: [0], rules: { expect: 1 }, faults: { adopt: 1 } },
    edits: [
      {
        find: `return marker.adopted !== undefined && data === "present" ? "existing" : firstOutcome(kept, marker);`,
        replace: `return firstOutcome(kept, marker);`,
      },
    ],
    caughtAs: "violation",
  },
};
