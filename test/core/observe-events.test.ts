/** Every type of event that a refresh may give: what gives it, and what comes close and does not. */
import { describe, expect, it } from "vitest";
import { diff } from "../../src/core/diff.ts";
import { type Change, EventType } from "../../src/core/events.ts";
import type { Observation, SeenTransition } from "../../src/core/observation.ts";
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
  typesOf,
  unchanged,
} from "./clusters.ts";

type Case = { readonly by: string; readonly changes: readonly Change[] };
type Row = { readonly type: EventType; readonly gives: Case; readonly not: Case };

/** The three as they were, but for those that are told. */
function then(...told: readonly Observation[]) {
  const others = ["a", "b", "c"].map((id) => unchanged(id));
  const addresses = new Set(told.map(({ agent_addr }) => agent_addr));
  return refresh([...others.filter(({ agent_addr }) => !addresses.has(agent_addr)), ...told]);
}

const flip: SeenTransition[] = [
  { seq: 6, kind: "status", before: "healthy", after: "unhealthy" },
  { seq: 7, kind: "status", before: "unhealthy", after: "healthy" },
];
const noLeader = { role: "unknown", leader: null, term: 3 } as const;
const nobody = then(...["a", "b", "c"].map((id) => seen(id, { seq: 6, report: noLeader })));
const twoClaim = then(seen("b", { seq: 6, report: { ...LEADS, term: 4 } }));
const stranger = then(seen("a", { seq: 6, report: { members: ["a", "b", "c", "x"].map(memberOf) } }));
const withShards = refresh([seen("a", { shards: [shard("primary")] }), seen("b"), seen("c")]);
const { facts: known } = run(CALM);

const rows: readonly Row[] = [
  {
    type: "CLUSTER_NEW",
    gives: { by: "the first refresh", changes: run(CALM).changes },
    not: { by: "the second", changes: run(CALM, CALM).changes },
  },
  {
    type: "CLUSTER_CHANGED",
    gives: {
      by: "another list of nodes",
      changes: run(CALM, { ...then(), record: recordOf("abcd") }).changes,
    },
    not: {
      by: "the same list in another order",
      changes: run(CALM, { ...then(), record: recordOf("cab") }).changes,
    },
  },
  {
    type: "DISCOVERY_CONFLICT",
    gives: {
      by: "another discovery's listing",
      changes: run(CALM, { ...then(), conflict: ["dns"] }).changes,
    },
    not: {
      by: "the same ones in another order",
      changes: run({ ...CALM, conflict: ["dns", "etcd"] }, { ...then(), conflict: ["etcd", "dns"] }).changes,
    },
  },
  {
    type: "DISCOVERY_SUSPECT",
    gives: {
      by: "a list that shrank too much",
      changes: run(CALM, { ...then(), suspect: { discovery: "consul", listed: 3, found: 1 } }).changes,
    },
    not: { by: "a list that is as it was", changes: run(CALM, then()).changes },
  },
  {
    type: "OBSERVATION_GAP",
    gives: {
      by: "transitions that the ring has no more",
      changes: run(CALM, then(seen("b", { seq: 9 }))).changes,
    },
    not: {
      by: "transitions that the ring has",
      changes: run(CALM, then(seen("b", { seq: 7, transitions: flip }))).changes,
    },
  },
  {
    type: "AGENT_NEW",
    gives: {
      by: "a listed node",
      changes: run(CALM, { ...then(seen("d")), record: recordOf("abcd") }).changes,
    },
    not: { by: "a node that is not listed", changes: run(CALM, then(seen("d"))).changes },
  },
  {
    type: "AGENT_UP",
    gives: { by: "an answer after silence", changes: run(CALM, then(failed("b")), then()).changes },
    not: { by: "an answer after an answer", changes: run(CALM, then(seen("b", { seq: 6 }))).changes },
  },
  {
    type: "AGENT_DOWN",
    gives: { by: "silence", changes: run(CALM, then(failed("b"))).changes },
    not: { by: "more of the same silence", changes: run(CALM, then(failed("b")), then(failed("b"))).changes },
  },
  {
    type: "AGENT_INFO_CHANGED",
    gives: { by: "a restart", changes: run(CALM, then(seen("b", { boot_id: "boot-2" }))).changes },
    not: { by: "another state of the same run", changes: run(CALM, then(seen("b", { seq: 6 }))).changes },
  },
  {
    type: "NODE_NEW",
    gives: {
      by: "the first answer at an address",
      changes: run(refresh([seen("a"), seen("b"), failed("c")]), then(seen("c"))).changes,
    },
    not: {
      by: "silence at a new address",
      changes: run(CALM, { ...then(failed("d")), record: recordOf("abcd") }).changes,
    },
  },
  {
    type: "NODE_CHANGED",
    gives: {
      by: "another version",
      changes: run(CALM, then(seen("b", { seq: 6, report: { version: "9" } }))).changes,
    },
    not: {
      by: "another lag",
      changes: run(withShards, then(unchanged("a", { shards: [shard("primary", 9)] }))).changes,
    },
  },
  {
    type: "NODE_UP",
    gives: {
      by: "a database that is healthy again",
      changes: run(CALM, then(seen("b", { seq: 6, report: DOWN })), then(seen("b", { seq: 7 }))).changes,
    },
    not: { by: "an agent that answers again", changes: run(CALM, then(failed("b")), then()).changes },
  },
  {
    type: "NODE_DOWN",
    gives: {
      by: "a database that does not answer",
      changes: run(CALM, then(seen("b", { seq: 6, report: DOWN }))).changes,
    },
    not: { by: "an agent that does not answer", changes: run(CALM, then(failed("b"))).changes },
  },
  {
    type: "NODE_STALE",
    gives: { by: "an agent that falls silent", changes: run(CALM, then(failed("b"))).changes },
    not: {
      by: "an agent that never said anything",
      changes: run(refresh([seen("a"), failed("b")]), refresh([unchanged("a"), failed("b", "unauthorized")]))
        .changes,
    },
  },
  {
    type: "NODE_REMOVED",
    gives: {
      by: "another node that moves to its address",
      changes: run(CALM, {
        ...then(seen("c", { agent_addr: "b:4100" })),
        record: recordOf("ab"),
      }).changes,
    },
    not: {
      by: "an inventory that does not list it",
      changes: run(CALM, { ...then(), record: recordOf("ab") }).changes,
    },
  },
  {
    type: "NODE_REPLACED",
    gives: {
      by: "another disk",
      changes: run(CALM, then(seen("b", { boot_id: "boot-2", incarnation: "disk-2" }))).changes,
    },
    not: {
      by: "a restart with the same disk",
      changes: run(CALM, then(seen("b", { boot_id: "boot-2" }))).changes,
    },
  },
  {
    type: "SHARD_ALLOCATION_NEW",
    gives: {
      by: "a shard",
      changes: run(CALM, then(unchanged("b", { shards: [shard("secondary")] }))).changes,
    },
    not: {
      by: "shards that were not asked for",
      changes: run(withShards, then(seen("a", { seq: 6 }))).changes,
    },
  },
  {
    type: "SHARD_ALLOCATION_CHANGED",
    gives: {
      by: "another role of a shard",
      changes: run(withShards, then(unchanged("a", { shards: [shard("secondary")] }))).changes,
    },
    not: {
      by: "another lag",
      changes: run(withShards, then(unchanged("a", { shards: [shard("primary", 9)] }))).changes,
    },
  },
  {
    type: "SHARD_ALLOCATION_LOST",
    gives: { by: "no shards", changes: run(withShards, then(unchanged("a", { shards: [] }))).changes },
    not: { by: "shards that were not asked for", changes: run(withShards, then()).changes },
  },
  {
    type: "LEADER_CHANGED",
    gives: { by: "a claim of a newer term", changes: run(CALM, twoClaim).changes },
    not: {
      by: "a claim of an older term",
      changes: run(CALM, then(seen("b", { seq: 6, report: { ...LEADS, term: 2 } }))).changes,
    },
  },
  {
    type: "PRIMARY_CONFLICT",
    gives: { by: "two claims, twice", changes: run(CALM, twoClaim, then()).changes },
    not: { by: "two claims, once", changes: run(CALM, twoClaim).changes },
  },
  {
    type: "PRIMARY_MISSING",
    gives: { by: "nobody that leads, twice", changes: run(CALM, nobody, nobody).changes },
    not: { by: "nobody that leads, once", changes: run(CALM, nobody).changes },
  },
  {
    type: "CLUSTER_SPLIT",
    gives: {
      by: "another genesis",
      changes: run(CALM, then(seen("b", { seq: 6, genesis_id: "genesis-2" }))).changes,
    },
    not: { by: "no genesis yet", changes: run(CALM, then(seen("b", { seq: 6, genesis_id: null }))).changes },
  },
  {
    type: "MEMBERSHIP_DRIFT",
    gives: {
      by: "a member that only the database has, twice",
      changes: run(CALM, stranger, stranger).changes,
    },
    not: { by: "the same, once", changes: run(CALM, stranger).changes },
  },
  {
    type: "CLUSTER_REMOVED",
    gives: { by: "a cluster that is kept no more", changes: diff(known, null) },
    not: {
      by: "a cluster of which no agent answers",
      changes: run(CALM, then(...["a", "b", "c"].map((id) => failed(id)))).changes,
    },
  },
];

describe("a refresh", () => {
  for (const { type, gives, not } of rows) {
    it(`gives ${type} for ${gives.by}, and not for ${not.by}`, () => {
      expect(gives.changes.map((change) => change.type)).toContain(type);
      expect(not.changes.map((change) => change.type)).not.toContain(type);
    });
  }

  it("has a row above for every type that it may give", () => {
    const elsewhere = ["DISCOVERY_SETTINGS_APPLY", "DISCOVERY_SETTINGS_DELETE", "ORCHESTRATE_REPORT"];
    const mine = EventType.options.filter((type) => !elsewhere.includes(type));
    expect(rows.map(({ type }) => type).sort()).toEqual([...mine].sort());
  });

  it("gives nothing at all where nothing changed", () => {
    const last = run(
      withShards,
      then(seen("a", { seq: 6 })),
      then(unchanged("a", { seq: 6, shards: [shard("primary", 3)] })),
    );
    expect(typesOf(last.changes)).toEqual([]);
    expect(last.facts).toBe(last.before.facts);
    expect(last.facts.cluster_id).toBe(KEY);
    expect(listed("a").agent_addr in last.marks.nodes).toBe(true);
  });
});
