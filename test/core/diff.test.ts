import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Facts } from "../../src/core/cluster.ts";
import { diff } from "../../src/core/diff.ts";
import { type Change, EventType, envelope } from "../../src/core/events.ts";
import { replayed } from "../../src/core/replay.ts";
import { facts } from "./arbitrary-clusters.ts";
import { CALM, DOWN, failed, KEY, refresh, run, seen, shard, typesOf } from "./clusters.ts";

const maybeFacts = fc.option(facts, { nil: null });
const replay = (from: Facts | null, changes: readonly Change[]) =>
  changes.reduce<Facts | null>((state, change) => replayed(state, change), from);

describe("diff", () => {
  it("is empty between equal states, and between the same", () => {
    void fc.assert(
      fc.property(facts, (a) => {
        expect(diff(a, a)).toEqual([]);
        expect(diff(a, structuredClone(a))).toEqual([]);
      }),
    );
  });

  it("applied to the first state gives the second, also through JSON", () => {
    void fc.assert(
      fc.property(maybeFacts, maybeFacts, (a, b) => {
        const changes = diff(a, b);
        expect(replay(a, changes)).toEqual(b);
        const place = { scope: KEY, seq: 1, source: "/rollcall/test", time: 0 };
        const events = changes.map((change) => JSON.parse(JSON.stringify(envelope(change, place))));
        expect(events.reduce<Facts | null>(replayed, a)).toEqual(b);
      }),
      { numRuns: 1000 },
    );
  });

  it("draws states that are valid, of which many differ in each kind of event", () => {
    const types = new Set<string>();
    void fc.assert(
      fc.property(maybeFacts, maybeFacts, (a, b) => {
        if (a !== null) Facts.parse(a);
        for (const { type } of diff(a, b)) types.add(type);
      }),
      { seed: 1, numRuns: 1000 },
    );
    const elsewhere = ["DISCOVERY_SETTINGS_APPLY", "DISCOVERY_SETTINGS_DELETE", "ORCHESTRATE_REPORT"];
    const never = [...elsewhere, "OBSERVATION_GAP"];
    expect([...types].sort()).toEqual(EventType.options.filter((type) => !never.includes(type)).sort());
  });

  it("tells of the cluster, then of one node after the other by id, then of the conditions", () => {
    const order = EventType.options;
    const last = run(
      CALM,
      refresh(
        [
          failed("a"),
          seen("b", {
            seq: 6,
            report: { role: "leader", leader: null, term: 4 },
            shards: [shard("primary")],
          }),
          seen("c", { seq: 6, report: DOWN }),
        ],
        { discovery: "etcd" },
      ),
    );
    expect(typesOf(last.changes)).toEqual([
      "CLUSTER_CHANGED",
      "AGENT_DOWN a",
      "NODE_STALE a",
      "NODE_CHANGED b",
      "SHARD_ALLOCATION_NEW b/raft",
      "NODE_DOWN c",
      "LEADER_CHANGED",
    ]);
    for (const id of ["a", "b", "c"]) {
      const own = last.changes.filter(({ subject }) => subject.startsWith(`${KEY}/${id}`));
      const places = own.map(({ type }) => order.indexOf(type));
      expect(places).toEqual([...places].sort((a, b) => a - b));
    }
  });

  it("carries of the cluster's own fields only those that changed", () => {
    const { changes } = run(CALM, { ...CALM, discovery: "etcd" });
    expect(changes).toEqual([
      {
        type: "CLUSTER_CHANGED",
        subject: KEY,
        before: { discovery: "consul" },
        after: { discovery: "etcd" },
      },
    ]);
  });
});

describe("replayed", () => {
  it("leaves the facts where an event carries none", () => {
    const { facts: known } = run(CALM);
    for (const type of [
      "NODE_STALE",
      "OBSERVATION_GAP",
      "ORCHESTRATE_REPORT",
      "DISCOVERY_SETTINGS_APPLY",
    ] as const)
      expect(replayed(known, { type, subject: `${KEY}/a`, before: null, after: null })).toBe(known);
  });

  it("keeps apart an address and a node id that reads like it", () => {
    const moved = seen("x", { node_id: "b:4100", agent_addr: "c:4100", peers: ["b:4100"] });
    const last = run(refresh([moved, failed("b")]), refresh([moved, failed("b", "unauthorized")]));
    expect(typesOf(last.changes)).toEqual(["AGENT_DOWN b:4100"]);
    expect(replay(last.before.facts, last.changes)).toEqual(last.facts);
  });
});
