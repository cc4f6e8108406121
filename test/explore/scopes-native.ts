/** The kept scopes of clusters that were there before: dead ones, native ones, adopted ones. What is not said is as in scopes.ts. */
import type { Kept } from "./cases.ts";

/** A sealed genesis, and nobody left of it. */
export const dead: Record<string, Kept> = {
  "a dead fleet": {
    about: "blank nodes under a sealed genesis join nobody; after `rollcall genesis rebirth` they form",
    scope: { start: "orphaned", faults: { rebirth: 1, crash: 2, unknown: 1, cut: 1 } },
  },
  "a dead fleet, one of two": {
    about: "likewise, each enough by itself",
    scope: { start: "orphaned", rules: { expect: 1 }, faults: { rebirth: 1, crash: 1, unknown: 1, cut: 1 } },
  },
};

/** A leader record that a database wrote itself. */
export const native: Record<string, Kept> = {
  "a native cluster": {
    about: "blank nodes adopt it and join it; nobody creates",
    scope: { native: "named", rules: { expect: 1 }, faults: { crash: 1, unknown: 1, cut: 1 } },
  },
  "a native cluster, two of two, initialised": {
    about: "likewise; what is initialised for a claim has no part in it",
    scope: {
      native: "named",
      start: "unborn",
      rules: { initialises: true },
      faults: { crash: 2, unknown: 1, cut: 1 },
    },
  },
  "a native cluster that goes and comes": {
    about: "while it is down nobody creates beside it",
    scope: { native: "named", rules: { expect: 1 }, faults: { crash: 1, unknown: 1, nativeStop: 2 } },
  },
  "a native cluster that comes": {
    about: "its leader record appears at any time: between read and ask, under a claim, after the seal",
    scope: { rules: { expect: 1 }, faults: { crash: 1, unknown: 1, nativeStart: 1, nativeStop: 1 } },
  },
  "a native cluster that comes, initialised": {
    about: "likewise, with an initialisation to set aside",
    scope: {
      rules: { expect: 1, initialises: true },
      faults: { crash: 1, unknown: 1, nativeStart: 1, nativeStop: 1 },
    },
    long: true,
  },
  "a native cluster that comes, symmetric": {
    about: "likewise, two who need each other",
    scope: { rules: { formation: "symmetric" }, faults: { crash: 1, unknown: 1, nativeStart: 1 } },
  },
  "a native cluster, a non-voter and a node that never creates": {
    about: "the non-voter writes what the other may not",
    scope: {
      native: "named",
      each: { 0: { genesis: "never" }, 1: { voter: false } },
      faults: { crash: 2, unknown: 2 },
    },
  },
  "a native cluster, strict": {
    about: "`strict` writes no record where there is none, and adopts in one that an operator made",
    scope: {
      native: "named",
      start: "unborn",
      rules: { expect: 1, genesis: "strict" },
      faults: { crash: 1, unknown: 1, cut: 1 },
    },
  },
  "a native cluster, store wiped": {
    about:
      "everything is reachable, and a write may come late: adopting takes an unborn record, as claiming does",
    scope: { native: "named", rules: { expect: 1 }, faults: { storeWipe: 1, unknown: 1 } },
  },
  "a native cluster comes, store wiped": {
    about: "likewise: it comes before or after the wipe, and a holder that answers forbids adopting it",
    scope: { rules: { expect: 1 }, faults: { storeWipe: 1, nativeStart: 1, unknown: 1 } },
  },
  "a native leader that is gone": {
    about: "nobody creates until an operator says that it is gone for good",
    scope: { native: "gone", faults: { forget: 1, crash: 2, unknown: 1 } },
  },
  "a native leader that is gone, one of two": {
    about: "likewise, each enough by itself",
    scope: { native: "gone", rules: { expect: 1 }, faults: { forget: 1, crash: 1, unknown: 1, cut: 1 } },
  },
  "another native leader": {
    about: "after one was forgotten another comes, and forbids creating as the first did",
    scope: {
      native: "gone",
      rules: { expect: 1 },
      faults: { forget: 1, nativeStart: 1, crash: 1, unknown: 1 },
    },
  },
};

/** Nodes with data: of the native cluster, or of another one. */
export const adopted: Record<string, Kept> = {
  "agents beside a native cluster": {
    about: "`rollcall genesis adopt`: nothing is created, nobody joins, every database is opened as it is",
    scope: {
      native: "named",
      beside: [0, 1],
      faults: { adopt: 1, crash: 2, unknown: 1, nativeStop: 1 },
    },
  },
  "an agent beside a native cluster, and a blank node": {
    about: "the blank node adopts it, and the other one finds itself adopted",
    scope: {
      native: "named",
      beside: [1],
      rules: { expect: 1 },
      faults: { crash: 1, unknown: 1, cut: 1, nativeStop: 1 },
    },
  },
  "adopting races with claiming": {
    about: "a native cluster that no leader record names, and a blank voter: one check-and-set decides",
    scope: {
      native: "unnamed",
      beside: [1],
      rules: { expect: 1 },
      faults: { adopt: 1, crash: 2, unknown: 1, cut: 1 },
    },
  },
  "adopting races with two that claim": {
    about: "likewise, two blank voters who need each other",
    scope: { nodes: 3, native: "unnamed", beside: [2], faults: { adopt: 1, unknown: 1 } },
    long: true,
  },
  "adopting, store wiped": {
    about:
      "everything is reachable: what was created or adopted before the wipe is seen, and stays the only one",
    scope: {
      native: "unnamed",
      beside: [1],
      rules: { expect: 1 },
      faults: { adopt: 2, storeWipe: 1, unknown: 1 },
    },
  },
  "adopting races with adopting": {
    about: "an operator and a blank node adopt the same cluster: one genesis",
    scope: {
      native: "named",
      beside: [1],
      rules: { expect: 1 },
      faults: { adopt: 1, crash: 1, unknown: 1 },
    },
  },
  "data of another cluster": {
    about: "a database with the same ids elsewhere joins nothing, whatever was adopted",
    scope: { native: "named", foreign: [1], rules: { expect: 1 }, faults: { crash: 1, unknown: 1, cut: 1 } },
  },
  "an adopted database is lost": {
    about: "its node begins anew and joins",
    scope: {
      native: "named",
      beside: [1],
      rules: { expect: 1 },
      faults: { crash: 1, dataWipe: 1, diskWipe: 1 },
    },
  },
};
