/**
 * When two worlds are one. Worlds that differ only in what things are called behave alike: claim ids, init
 * ids, incarnations and revisions are compared for equality and nothing else, so they are renamed in order
 * of appearance. Where every node has the same part to play, so are the nodes themselves.
 */
import type { Scope } from "./scope.ts";

/** A part of a world: its text without names, numbered, and the names that were in it, in order. */
export type Piece = { readonly shape: number; readonly names: readonly number[] };

/** Names as the model makes them: `n1` a node, `n1.0` an incarnation or id made by it, `r7` a revision. */
const NAME = /[nr]\d+(?:\.\w+)?/g;

export type Naming = ReturnType<typeof openNaming>;

/** The naming of one exploration: it remembers every text it has seen. Not `reduced`, every name stays as it is. */
export function openNaming(scope: Scope, reduced: boolean) {
  const alike = reduced && nodesAreAlike(scope);
  const shapes = numbering();
  const pieces = new Map<string, Piece>();
  const names = numbering();
  const isFixed = reduced ? fixedNames(scope, alike) : () => true;
  const newName: number[] = [];
  const stamps: number[] = [];
  let stamp = 0;

  /** The names of these pieces as they come, renamed in order of appearance. */
  const renamed = (nodes: readonly Piece[], rest: Piece): string => {
    stamp++;
    let used = 0;
    let text = "";
    const append = (piece: Piece) => {
      text += `${piece.shape.toString(36)},`;
      for (const name of piece.names) {
        if (stamps[name] !== stamp) {
          stamps[name] = stamp;
          newName[name] = used++;
        }
        text += String.fromCharCode(64 + (newName[name] ?? 0));
      }
    };
    for (const node of nodes) append(node);
    append(rest);
    return text;
  };

  return {
    alike,
    piece(text: string): Piece {
      const known = pieces.get(text);
      if (known !== undefined) return known;
      const found: number[] = [];
      const shape = text.replace(NAME, (name) => {
        if (isFixed(name)) return name;
        found.push(names(name));
        return "#";
      });
      const piece = { shape: shapes(shape), names: found };
      pieces.set(text, piece);
      return piece;
    },
    /** One text for all worlds that are the same. */
    key(nodes: readonly Piece[], rest: Piece): string {
      if (!alike) return renamed(nodes, rest);
      const ordered = [...nodes].sort((a, b) => a.shape - b.shape);
      let least = "";
      for (const order of ordersOfEqual(ordered)) {
        const text = renamed(order, rest);
        if (least === "" || text < least) least = text;
      }
      return least;
    },
  };
}

/** Every node is a member whoever claims, so that the order of identities decides nothing. */
function nodesAreAlike({ nodes, rules, each, foreign, beside, faults }: Scope): boolean {
  return (
    nodes === rules.expect &&
    Object.keys(each).length === 0 &&
    foreign.length === 0 &&
    beside.length === 0 &&
    faults.diskWipe === 0 &&
    faults.dataWipe === 0
  );
}

/** A store that loses its past counts revisions from the start again: then it matters which one it is. */
function fixedNames(scope: Scope, alike: boolean): (name: string) => boolean {
  const { faults, compare } = scope;
  const countsAnew = faults.storeWipe > 0 || faults.rollback > 0 || compare === "index";
  return (name) => (name.startsWith("r") ? countsAnew : !alike && /^n\d+(\.0|\.w)?$/.test(name));
}

/** All orders of a sorted list that keep it sorted: its equal neighbours permuted. */
function* ordersOfEqual(sorted: readonly Piece[], done: readonly Piece[] = []): Iterable<readonly Piece[]> {
  const first = sorted[0];
  if (first === undefined) return yield done;
  for (const [i, piece] of sorted.entries()) {
    if (piece.shape !== first.shape) return;
    yield* ordersOfEqual([...sorted.slice(0, i), ...sorted.slice(i + 1)], [...done, piece]);
  }
}

/** Numbers equal texts equally, from 0. */
export function numbering(): (text: string) => number {
  const numbers = new Map<string, number>();
  return (text) => {
    const number = numbers.get(text) ?? numbers.size;
    if (number === numbers.size) numbers.set(text, number);
    return number;
  };
}
