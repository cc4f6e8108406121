import { describe, expect, it } from "vitest";
import type { Observation } from "../../src/core/observation.ts";
import type { Refresh } from "../../src/core/observe.ts";
import {
  CALM,
  failed,
  listed,
  memberOf,
  recordOf,
  refresh,
  run,
  seen,
  typesOf,
  unchanged,
} from "./clusters.ts";

const at = (ids: string, ...told: readonly Observation[]): Refresh => ({
  ...refresh(told),
  record: recordOf(ids),
});
const here = (id: string, address: string, fields: Parameters<typeof seen>[1] = {}) =>
  seen(id, { agent_addr: `${address}:4100`, ...fields });
const agentsOf = ({ facts }: ReturnType<typeof run>) =>
  facts.nodes.map(({ agent_addr, agent, identity }) => [
    agent_addr[0],
    identity?.node_id ?? null,
    agent.code,
  ]);

describe("who answers", () => {
  it("is of another cluster: its agent is down, and nothing that it says counts", () => {
    const last = run(CALM, refresh([seen("b", { key: "prod/other", seq: 9 })]));
    expect(typesOf(last.changes)).toEqual(["AGENT_DOWN b", "NODE_STALE b"]);
    expect(agentsOf(last)[1]).toEqual(["b", "b", "wrong_cluster"]);
    expect(last.marks.nodes["b:4100"]).toMatchObject({
      seq: 5,
      misses: 1,
      problem: "an agent of cluster prod/other",
    });
  });

  it.each([
    ["node id", { node_id: "x" }],
    ["incarnation", { incarnation: "disk-x" }],
  ])("is not of the %s that the inventory lists", (_, fixed) => {
    const record = recordOf("a", { nodes: [listed("a", fixed)] });
    expect(agentsOf(run({ ...refresh([seen("a")]), record }))).toEqual([["a", null, "wrong_node"]]);
    const later = run(at("a", seen("a")), { ...refresh([unchanged("a")]), record });
    expect(agentsOf(later)).toEqual([["a", "a", "wrong_node"]]);
  });

  it("is what the inventory lists", () => {
    const record = recordOf("a", { nodes: [listed("a", { node_id: "a", incarnation: "disk-a" })] });
    expect(agentsOf(run({ ...refresh([seen("a")]), record }))).toEqual([["a", "a", "ok"]]);
  });

  it.each(["", "a b", "a/b", "x".repeat(129)])("names its node as no agent does: %j", (node_id) => {
    expect(agentsOf(run(at("a", here(node_id, "a"))))).toEqual([["a", null, "not_an_agent"]]);
  });

  it("is another node than before: it is pinned anew, and told", () => {
    const last = run(CALM, refresh([here("x", "b", { boot_id: "boot-x" })]));
    expect(typesOf(last.changes)).toEqual(["AGENT_INFO_CHANGED b", "NODE_REPLACED b"]);
    expect(last.changes[1]).toMatchObject({
      before: { identity: { node_id: "b" } },
      after: { identity: { node_id: "x" } },
    });
    expect(last.decisions[0]).toMatchObject({ code: "replaced", node: "x" });
  });

  it("has another disk: its shards begin anew", () => {
    const first = refresh([
      seen("a", { shards: [{ id: "s", role: "primary", lag: null, commit_offset: null }] }),
    ]);
    const last = run(first, refresh([seen("a", { boot_id: "boot-2", incarnation: "disk-2" })]));
    expect(typesOf(last.changes)).toEqual(["AGENT_INFO_CHANGED a", "NODE_REPLACED a"]);
    expect(last.facts.nodes[0]?.shards).toEqual([]);
    expect(last.marks.nodes["a:4100"]?.shards).toEqual({});
  });
});

describe("a second address of a node", () => {
  it("is a duplicate while the first is listed, whether that answers or not", () => {
    const both = run(at("ab", seen("a")), at("ab", unchanged("a"), here("a", "b")));
    expect(agentsOf(both)).toEqual([
      ["a", "a", "ok"],
      ["b", null, "duplicate"],
    ]);
    const silent = run(at("ab", seen("a")), at("ab", failed("a"), here("a", "b")));
    expect(agentsOf(silent)).toEqual([
      ["a", "a", "unreachable"],
      ["b", null, "duplicate"],
    ]);
  });

  it("is a duplicate where what the first says is of another time, or is itself not what is listed", () => {
    const late = run(at("ab", seen("a")), at("ab", unchanged("a", { seq: 99 }), here("a", "b")));
    expect(agentsOf(late)[1]).toEqual(["b", null, "duplicate"]);
    const fixed = recordOf("", { nodes: [listed("a", { incarnation: "disk-a" }), listed("b")] });
    const wiped = { boot_id: "boot-2", incarnation: "disk-2" };
    const told = { ...refresh([seen("a", wiped), here("a", "b", wiped)]), record: fixed };
    expect(agentsOf(run(at("ab", seen("a")), told))).toEqual([
      ["a", "a", "wrong_node"],
      ["b", null, "duplicate"],
    ]);
  });

  it("is the later one of two that answer for the first time together", () => {
    expect(agentsOf(run(at("ab", here("x", "b"), here("x", "a"))))).toEqual([
      ["a", "x", "ok"],
      ["b", null, "duplicate"],
    ]);
  });

  it("is the one that the inventory does not list for it", () => {
    const record = recordOf("", { nodes: [listed("a"), listed("b", { node_id: "x" })] });
    const last = run(at("ab", here("x", "a")), { ...refresh([here("x", "a"), here("x", "b")]), record });
    expect(agentsOf(last)).toEqual([
      ["a", null, "duplicate"],
      ["b", "x", "ok"],
    ]);
    expect(agentsOf(run({ ...refresh([here("x", "a"), failed("b")]), record }))).toEqual([
      ["a", null, "duplicate"],
      ["b", null, "unreachable"],
    ]);
  });
});

describe("a node that moves", () => {
  it("takes its entry along when the old address is listed no more", () => {
    const last = run(CALM, at("abd", here("c", "d", { seq: 6 })));
    expect(typesOf(last.changes)).toEqual(["CLUSTER_CHANGED", "NODE_CHANGED c"]);
    expect(last.changes[1]).toMatchObject({
      before: { agent_addr: "c:4100" },
      after: { agent_addr: "d:4100" },
    });
    expect(Object.keys(last.marks.nodes)).toEqual(["a:4100", "b:4100", "d:4100"]);
  });

  it("takes it along with a new disk", () => {
    const fresh = here("c", "d", { boot_id: "boot-2", incarnation: "disk-2" });
    const last = run(CALM, at("abd", fresh));
    expect(typesOf(last.changes).slice(1)).toEqual([
      "AGENT_INFO_CHANGED c",
      "NODE_REPLACED c",
      "NODE_CHANGED c",
    ]);
  });

  it("stays where it was until it answers elsewhere", () => {
    const last = run(CALM, at("abd", failed("d")));
    expect(agentsOf(last)).toEqual([
      ["a", "a", "ok"],
      ["b", "b", "ok"],
      ["c", "c", "ok"],
      ["d", null, "unreachable"],
    ]);
    const moved = run(CALM, at("abd", failed("d")), at("abd", here("c", "d", { seq: 6 })));
    expect(typesOf(moved.changes)).toEqual(["NODE_CHANGED c", "NODE_REMOVED d:4100"]);
  });

  it("may change places with another", () => {
    const last = run(CALM, at("abc", here("a", "b", { seq: 6 }), here("b", "a", { seq: 6 })));
    expect(typesOf(last.changes)).toEqual(["NODE_CHANGED a", "NODE_CHANGED b"]);
    expect(agentsOf(last).map(([, id]) => id)).toEqual(["b", "a", "c"]);
  });

  it("leaves its address to a node that was never seen", () => {
    const record = recordOf("abcd");
    const last = run(CALM, { ...refresh([here("a", "d", { seq: 6 }), here("x", "a")]), record });
    expect(typesOf(last.changes).slice(1)).toEqual(["NODE_CHANGED a", "AGENT_NEW x", "NODE_NEW x"]);
    expect(last.marks.nodes["a:4100"]).not.toHaveProperty("earlier");
  });

  it("puts out whoever was at its new address and is nowhere now", () => {
    const last = run(CALM, at("ab", here("c", "b", { seq: 6 })));
    expect(typesOf(last.changes).slice(1)).toEqual(["NODE_REMOVED b", "NODE_CHANGED c"]);
    expect(last.decisions.slice(0, 2)).toMatchObject([{ code: "moved" }, { code: "gave_way", node: "c" }]);
  });

  it("is not the leader's second address for being named by it", () => {
    const last = run(at("a", seen("a", { report: { members: [memberOf("a")] }, peers: ["a"] })));
    expect(last.facts.conditions.leader).toEqual({ node_id: "a" });
  });
});
