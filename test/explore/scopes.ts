/**
 * The kept scopes: worlds in which the shipped protocol must be complete, safe and, without a further fault,
 * never stuck. Unless said otherwise: two blank nodes, expecting two, `auto`, `single`, no initialisation.
 */
import type { Kept } from "./cases.ts";
import { mixed, three } from "./scopes-mixed.ts";
import { adopted, dead, native } from "./scopes-native.ts";

/** Two nodes that expect each other. */
const two: Record<string, Kept> = {
  "two, everything at once": {
    about: "two crashes, two lost writes, two cuts, one failed read",
    scope: { faults: { crash: 2, unknown: 2, cut: 2, away: 1 } },
    long: true,
  },
  "two, one of each": {
    about: "a crash, a lost write, a cut and a failed read",
    scope: { faults: { crash: 1, unknown: 1, cut: 1, away: 1 } },
  },
  "two, symmetric": {
    about: "both start with the identical list",
    scope: { rules: { formation: "symmetric" }, faults: { crash: 2, unknown: 2, cut: 1 } },
  },
  "two, initialised": {
    about: "a hook initialises the database between claim and seal",
    scope: { rules: { initialises: true }, faults: { crash: 2, unknown: 2, cut: 1 } },
  },
  "two, initialised, a failing hook": {
    about: "the hook fails and leaves something behind",
    scope: { rules: { initialises: true }, faults: { crash: 1, unknown: 1, cut: 1, hook: 2 } },
  },
  "two, data unwatched": {
    about: "the agents are not told where the data are: safe; limit f says what that costs",
    scope: { watchesData: false, live: false, faults: { crash: 2, unknown: 2, cut: 1, away: 1 } },
    long: true,
  },
  "two, initialised, data unwatched": {
    about: "what was initialised is known from the stamp alone",
    scope: { watchesData: false, rules: { initialises: true }, faults: { crash: 2, unknown: 1, cut: 1 } },
  },
};

/** A node loses its disk, or its database alone. */
const lostDisks: Record<string, Kept> = {
  "two, a disk lost": {
    about: "the agent's files and the data of a stopped node are gone",
    scope: { faults: { crash: 2, unknown: 1, cut: 1, diskWipe: 1 } },
    long: true,
  },
  "two, both disks lost": {
    about: "one after the other",
    scope: { faults: { crash: 2, diskWipe: 2 } },
  },
  "two, disk and data lost": {
    about: "one node loses all, one its data, or one node both",
    scope: { faults: { crash: 2, dataWipe: 1, diskWipe: 1 } },
  },
  "two, symmetric, data lost": {
    about: "a member that lost its data is a new node, not the listed one",
    scope: { rules: { formation: "symmetric" }, faults: { crash: 2, unknown: 1, dataWipe: 1 } },
  },
  "two, symmetric, a disk lost": {
    about: "likewise",
    scope: { rules: { formation: "symmetric" }, faults: { crash: 2, unknown: 1, diskWipe: 1 } },
    long: true,
  },
  "two, initialised, data lost": {
    about: "what was initialised is gone before the seal, after it, or after the first start",
    scope: { rules: { initialises: true }, faults: { crash: 2, unknown: 1, dataWipe: 1 } },
    long: true,
  },
  "two, initialised, a disk lost": {
    about: "likewise, the agent's files with it",
    scope: { rules: { initialises: true }, faults: { crash: 2, unknown: 1, diskWipe: 1 } },
    long: true,
  },
};

/** Nodes that may each create the cluster alone. */
const alone: Record<string, Kept> = {
  "one of one": {
    about: "a single node and every way to stop it",
    scope: { nodes: 1, rules: { expect: 1 }, faults: { crash: 3, unknown: 3, dataWipe: 1 } },
  },
  "one of two": {
    about: "two nodes, each enough by itself",
    scope: { rules: { expect: 1 }, faults: { crash: 2, unknown: 1, cut: 1 } },
  },
  "one of two, initialised": {
    about: "likewise, with an initialisation to set aside",
    scope: { rules: { expect: 1, initialises: true }, faults: { crash: 2, unknown: 1, cut: 1 } },
    long: true,
  },
  "one of two, disk and data lost": {
    about: "likewise, with disks",
    scope: { rules: { expect: 1 }, faults: { crash: 2, diskWipe: 1, dataWipe: 1 } },
  },
  "one of three, a crash": {
    about: "three nodes, each enough by itself",
    scope: { nodes: 3, rules: { expect: 1 }, faults: { crash: 1 } },
    long: true,
  },
  "one of three, a lost write": {
    about: "likewise, with a write that comes late or never",
    scope: { nodes: 3, rules: { expect: 1 }, faults: { unknown: 1 } },
    long: true,
  },
};

/** The store loses everything, and a node that holds the genesis is in reach, or nobody has opened yet. */
const wipedStores: Record<string, Kept> = {
  "store wiped twice": {
    about: "everything is reachable; after each wipe it is empty, or an operator initialises it",
    scope: { faults: { storeWipe: 2 } },
  },
  "store wiped, one of two, a lost write": {
    about: "likewise with one node enough; a claim or seal is on its way",
    scope: { rules: { expect: 1 }, faults: { storeWipe: 1, unknown: 1 } },
  },
  "Consul wiped twice, a lost write": {
    about: "compared by revision and init key; limit g says what two wipes and a lost write cost",
    scope: { compare: "init", live: false, faults: { storeWipe: 2, unknown: 1 } },
  },
  "Consul wiped, one of two": {
    about: "likewise with one node enough",
    scope: { compare: "init", rules: { expect: 1 }, faults: { storeWipe: 1, unknown: 1 } },
  },
  "store wiped, both needed": {
    about: "of two nodes that need each other one is always a holder: safe whatever is out of reach",
    scope: { faults: { storeWipe: 1, crash: 1, cut: 1, unknown: 1 } },
    long: true,
  },
  "store wiped and away, both needed": {
    about: "likewise, with a read that fails",
    scope: { faults: { storeWipe: 1, crash: 1, cut: 1, away: 1 } },
    long: true,
  },
  "Consul wiped, both needed": {
    about: "likewise, with two crashes",
    scope: { compare: "init", faults: { storeWipe: 1, crash: 2, cut: 1 } },
    long: true,
  },
  "store wiped, both needed, initialised": {
    about: "likewise with an initialisation; limit h says what it costs",
    scope: {
      rules: { initialises: true },
      live: false,
      faults: { storeWipe: 1, crash: 1, cut: 1, unknown: 1 },
    },
    long: true,
  },
  "store wiped before anyone opened": {
    about: "a node that has sealed and not opened comes back to another's genesis",
    scope: {
      rules: { expect: 1 },
      wipeBeforeOpen: true,
      faults: { storeWipe: 1, crash: 1, unknown: 1, cut: 1 },
    },
    long: true,
  },
  "store wiped before anyone opened, two crashes": {
    about: "likewise",
    scope: { rules: { expect: 1 }, wipeBeforeOpen: true, faults: { storeWipe: 1, crash: 2 } },
    long: true,
  },
  "Consul wiped before anyone opened": {
    about: "likewise, compared by revision and init key",
    scope: {
      rules: { expect: 1 },
      compare: "init",
      wipeBeforeOpen: true,
      faults: { storeWipe: 1, crash: 1, unknown: 1 },
    },
    long: true,
  },
  "store wiped before anyone opened, initialised": {
    about: "likewise, with an initialisation to set aside",
    scope: {
      rules: { expect: 1, initialises: true },
      wipeBeforeOpen: true,
      live: false,
      faults: { storeWipe: 1, crash: 1, unknown: 1 },
    },
  },
};

/** A second birth, ordered when no node of the first one is running in reach. Old nodes refuse for good. */
const rebirths: Record<string, Kept> = {
  rebirth: {
    about: "a crash, then `rollcall genesis rebirth`: the old and the new never run at one time",
    scope: { live: false, faults: { rebirth: 1, crash: 2, unknown: 1 } },
  },
  "rebirth, one of two": {
    about: "likewise, with one node enough",
    scope: { live: false, rules: { expect: 1 }, faults: { rebirth: 1, crash: 2 } },
  },
  "rebirth, store wiped before anyone opened": {
    about: "likewise, and the store is lost before or after it",
    scope: {
      live: false,
      rules: { expect: 1 },
      wipeBeforeOpen: true,
      faults: { rebirth: 1, storeWipe: 1, crash: 1 },
    },
    long: true,
  },
  "rebirth after lost disks": {
    about: "likewise, with nodes that start anew",
    scope: { live: false, faults: { rebirth: 1, crash: 2, diskWipe: 2 } },
    long: true,
  },
};

/** Every kept scope by its name. */
export const keptScopes: Readonly<Record<string, Kept>> = {
  ...two,
  ...lostDisks,
  ...alone,
  ...wipedStores,
  ...rebirths,
  ...mixed,
  ...three,
  ...dead,
  ...native,
  ...adopted,
};
