/** The genesis step function as transcripts. That nothing else can happen is for test/explore to show. */
import { describe, expect, it } from "vitest";
import type { Input } from "../../src/core/genesis-state.ts";
import {
  answers,
  at,
  claimed,
  companyOf,
  disk,
  hello,
  nodeAt,
  record,
  ref,
  sealed,
  swapped,
  unborn,
} from "./transcript.ts";

const start: Input = { type: "start" };
const wake: Input = { type: "wake" };
const saved: Input = { type: "saved" };
const parked: Input = { type: "parked", failure: null };
const away: Input = { type: "unreadable", problem: "connection refused" };

/** A claim on disk over the unborn record. */
const claim = (claim_id: string, base = at(unborn()).at) => ({ claim_id, init_id: "init", base });
const opened = (id: string, node: string) => disk({ marker: sealed(id, node), opened: true });

describe("three nodes that expect three", () => {
  it("form one cluster: the first in the order creates, the others join", () => {
    const company = companyOf(["a", "b", "c"]);
    expect(["a", "b", "c", "b", "a", "b", "c"].flatMap((id) => company.run(id))).toEqual([
      "a: start → read",
      "a: nothing → ask",
      "a: heard nobody → write unborn(u1) over nothing",
      "a: won → ask",
      "a: heard nobody → wait: voters",
      "b: start → read",
      "b: unborn(u1) → ask",
      "b: heard a → wait: voters",
      "c: start → read",
      "c: unborn(u1) → ask",
      "c: heard a b → wait: turn",
      "b: wake → read",
      "b: unborn(u1) → ask",
      "b: heard a c → wait: turn",
      "a: wake → read",
      "a: unborn(u1) → ask",
      "a: heard b c → save claim u2",
      "a: saved → write claimed(u2 by a) over unborn(u1)",
      "a: won → write sealed(u2 by a) over claimed(u2 by a)",
      "a: won → save marker u2",
      "a: saved → read",
      "a: sealed(u2 by a) → save stamp u2, marker u2 opened",
      "a: saved → settle: bootstrap u2",
      "b: wake → read",
      "b: sealed(u2 by a) → save marker u2",
      "b: saved → read",
      "b: sealed(u2 by a) → save stamp u2, marker u2 opened",
      "b: saved → settle: join u2",
      "c: wake → read",
      "c: sealed(u2 by a) → save marker u2",
      "c: saved → read",
      "c: sealed(u2 by a) → save stamp u2, marker u2 opened",
      "c: saved → settle: join u2",
    ]);
  });

  it("all create their part when the formation is symmetric", () => {
    const company = companyOf(["a", "b", "c"], { formation: "symmetric" });
    const lines = ["a", "b", "c", "a", "b", "c"].flatMap((id) => company.run(id));
    expect(lines.filter((line) => line.includes("settle"))).toEqual([
      "a: saved → settle: bootstrap u2",
      "b: saved → settle: bootstrap u2",
      "c: saved → settle: bootstrap u2",
    ]);
  });

  it("initialise the creator's database between claim and seal", () => {
    const company = companyOf(["a"], { initialises: true });
    expect(company.run("a").slice(4)).toEqual([
      "a: heard nobody → save claim u2",
      "a: saved → write claimed(u2 by a) over unborn(u1)",
      "a: won → save claim u2, stamp u2",
      "a: saved → initialise for u2",
      "a: initialised → save claim u2, stamp u2 done",
      "a: saved → read",
      "a: claimed(u2 by a) → write sealed(u2 by a) over claimed(u2 by a)",
      "a: won → save marker u2",
      "a: saved → read",
      "a: sealed(u2 by a) → save marker u2 opened",
      "a: saved → settle: bootstrap u2",
    ]);
  });
});

describe("a lost answer", () => {
  it("to a claim is read back: the claim stands", () => {
    const a = nodeAt();
    a.tell(start, record(at(unborn())), answers([hello("b")]), saved);
    expect(a.tell(swapped("unknown"), record(at(claimed("u1", "a"), "2")))).toEqual([
      "unknown → read",
      "claimed(u1 by a) → write sealed(u1 by a) over claimed(u1 by a)",
    ]);
  });

  it("to a claim is read back: it did not land, and the same claim id is used again", () => {
    const a = nodeAt();
    a.tell(start, record(at(unborn())), answers([hello("b")]), saved);
    expect(a.tell(swapped("unknown"), record(at(unborn())), answers([hello("b")]), saved)).toEqual([
      "unknown → read",
      "unborn(init) → ask",
      "heard b → save claim u1",
      "saved → write claimed(u1 by a) over unborn(init)",
    ]);
  });

  it("to a seal is read back: the genesis is this node's", () => {
    const a = nodeAt({}, disk({ claim: claim("c") }));
    a.tell(start, record(at(claimed("c", "a"), "2")));
    expect(a.tell(swapped("unknown"), record(at(sealed("c", "a"), "3")), saved)).toEqual([
      "unknown → read",
      "sealed(c by a) → save marker c",
      "saved → read",
    ]);
  });

  it("to an init is read back: somebody's record is there", () => {
    const a = nodeAt();
    a.tell(start, record(null), answers([]));
    expect(a.tell(swapped("unknown"), record(at(unborn({ init_id: "other" }))))).toEqual([
      "unknown → read",
      "unborn(other) → ask",
    ]);
  });
});

describe("a claimer that is gone", () => {
  it("is waited for while it may come back, and then taken over", () => {
    const b = nodeAt();
    const theirs = at(claimed("c", "b"), "2");
    const others = [hello("c"), hello("d")];
    expect(b.tell(start, record(theirs), answers(others))).toEqual([
      "start → read",
      "claimed(c by b) → ask",
      "heard c d → wait: claimer b",
    ]);
    expect(b.tell(wake, record(theirs), answers(others, { claimerSilent: true }), saved)).toEqual([
      "wake → read",
      "claimed(c by b) → ask",
      "heard c d → save claim u1",
      "saved → write claimed(u1 by a, gen 2) over claimed(c by b)",
    ]);
  });

  it("parks what it initialised and joins, when it was paused past the take-over", () => {
    const a = nodeAt(
      { initialises: true },
      disk({ claim: claim("c"), stamp: { claim_id: "c", done: true } }),
      "present",
    );
    a.tell(start, record(at(claimed("c", "a"), "2")));
    expect(
      a.tell(
        swapped("lost"),
        record(at(sealed("d", "b"), "4")),
        parked,
        saved,
        record(at(sealed("d", "b"), "4")),
      ),
    ).toEqual([
      "lost → read",
      "sealed(d by b) → park c",
      "parked → save nothing",
      "saved → read",
      "sealed(d by b) → save marker d",
    ]);
  });

  it("stays closed and says which commands help, when its data cannot be set aside", () => {
    const stamp = { claim_id: "c", done: true };
    const a = nodeAt({ initialises: true }, disk({ claim: claim("c"), stamp }), "present");
    const failure = { problem: "it is a mount point", commands: ["mkdir x"] };
    expect(a.tell(start, record(at(sealed("d", "b"))), { type: "parked", failure })).toEqual([
      "start → read",
      "sealed(d by b) → park c",
      "not parked: it is a mount point → refuse: park_failed it is a mount point mkdir x",
    ]);
  });
});

describe("a node with a marker", () => {
  it("that has opened opens again, and needs the store for nothing", () => {
    const [seen, unseen] = [0, 1].map(() => nodeAt({}, opened("g", "b"), "present"));
    expect(seen?.tell(start, record(at(sealed("g", "b"))))).toEqual([
      "start → read",
      "sealed(g by b) → settle: existing g",
    ]);
    expect(unseen?.tell(start, away)).toEqual([
      "start → read",
      "unreadable: connection refused → settle: existing g",
    ]);
    expect(unseen?.state().trouble).toMatchObject({ code: "store", problem: "connection refused" });
  });

  it("that has never opened waits while the store is away", () => {
    const a = nodeAt({}, disk({ marker: sealed("g", "a") }));
    expect(a.tell(start, away)).toEqual([
      "start → read",
      "unreadable: connection refused → wait: store connection refused",
    ]);
    expect(nodeAt().tell(start, away)[1]).toMatch("wait: store");
  });

  it("restores the record: absent, unborn, and claimed by another", () => {
    const others = answers([hello("b", { marker: { genesis_id: "g", birth: 1 } }), hello("c")]);
    for (const [seen, wrote] of [
      [null, "write sealed(g by b) over nothing"],
      [at(unborn(), "9"), "write sealed(g by b) over unborn(init)"],
      [at(claimed("d", "c"), "9"), "write sealed(g by b) over claimed(d by c)"],
    ] as const) {
      const a = nodeAt({}, opened("g", "b"), "present");
      expect(a.tell(start, record(seen), others)[2]).toBe(`heard b c → ${wrote}`);
      expect(a.tell(swapped("lost"), record(at(sealed("g", "b"), "10")))).toEqual([
        "lost → read",
        "sealed(g by b) → settle: existing g",
      ]);
    }
  });

  it("restores nothing where another holder names another genesis, or a higher birth", () => {
    for (const [marker, said] of [
      [{ genesis_id: "h", birth: 1 }, "refuse: genesis_conflict h b"],
      [{ genesis_id: "h", birth: 2 }, "refuse: reborn 2"],
    ] as const) {
      const a = nodeAt({}, opened("g", "a"), "present");
      expect(a.tell(start, record(null), answers([hello("b", { marker })]))[2]).toBe(`heard b → ${said}`);
    }
  });

  it("stays closed when another genesis is sealed, and runs on when it has settled", () => {
    const a = nodeAt({}, opened("g", "a"), "present");
    expect(a.tell(start, record(at(sealed("h", "b"))))[1]).toBe(
      "sealed(h by b) → refuse: genesis_conflict h the record",
    );
    const b = nodeAt({}, opened("g", "a"), "present");
    b.tell(start, record(at(sealed("g", "a"))));
    expect(b.tell(wake, record(at(sealed("h", "b"), "2")))[1]).toBe(
      "sealed(h by b) → open: genesis_conflict h the record",
    );
  });

  it("that never opened gives it up for another's, and joins", () => {
    const a = nodeAt({}, disk({ marker: sealed("g", "a") }));
    expect(a.tell(start, record(at(sealed("h", "b"))), parked, saved, record(at(sealed("h", "b"))))).toEqual([
      "start → read",
      "sealed(h by b) → park g",
      "parked → save nothing",
      "saved → read",
      "sealed(h by b) → save marker h",
    ]);
  });

  it("of a lower birth refuses when it has opened, and starts anew when it has not", () => {
    const reborn = record(at(unborn({ birth: 2 })));
    expect(nodeAt({}, opened("g", "a"), "present").tell(start, reborn)[1]).toBe(
      "unborn(init, birth 2) → refuse: reborn 2",
    );
    expect(nodeAt({}, disk({ marker: sealed("g", "a") })).tell(start, reborn)[1]).toBe(
      "unborn(init, birth 2) → park g",
    );
  });
});

describe("a database's data", () => {
  it("lost under a marker make a new node, which joins", () => {
    const a = nodeAt({}, opened("g", "a"), "empty");
    expect(a.tell(start, saved, record(at(sealed("g", "a"))), saved)).toEqual([
      "start → save incarnation u1, set g aside",
      "saved → read",
      "sealed(g by a) → save incarnation u1, marker g",
      "saved → read",
    ]);
    expect(a.tell(record(at(sealed("g", "a"))), saved)[1]).toBe("saved → settle: join g");
  });

  it("never seen were never lost: a first start cut short is made again", () => {
    const stamp = { claim_id: "g", done: false };
    const a = nodeAt({}, disk({ marker: sealed("g", "a"), opened: true, stamp }), "empty");
    expect(a.tell(start, record(at(sealed("g", "a"))))).toEqual([
      "start → read",
      "sealed(g by a) → settle: bootstrap g",
    ]);
    expect(a.tell(wake, record(at(sealed("g", "a"))), answers([]))[2]).toBe("heard nobody → open");
    expect(a.tell(wake, record(at(sealed("g", "a"))), answers([], { data: "present" }))[2]).toBe(
      "heard nobody → read",
    );
    expect(a.tell(record(at(sealed("g", "a"))), saved, record(at(sealed("g", "a"))))).toEqual([
      "sealed(g by a) → save marker g opened",
      "saved → read",
      "sealed(g by a) → open",
    ]);
  });

  it("that are there after a first start are opened as they are", () => {
    const stamp = { claim_id: "g", done: false };
    const a = nodeAt({}, disk({ marker: sealed("g", "a"), opened: true, stamp }), "present");
    expect(a.tell(start, away)[1]).toBe("unreadable: connection refused → settle: existing g");
  });

  it("that rollcall did not make forbid everything", () => {
    const a = nodeAt({}, disk(), "present");
    for (const seen of [null, at(unborn()), at(sealed("g", "b"))])
      expect(a.tell(start, record(seen))[1]).toMatch("→ refuse: foreign_data");
  });

  it("that appear while the node asks forbid a claim", () => {
    const a = nodeAt();
    expect(a.tell(start, record(at(unborn())), answers([hello("b")], { data: "present" }))[2]).toBe(
      "heard b → refuse: foreign_data",
    );
  });

  it("of an initialisation cut short are set aside, and it is done again", () => {
    const stamp = { claim_id: "c", done: false };
    const a = nodeAt({ initialises: true }, disk({ claim: claim("c"), stamp }), "present");
    expect(
      a.tell(start, record(at(claimed("c", "a"))), parked, saved, record(at(claimed("c", "a")))),
    ).toEqual([
      "start → read",
      "claimed(c by a) → park c",
      "parked → save claim c",
      "saved → read",
      "claimed(c by a) → save claim c, stamp c",
    ]);
  });

  it("of a hook that failed are set aside, and it is run again", () => {
    const a = nodeAt({ initialises: true }, disk({ claim: claim("c") }));
    a.tell(start, record(at(claimed("c", "a"))), saved);
    expect(
      a.tell({ type: "initialised", failed: true }, parked, saved, record(at(claimed("c", "a")))),
    ).toEqual([
      "initialised → park c",
      "parked → save claim c",
      "saved → read",
      "claimed(c by a) → save claim c, stamp c",
    ]);
  });

  it("initialised and lost before the first start make a new node", () => {
    const stamp = { claim_id: "c", done: true };
    const claiming = nodeAt({ initialises: true }, disk({ claim: claim("c"), stamp }));
    expect(claiming.tell(start)).toEqual(["start → save incarnation u1"]);
    const holding = nodeAt({ initialises: true }, disk({ marker: sealed("c", "a") }));
    expect(holding.tell(start)).toEqual(["start → save incarnation u1, set c aside"]);
    const joining = nodeAt({ initialises: true }, disk({ marker: sealed("c", "b") }));
    expect(joining.tell(start)).toEqual(["start → read"]);
  });
});

describe("an absent record", () => {
  it("is made by a blank voter with auto, and by nobody else", () => {
    const made = (more: Parameters<typeof nodeAt>[0]) => nodeAt(more).tell(start, record(null))[1];
    expect(made({})).toBe("nothing → ask");
    expect(made({ genesis: "strict" })).toBe("nothing → wait: no_record");
    expect(made({ genesis: "never" })).toBe("nothing → wait: no_record");
    expect(made({ voter: false })).toBe("nothing → wait: no_record");
  });

  it("is left alone where an agent in reach holds a marker, or a database wrote a leader record", () => {
    const a = nodeAt();
    a.tell(start, record(null));
    expect(a.tell(answers([hello("b", { marker: { genesis_id: "g", birth: 1 } })]))).toEqual([
      "heard b → wait: holder b g",
    ]);
    a.tell(wake, record(null));
    expect(a.tell(answers([], { foreignLeader: "n7 at x:4001" }))).toEqual([
      "heard nobody → wait: foreign_leader n7 at x:4001",
    ]);
  });
});

describe("an unborn record", () => {
  it("is waited upon by those who may not claim", () => {
    const waits = (more: Parameters<typeof nodeAt>[0]) => nodeAt(more).tell(start, record(at(unborn())))[1];
    expect(waits({ voter: false })).toBe("unborn(init) → wait: others");
    expect(waits({ genesis: "never" })).toBe("unborn(init) → wait: others");
    expect(waits({ expect: 3 })).toBe("unborn(init) → wait: expect_mismatch 2");
    expect(waits({ genesis: "strict" })).toBe("unborn(init) → ask");
  });

  it("is claimed by one of the lowest, in turn", () => {
    const claims = (input: Input) => nodeAt().tell(start, record(at(unborn())), input)[2];
    expect(claims(answers([]))).toBe("heard nobody → wait: voters");
    expect(claims(answers([hello("b")]))).toBe("heard b → save claim u1");
    const last = (impatient: boolean) =>
      nodeAt({ nodeId: "c" }, disk({ incarnation: "i-c" })).tell(
        start,
        record(at(unborn())),
        answers([hello("b")], { self: ref("c"), registered: [ref("b"), ref("c")], impatient }),
      )[2];
    expect(last(false)).toBe("heard b → wait: turn");
    expect(last(true)).toBe("heard b → save claim cu1");
    const extra = answers([hello("0"), hello("00")], { impatient: true });
    expect(claims(extra)).toBe("heard 0 00 → wait: others");
  });

  it("is claimed beside a claim over the same record, and not beside any other", () => {
    const pending = { claim_id: "c", init_id: "init", revision: "1" };
    const claims = (revision: string) =>
      nodeAt().tell(
        start,
        record(at(unborn())),
        answers([hello("b", { pending: { ...pending, revision } })]),
      )[2];
    expect(claims("1")).toBe("heard b → save claim u1");
    expect(claims("0")).toBe("heard b → wait: voters");
    const three = answers([hello("b"), hello("c", { pending: { ...pending, revision: "0" } })]);
    expect(nodeAt().tell(start, record(at(unborn())), three)[2]).toBe("heard b c → wait: claimant c");
  });

  it("drops a claim that was over another record", () => {
    const a = nodeAt({}, disk({ claim: claim("c", at(unborn(), "7").at) }));
    expect(a.tell(start, record(at(unborn(), "9")), saved)).toEqual([
      "start → read",
      "unborn(init) → save nothing",
      "saved → read",
    ]);
  });
});

describe("a sealed record", () => {
  it("is joined whatever this node expected, voter or not", () => {
    for (const more of [{ expect: 5 }, { voter: false }, { genesis: "never" as const }])
      expect(nodeAt(more).tell(start, record(at(sealed("g", "b"))))[1]).toBe(
        "sealed(g by b) → save marker g",
      );
  });

  it("is joined only under a node id that is this node's own", () => {
    const a = nodeAt();
    const seen = at(sealed("g", "b"));
    expect(a.tell(start, { type: "record", seen, registered: false })).toEqual([
      "start → read",
      "sealed(g by b), not registered → wait: registration",
    ]);
    const b = nodeAt({}, disk({ marker: sealed("g", "b") }));
    expect(b.tell(start, { type: "record", seen, registered: false })[1]).toBe(
      "sealed(g by b), not registered → wait: registration",
    );
  });
});

describe("an input out of turn", () => {
  it("changes nothing", () => {
    const a = nodeAt();
    a.tell(start);
    const reading = a.state();
    expect(a.tell(wake, answers([hello("b")]), saved)).toEqual([
      "wake → reading",
      "heard b → reading",
      "saved → reading",
    ]);
    expect({ ...a.state(), data: reading.data }).toEqual(reading);
  });
});
