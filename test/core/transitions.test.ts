import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changes, type Facets } from "../../src/core/transitions.ts";
import { memberOf } from "../agent/support/records.ts";

const calm: Facets = {
  phase: { code: "voters", overdue: false },
  outcome: 0,
  members: [],
  leader: null,
  role: "unknown",
  status: "unknown",
  version: null,
  database_members: null,
  address: { agent_addr: "a:4100" },
  registration: "held",
  store: true,
  process: null,
  leader_key: null,
  failing: [],
};

describe("transitions", () => {
  it.each([
    ["phase", { code: "settled", overdue: false }],
    ["outcome", 1],
    ["leader", { id: "a", api_addr: "x", addr: "y", term: 3 }],
    ["role", "leader"],
    ["status", "healthy"],
    ["version", "8.1"],
    ["database_members", [{ id: "a", addr: "a:4002", voter: true }]],
    ["address", { agent_addr: "b:4100" }],
    ["registration", "lapsing"],
    ["store", false],
    ["process", "running"],
    ["leader_key", "leader_conflict"],
    ["failing", ["on-join"]],
  ] as const)("tell a change of %s with what was and what is", (kind, after) => {
    const next = { ...calm, [kind]: after } as Facets;
    expect(changes(calm, next)).toEqual([{ kind, before: calm[kind], after }]);
    expect(changes(next, calm)).toEqual([{ kind, before: after, after: calm[kind] }]);
  });

  it("name only the members that are not the same", () => {
    const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
    const moved = { ...b, addr: "elsewhere:4002" };
    const [change] = changes({ ...calm, members: [a, b] }, { ...calm, members: [a, moved, c] });
    expect(change).toMatchObject({
      kind: "members",
      before: [{ id: "b", addr: b.addr }],
      after: [{ id: "b", addr: "elsewhere:4002" }, { id: "c" }],
    });
  });

  it("are none between equal moments, and always one for each facet that differs", () => {
    const facets = fc.record({
      outcome: fc.nat(2),
      role: fc.constantFrom("leader", "replica", "unknown"),
      status: fc.constantFrom("healthy", "unavailable"),
      store: fc.constantFrom(true, false, null),
      members: fc.subarray([memberOf("a"), memberOf("b")]),
    });
    void fc.assert(
      fc.property(facets, facets, (some, others) => {
        const before = { ...calm, ...some } as Facets;
        const after = { ...calm, ...others } as Facets;
        const differ = (Object.keys(some) as (keyof typeof some)[]).filter(
          (kind) => JSON.stringify(some[kind]) !== JSON.stringify(others[kind]),
        );
        expect(
          changes(before, after)
            .map((c) => c.kind)
            .sort(),
        ).toEqual([...differ].sort());
      }),
    );
  });
});
