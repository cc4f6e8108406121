import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Facts, type Marks, NO_MARKS } from "../../src/core/cluster.ts";
import { HealthCode } from "../../src/core/health.ts";
import { observe } from "../../src/core/observe.ts";
import { type ClusterSettings, syntheticSettings } from "../../src/core/settings.ts";
import { ClusterView, clusterView } from "../../src/core/view.ts";
import { refreshes } from "./arbitrary-clusters.ts";
import {
  CALM,
  DOWN,
  failed,
  KEY,
  LEADS,
  listed,
  memberOf,
  recordOf,
  refresh,
  run,
  seen,
  shard,
  unchanged,
} from "./clusters.ts";
import { expectGolden } from "./golden.ts";

const nothing = { facts: null, marks: NO_MARKS };
const view = (
  { facts, marks }: { readonly facts: Facts | null; readonly marks: Marks },
  settings: Partial<ClusterSettings> = {},
) => clusterView({ facts, marks, settings: { ...syntheticSettings(KEY), ...settings } });

const healthy = refresh([
  seen("a", { shards: [shard("primary")] }),
  seen("b", { shards: [shard("secondary", 12)] }),
  seen("c", { shards: [shard("secondary", 0)] }),
]);
const ailing = refresh(
  [
    unchanged("a", { shards: [shard("primary")] }),
    failed("b"),
    seen("c", { seq: 6, report: DOWN }),
    failed("d", "not_allowed"),
  ],
  { record: recordOf("acd", { display_name: "Orders" }), conflict: ["dns"] },
);
const three = (seq: number, fields: Parameters<typeof seen>[1]) =>
  refresh(["a", "b", "c"].map((id) => seen(id, { seq, ...fields })));
const nobody = { report: { role: "unknown", leader: null } } as const;

describe("a view", () => {
  it.each([
    ["view-new", view(nothing)],
    ["view-healthy", view(run(healthy))],
    ["view-ailing", view(run(healthy, ailing), { expected_nodes: 5 })],
    ["view-silent", view(run(healthy, refresh([failed("a"), failed("b"), failed("c")])))],
  ])("is as in golden/%s.json", (name, made) => {
    expectGolden(name, made);
  });

  it("fits its schema, and is the same whatever the order of answers, for arbitrary clusters", () => {
    void fc.assert(
      fc.property(refreshes, (all) => {
        const [one, other] = [
          all,
          all.map((r) => ({ ...r, observations: [...r.observations].reverse() })),
        ].map((some) => some.reduce<{ facts: Facts | null; marks: Marks }>(observe, nothing));
        const made = ClusterView.parse(view(one ?? nothing));
        expect(JSON.stringify(view(other ?? nothing))).toBe(JSON.stringify(made));
        expect(made.health === "green").toBe(made.reasons.length === 0);
        const { discovered, reached, up } = made.counts;
        expect([up, reached, discovered]).toEqual([up, reached, discovered].sort((a, b) => a - b));
      }),
      { numRuns: 300 },
    );
  });

  it("has nodes by id, whatever their addresses", () => {
    const last = run(refresh([seen("z", { agent_addr: "a:4100" }), seen("b"), failed("c")]));
    expect(view(last).nodes.map(({ node_id, agent_addr }) => node_id ?? agent_addr)).toEqual([
      "b",
      "c:4100",
      "z",
    ]);
  });

  it("tells two primaries of a shard, and none", () => {
    const two = run(
      refresh([seen("a", { shards: [shard("primary")] }), seen("b", { shards: [shard("primary")] })]),
    );
    expect(view(two).primaries).toEqual([{ shard: "raft", nodes: ["a", "b"] }]);
    const none = run(refresh([seen("b", { shards: [shard("recovering")] })]));
    expect(view(none).primaries).toEqual([{ shard: "raft", nodes: [] }]);
    const silent = run(healthy, refresh([failed("a")]));
    expect(view(silent).primaries).toEqual([{ shard: "raft", nodes: [] }]);
    const paused = run(
      refresh([seen("a", { shards: [shard("primary")] })]),
      refresh([seen("a", { seq: 6, shards: [], report: DOWN })]),
    );
    expect(view(paused).primaries).toEqual([{ shard: "raft", nodes: [] }]);
  });
});

describe("the health of a cluster", () => {
  const conflict = refresh([seen("b", { seq: 6, report: LEADS })]);
  const stranger = refresh([seen("a", { seq: 6, report: { members: ["a", "b", "c", "x"].map(memberOf) } })]);
  const none = (id: string) =>
    seen(id, { voter: true, report: { kind: "none", status: "unknown", ...nobody.report } });

  it.each<[string, string, HealthCode[], ClusterView]>([
    ["green", "all serve", [], view(run(CALM))],
    [
      "green",
      "there are no databases, and all agents answer",
      [],
      view(run(refresh(["a", "b", "c"].map(none)))),
    ],
    ["yellow", "it was never refreshed", ["never_refreshed"], view(nothing)],
    ["yellow", "nothing is listed", ["no_nodes"], view(run(refresh([], { record: recordOf("") })))],
    [
      "yellow",
      "fewer are listed than expected",
      ["fewer_than_expected"],
      view(run(CALM), { expected_nodes: 4 }),
    ],
    [
      "yellow",
      "a node is down",
      ["node_down"],
      view(run(CALM, refresh([seen("c", { seq: 6, report: DOWN })]))),
    ],
    [
      "yellow",
      "a node joins",
      ["node_not_ready"],
      view(run(CALM, refresh([seen("c", { seq: 6, report: { status: "joining" } })]))),
    ],
    ["yellow", "an agent is silent", ["node_stale"], view(run(CALM, refresh([failed("c")])))],
    [
      "yellow",
      "an agent never answered",
      ["node_unknown"],
      view(run(CALM, refresh([failed("d")], { record: recordOf("abcd") }))),
    ],
    [
      "yellow",
      "a node is not listed any more",
      ["node_missing"],
      view(run(CALM, refresh([], { record: recordOf("ab") }))),
    ],
    ["yellow", "the lists differ", ["membership_drift"], view(run(CALM, stranger, stranger))],
    [
      "yellow",
      "the inventory shrank",
      ["discovery_suspect"],
      view(run(CALM, { ...CALM, suspect: { discovery: "consul", listed: 3, found: 1 } })),
    ],
    [
      "yellow",
      "two discoveries list it",
      ["discovery_conflict"],
      view(run(CALM, { ...CALM, conflict: ["dns"] })),
    ],
    ["yellow", "nobody leads for once", ["leader_unknown"], view(run(CALM, three(6, nobody)))],
    ["red", "nobody leads", ["primary_missing"], view(run(CALM, three(6, nobody), three(7, nobody)))],
    ["red", "two lead", ["primary_conflict"], view(run(CALM, conflict, conflict))],
    [
      "red",
      "it is split",
      ["split"],
      view(run(CALM, refresh([seen("c", { seq: 6, genesis_id: "genesis-2" })]))),
    ],
    [
      "red",
      "most voters are away",
      ["no_quorum", "node_stale", "node_stale"],
      view(run(CALM, refresh([failed("b"), failed("c")]))),
    ],
    [
      "red",
      "fewer voters are up than the settings ask for",
      ["no_quorum", "node_stale"],
      view(run(CALM, refresh([failed("c")])), { quorum: 3 }),
    ],
    [
      "red",
      "no agent answers",
      ["nothing_reachable", "node_stale", "node_stale", "node_stale"],
      view(run(CALM, refresh([failed("a"), failed("b"), failed("c")]))),
    ],
  ])("is %s when %s", (health, _, codes, made) => {
    expect(made.reasons.map(({ code }) => code)).toEqual(codes);
    expect(made.health).toBe(health);
    tested.push(...codes);
  });

  const tested: HealthCode[] = [];
  it("is tested for every reason", () => {
    expect([...new Set(tested)].sort()).toEqual([...HealthCode.options].sort());
  });

  it("counts a voter that is not listed any more as long as the leader's database has it", () => {
    const record = recordOf("a");
    const one = (members: string) =>
      seen("a", { seq: 6, peers: ["a"], report: { members: [...members].map(memberOf) } });
    const reasons = (members: string) =>
      view(run(CALM, refresh([one(members)], { record }))).reasons.map((r) => r.code);
    expect(reasons("abc")).toContain("no_quorum");
    expect(reasons("a")).not.toContain("no_quorum");
  });

  it("counts no voter that the leader's database has no more, though it is listed", () => {
    const one = (members: string) =>
      seen("a", { seq: 6, peers: ["a"], report: { members: [...members].map(memberOf) } });
    const reasons = (members: string, leader = one(members)) =>
      view(run(CALM, refresh([leader, failed("b"), failed("c")]))).reasons.map((r) => r.code);
    expect(reasons("abc")).toContain("no_quorum");
    expect(reasons("a")).not.toContain("no_quorum");
    // What a database said whose node leads no more, or is silent, is of an earlier time.
    const silent = run(
      CALM,
      refresh([one("a"), failed("b"), failed("c")]),
      refresh([failed("a"), seen("b")]),
    );
    expect(view(silent).reasons.map((r) => r.code)).toContain("no_quorum");
  });

  it("asks for a quorum without databases where the settings do", () => {
    const agents = run(refresh([none("a"), none("b"), failed("c")]));
    expect(view(agents).health).toBe("yellow");
    expect(view(agents, { quorum: 2 }).health).toBe("yellow");
    expect(view(agents, { quorum: 3 }).health).toBe("red");
  });

  it("does not count a non-voter for the quorum", () => {
    const record = recordOf("ab", { nodes: [listed("a"), listed("b")] });
    const last = run(
      refresh([seen("a", { peers: ["a", "b"] }), seen("b", { voter: false, peers: ["a", "b"] })], { record }),
      refresh([failed("b")], { record }),
    );
    expect(view(last).health).toBe("yellow");
  });
});
