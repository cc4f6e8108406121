/** `rollcall genesis assume-lost`: what is no incarnation, what still answers, and what is taken for good. */
import { describe, expect, it } from "vitest";
import { takeWord, type Word } from "../../src/agent/assume-lost.ts";
import { initial } from "../../src/core/genesis-state.ts";
import type { Hello, PeerRef } from "../../src/core/model.ts";
import { noVotes } from "../../src/core/votes.ts";
import { rollcall } from "../cli/fake-io.ts";
import { helloOf, refTo } from "./support/records.ts";
import { serveView, viewOf } from "./support/view.ts";

const N2 = "6cef7de5-f515-4917-aeb9-f53f5b262096";
const N3 = "0a1b2c3d-f515-4917-aeb9-f53f5b262096";
const STRANGER = "ffffffff-f515-4917-aeb9-f53f5b262096";

/** n1, which knows n2, and n3 as one of a set that it accepted. `hellos`: who answers, by address. */
function word(given: string, hellos: Record<string, Hello> = {}, agrees = true) {
  const n2: PeerRef = refTo("n2", { incarnation: N2 });
  const accepted = {
    ballot: { round: 1, incarnation: N2 },
    value: [refTo("n1"), refTo("n3", { incarnation: N3 })],
  };
  const votes = { ...noVotes, members: { promised: null, accepted, decided: null } };
  const kept = { incarnation: "n1-1", claim: null, stamp: null, marker: null, opened: false, votes };
  const taken: string[] = [];
  const peers = { members: () => [], others: () => [n2], ask: async (at: string) => hellos[at] ?? null };
  const giveUp = async (incarnation: string) => {
    taken.push(incarnation);
    return agrees;
  };
  const options = { peers, state: () => initial(kept, "empty"), giveUp };
  return takeWord(given, options, new AbortController().signal).then((said) => ({ said, taken }));
}

describe("the word that a voter is gone for good", () => {
  it.each([
    ["n3", `in full it is ${N3} (n3)`],
    [N2.slice(0, 8), `in full it is ${N2} (n2)`],
    ["abc", "a UUID"],
    ["6ce", "a UUID"],
    ["x".repeat(30_000), "a UUID"],
    [`${N2}\n`, "a UUID"],
  ])("is not taken where it is no incarnation: %.12s", async (given, hint) => {
    const { said, taken } = await word(given);
    expect(said).toMatchObject({ noted: false, refused: "input", hint: expect.stringContaining(hint) });
    expect("message" in said && said.message.length).toBeLessThan(100);
    expect(taken).toEqual([]);
  });

  it("is not taken of one that answers right now, and is of one that began anew there", async () => {
    const still = { "n2.test:4100": helloOf("n2", { incarnation: N2 }) };
    const { said, taken } = await word(N2, still);
    expect(said).toMatchObject({
      refused: "state",
      message: expect.stringContaining("n2 answers at n2.test"),
    });
    expect(taken).toEqual([]);
    const anew = { "n2.test:4100": helloOf("n2", { incarnation: STRANGER }) };
    expect((await word(N2, anew)).said).toEqual({ noted: true, incarnation: N2, known: true });
  });

  it("is taken of one that this node does not know, and says so", async () => {
    expect((await word(N3)).said).toEqual({ noted: true, incarnation: N3, known: true });
    const { said, taken } = await word(STRANGER.toUpperCase());
    expect(said).toEqual({ noted: true, incarnation: STRANGER, known: false });
    expect(taken).toEqual([STRANGER]);
  });

  it("is refused where this node may not agree any more", async () => {
    expect((await word(N3, {}, false)).said).toMatchObject({ refused: "state", code: "may_not_agree" });
  });
});

describe("genesis assume-lost", () => {
  /** What the command prints where the agent answers so. */
  async function command(given: string, said: Word) {
    const { view } = viewOf({ assumeLost: async () => said });
    const agent = await serveView(view);
    try {
      return await rollcall(["genesis", "assume-lost", given, `-addr=${agent.addr}`, "-confirm=rollcall"]);
    } finally {
      await agent.close(0);
    }
  }

  it("ends with 2 where that is no incarnation", async () => {
    const { said } = await word("n3");
    expect(await command("n3", said)).toMatchObject({
      ...{ code: 2, out: "" },
      err: `rollcall: -incarnation: "n3" is no incarnation; in full it is ${N3} (n3)\n`,
    });
  });

  it("ends with 1 where the agent does not take it", async () => {
    const { said } = await word(N3, {}, false);
    const { code, out, err } = await command(N3, said);
    expect([code, out, err.split("\n").length]).toEqual([1, "", 2]);
    expect(err).toContain("this node knows the founders");
  });

  it("says that it is noted, and where this node knows nobody of that incarnation", async () => {
    const noted = { noted: true, incarnation: N3 } as const;
    const line = `noted: this node agrees to no set with ${N3} any more\n`;
    expect(await command(N3, { ...noted, known: true })).toMatchObject({ code: 0, out: line });
    expect((await command(N3, { ...noted, known: false })).out).toBe(
      `${line}it knows no such incarnation: compare it with the one that \`rollcall explain\` names\n`,
    );
  });
});
