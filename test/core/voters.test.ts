/** Who counts, and who holds what. */
import { describe, expect, it } from "vitest";
import { answering, countVoters, type Heard, heldBy, highestRound } from "../../src/core/voters.ts";
import { hello, ref, sealed } from "./transcript.ts";

const heard = (...hellos: Heard["hellos"]): Heard => ({
  self: ref("b"),
  data: "empty",
  hellos,
  alone: false,
  impatient: false,
});
const self = { voter: true, used: false, lost: [] };
const marker = (id: string) => ({ genesis_id: id, birth: 1, record: sealed(id, "a") });

describe("the voters", () => {
  it("are this node and all blank ones that answer, in order", () => {
    const { tally, voters } = countVoters("k", heard(hello("c", { expect: 3 }), hello("a")), self);
    expect(tally.counted.map((m) => m.id)).toEqual(["a", "b", "c"]);
    expect(voters.map((v) => v.expect)).toEqual([2, null, 3]);
    expect(tally.notCounted).toEqual([]);
  });

  it("are none of these, each for a reason", () => {
    const { tally } = countVoters(
      "k",
      heard(
        hello("c", { key: "other" }),
        hello("d", { marker: marker("g") }),
        hello("e", { used: true }),
        hello("f", { voter: false }),
        hello("g"),
        hello("h"),
        hello("h", { incarnation: "i-other" }),
      ),
      { ...self, lost: ["i-g"] },
    );
    expect(tally.counted.map((m) => m.id)).toEqual(["b"]);
    expect(tally.notCounted.map(({ id, why }) => `${id} ${why}`)).toEqual([
      "c other_key",
      "d marker",
      "e used",
      "f non_voter",
      "g assumed_lost",
      "h duplicate_node_id",
      "h duplicate_node_id",
    ]);
  });

  it("leave this node out where it is none, or its id is another's too", () => {
    const why = (more: Partial<typeof self>, ...hellos: Heard["hellos"]) =>
      countVoters("k", heard(...hellos), { ...self, ...more }).tally.notCounted[0]?.why;
    expect(why({ voter: false })).toBe("non_voter");
    expect(why({ used: true })).toBe("used");
    expect(why({}, hello("b", { incarnation: "i-other" }))).toBe("duplicate_node_id");
  });
});

describe("what is heard of others", () => {
  it("gives each genesis once, beside one's own, of one's own key, and only where it is told whole", () => {
    const hellos = [
      hello("a", { marker: marker("g") }),
      hello("c", { marker: marker("g") }),
      hello("d", { marker: marker("h") }),
      hello("e", { marker: marker("x"), key: "other" }),
      hello("f", { marker: { genesis_id: "y", birth: 1 } }),
    ];
    expect(heldBy("k", null, hellos).map(({ record, by }) => `${record.genesis_id} ${by.node_id}`)).toEqual([
      "g a",
      "h d",
    ]);
    expect(heldBy("k", sealed("g", "a"), hellos).map(({ record }) => record.genesis_id)).toEqual(["h"]);
  });

  it("gives the highest round, and who of a set is there", () => {
    const votes = (round: number) => ({ round, members: null, founding: null });
    const hellos = [hello("a", { votes: votes(2) }), hello("c", { votes: votes(5) }), hello("d")];
    expect(highestRound(hellos)).toBe(5);
    expect(highestRound([])).toBe(0);
    expect(answering([ref("a"), ref("b"), ref("d", "i-old")], hellos).map((m) => m.id)).toEqual(["a"]);
  });
});
