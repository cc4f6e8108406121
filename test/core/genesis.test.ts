/** The genesis step function as transcripts. That nothing else can happen is for test/explore to show. */
import { describe, expect, it } from "vitest";
import type { Cluster, ForeignLeader } from "../../src/core/genesis-adoption.ts";
import type { Input, Rules } from "../../src/core/genesis-state.ts";
import { type Hello, memberHash, type Sealed } from "../../src/core/model.ts";
import type { Seen } from "../../src/core/quorum.ts";
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
/** The native cluster of n7, which leads, and n8; or another one with the same ids. */
function cluster(where = "net"): Cluster {
  const [leader, other] = ["n7", "n8"].map((id) => ({
    id,
    addr: `${id}.${where}:2`,
    api_addr: `${id}.${where}:1`,
  }));
  if (leader === undefined || other === undefined) throw new RangeError("two nodes");
  return { leader, nodes: [leader, other].map((one) => ({ ...one, voter: true })) };
}
/** What its leader record says, and what its database answers. */
function native(answer: Cluster | null = cluster()): ForeignLeader {
  return { value: "n7's", ...cluster().leader, cluster: answer, silentMs: answer === null ? 0 : null };
}
/** The record in which n7's agent adopted it. */
function adoptedAs(id: string): Sealed {
  const more = { incarnation: id, members: [], hash: memberHash([]) };
  return { ...sealed(id, "n7", more), adopted: { by: "n7", ...cluster(), nodes: [...cluster().nodes] } };
}
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
    expect(a.tell(swapped("unknown"), wake, record(at(claimed("u1", "a"), "2")))).toEqual([
      "unknown → wait: store no answer",
      "wake → read",
      "claimed(u1 by a) → write sealed(u1 by a) over claimed(u1 by a)",
    ]);
  });

  it("to a claim is read back: it did not land, and the same claim id is used again", () => {
    const a = nodeAt();
    a.tell(start, record(at(unborn())), answers([hello("b")]), saved);
    expect(a.tell(swapped("unknown"), wake, record(at(unborn())), answers([hello("b")]), saved)).toEqual([
      "unknown → wait: store no answer",
      "wake → read",
      "unborn(init) → ask",
      "heard b → save claim u1",
      "saved → write claimed(u1 by a) over unborn(init)",
    ]);
  });

  it("to a seal is read back: the genesis is this node's", () => {
    const a = nodeAt({}, disk({ claim: claim("c") }));
    a.tell(start, record(at(claimed("c", "a"), "2")));
    expect(a.tell(swapped("unknown"), wake, record(at(sealed("c", "a"), "3")), saved)).toEqual([
      "unknown → wait: store no answer",
      "wake → read",
      "sealed(c by a) → save marker c",
      "saved → read",
    ]);
  });

  it("to an init is read back: somebody's record is there", () => {
    const a = nodeAt();
    a.tell(start, record(null), answers([]));
    expect(a.tell(swapped("unknown"), wake, record(at(unborn({ init_id: "other" }))))).toEqual([
      "unknown → wait: store no answer",
      "wake → read",
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
    const holder = hello("b", { marker: { genesis_id: "g", birth: 1 } });
    expect(a.tell(start, saved, record(at(sealed("g", "a"))), answers([holder]), saved)).toEqual([
      "start → save incarnation u1, set g aside",
      "saved → read",
      "sealed(g by a) → ask",
      "heard b → save incarnation u1, marker g",
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
    const made = (more: Parameters<typeof nodeAt>[0]) =>
      nodeAt(more).tell(start, record(null), answers([]))[2];
    expect(made({})).toBe("heard nobody → write unborn(u1) over nothing");
    expect(made({ genesis: "strict" })).toBe("heard nobody → wait: no_record");
    expect(made({ genesis: "never" })).toBe("heard nobody → wait: no_record");
    expect(made({ voter: false })).toBe("heard nobody → wait: no_record");
  });

  it("is left alone where an agent in reach holds a marker, or a database wrote a leader record", () => {
    const a = nodeAt();
    a.tell(start, record(null));
    expect(a.tell(answers([hello("b", { marker: { genesis_id: "g", birth: 1 } })]))).toEqual([
      "heard b → wait: holder b g",
    ]);
    a.tell(wake, record(null));
    expect(a.tell(answers([], { foreign: native(null) }))).toEqual([
      "heard nobody → wait: foreign_leader n7",
    ]);
  });
});

describe("an unborn record", () => {
  it("is waited upon by those who may not claim", () => {
    const waits = (more: Parameters<typeof nodeAt>[0]) =>
      nodeAt(more).tell(start, record(at(unborn())), answers([hello("b"), hello("c")]))[2];
    expect(waits({ voter: false })).toBe("heard b c → wait: others");
    expect(waits({ genesis: "never" })).toBe("heard b c → wait: others");
    expect(waits({ expect: 3 })).toBe("heard b c → wait: expect_mismatch 2");
    expect(waits({ genesis: "strict" })).toBe("heard b c → save claim u1");
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

describe("a leader record that a database wrote itself", () => {
  const heard = (foreign: ForeignLeader, hellos: readonly Hello[] = []) => answers(hellos, { foreign });
  const told = (more: Partial<Rules>, seen: Seen | null, input: Input) =>
    nodeAt(more).tell(start, record(seen), input)[2];

  it("forbids a claim and a take-over while its database does not answer", () => {
    const silent = heard(native(null), [hello("b")]);
    expect(told({}, at(unborn()), silent)).toBe("heard b → wait: foreign_leader n7");
    const gone = answers([hello("b")], { foreign: native(null), claimerSilent: true });
    expect(told({}, at(claimed("c", "z")), gone)).toBe("heard b → wait: foreign_leader n7");
    expect(told({ voter: false }, null, silent)).toBe("heard b → wait: foreign_leader n7");
  });

  it("leads to its cluster: a record is made, then that cluster sealed in it, and joined", () => {
    const a = nodeAt();
    expect(
      a.tell(
        start,
        record(null),
        heard(native()),
        swapped("won"),
        heard(native()),
        swapped("won", "3"),
        record(at(adoptedAs("u2"), "3")),
        answers([], { clusters: [cluster()] }),
        saved,
        record(at(adoptedAs("u2"), "3")),
        saved,
      ),
    ).toEqual([
      "start → read",
      "nothing → ask",
      "heard nobody → write unborn(u1) over nothing",
      "won → ask",
      "heard nobody → write sealed(u2 by a, adopted) over unborn(u1)",
      "won → read",
      "sealed(u2 by n7, adopted) → ask",
      "heard nobody → save marker u2",
      "saved → read",
      "sealed(u2 by n7, adopted) → save stamp u2, marker u2 opened",
      "saved → settle: join u2",
    ]);
  });

  it("is adopted as that database lists its cluster, with the agents that are beside it, and by nobody's incarnation", () => {
    const a = nodeAt();
    a.tell(start, record(at(unborn())));
    const others = [hello("n8", { used: true }), hello("b"), hello("x", { used: true })];
    a.tell(heard(native(), others));
    const effect = a.doing();
    const value = effect?.type === "swap" ? JSON.parse(effect.value) : null;
    expect(value).toMatchObject({
      state: "sealed",
      init_id: "init",
      gen: 1,
      genesis_id: "u1",
      claim_id: "u1",
      node: "a",
      incarnation: "u1",
      formation: "single",
      adopted: { by: "a", ...cluster() },
    });
    expect(value.members.map((m: { id: string }) => m.id)).toEqual(["n8"]);
  });

  it("is adopted by a non-voter too, by a strict node only in a record that is there, and never by never", () => {
    const over = "write sealed(u1 by a, adopted) over unborn(init)";
    for (const more of [{}, { voter: false }, { expect: 5 }, { genesis: "strict" as const }])
      expect(told(more, at(unborn()), heard(native()))).toBe(`heard nobody → ${over}`);
    expect(told({ genesis: "never" }, at(unborn()), heard(native()))).toBe(
      "heard nobody → wait: foreign_leader n7, which answers",
    );
    expect(told({ voter: false }, null, heard(native()))).toBe(
      "heard nobody → write unborn(u1) over nothing",
    );
    for (const genesis of ["strict", "never"] as const)
      expect(told({ genesis }, null, heard(native()))).toBe(
        "heard nobody → wait: foreign_leader n7, which answers",
      );
  });

  it("is not adopted beside a holder, a claim over another record, or a living claimer", () => {
    const holder = hello("b", { marker: { genesis_id: "g", birth: 1 } });
    expect(told({}, at(unborn()), heard(native(), [holder]))).toBe("heard b → wait: holder b g");
    expect(told({}, null, heard(native(), [holder]))).toBe("heard b → wait: holder b g");
    const pending = { claim_id: "c", init_id: "old", revision: "0" };
    expect(told({}, at(unborn()), heard(native(), [hello("b", { pending })]))).toBe(
      "heard b → wait: claimant b",
    );
    expect(told({}, at(claimed("c", "b")), heard(native(), [hello("b")]))).toBe("heard b → wait: claimer b");
  });

  it("is adopted over the claim of one who is gone", () => {
    const gone = answers([], { foreign: native(), claimerSilent: true });
    expect(told({}, at(claimed("c", "z")), gone)).toBe(
      "heard nobody → write sealed(u1 by a, gen 2, adopted) over claimed(c by z)",
    );
  });

  it("forbids nothing once an operator has said that it is gone, and another one does", () => {
    const forgetting = at(unborn({ forgets: native(null).value }));
    const a = nodeAt();
    expect(a.tell(start, record(forgetting), heard(native(null), [hello("b")]), saved)).toEqual([
      "start → read",
      "unborn(init, forgets) → ask",
      "heard b → save claim u1",
      "saved → write claimed(u1 by a, forgets) over unborn(init, forgets)",
    ]);
    const other = { ...native(null), value: "another" };
    expect(told({}, forgetting, heard(other, [hello("b")]))).toBe("heard b → wait: foreign_leader n7");
  });
});

describe("an adopted genesis", () => {
  const seen = at(adoptedAs("g"));
  const kept = disk({ marker: adoptedAs("g") });

  it("is joined where a member or one of its databases answers, by a listed agent too", () => {
    const joins = (input: Input) => nodeAt().tell(start, record(seen), input)[2];
    expect(joins(answers([]))).toBe("heard nobody → wait: members_gone g: n7 n8");
    expect(joins(answers([hello("b", { marker: { genesis_id: "g", birth: 1 } })]))).toBe(
      "heard b → save marker g",
    );
    expect(joins(answers([], { clusters: [cluster()] }))).toBe("heard nobody → save marker g");
    const other = cluster("elsewhere");
    expect(joins(answers([], { clusters: [other] }))).toBe("heard nobody → wait: members_gone g: n7 n8");
    const listed = at({ ...adoptedAs("g"), members: [ref("a")] });
    expect(nodeAt().tell(start, record(listed))[1]).toBe("sealed(g by n7, adopted) → ask");
  });

  it("is never created, whoever is named in it", () => {
    const mine = { ...adoptedAs("g"), node: "a", incarnation: "i-a", members: [ref("a")] };
    for (const formation of ["single", "symmetric"] as const) {
      const a = nodeAt({}, disk({ marker: { ...mine, formation } }));
      a.tell(start, record(at({ ...mine, formation })));
      expect(a.tell(saved)).toEqual(["saved → settle: join g"]);
    }
  });

  it("takes in a node with data whose own database is in that cluster and lists it", () => {
    const n8 = nodeAt({ nodeId: "n8" }, disk({ incarnation: "i-n8" }), "present");
    const used = answers([], { data: "present", own: cluster() });
    expect(n8.tell(start, record(seen), used, saved, record(seen), saved)).toEqual([
      "start → read",
      "sealed(g by n7, adopted) → ask",
      "heard nobody → save marker g",
      "saved → read",
      "sealed(g by n7, adopted) → save marker g opened",
      "saved → settle: existing g",
    ]);
  });

  it("takes in no other node with data, and says why", () => {
    const refuses = (nodeId: string, own: Cluster | null) =>
      nodeAt({ nodeId }, disk(), "present").tell(
        start,
        record(seen),
        answers([], { data: "present", own }),
      )[2];
    expect(refuses("n8", null)).toBe("heard nobody → refuse: foreign_data silent");
    expect(refuses("n9", cluster())).toBe("heard nobody → refuse: foreign_data not_listed");
    expect(refuses("n8", cluster("elsewhere"))).toBe("heard nobody → refuse: foreign_data other_cluster");
    // The directory was emptied meanwhile: it is looked at anew.
    const n8 = nodeAt({ nodeId: "n8" }, disk(), "present");
    expect(n8.tell(start, record(seen), answers([]))[2]).toBe("heard nobody → read");
  });

  it("is opened again as any other, and its record restored", () => {
    const a = nodeAt({}, { ...kept, opened: true }, "present");
    expect(a.tell(start, record(seen))[1]).toBe("sealed(g by n7, adopted) → settle: existing g");
    const b = nodeAt({}, { ...kept, opened: true }, "present");
    expect(b.tell(start, record(at(unborn(), "9")), answers([]))[2]).toBe(
      "heard nobody → write sealed(g by n7, adopted) over unborn(init)",
    );
  });
});

describe("a sealed record", () => {
  it("is joined by a node that it does not list only where somebody belongs to it", () => {
    const late = nodeAt({ nodeId: "c" }, disk({ incarnation: "i-c" }));
    const seen = at(sealed("g", "b"));
    const others = [hello("a", { incarnation: "i-new" }), hello("x")];
    const self = ref("c");
    expect(late.tell(start, record(seen), answers(others, { self }))).toEqual([
      "start → read",
      "sealed(g by b) → ask",
      "heard a x → wait: members_gone g: a wiped b",
    ]);
    const holders = (more: Partial<Hello>) =>
      answers([hello("b", { marker: { genesis_id: "g", birth: 1 }, ...more })], { self });
    expect(late.tell(wake, record(seen), holders({ key: "other" }))[2]).toMatch("wait: members_gone");
    expect(late.tell(wake, record(seen), holders({ marker: { genesis_id: "h", birth: 1 } }))[2]).toMatch(
      "wait: members_gone",
    );
    expect(late.tell(wake, record(seen), holders({}))[2]).toBe("heard b → save marker g");
  });

  it("of a fleet that is gone gives way to a rebirth, under which blank nodes form", () => {
    const late = nodeAt({ nodeId: "c" }, disk({ incarnation: "i-c" }));
    late.tell(start, record(at(sealed("g", "b"))), answers([], { self: ref("c") }));
    const reborn = record(at(unborn({ birth: 2 }), "2"));
    const both = answers([hello("d", { birth: 2 })], { self: ref("c"), registered: [ref("c"), ref("d")] });
    expect(late.tell(wake, reborn, both)[2]).toBe("heard d → save claim cu1");
  });

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
