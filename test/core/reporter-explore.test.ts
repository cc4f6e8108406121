/** The leader key's shipped rules in every order of events of small scopes, and mutants that must be found. */
import { describe, expect, it } from "vitest";
import { initialReporter, stepReporter } from "../../src/core/reporter.ts";
import { explore, type Found } from "../explore/explore.ts";
import { type Protocol, reporterModel, type Scope } from "./reporter-model.ts";
import { mutated } from "./reporter-mutants.ts";

const shipped: Protocol = { initialReporter, stepReporter };
const MOST = 200_000;
const look = (scope: Scope, protocol = shipped): Found => explore(reporterModel(scope, protocol), MOST);

const withTerms: Scope = { nodes: 2, terms: true, elections: 2, faults: 0, strict: true };
const withoutTerms: Scope = { ...withTerms, terms: false };
const scopes: readonly (readonly [string, Scope])[] = [
  ["while leadership moves twice", withTerms],
  ["while leadership moves twice, without terms", withoutTerms],
  ["under a lost or late message", { nodes: 2, terms: true, elections: 1, faults: 1 }],
  ["under a lost or late message, without terms", { nodes: 2, terms: false, elections: 1, faults: 1 }],
  [
    "under a crash, with a write left on its way",
    { nodes: 2, terms: false, elections: 1, faults: 1, losses: false, crashes: true },
  ],
  [
    "beside a native node that writes unasked",
    { nodes: 2, terms: true, elections: 1, faults: 1, losses: false, native: true },
  ],
];

describe("the leader key, explored", () => {
  for (const [what, scope] of scopes)
    it(`is never wrong, and can always come true again, ${what}`, { timeout: 240_000 }, () => {
      const { complete, violation, stuck, states } = look(scope);
      expect({ complete, violation, stuck }).toEqual({ complete: true, violation: null, stuck: null });
      expect(states).toBeGreaterThan(5_000);
    });
});

type Edits = Parameters<typeof mutated>[0];

/** Each: what it does, its change of the text or of the scope, and what the explorer must say. */
const mutants: readonly (readonly [string, Edits, Scope, RegExp])[] = [
  ["a register that takes every write", [], { ...withTerms, unconditional: true }, /landed over/],
  [
    "a report that was looked at only before the read",
    [],
    { ...withTerms, oldReports: true },
    /writes while its database does not lead/,
  ],
  [
    "terms that are not compared",
    [
      ["if (term < stored) return", "if (false) return"],
      ["if (term > stored || record.id === selfId)", "if (true)"],
    ],
    withTerms,
    /the term went back from 2 to 1|replaced the record of who leads/,
  ],
  [
    "a higher term that does not win",
    [["if (term > stored || record.id === selfId)", "if (record.id === selfId)"]],
    { ...withTerms, elections: 1 },
    /stuck/,
  ],
  [
    "a swap that expects nothing",
    [["expected: known ?? null, record", "expected: null, record"]],
    { ...withTerms, elections: 1 },
    /stuck/,
  ],
  [
    "a promotion that counts against every record",
    [
      [
        "promoted: known !== undefined && known !== null && same(state.promotedOver, known)",
        "promoted: state.promotedOver !== undefined",
      ],
    ],
    withoutTerms,
    /replaced the record of who leads/,
  ],
  [
    "another node's record that is replaced without asking",
    [['if (promoted || named === "not_leader")', "if (true)"]],
    withoutTerms,
    /replaced the record of who leads/,
  ],
  [
    "an answer that is not heeded",
    [['if (promoted || named === "not_leader")', "if (promoted || named !== null)"]],
    withoutTerms,
    /replaced the record of who leads/,
  ],
  [
    "a database without terms that never counts on",
    [["return write(stored + 1);\n  return named", "return write(stored);\n  return named"]],
    withoutTerms,
    /term 1 named n\d and names n\d/,
  ],
  [
    "a conflict that is for ever",
    [["const fresh = { ...state, asked: null, misses: 0 };", "const fresh = { ...state, misses: 0 };"]],
    { ...withoutTerms, faults: 1, elections: 1 },
    /stuck/,
  ],
];

describe("mutants of the leader key", () => {
  for (const [what, edits, scope, finds] of mutants)
    it(`finds ${what}`, { timeout: 240_000 }, async () => {
      const { violation, stuck } = look(scope, edits.length === 0 ? shipped : await mutated(edits));
      expect(violation?.what ?? (stuck === null ? "nothing" : "stuck")).toMatch(finds);
    });

  it("refuses a change whose text is not there, or not only once", async () => {
    await expect(mutated([["no such text", ""]])).rejects.toThrow(/exactly once/);
    await expect(mutated([["const", ""]])).rejects.toThrow(/exactly once/);
  });
});
