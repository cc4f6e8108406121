/** What an adapter is told, for tests. */
import type { LeaderRecord, MemberRef, Outcome, Sealed } from "../../src/core/model.ts";
import { memberHash } from "../../src/core/model.ts";
import type { DatabaseMember } from "../../src/core/node-report.ts";
import type { StartFacts, StartPlan } from "../../src/databases/database.ts";

/** `n1` on 10.0.0.1, unless told. */
export function member(id: string, more: Partial<MemberRef> = {}): MemberRef {
  const host = `10.0.0.${id.slice(1)}`;
  return {
    id,
    incarnation: `incarnation-of-${id}`,
    agent_addr: `${host}:4100`,
    api_addr: `${host}:4001`,
    addr: `${host}:4002`,
    ...more,
  };
}

/** The same node, as its database lists it. */
export function listed({ id, addr }: MemberRef, voter = true): DatabaseMember {
  return { id, addr, api_addr: "", voter, reachable: null };
}

/** A genesis whose owner is the first of the members. */
export function sealed(formation: Sealed["formation"], members: readonly MemberRef[]): Sealed {
  const [owner] = members;
  return {
    v: 1,
    state: "sealed",
    init_id: "i1",
    birth: 1,
    expect: members.length,
    gen: 1,
    claim_id: "g1",
    genesis_id: "g1",
    node: owner?.id ?? "",
    incarnation: owner?.incarnation ?? "",
    formation,
    members: [...members],
    hash: memberHash(members),
  };
}

export type Told = Partial<Omit<StartFacts, "outcome">> & {
  readonly self: MemberRef;
  readonly record: Sealed;
  readonly leader?: LeaderRecord | null;
};

/** Facts about a voter whose members are the genesis's, all there, with no data and no leader. */
export function factsOf({ leader = null, ...told }: Told): StartFacts {
  const members = told.members ?? told.record.members;
  const outcome: Outcome = {
    kind: "existing",
    genesis_id: told.record.genesis_id,
    formation: told.record.formation,
    members: [...members],
    leader,
    revision: 1,
  };
  return {
    outcome,
    voter: true,
    members,
    present: members.map((m) => m.id),
    led: false,
    formed: null,
    dataDir: "/data",
    command: ["rqlited", "/data"],
    ...told,
  };
}

/** The arguments and files of a plan that does not wait. */
export function ready(plan: StartPlan) {
  if ("wait" in plan) throw new Error(`the plan waits: ${plan.wait}`);
  return plan;
}
