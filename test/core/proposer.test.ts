/** What a proposer makes of the answers. */
import { describe, expect, it } from "vitest";
import type { Poll } from "../../src/core/genesis-state.ts";
import {
  againstIn,
  chooseFounders,
  chooseGenesis,
  isCarried,
  needed,
  type Promised,
  promisesIn,
} from "../../src/core/proposer.ts";
import type { Founders, Reply } from "../../src/core/votes.ts";
import { ref } from "./transcript.ts";

const [a, b, c, d] = [ref("a"), ref("b"), ref("c"), ref("d")];
const abc = [a, b, c];
const bcd = [b, c, d];

/** A promise of `id`, which last accepted this set in this round, or nothing. */
function promised(id: string, round = 0, members: Founders | null = null, lost: string[] = []): Promised {
  const accepted = members && { ballot: { round, incarnation: "i-p" }, members, founding: null };
  return { incarnation: `i-${id}`, reply: { kind: "promise", accepted, lost } };
}

function poll(more: Partial<Poll> & { readonly decree?: "members" | "genesis" } = {}): Poll {
  const from = { id: "a", incarnation: "i-a", agent_addr: "a:8300" };
  const ballot = { round: 1, incarnation: "i-a" };
  const said = { v: 1, key: "k", from, ballot, members: abc };
  const { decree = "members", ...rest } = more;
  const own: Reply = { kind: "promise", accepted: null, lost: [] };
  return { message: { ...said, kind: "prepare", decree }, to: [b, c], own, ...rest };
}

describe("the set that is proposed", () => {
  it("is the proposer's own where nobody has accepted any", () => {
    expect(chooseFounders(abc, [promised("a"), promised("b"), promised("c")])).toBe(abc);
  });

  it("is the one accepted in the highest ballot, if all of its nodes that are here last accepted it", () => {
    expect(chooseFounders(abc, [promised("a"), promised("b", 1, bcd), promised("c", 1, bcd)])).toBe(bcd);
    expect(chooseFounders(abc, [promised("a", 1, abc), promised("b", 2, bcd), promised("c", 2, bcd)])).toBe(
      bcd,
    );
  });

  it("is the accepted one by value: it may have been proposed again in between", () => {
    expect(chooseFounders(abc, [promised("a"), promised("b", 5, bcd), promised("c", 1, bcd)])).toBe(bcd);
  });

  it("is its own where one of the accepted set's nodes last accepted another one, or none", () => {
    expect(chooseFounders(abc, [promised("a"), promised("b", 2, bcd), promised("c", 1, abc)])).toBe(abc);
    expect(chooseFounders(abc, [promised("a"), promised("b", 2, bcd), promised("c")])).toBe(abc);
  });

  it("is its own where a lost minority is missing, and all the others of the set were told", () => {
    const told = (id: string, ...lost: string[]) => promised(id, 1, bcd, lost);
    expect(chooseFounders(abc, [promised("a"), told("b", "i-d"), told("c", "i-d")])).toBe(abc);
    expect(chooseFounders(abc, [promised("a"), told("b", "i-d"), told("c")])).toBe(bcd);
    expect(chooseFounders(abc, [promised("a"), told("b", "i-x"), told("c", "i-x")])).toBe(bcd);
    const cde = [c, d, ref("e")];
    const most = promised("c", 1, cde, ["i-d", "i-e"]);
    expect(chooseFounders(abc, [promised("a"), promised("b"), most])).toBe(cde);
  });
});

describe("the genesis that is proposed", () => {
  it("is what was accepted in the highest ballot, else its own", () => {
    const own = { genesis_id: "mine", owner: "i-a" };
    const of = (id: string, round: number): Promised => ({
      incarnation: `i-${id}`,
      reply: {
        kind: "promise",
        accepted: {
          ballot: { round, incarnation: "i-p" },
          members: null,
          founding: { genesis_id: id, owner: id },
        },
        lost: [],
      },
    });
    expect(chooseGenesis(own, [promised("a"), promised("b")])).toBe(own);
    expect(chooseGenesis(own, [promised("a"), of("b", 1), of("c", 2)]).genesis_id).toBe("c");
  });
});

describe("a poll", () => {
  const promise: Reply = { kind: "promise", accepted: null, lost: [] };
  const rejected: Reply = {
    kind: "rejected",
    why: "used",
    promised: null,
    decided: null,
    founding: null,
    marker: null,
  };

  it("of the founders needs everybody, of the genesis a majority, the proposer included", () => {
    expect(needed(poll())).toBe(2);
    expect(needed(poll({ decree: "genesis" }))).toBe(1);
    expect(needed(poll({ decree: "genesis", own: null }))).toBe(2);
  });

  it("is carried by those in favour, and by no silence", () => {
    const [yes, no, none] = [promise, rejected, null].map((reply) => ({ incarnation: "i-b", reply }));
    if (!yes || !no || !none) throw new RangeError("three answers");
    const other = { incarnation: "i-c", reply: promise };
    expect(isCarried(poll(), [yes, other])).toBe(true);
    expect(isCarried(poll(), [none, other])).toBe(false);
    expect(isCarried(poll(), [no, other])).toBe(false);
    expect(isCarried(poll({ decree: "genesis" }), [none, other])).toBe(true);
    expect(promisesIn(poll(), [none, other]).map((p) => p.incarnation)).toEqual(["i-a", "i-c"]);
  });

  it("names who was silent and who gave a reason, itself too", () => {
    const polled = [{ incarnation: "i-b", reply: rejected }];
    expect(againstIn(poll({ own: rejected }), polled)).toEqual({
      silent: [c],
      refused: [
        { id: "a", why: "used" },
        { id: "b", why: "used" },
      ],
    });
  });
});
