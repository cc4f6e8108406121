import { describe, expect, it } from "vitest";
import { encodeLeader } from "../../src/core/leader-key.ts";
import type { Swapped, Versioned } from "../../src/core/provider.ts";
import { openHistory, type Said } from "./leader-history.ts";

const signal = new AbortController().signal;
const text = (id: string, term: number, seq: number, genesis_id = "g") =>
  encodeLeader({ id, api_addr: "", addr: "", v: 1, genesis_id, term, incarnation: `${id}-1`, seq });
const at = (revision: number, value: string): Versioned => ({ value, revision: String(revision) });
const won = (revision: number): Swapped => ({ kind: "won", revision: String(revision) });
const unknown: Swapped = { kind: "unknown", cause: "lost" };

/** A history of which each line is what a register answered. */
function told() {
  const history = openHistory();
  return {
    history,
    async write(by: string, expected: Versioned | null, value: string, ended: Swapped, said?: Said) {
      const term = (JSON.parse(value) as { term: number }).term;
      const one = { read: async () => null, swap: async () => ended };
      await history
        .noted(one, by, () => (said === undefined ? { term } : said))
        .swap(expected, value, signal);
    },
    async read(by: string, raw: Versioned | null) {
      const one = { read: async () => raw, swap: async () => unknown };
      await history.noted(one, by, () => null).read(signal);
    },
  };
}

const [a1, a2, b2, b3] = [text("a", 1, 1), text("a", 2, 2), text("b", 2, 2), text("b", 3, 3)];

describe("the history checker", () => {
  it("finds nothing wrong with writes that follow each other", async () => {
    const one = told();
    await one.read("a", null);
    await one.write("a", null, a1, won(4));
    await one.write("b", at(4, a1), b2, won(9));
    await one.write("a", at(4, a1), a2, { kind: "lost", current: at(9, b2) });
    await one.read("a", at(9, b2));
    expect(one.history.problems()).toEqual([]);
    expect(one.history.counts()).toEqual({ won: 2, lost: 1, unknown: 0, versions: 2 });
  });

  it("lets an unknown write land at once, later, or never", async () => {
    const one = told();
    await one.write("a", null, a1, unknown);
    await one.read("a", null);
    await one.read("b", at(4, a1));
    await one.write("b", at(4, a1), b2, unknown);
    await one.read("b", at(4, a1));
    expect(one.history.problems()).toEqual([]);
  });

  it("lets another program write when it likes, and forget the term", async () => {
    const one = told();
    await one.write("b", null, text("b", 3, 1), won(4));
    one.history.foreign('{"id":"n"}');
    one.history.saw(at(5, '{"id":"n"}'));
    await one.write("a", at(5, '{"id":"n"}'), text("a", 2, 1), won(6));
    expect(one.history.problems()).toEqual([]);
  });

  const wrong: readonly (readonly [string, (one: ReturnType<typeof told>) => Promise<void>, RegExp])[] = [
    [
      "a write over something else than was expected",
      async (one) => {
        await one.write("a", null, a1, won(4));
        await one.write("b", at(4, a1), b2, won(5));
        await one.write("b", at(4, a1), text("b", 3, 2), won(6));
      },
      /over revision 5; b expected 4/,
    ],
    [
      "a create over something that is there",
      async (one) => {
        await one.write("a", null, a1, won(4));
        await one.write("b", null, text("b", 2, 1), won(5));
      },
      /b expected none/,
    ],
    [
      "revisions that do not rise",
      async (one) => {
        await one.write("a", null, a1, won(9));
        await one.write("b", at(9, a1), b2, won(4));
      },
      /over revision none; b expected 9/,
    ],
    [
      "a revision that shows two values",
      async (one) => {
        await one.write("a", null, a1, won(4));
        await one.read("b", at(4, b2));
      },
      /two values/,
    ],
    [
      "a revision won by two",
      async (one) => {
        await one.write("a", null, a1, won(4));
        await one.write("a", null, a1, won(4));
      },
      /won twice/,
    ],
    [
      "a value that nobody wrote",
      async (one) => {
        await one.read("a", at(4, a1));
      },
      /written by nobody/,
    ],
    [
      "an unknown write that lands over what it did not expect",
      async (one) => {
        await one.write("a", null, a1, won(4));
        await one.write("b", at(4, a1), b2, unknown);
        await one.write("a", at(4, a1), a2, won(5));
        await one.read("a", at(6, b2));
      },
      /nobody who expected revision 5/,
    ],
    [
      "a lost write that landed",
      async (one) => {
        await one.write("a", null, a1, { kind: "lost", current: null });
        await one.read("a", at(4, a1));
      },
      /is a write that lost/,
    ],
    [
      "a term that goes back",
      async (one) => {
        await one.write("b", null, text("b", 3, 1), won(4));
        await one.write("a", at(4, text("b", 3, 1)), a2, won(5));
      },
      /went back from 3 to 2/,
    ],
    [
      "a term that names two nodes",
      async (one) => {
        await one.write("a", null, text("a", 2, 1), won(4));
        await one.write("b", at(4, text("a", 2, 1)), b2, won(5));
      },
      /term 2 named a and names b/,
    ],
    [
      "a count that does not go on",
      async (one) => {
        await one.write("a", null, a1, won(4));
        await one.write("b", at(4, a1), b3, won(5));
      },
      /does not count on/,
    ],
    ["a write for somebody else", (one) => one.write("b", null, a1, won(4)), /b wrote/],
    ["a write of one that does not lead", (one) => one.write("a", null, a1, won(4), null), /did not lead/],
    [
      "a write of a term that is over",
      (one) => one.write("a", null, a1, won(4), { term: 2 }),
      /wrote term 1 while its database led in term 2/,
    ],
    [
      "a read that is older than what was known before",
      async (one) => {
        await one.write("a", null, a1, won(4));
        await one.read("b", null);
      },
      /a read of b saw revision none after a newer one/,
    ],
  ];
  for (const [what, play, says] of wrong)
    it(`finds ${what}`, async () => {
      const one = told();
      await play(one);
      expect(one.history.problems().join("\n")).toMatch(says);
    });

  it("lets a read that began before a write see what was there before", async () => {
    const history = openHistory();
    const answer = Promise.withResolvers<null>();
    const slow = history.noted({ read: () => answer.promise, swap: async () => unknown }, "b", () => null);
    const reading = slow.read(signal);
    const quick = history.noted({ read: async () => null, swap: async () => won(4) }, "a", () => ({
      term: 1,
    }));
    await quick.swap(null, a1, signal);
    answer.resolve(null);
    await reading;
    expect(history.problems()).toEqual([]);
  });
});
