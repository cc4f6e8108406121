import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  begin,
  due,
  HookEvent,
  type HookFacts,
  HookPayload,
  leaveCall,
  type Told,
  toldAfter,
} from "../../src/core/hooks.ts";
import { type MemberRef, Outcome } from "../../src/core/model.ts";

const all = new Set(HookEvent.options);

function member(id: string, more: Partial<MemberRef> = {}): MemberRef {
  const host = `${id}.example`;
  return {
    id,
    incarnation: `${id}-1`,
    agent_addr: `${host}:4100`,
    api_addr: `${host}:4001`,
    addr: `${host}:4002`,
    ...more,
  };
}

const [a, b, c] = [member("a"), member("b"), member("c")];

function outcome(more: Record<string, unknown> = {}): Outcome {
  return Outcome.parse({
    kind: "join",
    genesis_id: "g1",
    formation: "single",
    members: [],
    leader: null,
    revision: 1,
    ...more,
  });
}

function facts(more: Partial<HookFacts> = {}): HookFacts {
  return {
    outcome: outcome(),
    first: "join",
    members: [a, b],
    role: "unknown",
    node: a,
    values: null,
    ...more,
  };
}

const leads = (m: MemberRef, more: Record<string, unknown> = {}) =>
  outcome({ leader: { id: m.id, api_addr: m.api_addr, addr: m.addr, ...more } });

/** Everything due is made, and succeeds. */
function tellAll(told: Told | null, now: HookFacts, wanted = all): Told {
  const start = begin(told, now);
  return due(start, now, wanted).reduce(toldAfter, start);
}

const events = (told: Told | null, now: HookFacts, wanted = all) =>
  due(begin(told, now), now, wanted).map((call) => call.event);

describe("what hooks are told", () => {
  it("is nothing before there is an outcome", () => {
    const now = facts({ outcome: null, role: "leader" });
    expect(events(null, now)).toEqual([]);
    expect(begin(null, now)).toMatchObject({ genesis_id: null, start: null });
  });

  it("begins with the start, all members, the leader and the role, in this order", () => {
    const now = facts({ outcome: leads(b), role: "replica" });
    const calls = due(begin(null, now), now, all);
    expect(calls.map((call) => [call.event, call.payload.reason])).toEqual([
      ["join", "this node joins the cluster, genesis g1"],
      ["members-change", "added: a, b"],
      ["leader-change", "the leader is b"],
      ["role-change", "this node is replica"],
    ]);
    expect(calls[1]?.payload).toMatchObject({ added: [a, b], removed: [], changed: [], members: [a, b] });
    expect(events(tellAll(null, now), now)).toEqual([]);
  });

  it("is limited to the hooks that were given, and the others' differences stay", () => {
    const now = facts({ outcome: leads(b), role: "replica" });
    const told = tellAll(null, now, new Set(["role-change"]));
    expect(events(told, now, new Set(["role-change"]))).toEqual([]);
    expect(events(told, now)).toEqual(["join", "members-change", "leader-change"]);
  });

  it.each([
    ["bootstrap", "this node creates the cluster, genesis g1"],
    ["join", "this node joins the cluster, genesis g1"],
  ] as const)("tells %s once in a genesis, also when the agent starts again", (kind, reason) => {
    const now = facts({ outcome: outcome({ kind }) });
    const call = due(begin(null, now), now, all)[0];
    expect(call?.payload.reason).toBe(reason);
    const told = tellAll(null, now);
    expect(events(told, now)).toEqual([]);
    expect(events(told, facts({ outcome: outcome({ kind: "existing" }), first: kind }))).toEqual([]);
  });

  it("tells the start again in another genesis, and in another life of the node", () => {
    const told = tellAll(null, facts());
    expect(events(told, facts({ outcome: outcome({ genesis_id: "g2" }) }))).toContain("join");
    const renewed = member("a", { incarnation: "a-2" });
    expect(events(told, facts({ node: renewed }))).toContain("join");
  });

  it("tells the start that an agent still owes which was killed before its hook ran", () => {
    const owed = begin(null, facts({ outcome: outcome({ kind: "bootstrap" }) }));
    const later = facts({ outcome: outcome({ kind: "existing" }), first: null });
    expect(events(owed, later)[0]).toBe("bootstrap");
  });

  it("tells the start of an agent that was killed in the moment it settled", () => {
    const waiting = begin(null, facts({ outcome: null }));
    const later = facts({ outcome: outcome({ kind: "existing" }), first: "bootstrap" });
    expect(events(waiting, later)[0]).toBe("bootstrap");
  });

  it("does not tell the start of a cluster that is older than its hooks", () => {
    const now = facts({ outcome: outcome({ kind: "existing" }), first: "join" });
    expect(events(null, now)).toEqual(["members-change"]);
  });

  it("is nothing of the members before the directory was seen", () => {
    const told = tellAll(null, facts());
    expect(events(told, facts({ members: null }))).toEqual([]);
  });

  it("says who came, went and moved, by the life of their disks", () => {
    const told = tellAll(null, facts({ members: [a, b] }));
    const moved = member("a", { api_addr: "elsewhere:4001" });
    const reborn = member("b", { incarnation: "b-2" });
    const now = facts({ members: [c, moved, reborn] });
    const call = due(told, now, all)[0];
    expect(call?.payload).toMatchObject({
      event: "members-change",
      reason: "added: b, c; removed: b; changed: a",
      added: [reborn, c],
      removed: [b],
      changed: [moved],
    });
  });

  it("takes neither another order of the members nor unknown fields for a change", () => {
    const told = tellAll(null, facts({ members: [a, b] }));
    expect(events(told, facts({ members: [b, { ...a, colour: "red" }] }))).toEqual([]);
  });

  it("does not take the founding list of a symmetric outcome for the members", () => {
    const now = facts({ outcome: outcome({ kind: "bootstrap", members: [a, b, c] }), members: [a, b] });
    expect(due(begin(null, now), now, all)[1]?.payload.added).toEqual([a, b]);
  });

  it("names the leader before, and keeps still while nobody leads and when the same one leads again", () => {
    const told = tellAll(null, facts({ outcome: leads(a, { term: 1 }) }));
    expect(events(told, facts({ outcome: outcome() }))).toEqual([]);
    expect(events(told, facts({ outcome: leads(a, { term: 7 }) }))).toEqual([]);
    const now = facts({ outcome: leads(b) });
    expect(due(told, now, all)[0]?.payload).toMatchObject({
      event: "leader-change",
      reason: "the leader is b, was a",
      outcome: { leader: { id: "b" } },
      previous: { leader: { id: "a", api_addr: a.api_addr } },
    });
    const moved = facts({ outcome: leads(member("a", { api_addr: "elsewhere:4001" })) });
    expect(events(told, moved)).toEqual(["leader-change"]);
  });

  it("does not take a database that is down for another role", () => {
    const told = tellAll(null, facts({ role: "replica" }));
    expect(events(told, facts({ role: "unknown" }))).toEqual([]);
    const now = facts({ role: "leader" });
    expect(due(told, now, all)[0]?.payload).toMatchObject({
      event: "role-change",
      reason: "this node is leader, was replica",
      role: "leader",
      previous: { role: "replica" },
    });
  });

  it("says of leaving what is known, also without an outcome", () => {
    expect(leaveCall(null, facts({ outcome: null, members: null })).payload).toMatchObject({
      event: "leave",
      outcome: null,
      members: null,
      node: a,
    });
  });

  it("is what the documented schema says, and ends in silence whatever happened on the way", () => {
    const ref = fc.constantFrom(a, b, c, member("b", { incarnation: "b-2" }), member("c", { addr: "x:1" }));
    const moment = fc.record({
      genesis_id: fc.constantFrom("g1", "g2"),
      kind: fc.constantFrom("bootstrap", "join", "existing"),
      leader: fc.option(ref),
      members: fc.option(fc.uniqueArray(ref, { selector: (m) => m.incarnation })),
      role: fc.constantFrom("leader", "replica", "unknown"),
      node: fc.constantFrom(a, member("a", { incarnation: "a-2" })),
    });
    fc.assert(
      fc.property(fc.array(moment, { minLength: 1, maxLength: 8 }), fc.nat(), (moments, seed) => {
        let told: Told | null = null;
        for (const [at, { genesis_id, kind, leader, ...rest }] of moments.entries()) {
          const now = facts({
            outcome: outcome({ genesis_id, kind, leader }),
            ...rest,
          } as Partial<HookFacts>);
          told = begin(told, now);
          const calls = due(told, now, all);
          for (const call of calls) expect(() => HookPayload.parse(call.payload)).not.toThrow();
          // Only some of them get through before the next moment.
          told = calls.filter((_, nth) => (seed >> (at + nth)) % 2 === 0).reduce(toldAfter, told);
          const settled = due(told, now, all).reduce(toldAfter, told);
          expect(due(settled, now, all)).toEqual([]);
        }
      }),
    );
  });
});
