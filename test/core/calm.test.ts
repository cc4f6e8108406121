/** Refreshes in which nobody said anything new: what they come to is what judging them anew comes to. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isAsCalm, isCalm, seenAgain } from "../../src/core/calm.ts";
import { type Marks, NO_MARKS } from "../../src/core/cluster.ts";
import type { ClusterRecord } from "../../src/core/inventory.ts";
import type { Observation } from "../../src/core/observation.ts";
import { observe, type Refresh } from "../../src/core/observe.ts";
import { refreshes } from "./arbitrary-clusters.ts";
import { CALM, failed, recordOf, refresh, run, seen, shard, unchanged } from "./clusters.ts";

/** Everybody who ever answered says that nothing changed since. */
const again = (marks: Marks, record: ClusterRecord, at: number): Observation[] =>
  record.nodes.flatMap(({ agent_addr }) => {
    const { boot_id = null, seq = 0 } = marks.nodes[agent_addr] ?? {};
    return boot_id === null ? [] : [{ kind: "unchanged", agent_addr, at, boot_id, seq, shards: null }];
  });

describe("a calm refresh", () => {
  it("after one that changed nothing changes what judging it anew changes", () => {
    let calm = 0;
    void fc.assert(
      fc.property(refreshes, (all) => {
        const last = all.at(-1);
        if (last === undefined) return;
        let state: { facts: ReturnType<typeof observe>["facts"] | null; marks: Marks } = {
          facts: null,
          marks: NO_MARKS,
        };
        for (const one of all) state = observe(state, one);
        // What waits for a second look has it, and who was away is back.
        for (const at of [1e6, 2e6, 3e6]) {
          const next: Refresh = { ...last, observations: again(state.marks, last.record, at) };
          state = observe(state, next);
        }
        const { facts, marks } = state;
        if (facts === null) return;
        const { record, discovery } = last;
        const first = again(marks, record, 4e6);
        const one = observe(state, { ...last, observations: first });
        if (!isCalm(marks, record, first) || one.facts !== facts || !isCalm(one.marks, record, first)) return;
        calm += 1;
        const second = again(one.marks, record, 5e6);
        const two = observe(one, { ...last, observations: second });
        const known = { facts, record, discovery, decisions: one.decisions };
        if (!isCalm(one.marks, record, second)) throw new Error("calm, and not calm when it is repeated");
        expect(isAsCalm(known, { facts: one.facts, record, discovery }, second)).toBe(true);
        expect(two.facts).toBe(facts);
        expect([two.path, two.gaps, two.decisions]).toEqual([[facts], [], one.decisions]);
        expect(seenAgain(one.marks, second)).toEqual(two.marks);
      }),
      { numRuns: 2_000 },
    );
    // Else it says nothing.
    expect(calm).toBeGreaterThan(50);
  });

  const record = recordOf("abc");
  const { facts, marks } = run(CALM, refresh([unchanged("a"), unchanged("b"), unchanged("c")]));
  const all = [unchanged("a"), unchanged("b"), unchanged("c")];

  it("is none where anybody says anything else, says nothing, or was silent before", () => {
    expect(isCalm(marks, record, all)).toBe(true);
    for (const other of [seen("c", { seq: 6 }), failed("c"), unchanged("c", { seq: 4 })])
      expect(isCalm(marks, record, [...all.slice(0, 2), other])).toBe(false);
    expect(isCalm(marks, record, all.slice(0, 2))).toBe(false);
    const after = run(CALM, refresh([unchanged("a"), unchanged("b"), failed("c")]));
    expect(isCalm(after.marks, record, all)).toBe(false);
    expect(isCalm({ ...marks, pending: { primary_missing: { last: "a" } } }, record, all)).toBe(false);
  });

  it("is judged where it goes by anything else, or gauges were read", () => {
    const before = { facts, record, discovery: "main", decisions: [] };
    const now = { facts, record, discovery: "main" };
    if (!isCalm(marks, record, all)) throw new Error("it is calm");
    expect(isAsCalm(before, now, all)).toBe(true);
    for (const other of [{ facts: { ...facts } }, { record: { ...record } }, { discovery: "another" }])
      expect(isAsCalm(before, { ...now, ...other }, all)).toBe(false);
    const read = [unchanged("a", { shards: [shard("primary")] }), ...all.slice(1)];
    if (!isCalm(marks, record, read)) throw new Error("it is calm");
    expect(isAsCalm(before, now, read)).toBe(false);
  });
});
