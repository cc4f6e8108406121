/** Who may write the leader key, and what. */
import { describe, expect, it } from "vitest";
import {
  encodeLeader,
  judge,
  type Learned,
  nameOf,
  type Standing,
  type Stored,
  storedIn,
} from "../../src/core/leader-key.ts";
import type { LeaderRecord } from "../../src/core/model.ts";
import { blankReport, type NodeReport } from "../../src/core/node-report.ts";

const self = { id: "a", incarnation: "a-1", agent_addr: "a:4100", api_addr: "a:4001", addr: "a:4002" };
const ours: LeaderRecord = {
  id: "a",
  api_addr: "http://a:4001",
  addr: "a:4002",
  v: 1,
  genesis_id: "g",
  term: 5,
  incarnation: "a-1",
  seq: 7,
};
const theirs: LeaderRecord = {
  ...ours,
  id: "b",
  api_addr: "http://b:4001",
  addr: "b:4002",
  incarnation: "b-1",
};
const native: LeaderRecord = { id: "b", api_addr: "http://b:4001", addr: "b:4002" };

const leading = (term: number | null, more: Partial<NodeReport> = {}): NodeReport => ({
  ...blankReport("rqlite", "healthy", null),
  role: "leader",
  term,
  ...more,
});
const members = (...ids: string[]) =>
  ids.map((id) => ({ id, addr: "", api_addr: "", voter: true, reachable: true }));
const standing = (more: Partial<Standing> = {}): Standing => ({
  self,
  apiAddr: "http://a:4001",
  genesis: "g",
  report: leading(5),
  ...more,
});
const learned = (more: Partial<Learned> = {}): Learned => ({
  hasTerms: true,
  highest: null,
  promoted: false,
  named: null,
  ...more,
});
const absent: Stored = { kind: "absent" };
const holds = (record: LeaderRecord): Stored => ({ kind: "record", record });
const rest = (why: string) => ({ kind: "rest", why });
const writes = (more: Partial<LeaderRecord>) => ({ kind: "write", record: { ...ours, ...more } });

describe("the leader key's rules", () => {
  it("let nobody write without a genesis, without a report, or without leading", () => {
    for (const stored of [absent, holds(native), holds({ ...theirs, term: 1 })]) {
      expect(judge(stored, standing({ genesis: null }), learned())).toEqual(rest("no_genesis"));
      expect(judge(stored, standing({ report: null }), learned())).toEqual(rest("not_leading"));
      const replica = leading(9, { role: "replica" });
      expect(judge(stored, standing({ report: replica }), learned())).toEqual(rest("not_leading"));
      const lost = leading(9, { role: "unknown" });
      expect(judge(stored, standing({ report: lost }), learned())).toEqual(rest("not_leading"));
    }
  });

  const withTerms: readonly (readonly [string, Stored, Partial<Learned>, unknown])[] = [
    ["create it where it is absent", absent, {}, writes({ seq: 1 })],
    ["leave it where all is as it should be", holds(ours), {}, rest("true")],
    [
      "leave it where only the count or a field unknown here differs",
      holds({ ...ours, seq: 99, x: 1 }),
      {},
      rest("true"),
    ],
    ["raise the term", holds({ ...ours, term: 4 }), {}, writes({ seq: 8 })],
    ["replace another node of a lower term", holds({ ...theirs, term: 4 }), {}, writes({ seq: 8 })],
    ["correct this node's address", holds({ ...ours, api_addr: "http://old:4001" }), {}, writes({ seq: 8 })],
    ["correct this node's incarnation", holds({ ...ours, incarnation: "a-0" }), {}, writes({ seq: 8 })],
    ["stop under a higher term", holds({ ...theirs, term: 6 }), {}, { kind: "stale", term: 5, stored: 6 }],
    [
      "stop under a higher term of its own",
      holds({ ...ours, term: 6 }),
      {},
      { kind: "stale", term: 5, stored: 6 },
    ],
    ["ask another node of the same term", holds(theirs), {}, { kind: "ask", record: theirs }],
    [
      "take two that say they lead for a conflict",
      holds(theirs),
      { named: "leader" },
      { kind: "conflict", record: theirs },
    ],
    [
      "wait for a report where the named node does not lead",
      holds(theirs),
      { named: "not_leader" },
      rest("same_term"),
    ],
    [
      "take no promotion for a higher term",
      holds(theirs),
      { promoted: true },
      { kind: "ask", record: theirs },
    ],
    ["replace a native node's record", holds(native), {}, writes({ seq: 1 })],
    [
      "replace a record of another genesis, whatever its term",
      holds({ ...theirs, genesis_id: "h", term: 900 }),
      {},
      writes({ seq: 8 }),
    ],
    [
      "remember the term that a native node's record hides",
      holds(native),
      { highest: 6 },
      { kind: "stale", term: 5, stored: 6 },
    ],
    [
      "leave what is unreadable",
      { kind: "unreadable", problem: "is not JSON" },
      {},
      { kind: "unreadable", problem: "is not JSON" },
    ],
  ];
  for (const [what, stored, known, verdict] of withTerms)
    it(`with terms, ${what}`, () => {
      expect(judge(stored, standing(), learned(known))).toEqual(verdict);
    });

  it("need the database to list this node before another program's record is replaced", () => {
    for (const record of [native, { ...theirs, genesis_id: "h" }]) {
      const of = (...ids: string[]) => standing({ report: leading(5, { members: members(...ids) }) });
      expect(judge(holds(record), of("b", "c"), learned())).toEqual(rest("not_listed"));
      expect(judge(holds(record), of("b", "a"), learned()).kind).toBe("write");
    }
  });

  const counted = (more: Partial<Learned> = {}) => learned({ hasTerms: false, ...more });
  const withoutTerms: readonly (readonly [string, Stored, Partial<Learned>, unknown])[] = [
    ["begin with term 1", absent, {}, writes({ term: 1, seq: 1 })],
    ["begin with term 1 over a native node's record", holds(native), {}, writes({ term: 1, seq: 1 })],
    [
      "go on from the term that a native node's record hides",
      holds(native),
      { highest: 6 },
      writes({ term: 7, seq: 1 }),
    ],
    ["keep the term of this very node", holds(ours), { promoted: true }, rest("true")],
    [
      "keep the term when an address changes",
      holds({ ...ours, addr: "old:4002" }),
      {},
      writes({ term: 5, seq: 8 }),
    ],
    [
      "count on for another disk under the same id",
      holds({ ...ours, incarnation: "a-0" }),
      {},
      writes({ term: 6, seq: 8 }),
    ],
    [
      "count on when this node was seen to become leader",
      holds(theirs),
      { promoted: true },
      writes({ term: 6, seq: 8 }),
    ],
    [
      "count on when the named node does not lead",
      holds(theirs),
      { named: "not_leader" },
      writes({ term: 6, seq: 8 }),
    ],
    ["ask where nothing is known", holds(theirs), {}, { kind: "ask", record: theirs }],
    [
      "take two that say they lead for a conflict",
      holds(theirs),
      { named: "leader" },
      { kind: "conflict", record: theirs },
    ],
  ];
  for (const [what, stored, known, verdict] of withoutTerms)
    it(`without terms, ${what}`, () => {
      expect(judge(stored, standing({ report: leading(null) }), counted(known))).toEqual(verdict);
    });

  it("count nothing themselves for a database that has terms and did not say", () => {
    const silent = standing({ report: leading(null) });
    for (const stored of [absent, holds(theirs), holds(native)])
      expect(judge(stored, silent, learned({ promoted: true }))).toEqual(rest("no_term"));
  });
});

describe("a leader record", () => {
  const at = (value: string) => storedIn({ value, revision: "1" });

  it("is written with rqlite's keys first and ours behind", () => {
    expect(encodeLeader(ours)).toBe(
      '{"id":"a","api_addr":"http://a:4001","addr":"a:4002","v":1,"genesis_id":"g","term":5,"incarnation":"a-1","seq":7}',
    );
    const verdict = judge(absent, standing(), learned());
    expect(verdict.kind === "write" && Object.keys(verdict.record)).toEqual(Object.keys(ours));
  });

  it("is read as native rqlite nodes write it, with what they leave out", () => {
    expect(at('{"id":"b","api_addr":"http://b:4001","addr":"b:4002"}')).toEqual(holds(native));
    expect(at('{"id":"b"}')).toEqual(holds({ id: "b", api_addr: "", addr: "" }));
    expect(storedIn(null)).toEqual(absent);
  });

  it("is unreadable in a higher version, or of another shape", () => {
    const problemOf = (value: string) => {
      const stored = at(value);
      return stored.kind === "unreadable" ? stored.problem : stored.kind;
    };
    expect(problemOf('{"id":"b","v":2}')).toBe("has v 2; this rollcall reads v 1");
    expect(problemOf("")).toBe("is not JSON");
    expect(problemOf('{"id":7}')).toMatch(/^id: /);
    expect(problemOf('{"id":"b","term":-1}')).toMatch(/^term: /);
    for (const value of ["null", "[]", '"x"', "7"]) expect(at(value).kind).toBe("unreadable");
  });

  it("is named for people by what it has", () => {
    expect(nameOf(native)).toBe("b at http://b:4001");
    expect(nameOf({ ...native, api_addr: "" })).toBe("b at b:4002");
    expect(nameOf({ id: "", api_addr: "", addr: "" })).toBe("nobody");
  });
});
