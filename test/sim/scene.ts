/** All that is in one simulated world, for those who make it go wrong, and right again. */
import type { Electorate } from "./electorate.ts";
import type { Network } from "./network.ts";
import type { Flags, SimNode } from "./node.ts";
import type { Oracle } from "./oracle.ts";
import type { VirtualStore } from "./store.ts";
import type { World } from "./world.ts";

/** How agents find each other and agree: with a store, or through DNS and among themselves. */
export type Mode = "store" | "names";

/** What a schedule is like. */
export type Shape = {
  readonly mode: Mode;
  readonly expect: number;
  readonly voters: number;
  readonly nonVoters: number;
  readonly formation: "single" | "symmetric";
  readonly initialises: boolean;
  /** The store may be wiped. Then there are as many voters as are expected and their disks stay, or limit (a) is met. */
  readonly wipes: boolean;
  readonly chaosMs: number;
  readonly live: boolean;
};

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

/** Flags as the operator meant them. */
export function flagsOf(shape: Shape, at: number): Flags {
  const { expect, voters, formation, initialises } = shape;
  const flags = { expect, voter: at < voters, formation, initialises };
  return { id: `n${at + 1}`, host: `10.0.0.${at + 1}`, ...flags };
}
