/**
 * What this node knows of its cluster once it has settled: the genesis, as far as the store shows the same one,
 * who belongs to it, and who leads. Keeps the outcome up to that.
 */
import { firstOutcome } from "../core/genesis.ts";
import type { Settled, State } from "../core/genesis-state.ts";
import {
  byIdentity,
  decode,
  GenesisRecord,
  type LeaderRecord,
  type MemberRef,
  type Sealed,
} from "../core/model.ts";
import type { Lookup } from "../core/provider.ts";
import { currentMembers, type openOutcome } from "./outcome.ts";
import type { Peers } from "./peers.ts";

export type ClusterOptions = {
  readonly settled: () => Pick<State, "kept" | "settled">;
  readonly peers: Peers;
  readonly outcome: ReturnType<typeof openOutcome>;
  readonly self: () => MemberRef;
};

export function openCluster({ settled: state, peers, outcome, self }: ClusterOptions) {
  let leader: LeaderRecord | null = null;
  /** The genesis that the store showed last, sealed; else null. */
  let shown: string | null = null;
  let membersSeen = false;

  const refresh = () => {
    const { settled } = state();
    if (settled !== null) outcome.update(settled, peers.members(), leader, peers.left());
  };

  return {
    /** The node has settled: the store showed that very record. */
    settled({ record }: Settled): void {
      shown = record.genesis_id;
      refresh();
    },
    /** One look at the store. */
    saw(lookup: Lookup): void {
      membersSeen = true;
      if (lookup.genesis !== undefined) shown = sealedIn(lookup.genesis?.value);
      refresh();
    },
    /** The agents have been heard, where no store lists the members. */
    heard(): void {
      membersSeen = true;
      refresh();
    },
    /** Who leads now, as far as is known. */
    leads(now: LeaderRecord | null): void {
      leader = now;
      refresh();
    },
    /** The genesis this node has settled on; null: not yet. */
    record: (): Sealed | null => state().settled?.record ?? null,
    /** Its id while the store shows the same one; else null. */
    genesis: (): string | null => (shown === outcome.current()?.genesis_id ? shown : null),
    /** What this node did when it first opened in it; null: not settled, or it was in the cluster before the genesis was. */
    first(): "bootstrap" | "join" | null {
      const { kept, settled } = state();
      if (settled === null || settled.record.adopted?.nodes.some((node) => node.id === self().id))
        return null;
      return firstOutcome(kept, settled.record);
    },
    /** Everybody who belongs to it, at their present addresses, this node included; null: the directory was not seen yet. */
    listed: (): readonly MemberRef[] | null => (membersSeen ? members() : null),
    members,
  };

  function members(): readonly MemberRef[] {
    const { settled } = state();
    if (settled === null) return [];
    const me = self();
    const known = currentMembers(settled.record, peers.members(), peers.left());
    // Its own addresses a node knows better than the directory.
    return [...known.filter((m) => m.incarnation !== me.incarnation), me].sort(byIdentity);
  }
}
export type Cluster = ReturnType<typeof openCluster>;

/** The genesis of a sealed record; null for any other value. */
function sealedIn(value: string | undefined): string | null {
  const decoded = value === undefined ? null : decode(GenesisRecord, value);
  return decoded?.ok && decoded.value.state === "sealed" ? decoded.value.genesis_id : null;
}
