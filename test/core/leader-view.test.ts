/** Who leads, as an agent shows it. */
import { describe, expect, it } from "vitest";
import {
  CLAIM_FRESH_MS,
  type Confirmed,
  type LeaderClaim,
  type LeaderSources,
  leaderView,
  outcomeLeader,
} from "../../src/core/leader-view.ts";
import type { LeaderRecord } from "../../src/core/model.ts";
import { blankReport, type NodeReport } from "../../src/core/node-report.ts";

const member = (id: string) => ({
  id,
  incarnation: `${id}-1`,
  agent_addr: `${id}:4100`,
  api_addr: `${id}:4001`,
  addr: `${id}:4002`,
});
const record = (id: string, term: number, more: Partial<LeaderRecord> = {}): LeaderRecord => ({
  id,
  api_addr: `http://${id}:4001`,
  addr: `${id}:4002`,
  v: 1,
  genesis_id: "g",
  term,
  incarnation: `${id}-1`,
  seq: 3,
  ...more,
});
const sees = (id: string | null, term: number | null, more: Partial<NodeReport> = {}): NodeReport => ({
  ...blankReport("rqlite", "healthy", null),
  role: "replica",
  term,
  leader: id === null ? null : { id, addr: `${id}:4002`, api_addr: "", voter: true, reachable: true },
  ...more,
});
const view = (more: Partial<LeaderSources>, before: Confirmed | null = null) =>
  leaderView(
    {
      record: null,
      genesis: "g",
      report: null,
      claims: [],
      known: null,
      self: member("a"),
      members: [member("a"), member("b"), member("c")],
      clientAddress: (address) => `http://${address}`,
      now: 100_000,
      ...more,
    },
    before,
  );
const shown = (more: Partial<LeaderSources>, before: Confirmed | null = null) => {
  const { record: leader, source, verified, stale_for } = view(more, before).view;
  return [leader?.id ?? null, leader?.term ?? null, source, verified, stale_for];
};

describe("the leader as an agent shows it", () => {
  it("is nobody where nobody knows one", () => {
    expect(shown({})).toEqual([null, null, null, false, null]);
    expect(shown({ report: sees(null, 5) })).toEqual([null, null, null, false, null]);
  });

  it("is the key's, verified while the own database names the same", () => {
    expect(shown({ record: record("b", 5), report: sees("b", 5) })).toEqual(["b", 5, "key", true, 0]);
    expect(view({ record: record("b", 5), report: sees("b", 5) }).view.record).toEqual(record("b", 5));
  });

  it("is the key's, unverified, where the database knows of nobody, of another one, or of an earlier term", () => {
    expect(shown({ record: record("b", 5) })).toEqual(["b", 5, "key", false, null]);
    expect(shown({ record: record("b", 5), report: sees(null, 5) })).toEqual(["b", 5, "key", false, null]);
    expect(shown({ record: record("b", 5), report: sees("c", 4) })).toEqual(["b", 5, "key", false, null]);
    expect(shown({ record: record("b", 5), report: sees("b", 3) })).toEqual(["b", 5, "key", false, null]);
  });

  it("is the database's where its term is newer, with the addresses that are known", () => {
    expect(shown({ record: record("b", 5), report: sees("c", 6) })).toEqual(["c", 6, "database", true, 0]);
    expect(view({ report: sees("c", 6) }).view.record).toEqual({ ...record("c", 6), seq: undefined });
  });

  it("is the database's where the key is of another genesis, or a native node's", () => {
    expect(shown({ record: record("b", 9, { genesis_id: "h" }), report: sees("c", 6) })).toEqual([
      "c",
      6,
      "database",
      true,
      0,
    ]);
    const native = { id: "b", api_addr: "http://b:4001", addr: "b:4002" };
    expect(shown({ record: native, report: sees("c", 6) })).toEqual(["c", 6, "database", true, 0]);
    expect(shown({ record: native, report: sees(null, null) })).toEqual(["b", null, "key", false, null]);
  });

  it("is this node where its database leads, whether or not it names itself", () => {
    expect(shown({ report: sees(null, 6, { role: "leader" }) })).toEqual(["a", 6, "database", true, 0]);
  });

  it("is recognised by its address where a database knows no ids", () => {
    const report = sees(null, null, {
      leader: { id: "", addr: "b:4002", api_addr: "", voter: null, reachable: null },
    });
    expect(shown({ record: record("b", 5), report })).toEqual(["b", 5, "key", true, 0]);
    expect(view({ report }).view.record).toMatchObject({ id: "b", incarnation: "b-1" });
  });

  it("is the key's where a database without terms names another one", () => {
    expect(shown({ record: record("b", 5), report: sees("c", null) })).toEqual(["b", 5, "key", false, null]);
  });

  it("is verified by the named node itself, for a while", () => {
    const claim = { id: "b", incarnation: "b-1", genesis: "g", leader: { id: "b", term: 5 }, at: 99_000 };
    const of = (more: Partial<typeof claim>, now = 100_000) =>
      shown({ record: record("b", 5), claims: [{ ...claim, ...more }], now }).slice(3);
    expect(of({})).toEqual([true, 0]);
    expect(of({}, 99_000 + CLAIM_FRESH_MS)).toEqual([false, CLAIM_FRESH_MS]);
    expect(of({ leader: { id: "c", term: 5 } })).toEqual([false, null]);
    expect(of({ leader: { id: "b", term: 4 } })).toEqual([false, null]);
    expect(of({ incarnation: "b-2" })).toEqual([false, null]);
    expect(of({ id: "c" })).toEqual([false, null]);
  });

  it("tells how long ago it was last verified, and forgets it with the next leader", () => {
    const first = view({ record: record("b", 5), report: sees("b", 5) });
    const later = view({ record: record("b", 5), now: 107_500 }, first.confirmed);
    expect(later.view).toMatchObject({ verified: false, stale_for: 7_500 });
    expect(view({ record: record("b", 5), now: 109_000 }, later.confirmed).view.stale_for).toBe(9_000);
    const next = view({ record: record("c", 6), now: 108_000 }, later.confirmed);
    expect(next.view).toMatchObject({ verified: false, stale_for: null });
    const again = view({ record: record("c", 6), report: sees("c", 6), now: 109_000 }, next.confirmed);
    expect(again.view).toMatchObject({ verified: true, stale_for: 0 });
    expect(again.confirmed).toEqual({ id: "c", term: 6, at: 109_000 });
  });

  it("reaches an outcome without the count of writes", () => {
    const { seq: _, ...rest } = record("b", 5);
    expect(outcomeLeader(view({ record: record("b", 5) }).view)).toEqual(rest);
    expect(outcomeLeader(view({}).view)).toBeNull();
  });
});

describe("the leader where no key names it", () => {
  const says = (
    by: string,
    id: string,
    term: number | null,
    more: Partial<LeaderClaim> = {},
  ): LeaderClaim => ({
    ...{ id: by, incarnation: `${by}-1`, genesis: "g", leader: { id, term }, at: 99_000 },
    ...more,
  });
  const known = (id: string, term?: number): LeaderRecord => {
    const { seq: _, term: __, ...rest } = record(id, 0);
    return { ...rest, ...(term === undefined ? {} : { term }) };
  };
  const leads = (term: number | null) => sees("a", term, { role: "leader" });

  it.each<[string, Partial<LeaderSources>, readonly unknown[]]>([
    ["whom the others name", { claims: [says("c", "b", 5)] }, ["b", 5, "peers", false, null]],
    ["who says so, verified by it", { claims: [says("b", "b", 5)] }, ["b", 5, "peers", true, 0]],
    [
      "whom the newest term names",
      { claims: [says("b", "b", 5), says("c", "c", 6)] },
      ["c", 6, "peers", true, 0],
    ],
    [
      "the own database's at equal term",
      { report: sees("b", 5), claims: [says("c", "b", 5)] },
      ["b", 5, "database", true, 0],
    ],
    [
      "the others' where theirs is newer",
      { report: sees("b", 5), claims: [says("c", "c", 6)] },
      ["c", 6, "peers", true, 0],
    ],
    [
      "the own database's where it is newer",
      { report: leads(7), claims: [says("c", "c", 6)] },
      ["a", 7, "database", true, 0],
    ],
    [
      "the others' while the own database knows of nobody",
      { report: sees(null, 6), claims: [says("c", "b", 5)] },
      ["b", 5, "peers", false, null],
    ],
    [
      "who says so without terms, not whom the own database follows",
      { report: sees("b", null), claims: [says("c", "c", null)] },
      ["c", null, "peers", true, 0],
    ],
    [
      "the own database's without terms, where nobody says so of itself",
      { report: sees("b", null), claims: [says("c", "c", null, { leader: null })] },
      ["b", null, "database", true, 0],
    ],
    [
      "nobody that others follow without terms",
      { claims: [says("c", "b", null)] },
      [null, null, null, false, null],
    ],
    [
      "nobody whom another genesis names, or none",
      { claims: [says("b", "b", 9, { genesis: "h" }), says("c", "c", 9, { genesis: null })] },
      [null, null, null, false, null],
    ],
    [
      "nobody while this node has no genesis",
      { genesis: null, claims: [says("b", "b", 9, { genesis: null })] },
      [null, null, null, false, null],
    ],
    ["who was last known", { known: known("b", 5) }, ["b", 5, "peers", false, null]],
    [
      "who was last known, against an earlier term",
      { known: known("b", 5), report: sees("c", 4), claims: [says("c", "c", 4)] },
      ["b", 5, "peers", false, null],
    ],
    [
      "the own database's against who was last known in the same term",
      { known: known("b", 5), report: sees("b", 5) },
      ["b", 5, "database", true, 0],
    ],
    [
      "what is said without terms, against who was last known",
      { known: known("b", 5), report: sees("c", null) },
      ["c", null, "database", true, 0],
    ],
    [
      "who says so, against who was last known without a term",
      { known: known("b"), claims: [says("c", "c", 1)] },
      ["c", 1, "peers", true, 0],
    ],
    [
      "nobody who was last known in another genesis",
      { known: { ...known("b", 5), genesis_id: "h" } },
      [null, null, null, false, null],
    ],
  ])("is %s", (_what, sources, expected) => {
    expect(shown(sources)).toEqual(expected);
    expect(view(sources).view.trouble).toBeNull();
  });

  it.each<[string, Partial<LeaderSources>, string]>([
    [
      "in one term",
      { report: leads(5), claims: [says("b", "b", 5), says("c", "c", 4)] },
      "a and b each say that they lead, in term 5; nobody is named",
    ],
    [
      "without terms",
      { known: known("b"), report: sees("b", null), claims: [says("c", "c", null), says("b", "b", null)] },
      "b and c each say that they lead, and have no terms to compare; nobody is named",
    ],
  ])("is nobody while two nodes say so of themselves %s", (_when, sources, message) => {
    const now = view(sources, { id: "b", term: null, at: 90_000 });
    expect(now.view).toEqual({
      record: null,
      source: null,
      verified: false,
      stale_for: null,
      trouble: { code: "leader_conflict", message },
    });
    expect(now.confirmed).toEqual({ id: "b", term: null, at: 90_000 });
  });

  it("has the addresses that members have now, and those last known of who is no member", () => {
    const claimed = view({ claims: [says("b", "b", 5)] }).view.record;
    expect(claimed).toEqual({ ...known("b", 5) });
    const moved = [{ ...member("b"), api_addr: "new:4001", addr: "new:4002" }];
    expect(view({ members: moved, known: known("b", 5) }).view.record).toEqual({
      ...known("b", 5),
      api_addr: "http://new:4001",
      addr: "new:4002",
    });
    expect(view({ members: [], known: known("b", 5) }).view.record).toEqual(known("b", 5));
    // Another life of that node leads only once somebody says so.
    const wiped = [{ ...member("b"), incarnation: "b-2", addr: "new:4002" }];
    expect(view({ members: wiped, known: known("b", 5) }).view.record).toEqual(known("b", 5));
  });
});
