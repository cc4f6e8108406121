/** The acceptor: what a node may answer, and what it keeps of it. */
import { describe, expect, it } from "vitest";
import {
  type Accept,
  type Acceptor,
  answer,
  assumeLost,
  type Ballot,
  compareBallots,
  type Decided,
  learn,
  noVotes,
  type Prepare,
  sameFounders,
  type Votes,
} from "../../src/core/votes.ts";
import { ref, sealed } from "./transcript.ts";

const [a, b, c] = [ref("a"), ref("b"), ref("c")];
const members = [a, b];
const at = (round: number, incarnation = "i-b"): Ballot => ({ round, incarnation });
const said = { v: 1, key: "k", from: { id: "b", incarnation: "i-b", agent_addr: "b:8300" } };
const genesis = { genesis_id: "g", owner: "i-b" };

function acceptor(more: Partial<Acceptor> = {}): Acceptor {
  const one = { key: "k", incarnation: "i-a", voter: true, expect: 2, used: false, marker: null };
  return { ...one, votes: noVotes, ...more };
}
const prepare = (ballot: Ballot, more: Partial<Prepare> = {}): Prepare => ({
  ...said,
  kind: "prepare",
  decree: "members",
  ballot,
  members,
  ...more,
});
const accept = (ballot: Ballot, more: Partial<Accept> = {}): Accept => ({
  ...said,
  kind: "accept",
  ballot,
  members,
  founding: null,
  ...more,
});
const decided = (more: Partial<Decided> = {}): Decided => ({
  ...said,
  kind: "decided",
  members,
  founding: null,
  ...more,
});
const knows = (more: Partial<Votes["members"]> = {}): Votes => ({
  ...noVotes,
  members: { ...noVotes.members, ...more },
});
const promisedGenesis: Votes = {
  ...knows({ decided: members }),
  genesis: { ...noVotes.genesis, promised: at(1) },
};

describe("an acceptor", () => {
  it("promises a higher ballot once, and accepts what it has promised, as often as it is asked", () => {
    const first = answer(acceptor(), prepare(at(2)));
    expect(first.reply).toEqual({ kind: "promise", accepted: null, lost: [] });
    const one = acceptor({ votes: first.votes });
    expect(answer(one, prepare(at(2))).reply).toMatchObject({ kind: "rejected", why: "promised" });
    expect(answer(one, accept(at(1))).reply).toMatchObject({ why: "promised", promised: at(2) });
    const second = answer(one, accept(at(2)));
    expect(second.reply).toEqual({ kind: "accepted" });
    expect(answer(acceptor({ votes: second.votes }), accept(at(2))).reply).toEqual({ kind: "accepted" });
    const third = answer(acceptor({ votes: second.votes }), prepare(at(2, "i-c")));
    expect(third.reply).toMatchObject({ kind: "promise", accepted: { ballot: at(2), members } });
  });

  it("accepts without having been asked before, and promises with that", () => {
    const { votes } = answer(acceptor(), accept(at(3)));
    expect(votes.members).toMatchObject({ promised: at(3), accepted: { ballot: at(3), value: members } });
  });

  const refusals: Record<string, [Partial<Acceptor>, Prepare | Accept]> = {
    other_key: [{ key: "other" }, prepare(at(1))],
    marker: [{ marker: sealed("g", "b") }, prepare(at(1))],
    non_voter: [{ voter: false }, prepare(at(1))],
    used: [{ used: true }, prepare(at(1))],
    not_listed: [{ incarnation: "i-x" }, prepare(at(1))],
    other_expect: [{ expect: 3 }, prepare(at(1))],
    assumed_lost: [{ votes: { ...noVotes, lost: ["i-b"] } }, accept(at(1))],
    decided: [{ votes: knows({ decided: members }) }, accept(at(1))],
    other_members: [{ votes: knows({ decided: [a, c] }) }, prepare(at(1), { decree: "genesis" })],
    promised: [{ votes: knows({ promised: at(2) }) }, prepare(at(1, "i-z"))],
  };
  for (const [why, [more, message]] of Object.entries(refusals))
    it(`refuses and keeps what it has: ${why}`, () => {
      const one = acceptor(more);
      const { votes, reply } = answer(one, message);
      expect(reply).toMatchObject({ kind: "rejected", why });
      expect(votes).toBe(one.votes);
    });

  it("learns the founders from a question about the genesis", () => {
    const { votes, reply } = answer(acceptor(), prepare(at(1), { decree: "genesis" }));
    expect(reply.kind).toBe("promise");
    expect(votes.members.decided).toEqual(members);
    expect(votes.genesis.promised).toEqual(at(1));
    const next = answer(acceptor({ votes }), accept(at(1), { founding: genesis }));
    expect(next.votes.genesis.accepted).toEqual({ ballot: at(1), value: genesis });
    const again = answer(acceptor({ votes: next.votes }), prepare(at(2), { decree: "genesis" }));
    expect(again.reply).toMatchObject({ accepted: { founding: genesis } });
  });

  it("says what it knows to be decided when it refuses", () => {
    const votes: Votes = {
      ...knows({ decided: members }),
      genesis: { ...noVotes.genesis, decided: genesis },
    };
    const { reply } = answer(acceptor({ votes }), prepare(at(9), { decree: "genesis" }));
    expect(reply).toMatchObject({ why: "decided", decided: members, founding: genesis });
  });
});

describe("what is decided", () => {
  it("is learnt once, and its genesis later", () => {
    const first = answer(acceptor(), decided());
    expect(first.reply).toEqual({ kind: "noted" });
    expect(first.votes.members.decided).toEqual(members);
    const second = answer(acceptor({ votes: first.votes }), decided({ founding: genesis }));
    expect(second.votes.genesis.decided).toEqual(genesis);
    const more = decided({ founding: { genesis_id: "h", owner: "i-a" } });
    expect(answer(acceptor({ votes: second.votes }), more).votes).toBe(second.votes);
  });

  it("is not learnt from another key, against another decision, under a marker, or of what is ruled out", () => {
    expect(answer(acceptor(), decided({ key: "other" })).votes).toBe(noVotes);
    const known = knows({ decided: [a, c] });
    expect(learn({ votes: known, marker: null }, members, genesis)).toBe(known);
    expect(learn({ votes: noVotes, marker: sealed("g", "b") }, members, null)).toBe(noVotes);
    const told = { ...noVotes, lost: ["i-b"] };
    expect(learn({ votes: told, marker: null }, members, null)).toBe(told);
  });
});

describe("a founder that is gone for good", () => {
  it("is ruled out before anything is voted on a genesis", () => {
    expect(assumeLost(acceptor(), "i-b")?.lost).toEqual(["i-b"]);
    const told = { ...noVotes, lost: ["i-b"] };
    expect(assumeLost(acceptor({ votes: told }), "i-b")).toBe(told);
    expect(answer(acceptor({ votes: told }), prepare(at(1), { members: [a, c] })).reply).toMatchObject({
      lost: ["i-b"],
    });
  });

  it("is not ruled out any more afterwards, and nobody rules itself out", () => {
    expect(assumeLost(acceptor({ votes: promisedGenesis }), "i-b")).toBeNull();
    expect(assumeLost(acceptor({ votes: knows({ decided: members }) }), "i-b")).toBeNull();
    expect(assumeLost(acceptor({ marker: sealed("g", "b") }), "i-b")).toBeNull();
    expect(assumeLost(acceptor(), "i-a")).toBeNull();
  });

  it("forgets nothing but what a node that is no founder knew of its set", () => {
    const outside = knows({ decided: [b, c], promised: at(1) });
    expect(assumeLost(acceptor({ votes: outside }), "i-b")).toEqual({
      ...outside,
      members: { ...outside.members, decided: null },
      lost: ["i-b"],
    });
    expect(assumeLost(acceptor({ votes: outside }), "i-x")?.members.decided).toEqual([b, c]);
    const chosen = { ...outside, genesis: { ...noVotes.genesis, decided: genesis } };
    expect(assumeLost(acceptor({ votes: chosen }), "i-b")).toBeNull();
  });

  it("is taken back where another founder asks for a genesis, not where the lost one does", () => {
    const three = [a, b, c];
    const votes = { ...noVotes, lost: ["i-c", "i-x"] };
    const one = acceptor({ expect: 3, votes });
    const asked = answer(one, prepare(at(1), { decree: "genesis", members: three }));
    expect(asked.reply.kind).toBe("promise");
    expect(asked.votes.lost).toEqual(["i-x"]);
    const from = { id: "c", incarnation: "i-c", agent_addr: "c:8300" };
    const lost = prepare(at(1), { decree: "genesis", members: three, from });
    expect(answer(one, lost).reply).toMatchObject({ why: "assumed_lost" });
    expect(answer(one, prepare(at(1), { members: three })).reply).toMatchObject({ why: "assumed_lost" });
  });
});

describe("ballots and sets", () => {
  it("are ordered by round, then by incarnation, above none", () => {
    const ordered = [null, at(1, "i-a"), at(1, "i-b"), at(2, "i-a")];
    for (const [i, one] of ordered.entries())
      for (const [j, other] of ordered.entries())
        expect(Math.sign(compareBallots(one, other))).toBe(Math.sign(i - j));
  });

  it("are the same by incarnation, wherever their nodes are", () => {
    expect(sameFounders(members, [b, { ...a, agent_addr: "elsewhere" }])).toBe(true);
    expect(sameFounders(members, [a, c])).toBe(false);
    expect(sameFounders(members, [a, b, c])).toBe(false);
  });
});
