import { describe, expect, it } from "vitest";
import type { NodeReport } from "../../src/core/node-report.ts";
import type { Observation } from "../../src/core/observation.ts";
import {
  CALM,
  DOWN,
  failed,
  LEADS,
  memberOf,
  recordOf,
  refresh,
  run,
  seen,
  step,
  typesOf,
  unchanged,
} from "./clusters.ts";

const told = (reports: Readonly<Record<string, Partial<NodeReport> | null>>, seq = 6): Observation[] =>
  Object.entries(reports).map(([id, report]) => (report === null ? failed(id) : seen(id, { seq, report })));
const since = (...all: Readonly<Record<string, Partial<NodeReport> | null>>[]) =>
  run(CALM, ...all.map((reports, n) => refresh(told(reports, 6 + n))));
const whoLeads = (reports: Readonly<Record<string, Partial<NodeReport> | null>>) =>
  since(reports).facts.conditions.leader?.node_id ?? null;

const follows = (id: string, term: number | null) =>
  ({ role: "replica", leader: memberOf(id), term }) as const;
const lost = { role: "unknown", leader: null, term: 3 } as const;

describe("who leads", () => {
  it.each([
    ["who claims it in the newest term", { a: { ...LEADS, term: 3 }, b: { ...LEADS, term: 4 } }, "b"],
    ["who is named in a newer term than anybody claims", { b: follows("c", 5) }, "c"],
    ["who claims it, not who is named in the same term", { b: follows("c", 3) }, "a"],
    ["who led before, of two that claim it in one term", { b: { ...LEADS, term: 3 } }, "a"],
    [
      "who claims it, not who led before and is still named",
      { a: lost, b: { ...LEADS, term: 4 }, c: follows("a", 4) },
      "b",
    ],
    ["nobody, where only a silent agent claimed it", { a: null, b: lost, c: lost }, null],
    [
      "the first, of two that claim it newly",
      { a: lost, b: { ...LEADS, term: 4 }, c: { ...LEADS, term: 4 } },
      "b",
    ],
    [
      "who claims it without a term, where none is told",
      { a: lost, b: { ...LEADS, term: null }, c: { ...lost, term: null } },
      "b",
    ],
    ["whom databases name while its own agent is silent", { a: null }, "a"],
    [
      "nobody, where the one named is none of ours",
      { a: DOWN, b: follows("z", 4), c: follows("z", 4) },
      null,
    ],
    ["nobody, where nobody is named", { a: lost, b: lost, c: lost }, null],
    [
      "nobody, where there are no databases",
      { a: { kind: "none" }, b: { kind: "none" }, c: { kind: "none" } },
      null,
    ],
    ["who was known, where no agent answers", { a: null, b: null, c: null }, "a"],
  ])("is %s", (_, reports, leader) => {
    expect(whoLeads(reports)).toBe(leader);
  });

  it("is who led before, of two that claim it in one term, also when that is not the first", () => {
    const claims = { ...LEADS, term: 4 };
    expect(since({ c: claims }, { b: claims }).facts.conditions.leader).toEqual({ node_id: "c" });
  });

  it("is not who leads another genesis", () => {
    const last = run(
      CALM,
      refresh([seen("b", { seq: 6, genesis_id: "genesis-2", report: { ...LEADS, term: 9 } })]),
    );
    expect(last.facts.conditions.leader).toEqual({ node_id: "a" });
  });
});

describe("a primary", () => {
  it("is missing when nobody leads twice in a row, and says who did", () => {
    const nobody = { a: lost, b: lost, c: lost };
    const last = since(nobody, nobody);
    expect(typesOf(since(nobody).changes)).toContain("LEADER_CHANGED");
    expect(last.facts.conditions.primary_missing).toEqual({ last: "a" });
    expect(since(nobody, nobody, nobody).changes.map(({ type }) => type)).not.toContain("PRIMARY_MISSING");
    expect(typesOf(since(nobody, nobody, { b: { ...LEADS, term: 4 } }).changes)).toEqual([
      ...["NODE_CHANGED b", "LEADER_CHANGED", "PRIMARY_MISSING"],
    ]);
    expect(since(nobody, {}, nobody).facts.conditions.primary_missing).toEqual({ last: "a" });
  });

  it("is not missing while somebody leads in between", () => {
    const nobody = { a: lost, b: lost, c: lost };
    expect(since(nobody, { a: LEADS }, nobody).facts.conditions.primary_missing).toBeNull();
  });

  it.each([
    ["there are no databases", { kind: "none" }],
    ["no database tells roles, nor ever did", { role: "unknown", leader: null, term: null }],
  ] as const)("is not missing where %s", (_, report) => {
    const all = ["a", "b", "c"].map((id) => seen(id, { report }));
    const last = run(refresh(all), refresh(all), refresh(all));
    expect(last.facts.conditions.primary_missing).toBeNull();
  });

  it("is not missing where the one named is none of ours", () => {
    const elsewhere = { a: DOWN, b: follows("z", 4), c: follows("z", 4) };
    expect(since(elsewhere, elsewhere).facts.conditions).toMatchObject({
      leader: null,
      primary_missing: null,
    });
  });

  it("is claimed by two when both are healthy and it lasts", () => {
    const two = { a: LEADS, b: { ...LEADS, term: 4 } };
    expect(since(two, two).facts.conditions.primary_conflict).toEqual(["a", "b"]);
    expect(since(two, two, two)).toMatchObject({ marks: { pending: {} }, decisions: [] });
    expect(since(two, two, { a: follows("b", 4) }).facts.conditions.primary_conflict).toBeNull();
    const ill = { a: { ...LEADS, status: "unhealthy" }, b: { ...LEADS, term: 4 } } as const;
    expect(since(ill, ill).facts.conditions.primary_conflict).toBeNull();
    const gone = { a: null, b: { ...LEADS, term: 4 } };
    expect(since(two, gone).facts.conditions.primary_conflict).toBeNull();
  });

  it("is said to wait for the next refresh", () => {
    expect(since({ a: lost, b: lost, c: lost }).decisions).toMatchObject([{ code: "seen_once" }]);
  });
});

describe("the genesis", () => {
  const holding = (a: string | null, b: string | null, c: string | null, seq = 6) =>
    refresh([
      seen("a", { seq, genesis_id: a }),
      seen("b", { seq, genesis_id: b }),
      seen("c", { seq, genesis_id: c }),
    ]);

  it("is pinned with the first that is held, of two the one of most", () => {
    expect(run(holding(null, null, null)).facts.genesis_id).toBeNull();
    const last = run(holding(null, null, null), holding("y", "x", "x", 7));
    expect(last.facts.genesis_id).toBe("x");
    expect(last.facts.conditions.split).toEqual({ x: ["b", "c"], y: ["a"] });
    expect(typesOf(last.changes)).toContain("CLUSTER_CHANGED");
  });

  it("is split by one node at once, also after that one fell silent, until it is mended", () => {
    const split = holding("x", "x", "y");
    const silent = refresh([unchanged("a", { seq: 6 }), unchanged("b", { seq: 6 }), failed("c")]);
    expect(run(holding("x", "x", "x"), split, silent).facts.conditions.split).toEqual({
      x: ["a", "b"],
      y: ["c"],
    });
    expect(run(holding("x", "x", "x"), split, holding("x", "x", "x", 7)).facts.conditions.split).toBeNull();
  });

  it("is another one when every listed node is up and holds that", () => {
    const first = holding("x", "x", "x");
    expect(run(first, holding("y", "y", null, 7)).facts.genesis_id).toBe("x");
    const without = refresh([
      seen("a", { seq: 7, genesis_id: "y" }),
      seen("b", { seq: 7, genesis_id: "y" }),
      failed("c"),
    ]);
    expect(run(first, without).facts).toMatchObject({
      genesis_id: "x",
      conditions: { split: { y: ["a", "b"] } },
    });
    const born = run(first, holding("y", "y", "y", 7));
    expect(born.facts).toMatchObject({ genesis_id: "y", conditions: { split: null } });
    expect(born.decisions).toMatchObject([{ code: "genesis_pinned_anew" }]);
  });
});

describe("membership", () => {
  const members = (ids: string) => ({ members: [...ids].map(memberOf) });
  const twice = (...told: Observation[]) => run(CALM, refresh(told), refresh(told)).facts.conditions.drift;

  it("drifts where the leader's database has somebody else, and not where a follower's has", () => {
    expect(twice(seen("a", { seq: 6, report: members("abcx") }))).toEqual({
      inventory: ["a", "b", "c"],
      agents: ["a", "b", "c"],
      database: ["a", "b", "c", "x"],
    });
    expect(twice(seen("b", { seq: 6, report: members("abcx") }))).toBeNull();
  });

  it("drifts where agents list somebody that the inventory does not", () => {
    expect(twice(seen("b", { seq: 6, peers: ["a", "b", "c", "x"] }))).toMatchObject({
      agents: ["a", "b", "c", "x"],
    });
  });

  it("leaves out the agents' own list of an agent that is down, which they forget", () => {
    const without = ["a", "b"].map((id) => seen(id, { seq: 6, peers: ["a", "b"] }));
    expect(twice(...without, failed("c"))).toBeNull();
    expect(twice(...without, unchanged("c"))).toBeNull();
    const forgotten = [...without, seen("c", { seq: 6, peers: ["a", "b"] })];
    expect(twice(...forgotten)).toMatchObject({ agents: ["a", "b"] });
  });

  it("does not drift while a listed node's id is not known, or a database does not tell", () => {
    const four = { ...refresh([failed("d")]), record: recordOf("abcd") };
    expect(run(CALM, four, four).facts.conditions.drift).toBeNull();
    expect(twice(seen("a", { seq: 6, report: { members: null } }))).toBeNull();
  });

  it("stays as it was while no agent answers", () => {
    const drifted = refresh([seen("a", { seq: 6, report: members("abcx") })]);
    const silent = refresh(["a", "b", "c"].map((id) => failed(id)));
    expect(run(CALM, drifted, drifted, silent).facts.conditions.drift).not.toBeNull();
    expect(run(CALM, drifted, silent, drifted).facts.conditions.drift).not.toBeNull();
  });
});

describe("in the middle of a refresh", () => {
  const both = { b: { ...LEADS, term: 3 } };
  const soFar = (reports: Parameters<typeof told>[0]) => ({ ...refresh(told(reports, 9)), partial: true });

  it("nothing begins that has to be seen twice, and it is not seen a second time", () => {
    const once = run(CALM, refresh(told(both)));
    expect(once.facts.conditions.primary_conflict).toBeNull();
    const middle = step(once, soFar(both));
    expect(middle.facts.conditions.primary_conflict).toBeNull();
    expect(middle.marks.pending).toEqual(once.marks.pending);
    expect(middle.marks.refreshes).toBe(once.marks.refreshes);
    expect(step(middle, refresh(told(both, 10))).facts.conditions.primary_conflict).toEqual(["a", "b"]);
  });

  it("nothing ends before all have answered", () => {
    const twice = since(both, both);
    expect(twice.facts.conditions.primary_conflict).toEqual(["a", "b"]);
    const middle = step(twice, soFar({ b: follows("a", 3) }));
    expect(middle.facts.conditions.primary_conflict).toEqual(["a", "b"]);
    expect(step(middle, refresh(told({}, 10))).facts.conditions.primary_conflict).toBeNull();
  });

  it("another leader is known at once", () => {
    const middle = run(CALM, soFar({ b: { ...LEADS, term: 4 } }));
    expect(middle.facts.conditions.leader).toEqual({ node_id: "b" });
  });
});
