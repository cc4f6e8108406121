/** The kept scopes of nodes that are not alike, and of three nodes. What is not said is as in scopes.ts. */
import type { Kept } from "./cases.ts";

/** Nodes that are not alike. */
export const mixed: Record<string, Kept> = {
  "strict, store wiped": {
    about: "`strict` closes limit a: nobody makes the record but an operator",
    scope: {
      rules: { genesis: "strict", expect: 1 },
      start: "unborn",
      wipedTo: "empty",
      live: false,
      faults: { crash: 1, storeWipe: 1, cut: 1, unknown: 1 },
    },
    long: true,
  },
  "a strict node among others": {
    about: "an operator initialises; the strict node claims as any other",
    scope: { nodes: 3, start: "unborn", each: { 0: { genesis: "strict" } }, faults: { crash: 1 } },
    long: true,
  },
  "a node that never creates": {
    about: "`never` waits and joins",
    scope: { nodes: 3, each: { 2: { genesis: "never" } }, faults: { crash: 1 } },
    long: true,
  },
  "a non-voter": {
    about: "it is not counted, proposes nothing, and joins",
    scope: { nodes: 3, each: { 2: { voter: false } }, faults: { crash: 1 } },
  },
  "a node with another expectation": {
    about: "it is not counted, claims nothing, and joins",
    scope: { nodes: 3, start: "unborn", each: { 2: { expect: 3 } }, faults: { crash: 1 } },
  },
  "a node with foreign data": {
    about: "it is not counted, bootstraps nothing, and joins nothing",
    scope: { nodes: 3, foreign: [2], faults: { crash: 1 } },
  },
  "a node with foreign data, enough alone": {
    about: "likewise, where it would be the first in the order",
    scope: { rules: { expect: 1 }, foreign: [0], faults: { crash: 2, unknown: 1 } },
  },
};

/** Three nodes. */
export const three: Record<string, Kept> = {
  "three, one of each": {
    about: "all three are needed: a crash, a lost write, a cut",
    scope: { nodes: 3, rules: { expect: 3 }, faults: { crash: 1, unknown: 1, cut: 1 } },
    long: true,
  },
  "three, two crashes": {
    about: "likewise",
    scope: { nodes: 3, rules: { expect: 3 }, faults: { crash: 2 } },
    long: true,
  },
  "three, two cuts": {
    about: "likewise",
    scope: { nodes: 3, rules: { expect: 3 }, faults: { cut: 2 } },
  },
  "three, initialised": {
    about: "likewise, with an initialisation",
    scope: { nodes: 3, rules: { expect: 3, initialises: true }, faults: { crash: 1 } },
  },
  "three, symmetric": {
    about: "likewise, with the identical list",
    scope: { nodes: 3, rules: { expect: 3, formation: "symmetric" }, faults: { crash: 1, cut: 1 } },
    long: true,
  },
  "three, symmetric, data lost": {
    about: "likewise: a member that lost its data is a new node",
    scope: { nodes: 3, rules: { expect: 3, formation: "symmetric" }, faults: { crash: 1, dataWipe: 1 } },
    long: true,
  },
  "three, store wiped": {
    about: "of three nodes that need each other one is always a holder",
    scope: { nodes: 3, rules: { expect: 3 }, faults: { storeWipe: 1, crash: 1 } },
    long: true,
  },
  "two of three": {
    about: "any two are enough",
    scope: { nodes: 3 },
  },
  "two of three, a crash": {
    about: "likewise",
    scope: { nodes: 3, faults: { crash: 1 } },
    long: true,
  },
  "two of three, a lost write": {
    about: "likewise",
    scope: { nodes: 3, faults: { unknown: 1 } },
    long: true,
  },
  "two of three, a cut": {
    about: "likewise",
    scope: { nodes: 3, faults: { cut: 1 } },
    long: true,
  },
  "two of three, a crash and a lost write": {
    about: "likewise; all peers are asked at one moment",
    scope: { nodes: 3, asks: "atOnce", faults: { crash: 1, unknown: 1 } },
    long: true,
  },
  "two of three, a lost write and a cut": {
    about: "likewise; all peers are asked at one moment",
    scope: { nodes: 3, asks: "atOnce", faults: { unknown: 1, cut: 1 } },
    long: true,
  },
  "two of three, a disk lost": {
    about: "likewise; all peers are asked at one moment",
    scope: { nodes: 3, asks: "atOnce", faults: { crash: 1, diskWipe: 1 } },
    long: true,
  },
  "one of three, store wiped": {
    about: "one is enough; everything is reachable; all peers are asked at one moment",
    scope: { nodes: 3, rules: { expect: 1 }, asks: "atOnce", faults: { storeWipe: 1 } },
    long: true,
  },
  "two of three, store wiped": {
    about: "everything is reachable; all peers are asked at one moment",
    scope: { nodes: 3, asks: "atOnce", faults: { storeWipe: 1 } },
    long: true,
  },
};
