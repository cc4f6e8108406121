/** Agents as `/v1/peers` lists them. */
import type { Member, MemberRef, PeerRef } from "../core/model.ts";
import type { PeerRow } from "./pages.ts";
import type { Peers } from "./peers.ts";

/** Everybody known, this agent (`own`, `registered` or not) included, by id. */
export function peerRows(own: Member, registered: boolean, peers: Peers): PeerRow[] {
  const { id, incarnation, agent_addr, api_addr, addr, voter, status, genesis_id } = own;
  const mine: PeerRow = {
    ...{ id, incarnation, agent_addr, api_addr, addr, voter, status, genesis_id, registered },
    reachable: true,
    problem: null,
    self: true,
  };
  return [mine, ...otherRows(own, peers)].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** Everybody but this agent: the directory's members, then those known without it. */
export function otherRows({ incarnation }: Pick<MemberRef, "incarnation">, peers: Peers): PeerRow[] {
  const rowOf = (ref: PeerRef, member: Member | null): PeerRow => {
    const contact = peers.contact(ref.agent_addr);
    return {
      id: ref.id,
      incarnation: ref.incarnation,
      agent_addr: ref.agent_addr,
      api_addr: member?.api_addr ?? "",
      addr: member?.addr ?? "",
      voter: member?.voter ?? null,
      status: member?.status ?? null,
      genesis_id: member?.genesis_id ?? null,
      registered: member !== null,
      reachable: contact?.ok ?? null,
      problem: contact?.problem ?? null,
      self: false,
    };
  };
  const registered = peers.members().filter((m) => m.incarnation !== incarnation);
  return [...registered.map((m) => rowOf(m, m)), ...peers.others().map((ref) => rowOf(ref, null))];
}
