/**
 * Where the guarantees end, each by the run that shows it: a, b and d of the README's limits, and what needs
 * an operator because the protocol would rather stand still than guess. c is of the modes without a store.
 */
import type { Limit } from "./cases.ts";

/** Every limit by its name. */
export const limits: Readonly<Record<string, Limit>> = {
  "a: store wiped, one blank voter is enough, the holder is down": {
    about: "`auto`, the store is wiped, and nobody in reach knows the cluster",
    scope: { rules: { expect: 1 }, faults: { storeWipe: 1, crash: 1 } },
    shows: "violation",
    closedBy: {
      what: "strict",
      scope: {
        rules: { expect: 1, genesis: "strict" },
        start: "unborn",
        wipedTo: "empty",
        live: false,
        faults: { storeWipe: 1, crash: 1 },
      },
    },
  },
  "a: store wiped, one blank voter is enough, the holder is cut off": {
    about: "likewise: the holder runs, and one question to it is lost",
    scope: { rules: { expect: 1 }, faults: { storeWipe: 1, cut: 1 } },
    shows: "violation",
    closedBy: {
      what: "strict",
      scope: {
        rules: { expect: 1, genesis: "strict" },
        start: "unborn",
        wipedTo: "empty",
        live: false,
        faults: { storeWipe: 1, cut: 1 },
      },
    },
  },
  "a: store wiped, two blank voters without the holder": {
    about: "likewise, with two of three nodes blank and enough; all peers are asked at one moment",
    scope: {
      nodes: 3,
      each: { 2: { genesis: "never" } },
      asks: "atOnce",
      start: "unborn",
      faults: { storeWipe: 1, cut: 1 },
    },
    shows: "violation",
    closedBy: {
      what: "strict",
      scope: {
        nodes: 3,
        each: { 2: { genesis: "never" } },
        asks: "atOnce",
        rules: { genesis: "strict" },
        start: "unborn",
        wipedTo: "empty",
        live: false,
        faults: { storeWipe: 1, cut: 1 },
      },
    },
  },
  "b: store rolled back, no holder in reach": {
    about: "a backup from before the seal comes back while the holder is down",
    scope: { rules: { expect: 1 }, faults: { rollback: 1, crash: 1 } },
    shows: "violation",
  },
  "b: store rolled back under a claim": {
    about: "everything is reachable, and a node had asked its peers before the cluster was there",
    scope: { faults: { rollback: 1 } },
    shows: "violation",
  },
  "d: rebirth over a living cluster": {
    about:
      "`rollcall genesis rebirth` while a node of the old genesis runs where the command does not see it",
    scope: { rules: { expect: 1 }, live: false, rebirthOverLiving: true, faults: { rebirth: 1 } },
    shows: "violation",
    closedBy: {
      what: "no old node running",
      scope: { rules: { expect: 1 }, live: false, faults: { rebirth: 1, crash: 1 } },
    },
  },
  "d: rebirth, and an old node starts while the store is away": {
    about: "it cannot read that there was one, and opens what it belongs to",
    scope: { rules: { expect: 1 }, live: false, faults: { rebirth: 1, crash: 1, away: 1 } },
    shows: "violation",
    closedBy: {
      what: "store in reach",
      scope: { rules: { expect: 1 }, live: false, faults: { rebirth: 1, crash: 1 } },
    },
  },
  "e: data lost before their agent saw them": {
    about: "the creator's agent dies right after the first start, and its data are lost before it is back",
    scope: { losesUnseenData: true, faults: { crash: 1, dataWipe: 1 } },
    shows: "violation",
    closedBy: { what: "data seen once", scope: { faults: { crash: 1, dataWipe: 1 } } },
  },
  "f: killed before the first start, data unwatched": {
    about:
      "an agent that is not told where the data are cannot tell a first start that never came from one that did",
    scope: { watchesData: false, faults: { crash: 1 } },
    shows: "stuck",
    closedBy: { what: "data watched", scope: { faults: { crash: 1 } } },
  },
  "g: two wipes and a lost write": {
    about: "two nodes hold two geneses, neither opened, and neither gives way: `genesis_conflict`",
    scope: { faults: { storeWipe: 2, unknown: 1 } },
    shows: "stuck",
    closedBy: { what: "one wipe", scope: { faults: { storeWipe: 1, unknown: 1 } } },
  },
  "h: a genesis restored whose initialised database was given up": {
    about: "its owner will not create from an empty directory: `rollcall genesis rebirth`",
    scope: { rules: { initialises: true }, faults: { storeWipe: 1, unknown: 1 } },
    shows: "stuck",
    closedBy: {
      what: "no lost write",
      scope: { rules: { initialises: true }, faults: { storeWipe: 1 } },
    },
  },
  "i: a sealed genesis whose nodes are all gone": {
    about: "nobody can tell gone from down: blank nodes wait for them, or for `rollcall genesis rebirth`",
    scope: { start: "orphaned" },
    shows: "stuck",
    closedBy: { what: "rebirth", scope: { start: "orphaned", faults: { rebirth: 1 } } },
  },
  "j: a native leader record whose database is gone": {
    about: "likewise: blank nodes wait for it, or for `rollcall genesis init -forget-leader`",
    scope: { native: "gone" },
    shows: "stuck",
    closedBy: { what: "forgotten", scope: { native: "gone", faults: { forget: 1 } } },
  },
  "k: agents beside every node of a native cluster": {
    about: "data are never taken over unasked: `rollcall genesis adopt`",
    scope: { native: "named", beside: [0, 1] },
    shows: "stuck",
    closedBy: { what: "adopted", scope: { native: "named", beside: [0, 1], faults: { adopt: 1 } } },
  },
};
