/** Who counts, and why somebody does not. */
import { describe, expect, it } from "vitest";
import type { Hello, Member } from "../../src/core/model.ts";
import { type Answers, presume, tally } from "../../src/core/quorum.ts";
import { answers, at, claimed, hello, ref, unborn } from "./transcript.ts";

const seen = at(unborn(), "4");

function round(hellos: readonly Hello[], more: Partial<Answers> = {}): Answers {
  const input = answers(hellos, more);
  if (input.type !== "answers") throw new TypeError("not a round of answers");
  return input.answers;
}

/** The ids that count, and the others with the reason. */
function count(hellos: readonly Hello[], more: Partial<Answers> = {}, over = seen) {
  const { counted, notCounted } = tally(over, "k", round(hellos, more));
  return {
    counted: counted.map((m) => m.id),
    not: notCounted.map(({ id, why, detail }) => [id, why, detail].filter((x) => x !== undefined).join(" ")),
  };
}

describe("tally", () => {
  it("counts every registered blank voter that answered, this node included, in order of identity", () => {
    expect(count([hello("c"), hello("b")])).toEqual({ counted: ["a", "b", "c"], not: [] });
    expect(count([])).toEqual({ counted: ["a"], not: [] });
  });

  it("counts an agent that has not read any record yet", () => {
    expect(count([hello("b", { birth: 0 })]).counted).toEqual(["a", "b"]);
  });

  const claim = { claim_id: "c", init_id: "init", revision: "4" };
  const objections: readonly (readonly [string, Partial<Hello>, string])[] = [
    ["a non-voter", { voter: false }, "b non_voter"],
    ["another key", { key: "other" }, "b other_key other"],
    ["another expectation", { expect: 3 }, "b other_expect 3"],
    ["another birth", { birth: 2 }, "b other_birth 2"],
    ["data of its own", { used: true }, "b used"],
    ["a marker", { marker: { genesis_id: "g", birth: 1 } }, "b marker g"],
    ["a claim over another revision", { pending: { ...claim, revision: "3" } }, "b pending c"],
    ["a claim over another record", { pending: { ...claim, init_id: "old" } }, "b pending c"],
  ];
  for (const [what, said, why] of objections)
    it(`does not count ${what}`, () => {
      expect(count([hello("b", said), hello("c")])).toEqual({ counted: ["a", "c"], not: [why] });
    });

  it("counts a claim over the very record that was read", () => {
    expect(count([hello("b", { pending: claim })])).toEqual({ counted: ["a", "b"], not: [] });
  });

  it("names who is registered and did not answer", () => {
    expect(count([], { registered: [ref("a"), ref("b")] })).toEqual({ counted: ["a"], not: ["b no_answer"] });
  });

  it("does not count who is not registered, this node included", () => {
    const more = { registered: [ref("c")] };
    expect(count([hello("b"), hello("c")], more)).toEqual({
      counted: ["c"],
      not: ["a not_registered", "b not_registered"],
    });
  });

  it("does not count another incarnation than the registered one", () => {
    const more = { registered: [ref("a"), ref("b", "i-old")] };
    expect(count([hello("b")], more).not).toEqual(["b not_registered", "b no_answer"]);
  });

  it("counts neither of two live incarnations of one node id", () => {
    const twin = hello("b", { incarnation: "i-twin" });
    expect(count([hello("b"), twin, hello("c")])).toEqual({
      counted: ["a", "c"],
      not: ["b duplicate_node_id", "b duplicate_node_id"],
    });
    expect(count([hello("a", { incarnation: "i-twin" }), hello("b")])).toEqual({
      counted: ["b"],
      not: ["a duplicate_node_id", "a duplicate_node_id"],
    });
  });

  it("tells holders of this birth or a later one from those of an earlier", () => {
    const reborn = at(unborn({ birth: 2 }));
    const hellos = [1, 2, 3].map((birth) =>
      hello(`n${birth}`, { birth, marker: { genesis_id: "g", birth } }),
    );
    const { holders } = tally(reborn, "k", round(hellos));
    expect(holders.map((h) => h.node_id)).toEqual(["n2", "n3"]);
    expect(tally(reborn, "other", round(hellos)).holders).toEqual([]);
  });

  it("names claimants whose claim may have landed elsewhere, registered or not", () => {
    const other = hello("b", { pending: { ...claim, revision: "3" } });
    const same = hello("c", { pending: claim });
    const { claimants } = tally(seen, "k", round([other, same], { registered: [ref("a")] }));
    expect(claimants.map((h) => h.node_id)).toEqual(["b"]);
  });

  it("takes a claim over a claim by its revision too", () => {
    const over = at(claimed("old", "z"), "5");
    expect(count([hello("b", { pending: { ...claim, revision: "5" } })], {}, over).counted).toEqual([
      "a",
      "b",
    ]);
    expect(count([hello("b", { pending: claim })], {}, over).not).toEqual(["b pending c"]);
  });
});

describe("presume", () => {
  const entry = (id: string, more: Partial<Member> = {}): Member => ({
    ...ref(id),
    v: 1,
    boot_id: "boot",
    voter: true,
    expect: 2,
    status: "waiting",
    genesis_id: null,
    ...more,
  });
  const both = [entry("a"), entry("b")];
  /** What the directory says to this node: null where it has to ask. */
  const says = (members: readonly Member[], over = seen, id = "a", more = {}) =>
    presume(over, members, ref(id), { may: true, impatient: false, ...more });

  it("lets the first in the order ask once enough voters are registered, and the others after a while", () => {
    expect(says(both)).toBeNull();
    expect(says([entry("a")])?.counted.map((m) => m.id)).toEqual(["a"]);
    expect(says(both, seen, "b")?.counted).toHaveLength(2);
    expect(says(both, seen, "b", { impatient: true })).toBeNull();
  });

  it("spares asking whoever never claims, however many there are", () => {
    expect(says(both, seen, "a", { may: false })?.counted).toHaveLength(2);
    expect(says([], at(claimed("c", "z")), "a", { may: false })).not.toBeNull();
  });

  it("counts no non-voter and nobody of another expectation", () => {
    const mixed = [entry("a"), entry("b", { voter: false }), entry("c", { expect: 3 })];
    expect(says(mixed)?.notCounted.map(({ id, why }) => [id, why])).toEqual([
      ["b", "non_voter"],
      ["c", "other_expect"],
    ]);
  });

  it("lets ask about a claim only where the claimer is not registered", () => {
    const claim = at(claimed("c", "b"));
    expect(says(both, claim)).not.toBeNull();
    expect(says([entry("a")], claim)).toBeNull();
  });
});
