/** Records and messages of the protocol for tests, complete and valid. */
import {
  type Hello,
  type Member,
  type MemberRef,
  memberHash,
  type Sealed,
  VERSION,
} from "../../../src/core/model.ts";

/** A node as members carry it; its incarnation is `<id>-1`. */
export function refTo(id: string, more: Partial<MemberRef> = {}): MemberRef {
  return {
    id,
    incarnation: `${id}-1`,
    agent_addr: `${id}.test:4100`,
    api_addr: `${id}.test:4001`,
    addr: `${id}.test:4002`,
    ...more,
  };
}

/** A sealed record by one node that is its only member. */
export function sealedBy(node: string, genesisId = "g1", members: readonly string[] = [node]): Sealed {
  const refs = members.map((id) => refTo(id));
  return {
    v: VERSION,
    state: "sealed",
    init_id: "init-1",
    birth: 1,
    expect: members.length,
    gen: 1,
    claim_id: genesisId,
    genesis_id: genesisId,
    node,
    incarnation: `${node}-1`,
    formation: "single",
    members: refs,
    hash: memberHash(refs),
  };
}

/** An entry of the members directory: a voter of three that waits. */
export function memberOf(id: string, more: Partial<Member> = {}): Member {
  return {
    v: VERSION,
    ...refTo(id),
    boot_id: `${id}-boot`,
    voter: true,
    expect: 3,
    status: "waiting",
    genesis_id: null,
    ...more,
  };
}

/** What an empty voter of three answers. */
export function helloOf(id: string, more: Partial<Hello> = {}): Hello {
  const { id: node_id, ...addresses } = refTo(id);
  return {
    v: VERSION,
    key: "rollcall",
    node_id,
    ...addresses,
    boot_id: `${id}-boot`,
    voter: true,
    expect: 3,
    birth: 0,
    marker: null,
    pending: null,
    used: false,
    peers: [],
    ...more,
  };
}
