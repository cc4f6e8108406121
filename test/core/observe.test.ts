import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Facts, Marks, NO_MARKS } from "../../src/core/cluster.ts";
import type { Observation } from "../../src/core/observation.ts";
import { observe, type Refresh } from "../../src/core/observe.ts";
import { replayed } from "../../src/core/replay.ts";
import { observation, refreshes } from "./arbitrary-clusters.ts";
import {
  addressOf,
  CALM,
  DOWN,
  failed,
  LEADS,
  recordOf,
  refresh,
  run,
  seen,
  shard,
  step,
  typesOf,
  unchanged,
} from "./clusters.ts";

const nodeAt = ({ facts }: { facts: Facts }, id: string) =>
  facts.nodes.find(({ agent_addr }) => agent_addr === addressOf(id));
const marksAt = ({ marks }: { marks: Marks }, id: string) => marks.nodes[addressOf(id)];
const then = (...told: readonly Observation[]) => refresh(told);

describe("a refresh", () => {
  it("keeps the very facts where nothing changed, and marks that it asked", () => {
    const last = run(CALM, refresh([unchanged("a"), unchanged("b"), unchanged("c")]));
    expect(last.facts).toBe(last.before.facts);
    expect(last.path).toEqual([last.facts]);
    expect(marksAt(last, "a")?.seen_at).toBe(seen("a").at + 10_000);
    expect(last.marks.refreshes).toBe(2);
  });

  it("leaves what a silent agent said, and counts how often it was silent", () => {
    const last = run(CALM, then(failed("b")), then(failed("b", "unauthorized")));
    expect(nodeAt(last, "b")).toMatchObject({
      agent: { status: "down", code: "unauthorized" },
      identity: { node_id: "b" },
      report: { status: "healthy" },
    });
    expect(marksAt(last, "b")).toMatchObject({ misses: 2, seq: 5, problem: "connect: connection refused" });
    expect(marksAt(run(CALM, then(failed("b")), then(unchanged("b"))), "b")).toMatchObject({
      ...{ misses: 0, problem: null },
    });
  });

  it("says of an unchanged status nothing where only the text of an error is another", () => {
    const ill = (problem: string, seq: number) => then(seen("b", { seq, report: { ...DOWN, problem } }));
    const last = run(CALM, ill("refused", 6), ill("timed out", 7));
    expect(last.changes).toEqual([]);
    expect(marksAt(last, "b")?.problem).toBe("timed out");
  });

  it("leaves a node that nobody asked", () => {
    const last = run(CALM, then(unchanged("a")));
    expect(last.facts).toBe(last.before.facts);
  });

  it("takes no answer of an address that the inventory does not list", () => {
    const last = run(CALM, then(seen("d")));
    expect(nodeAt(last, "d")).toBeUndefined();
    expect(last.decisions).toEqual([
      { code: "not_listed", message: "the inventory does not list it", node: "d:4100" },
    ]);
  });

  it("keeps what a node was while its agent, started again, has not looked at the database yet; for one answer only", () => {
    const blank = { ...DOWN, status: "unknown", version: null, problem: null } as const;
    const first = run(
      refresh([seen("a"), seen("b", { shards: [shard("secondary")] }), seen("c")]),
      then(seen("b", { boot_id: "boot-b2", seq: 1, report: blank, shards: [] })),
    );
    expect(typesOf(first.changes)).toEqual(["AGENT_INFO_CHANGED b"]);
    expect(nodeAt(first, "b")).toMatchObject({ report: { status: "healthy" }, shards: [{ id: "raft" }] });
    const looked = then(
      seen("b", {
        ...{ boot_id: "boot-b2", seq: 3, shards: [shard("secondary")] },
        transitions: [
          { seq: 2, kind: "role", before: "unknown", after: "replica" },
          { seq: 3, kind: "status", before: "unknown", after: "healthy" },
        ],
      }),
    );
    expect(step(first, looked).changes).toEqual([]);
    // It says the same once more: now it is believed, though nothing changed there.
    const still = step(first, then(seen("b", { boot_id: "boot-b2", seq: 1, report: blank, shards: [] })));
    expect(typesOf(still.changes)).toEqual(["NODE_CHANGED b"]);
    expect(marksAt(still, "b")).toMatchObject({ boot_id: "boot-b2", seq: 1, earlier: ["boot-b"] });
    // Nor may an agent that starts again and again keep it up.
    const again = step(first, then(seen("b", { boot_id: "boot-b3", seq: 1, report: blank, shards: [] })));
    expect(typesOf(again.changes)).toContain("NODE_CHANGED b");
  });

  it.each([
    ["does not answer", "unavailable"],
    ["is opening its data", "joining"],
    ["does not run, and is being started again", "unknown"],
  ] as const)(
    "keeps the version and the shards of a database that %s: nothing of them is told",
    (_, status) => {
      const first = run(refresh([seen("a", { shards: [shard("primary", 7)] }), seen("b"), seen("c")]));
      const paused = { ...DOWN, status, version: null };
      const transitions = [
        { seq: 6, kind: "version", before: "8.26.8", after: null },
        { seq: 7, kind: "role", before: "leader", after: "unknown" },
        { seq: 8, kind: "status", before: "healthy", after: status },
      ];
      const down = step(first, then(seen("a", { seq: 8, transitions, report: paused, shards: [] })));
      expect(typesOf(down.changes)).toEqual([status === "unavailable" ? "NODE_DOWN a" : "NODE_CHANGED a"]);
      expect(nodeAt(down, "a")).toMatchObject({
        ...{ report: { status, version: "8.26.8" }, shards: [{ id: "raft", role: "primary" }] },
      });
      expect(marksAt(down, "a")?.shards).toEqual({});
      // Nothing changed, and its shards are read once more.
      const still = step(down, then(unchanged("a", { seq: 8, shards: [] })));
      expect(still.changes).toEqual([]);
      const back = step(still, then(seen("a", { seq: 9, shards: [shard("primary", 8)] })));
      expect(typesOf(back.changes)).toEqual(["NODE_UP a"]);
    },
  );

  it("keeps gauges apart from facts, and both when shards were not asked for", () => {
    const first = run(refresh([seen("a", { shards: [shard("primary", 7)] })]), then(seen("a", { seq: 6 })));
    expect(nodeAt(first, "a")?.shards).toEqual([{ id: "raft", role: "primary" }]);
    expect(marksAt(first, "a")?.shards).toEqual({
      raft: { lag: { unit: "entries", value: 7 }, commit_offset: null },
    });
    const next = step(first, then(unchanged("a", { seq: 6, shards: [shard("primary", 8)] })));
    expect(next.changes).toEqual([]);
    expect(marksAt(next, "a")?.shards.raft?.lag?.value).toBe(8);
  });

  it("knows whom a database names by its address or by a name of its own", () => {
    const leader = { id: "10.0.0.1:4002", addr: "a:4002", api_addr: "", voter: null, reachable: null };
    const last = run(refresh([seen("a"), seen("b", { report: { leader, members: [leader] } })]));
    expect(marksAt(last, "b")).toMatchObject({ leader: "a", database: ["a"] });
    const nowhere = { ...leader, addr: "" };
    const blank = run(refresh([seen("a", { addr: "" }), seen("b", { report: { leader: nowhere } })]));
    expect(marksAt(blank, "b")?.leader).toBe("10.0.0.1:4002");
    const stranger = { ...leader, addr: "z:4002" };
    const other = run(refresh([seen("b", { report: { leader: stranger, members: [stranger] } })]));
    expect(marksAt(other, "b")).toMatchObject({ leader: "10.0.0.1:4002", database: ["10.0.0.1:4002"] });
  });
});

describe("an older answer", () => {
  const restarted = run(CALM, then(seen("b", { boot_id: "boot-2", seq: 1 })));

  it.each([
    ["an earlier state", seen("b", { boot_id: "boot-2", seq: 0, report: DOWN }), "older"],
    ["a run that was replaced", seen("b", { seq: 99, report: DOWN }), "older"],
    ["no change since an earlier run", unchanged("b"), "not_stored"],
    [
      "no change since a state that is not known",
      unchanged("b", { boot_id: "boot-2", seq: 2 }),
      "not_stored",
    ],
  ])("is dropped and said: %s", (_, late, code) => {
    const last = step(restarted, then(late));
    expect(last.facts).toBe(restarted.facts);
    expect(marksAt(last, "b")).toEqual(marksAt(restarted, "b"));
    expect(last.decisions).toMatchObject([{ code, node: "b:4100" }]);
  });

  it("does not bring back an agent that has fallen silent since", () => {
    const silent = step(restarted, then(failed("b")));
    expect(step(silent, then(seen("b"))).facts).toBe(silent.facts);
  });

  it("remembers the last eight runs", () => {
    const boots = Array.from({ length: 12 }, (_, n) => then(seen("b", { boot_id: `run-${n}` })));
    const last = run(CALM, ...boots);
    expect(marksAt(last, "b")?.earlier).toEqual(Array.from({ length: 8 }, (_, n) => `run-${n + 3}`));
  });

  it("is known for one after the node has moved", () => {
    const moved = step(restarted, {
      ...refresh([seen("b", { agent_addr: "d:4100", boot_id: "boot-3", seq: 1 })]),
      record: recordOf("acd"),
    });
    const late = seen("b", { agent_addr: "d:4100", boot_id: "boot-2", seq: 50 });
    expect(step(moved, { ...refresh([late]), record: recordOf("acd") }).decisions).toMatchObject([
      { code: "older" },
    ]);
  });
});

describe("the ring of transitions", () => {
  const status = (seq: number, before: string, after: string) => ({ seq, kind: "status", before, after });
  const other = (seq: number, kind: string, after: unknown) => ({ seq, kind, before: null, after });
  const typesAfter = (observation: Observation) => typesOf(run(CALM, then(observation)).changes);

  it("tells of a database that went down and up again between two polls", () => {
    const transitions = [status(6, "healthy", "unhealthy"), status(7, "unhealthy", "healthy")];
    const last = run(CALM, then(seen("b", { seq: 7, transitions })));
    expect(typesOf(last.changes)).toEqual(["NODE_DOWN b", "NODE_UP b"]);
    expect(last.path).toHaveLength(2);
    expect(last.changes.reduce(replayed, last.before.facts)).toEqual(last.facts);
  });

  it("takes what follows each other in different kinds as one change", () => {
    const transitions = [
      ...[status(6, "healthy", "unavailable"), other(7, "role", "unknown"), other(8, "members", [])],
      ...[status(9, "unavailable", "healthy"), other(10, "role", "replica")],
    ];
    const last = run(CALM, then(seen("b", { seq: 10, transitions })));
    expect(last.changes.map(({ type, after }) => [type, after])).toMatchObject([
      ["NODE_DOWN", { report: { status: "unavailable", role: "unknown" } }],
      ["NODE_UP", { report: { status: "healthy", role: "replica" } }],
    ]);
  });

  it("is one change where a single poll would have seen the same", () => {
    const transitions = [status(6, "healthy", "unavailable"), other(7, "role", "unknown")];
    expect(typesAfter(seen("b", { seq: 7, transitions, report: DOWN }))).toEqual(["NODE_DOWN b"]);
  });

  it("goes for two nodes side by side, and the leader changes last", () => {
    const flip = [other(6, "role", "leader"), other(7, "role", "replica")];
    const a = seen("a", {
      seq: 6,
      transitions: [other(6, "role", "replica")],
      report: { role: "replica", leader: null },
    });
    const b = seen("b", { seq: 7, transitions: flip, report: { leader: null } });
    const c = seen("c", { seq: 6, report: { ...LEADS, term: 4 }, transitions: [other(6, "role", "leader")] });
    expect(typesOf(run(CALM, then(a, b, c)).changes)).toEqual([
      ...["NODE_CHANGED a", "NODE_CHANGED b", "NODE_CHANGED c", "NODE_CHANGED b", "LEADER_CHANGED"],
    ]);
  });

  it("says where some are lost, before what they led to", () => {
    const transitions = [status(8, "unhealthy", "unavailable")];
    const last = run(CALM, then(seen("b", { seq: 8, transitions, report: DOWN })));
    expect(last.changes).toMatchObject([
      {
        type: "OBSERVATION_GAP",
        before: { boot_id: "boot-b", seq: 5 },
        after: { boot_id: "boot-b", seq: 8 },
      },
      { type: "NODE_DOWN" },
    ]);
  });

  it("says nothing of a gap between two runs of an agent, or at first sight", () => {
    expect(typesAfter(seen("b", { boot_id: "boot-2", seq: 40 }))).toEqual(["AGENT_INFO_CHANGED b"]);
    expect(typesOf(run(refresh([seen("b", { seq: 40 })])).changes)).toEqual(["CLUSTER_NEW"]);
  });

  it("is not believed where it tells what is none, or of an earlier time", () => {
    const odd = [
      other(6, "role", "emperor"),
      other(7, "status", { toString: null }),
      other(4, "role", "leader"),
    ];
    expect(typesAfter(seen("b", { seq: 7, transitions: odd }))).toEqual([]);
  });
});

describe("for arbitrary answers", () => {
  it("never throws, gives valid facts and marks, and events that lead to them", () => {
    void fc.assert(
      fc.property(refreshes, (all) => {
        let last: ReturnType<typeof step> | null = null;
        for (const next of all) {
          last = step(last ?? { facts: null, marks: NO_MARKS }, next);
          Facts.parse(last.facts);
          Marks.parse(last.marks);
          const addresses = last.facts.nodes.map(({ agent_addr }) => agent_addr);
          expect(addresses).toEqual([...new Set(addresses)].sort());
          const ids = last.facts.nodes.flatMap(({ identity }) => identity?.node_id ?? []);
          expect(new Set(ids).size).toBe(ids.length);
          expect(Object.keys(last.marks.nodes).sort()).toEqual(addresses);
          expect(last.changes.reduce<Facts | null>(replayed, last.before.facts)).toEqual(last.facts);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("gives the same whatever the order of observations and of the inventory", () => {
    const turned = (given: Refresh): Refresh => ({
      ...given,
      record: { ...given.record, nodes: [...given.record.nodes].reverse() },
      conflict: [...given.conflict].reverse(),
      observations: [...given.observations].reverse(),
    });
    const shuffled = fc
      .array(observation, { maxLength: 7 })
      .chain((list) =>
        fc.tuple(
          fc.constant(list),
          fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length }),
        ),
      );
    void fc.assert(
      fc.property(refreshes, shuffled, (all, [some, others]) => {
        const [one, other] = all.reduce(([a, b], next) => [observe(a, next), observe(b, turned(next))], [
          { facts: null, marks: NO_MARKS },
          { facts: null, marks: NO_MARKS },
        ] as [{ facts: Facts | null; marks: Marks }, { facts: Facts | null; marks: Marks }]);
        expect(one).toEqual(other);
        const record = all[0]?.record ?? recordOf("abc");
        expect(observe(one, { ...refresh(some), record })).toEqual(
          observe(other, { ...refresh(others), record }),
        );
      }),
      { numRuns: 500 },
    );
  });

  it("never goes back to an earlier state or run of an agent", () => {
    void fc.assert(
      fc.property(refreshes, (all) => {
        let last: ReturnType<typeof step> | null = null;
        const past = new Map<string, { boot: string; seq: number; earlier: Set<string> }>();
        for (const next of all) {
          last = step(last ?? { facts: null, marks: NO_MARKS }, next);
          const here = new Map(
            last.facts.nodes.map(({ identity, agent_addr }) => [identity?.node_id, agent_addr]),
          );
          for (const id of past.keys()) if (!here.has(id)) past.delete(id);
          for (const [id, address] of here) {
            const { boot_id: boot = null, seq = 0 } = last.marks.nodes[address] ?? {};
            if (id === undefined || boot === null) continue;
            const before = past.get(id) ?? { boot, seq, earlier: new Set() };
            if (before.boot === boot) expect(seq).toBeGreaterThanOrEqual(before.seq);
            else before.earlier.add(before.boot);
            expect([...before.earlier]).not.toContain(boot);
            past.set(id, { boot, seq, earlier: before.earlier });
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});
