/** All that is in one simulated world, for those who make it go wrong, and right again. */
import type { Electorate } from "./electorate.ts";
import type { Network } from "./network.ts";
import type { Flags, SimNode } from "./node.ts";
import type { Oracle } from "./oracle.ts";
import type { Shape } from "./shape.ts";
import type { VirtualStore } from "./store.ts";
import type { World } from "./world.ts";

/** What a blow, or the healing after all of them, may change. */
export type Scene = {
  readonly world: World;
  readonly network: Network;
  readonly store: VirtualStore;
  readonly oracle: Oracle;
  readonly electorate: Electorate;
  readonly shape: Shape;
  readonly nodes: readonly SimNode[];
  /** Machines that nobody starts again. */
  readonly gone: Set<SimNode>;
  healed: boolean;
  /** One more machine, started at once. */
  add(flags: Flags): void;
};

/** Calls `then` in so many milliseconds, unless all is healed by then: who is ruined for good stays so. */
export function later(scene: Scene, ms: number, then: () => void): void {
  scene.world.time.after(ms, () => {
    if (!scene.healed) then();
  });
}

/** Flags as the operator meant them. */
export function flagsOf(shape: Shape, at: number): Flags {
  const { expect, voters, formation, initialises } = shape;
  const flags = { expect, voter: at < voters, formation, initialises };
  return { id: `n${at + 1}`, host: `10.0.0.${at + 1}`, ...flags };
}
