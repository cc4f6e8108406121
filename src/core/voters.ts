/**
 * Who counts where the agents agree among themselves: the voters of which the founders are taken, and what the
 * others are known to have decided. Pure; used by register.ts, and its tally is what `explain` shows.
 */
import { byIdentity, type Hello, type MemberRef, type Sealed } from "./model.ts";
import { type Data, duplicates, type NotCounted, refOf, type Tally } from "./quorum.ts";
import type { Founders } from "./votes.ts";

/** What one round of asking brought in. */
export type Heard = {
  /** This node, with the addresses it advertises now. */
  readonly self: MemberRef;
  /** This node's database directory, looked at in this round. */
  readonly data: Data;
  /** Agents that answered; never this node. An agent that did not answer is not here, which says nothing of it. */
  readonly hellos: readonly Hello[];
  /** The list of addresses is complete, and names this node alone. */
  readonly alone: boolean;
  /** This node has waited for those before it in the order long enough. */
  readonly impatient: boolean;
};

/** A genesis that is held, and by whom. */
export type Held = { readonly record: Sealed; readonly by: Hello };

/** The voters among the answers, this node (`voter`) included, in order of identity, and why others are none. */
export function countVoters(
  key: string,
  { self, hellos }: Heard,
  {
    voter,
    used,
    lost,
  }: { readonly voter: boolean; readonly used: boolean; readonly lost: readonly string[] },
): { readonly tally: Tally; readonly voters: readonly (MemberRef & { readonly expect: number | null })[] } {
  const voters: (MemberRef & { expect: number | null })[] = [];
  const notCounted: NotCounted[] = [];
  const twice = duplicates({ self, hellos });
  const say = (ref: MemberRef, why: NotCounted["why"], detail?: string) =>
    notCounted.push({
      id: ref.id,
      incarnation: ref.incarnation,
      why,
      ...(detail === undefined ? {} : { detail }),
    });
  if (!voter) say(self, "non_voter");
  else if (used) say(self, "used");
  else if (twice.has(self.id)) say(self, "duplicate_node_id", self.agent_addr);
  else voters.push({ ...self, expect: null });
  for (const hello of hellos) {
    const ref = refOf(hello);
    if (twice.has(ref.id)) say(ref, "duplicate_node_id", ref.agent_addr);
    else if (hello.key !== key) say(ref, "other_key", hello.key);
    else if (hello.marker !== null) say(ref, "marker", hello.marker.genesis_id);
    else if (hello.used) say(ref, "used");
    else if (!hello.voter) say(ref, "non_voter");
    else if (lost.includes(ref.incarnation)) say(ref, "assumed_lost");
    else voters.push({ ...ref, expect: hello.expect });
  }
  voters.sort(byIdentity);
  const counted = voters.map(({ expect: _, ...ref }) => ref);
  return { tally: { counted, notCounted: notCounted.sort(byIdentity), holders: [], claimants: [] }, voters };
}

/** The geneses that those who answered belong to, each once, this node's own first. */
export function heldBy(key: string, marker: Sealed | null, hellos: readonly Hello[]): readonly Held[] {
  const found = new Map<string, Held>();
  for (const by of hellos) {
    const record = by.key === key ? by.marker?.record : undefined;
    if (record !== undefined && record.genesis_id !== marker?.genesis_id && !found.has(record.genesis_id))
      found.set(record.genesis_id, { record, by });
  }
  return [...found.values()];
}

/** The highest round that anybody who answered has seen. */
export function highestRound(hellos: readonly Hello[]): number {
  return Math.max(0, ...hellos.map((h) => h.votes?.round ?? 0));
}

/** The nodes of the set that answered this round. */
export function answering(members: Founders, hellos: readonly Hello[]): Founders {
  return members.filter((m) => hellos.some((h) => h.incarnation === m.incarnation));
}
