/** The register's step function: how agents without a store come to one cluster. */
import { describe, expect, it } from "vitest";
import { initial } from "../../src/core/genesis-state.ts";
import { founded, symmetric } from "../../src/core/register-steps.ts";
import { noVotes, type Reply } from "../../src/core/votes.ts";
import { apart } from "./register-transcript.ts";
import { disk, ref, rules } from "./transcript.ts";

/** Everybody takes a turn, so often. */
function turns(company: ReturnType<typeof apart>, times: number): string[] {
  return Array.from({ length: times }, () => company.nodes.flatMap(({ id }) => company.run(id))).flat();
}

describe("three agents without a store", () => {
  it("form one cluster: the first in the order creates, the others join", () => {
    const company = apart(["a", "b", "c"]);
    expect(turns(company, 1).concat(company.run("c"), company.run("a"))).toEqual([
      "a: start → read",
      "a: heard nobody → wait: voters",
      "b: start → read",
      "b: heard a → wait: voters",
      "c: start → read",
      "c: heard a b → save votes",
      "c: saved → prepare 1 abc",
      "c: promise promise → save votes",
      "c: saved → accept 1 abc",
      "c: accepted accepted → tell decided abc, read",
      "c: heard a b → save votes",
      "c: saved → prepare 2 abc for a genesis",
      "c: promise promise → save votes",
      "c: saved → accept 2 abc c1",
      "c: accepted accepted → tell decided abc c1, save opened",
      "c: saved → settle: bootstrap",
      "c: wake → read",
      "c: heard a b → open",
      "a: wake → read",
      "a: heard b c → save opened",
      "a: saved → settle: join",
    ]);
  });

  it("wait for their turn, the lowest first", () => {
    const company = apart(["a", "b"]);
    company.run("a");
    expect(company.run("b", { impatient: false }).at(-1)).toBe("b: heard a → wait: turn");
    expect(company.run("a", { impatient: false })).toEqual([
      "a: wake → read",
      "a: heard b → save votes",
      "a: saved → prepare 1 ab",
      "a: promise → save votes",
      "a: saved → accept 1 ab",
      "a: accepted → tell decided ab, save votes",
      "a: saved → prepare 2 ab for a genesis",
      "a: promise → save votes",
      "a: saved → accept 2 ab a1",
      "a: accepted → tell decided ab a1, save opened",
      "a: saved → settle: bootstrap",
    ]);
  });

  it("all create their part where all start with the same list", () => {
    const company = apart(["a", "b", "c"], { formation: "symmetric" });
    const lines = turns(company, 2).filter((line) => line.includes("settle"));
    expect(lines.sort()).toEqual(["a", "b", "c"].map((id) => `${id}: saved → settle: bootstrap`));
  });

  it("initialise the owner's database before the genesis is proposed", () => {
    const company = apart(["a", "b"], { initialises: true });
    company.run("a");
    expect(company.run("b").slice(6, 12)).toEqual([
      "b: heard a → save stamp b1",
      "b: saved → initialise for b1",
      "b: initialised → save stamp b1 done",
      "b: saved → read",
      "b: heard a → save stamp b1 done",
      "b: saved → prepare 2 ab for a genesis",
    ]);
  });
});

describe("a node that is not to propose", () => {
  const last = (company: ReturnType<typeof apart>, id: string, more = {}) => company.run(id, more).at(-1);

  it("says that others expect another number", () => {
    const company = apart(["a", "b"]);
    company.run("a");
    const other = company.nodeOf("a");
    const hellos = [{ ...other.hello(), expect: 3 }];
    expect(last(company, "b", { hellos })).toBe("b: heard a → wait: expect_differs");
  });

  it("refuses where two sets could be decided", () => {
    const company = apart(["a", "b", "c", "d"], { expect: 2 });
    for (const id of ["a", "b", "c"]) company.run(id, { hellos: [] });
    expect(last(company, "d")).toBe("d: heard a b c → wait: too_many_voters");
    expect(company.nodeOf("d").state().phase).toMatchObject({ wait: { voters: 4, safe: 3 } });
  });

  it("creates alone only where the list names it and nobody else", () => {
    const company = apart(["a"], { expect: 1 });
    expect(last(company, "a")).toBe("a: heard nobody → wait: not_alone");
    expect(company.run("a", { alone: true })).toContain("a: saved → settle: bootstrap");
  });

  it("stays closed with data that nobody here made", () => {
    const company = apart(["a", "b"]);
    expect(last(company, "a", { data: "present" })).toBe("a: heard nobody → refuse: foreign_data");
  });

  it("joins no second node of its own id", () => {
    const company = apart(["a", "b"]);
    turns(company, 2);
    const twin = apart(["c"]);
    const hellos = company.nodes
      .map((n) => n.hello())
      .concat({ ...twin.nodeOf("c").hello(), incarnation: "i-x" });
    expect(last(twin, "c", { hellos })).toBe("c: heard a b c → wait: duplicate_node_id");
  });

  it("refuses where two geneses are held", () => {
    const [one, two] = [apart(["a", "b"]), apart(["c", "d"])];
    turns(one, 2);
    turns(two, 2);
    const hellos = [one.nodeOf("a").hello(), two.nodeOf("c").hello()];
    const e = apart(["e"]);
    expect(last(e, "e", { hellos })).toBe("e: heard a c → refuse: genesis_conflict");
    expect(e.nodeOf("e").state().phase).toMatchObject({ refusal: { why: "two_others", where: "a and c" } });
  });
});

describe("a founder that is gone", () => {
  /** b and a have accepted their set; b alone knows, and is gone. */
  function left(formation: "single" | "symmetric" = "single") {
    const company = apart(["a", "b", "c"], { expect: 2, formation });
    company.run("a", { hellos: [] });
    const a = company.nodeOf("a");
    const members = [ref("a"), ref("b")];
    const from = { id: "b", incarnation: "i-b", agent_addr: "b:8300" };
    const said = { v: 1, key: "k", from, ballot: { round: 1, incarnation: "i-b" }, members };
    a.votes({ ...said, kind: "prepare", decree: "members" });
    a.votes({ ...said, kind: "accept", founding: null });
    return company;
  }

  it("is waited for by name", () => {
    const company = left();
    expect(company.run("c").at(-1)).toBe("c: accepted silent → wait: lost_voters");
    expect(company.nodeOf("c").state().phase).toMatchObject({ wait: { missing: [{ id: "b" }] } });
  });

  it("is not called lost while it only answers late", () => {
    const company = left();
    const b = company.nodeOf("b").hello();
    const hellos = [company.nodeOf("a").hello(), b];
    expect(company.run("a", { hellos: hellos.slice(1) }).at(-1)).toBe("a: silent → wait: votes");
  });

  it("is given up where an operator says so beside the other one", () => {
    const company = left();
    expect(company.nodeOf("a").giveUp("i-b")).toBe(true);
    expect(company.run("c")).toContain("c: saved → accept 2 ac");
    expect(company.run("c").at(-1)).toBe("c: heard a → open");
  });

  it("is named by one that was told, while another one was not", () => {
    const company = apart(["a", "b", "c", "d"], { expect: 3 });
    for (const id of ["a", "b"]) company.run(id, { hellos: [] });
    const members = [ref("a"), ref("b"), ref("x")];
    const from = { id: "x", incarnation: "i-x", agent_addr: "x:8300" };
    const said = { v: 1, key: "k", from, ballot: { round: 1, incarnation: "i-x" }, members };
    for (const id of ["a", "b"]) company.nodeOf(id).votes({ ...said, kind: "accept", founding: null });
    company.nodeOf("b").giveUp("i-x");
    company.run("c", { hellos: [] });
    expect(company.run("b").at(-1)).toBe("b: promise promise → wait: lost_voters");
  });

  it("is given up although those who remain are not the first in the order", () => {
    const company = apart(["a", "b", "y", "z"], { expect: 3 });
    for (const id of ["a", "b", "y", "z"]) company.run(id, { hellos: [] });
    const members = [ref("x"), ref("y"), ref("z")];
    const from = { id: "x", incarnation: "i-x", agent_addr: "x:8300" };
    const said = { v: 1, key: "k", from, ballot: { round: 1, incarnation: "i-x" }, members };
    for (const id of ["y", "z"]) company.nodeOf(id).votes({ ...said, kind: "accept", founding: null });
    for (const id of ["y", "z"]) expect(company.nodeOf(id).giveUp("i-x")).toBe(true);
    // Those who were not told can only propose the old set again.
    expect(company.run("a").at(-1)).toBe("a: silent rejected rejected → wait: lost_voters");
    expect(company.run("y").join()).toMatch(/tell decided ayz/);
  });

  it("decides nothing by a vote that comes after it was given up", () => {
    const company = apart(["a", "b"], { formation: "symmetric" });
    company.run("b");
    const a = company.nodeOf("a");
    const hellos = [company.nodeOf("b").hello()];
    a.tell({ type: "start" });
    const heard = { self: ref("a"), data: "empty", hellos, alone: false, impatient: true } as const;
    a.tell({ type: "heard", heard });
    a.tell({ type: "saved" });
    const promise: Reply = { kind: "promise", accepted: null, lost: [] };
    a.tell({ type: "polled", polled: [{ incarnation: "i-b", reply: promise }] });
    a.tell({ type: "saved" });
    expect(a.giveUp("i-b")).toBe(true);
    a.tell({ type: "polled", polled: [{ incarnation: "i-b", reply: { kind: "accepted" } }] });
    expect(a.lines.at(-1)).toBe("accepted → read");
    expect(a.state().kept.votes?.members.decided).toBeNull();
  });

  it("is not followed into what it alone has started", () => {
    const company = left("symmetric");
    const marker = symmetric([ref("a"), ref("b")]);
    const held = { genesis_id: marker.genesis_id, birth: 1, record: marker };
    company.nodeOf("a").giveUp("i-b");
    const b = { ...company.nodeOf("b").hello(), marker: held };
    expect(company.run("a", { hellos: [b] }).at(-1)).toBe("a: heard b → refuse: genesis_conflict");
    expect(company.nodeOf("a").state().phase).toMatchObject({ refusal: { why: "given_up", where: "b" } });
  });
});

describe("a genesis", () => {
  const members = [ref("a"), ref("b")];
  const elected = { ...noVotes, members: { ...noVotes.members, decided: members } };

  it("of another sets aside what was initialised, and says so on disk first", () => {
    const stamp = { claim_id: "a1", done: true };
    const state = initial(disk({ stamp, votes: elected }), "present");
    const other = { genesis_id: "b1", owner: "i-b" };
    const first = founded(rules, state, members, other);
    expect(first.state.kept.stamp).toEqual({ claim_id: "a1", done: false });
    expect(first.effects.map((e) => e.type)).toEqual(["save"]);
    expect(founded(rules, first.state, members, other).effects).toEqual([{ type: "park", claimId: "a1" }]);
  });

  it("is opened by its owner alone", () => {
    const state = initial(disk({ votes: elected }), "empty");
    const mine = founded(rules, state, members, { genesis_id: "a1", owner: "i-a" });
    expect(mine.state.kept.marker).toMatchObject({ genesis_id: "a1", node: "a", formation: "single" });
    const others = founded(rules, state, members, { genesis_id: "b1", owner: "i-b" });
    expect(others.state.phase).toMatchObject({ at: "waiting", wait: { on: "owner", owner: { id: "b" } } });
  });

  it("of one list is the same for everybody, whatever their addresses", () => {
    const moved = members.map((m) => ({ ...m, agent_addr: "elsewhere" }));
    expect(symmetric(moved).genesis_id).toBe(symmetric(members).genesis_id);
    expect(symmetric(members).genesis_id).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(symmetric([ref("a"), ref("c")]).genesis_id).not.toBe(symmetric(members).genesis_id);
  });
});
