/** Who leads, as an agent shows it. */
import { describe, expect, it } from "vitest";
import {
  CLAIM_FRESH_MS,
  type Confirmed,
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
    const claim = { id: "b", incarnation: "b-1", leader: { id: "b", term: 5 }, at: 99_000 };
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
