/** Chance that one seed always gives in the same order. */
import { seeded } from "../agent/support/leader-cluster.ts";

/** `next` gives a number in [0, 1); the others are made of it. */
export type Chance = {
  readonly next: () => number;
  /** True with probability `p`. */
  is(p: number): boolean;
  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number;
  between(low: number, high: number): number;
  pick<T>(from: readonly T[]): T;
  shuffled<T>(all: readonly T[]): T[];
  uuid(): string;
};

/** The chance of one seed. */
export function chanceOf(seed: number): Chance {
  const next = seeded(Math.imul(seed, 0x9e3779b1) ^ 0x5bf03635);
  const hex = (digits: number) =>
    Math.floor(next() * 16 ** digits)
      .toString(16)
      .padStart(digits, "0");
  const chance: Chance = {
    next,
    is: (p) => next() < p,
    whole: (low, high) => low + Math.floor(next() * (high - low + 1)),
    between: (low, high) => low + next() * (high - low),
    pick(from) {
      const one = from[Math.floor(next() * from.length)];
      if (one === undefined) throw new Error("nothing to pick from");
      return one;
    },
    shuffled(all) {
      const left = [...all];
      return all.flatMap(() => left.splice(Math.floor(next() * left.length), 1));
    },
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
  };
  return chance;
}
