/**
 * Without a store: which incarnations may ever vote under the key. They stay fewer than twice the lowest expectation
 * that any of them is started with; beyond that is limit (c), where two clusters may be, and the schedule ends.
 */
import type { SimNode } from "./node.ts";
import { identityOn } from "./oracle.ts";
import type { Shape } from "./shape.ts";

export type Electorate = {
  /** This machine's incarnation is on disk for good. */
  enters(node: SimNode): void;
  /** Whether so many incarnations more may come, and somebody may be started with `expect`. */
  hasRoom(more: number, expect?: number): boolean;
  /** Somebody is started with this. */
  expects(expect: number): void;
  /** A node may begin anew by itself. */
  reserve(): void;
  /** Incarnations that are on nobody's disk any more. */
  lost(): readonly string[];
  isOver(): boolean;
};

export function openElectorate(shape: Shape, nodes: () => readonly SimNode[]): Electorate {
  const entered = new Set<string>();
  let least = shape.expect;
  let reserved = 0;
  // Machines beyond those that were meant are second ones of a node id.
  const mayVote = (node: SimNode) => {
    const at = nodes().indexOf(node);
    return at < shape.voters || at >= shape.voters + shape.nonVoters;
  };
  const on = (node: SimNode) => identityOn(node)?.incarnation ?? "";
  return {
    enters(node) {
      if (mayVote(node)) entered.add(identityOn(node, true)?.incarnation ?? on(node));
    },
    hasRoom(more, expect = least) {
      const coming = nodes().filter((node) => mayVote(node) && !entered.has(on(node))).length;
      return entered.size + coming + reserved + more < 2 * Math.min(least, expect);
    },
    expects(expect) {
      least = Math.min(least, expect);
    },
    reserve() {
      reserved += 1;
    },
    lost() {
      const here = new Set(nodes().map(on));
      return [...entered].filter((incarnation) => !here.has(incarnation));
    },
    isOver: () => shape.mode === "names" && entered.size >= 2 * least,
  };
}
