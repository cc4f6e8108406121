import { type Founders, isListed, majorityOf } from "../../src/core/votes.ts";
import type { SimNode } from "./node.ts";
import { identityOn, type Kept } from "./oracle.ts";
import type { Scene } from "./scene.ts";

/**
 * False where an operator would have to start anew: a set needs nodes that are gone and cannot be given up. Who is not
 * in the core never comes back. Where false, the core may agree all the same.
 */
export function canAgree({ nodes, shape, oracle }: Scene, core: readonly SimNode[], voters: number): boolean {
  const kept = core.flatMap((node) => identityOn(node) ?? []);
  const held = new Set(nodes.flatMap((node) => identityOn(node)?.marker?.genesis_id ?? []));
  // One that was given up and one that was founded after it.
  if (held.size > 1) return false;
  const lost = new Set(kept.flatMap(({ votes }) => votes?.lost ?? []));
  // A founder that was told others are gone never goes back to a set with them.
  if (kept.some(({ marker }) => marker !== null)) return lost.size === 0;
  const here = (set: Founders) => kept.filter(({ incarnation }) => isListed(set, incarnation));
  const sets = kept.flatMap(({ votes }) => {
    const { decided, accepted } = votes?.members ?? {};
    return [...(decided ? [decided] : []), ...(accepted ? [accepted.value] : [])];
  });
  // Made while somebody was started with another -bootstrap-expect.
  if (sets.some((set) => set.length !== shape.expect)) return false;
  const known =
    kept.flatMap(({ votes }) => (votes?.members.decided ? [votes.members.decided] : []))[0] ??
    core.flatMap((node) => [oracle.decided(node.life()) ?? []]).find((set) => set.length > 0);
  if (known) return canFound(here(known), known, shape.formation, lost);
  const canBeGivenUp = (set: Founders) => set.length - here(set).length < majorityOf(set);
  return voters >= shape.expect && sets.every((set) => here(set).length === set.length || canBeGivenUp(set));
}

/** The founders are decided. */
function canFound(
  here: readonly Kept[],
  founders: Founders,
  formation: "single" | "symmetric",
  lost: ReadonlySet<string>,
): boolean {
  if (here.length === 0 || founders.some((one) => lost.has(one.incarnation))) return false;
  if (formation === "symmetric") return true;
  const owners = here.flatMap(({ votes }) => votes?.genesis.decided ?? votes?.genesis.accepted?.value ?? []);
  const isHere = (incarnation: string) => here.some((one) => one.incarnation === incarnation);
  return here.length > founders.length / 2 && owners.every(({ owner }) => isHere(owner));
}
