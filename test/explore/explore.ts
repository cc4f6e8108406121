/**
 * Exhaustive exploration: breadth first over every world a model can reach, each world once. It knows
 * nothing of the protocol; a model gives the worlds, their successors and what must never be true.
 */

/** One transition: what happened, for traces, and the world after it. `fault` marks what no liveness may rest on. */
export type Move<W> = { readonly label: string; readonly world: W; readonly fault: boolean };

export type Model<W> = {
  readonly start: W;
  /** A canonical text: two worlds with one key are the same world. */
  key(world: W): string;
  moves(world: W): Iterable<Move<W>>;
  /** What is wrong with this world, or null. */
  violation(world: W): string | null;
  /** The worlds that every other must be able to reach without a further fault; absent: not checked. */
  goal?(world: W): boolean;
};

export type Found = {
  readonly states: number;
  readonly transitions: number;
  /** False when the bound was reached first: then the absence of a violation proves nothing. */
  readonly complete: boolean;
  readonly violation: { readonly what: string; readonly trace: readonly string[] } | null;
  /** A trace into a world from which the goal cannot be reached any more, or null. */
  readonly stuck: readonly string[] | null;
};

/** Explores a model up to `maxStates` worlds, and stops at the first violation. */
export function explore<W>(model: Model<W>, maxStates: number): Found {
  const ids = new Map<string, number>([[model.key(model.start), 0]]);
  const worlds: (W | undefined)[] = [model.start];
  const parent = [-1];
  const label = ["start"];
  const forward: number[][] = [];
  const goals: number[] = [];
  let transitions = 0;
  const trace = (at: number): string[] => (at <= 0 ? [] : [...trace(parent[at] ?? -1), label[at] ?? ""]);
  const found = (more: Partial<Found>): Found => ({
    states: worlds.length,
    transitions,
    complete: true,
    violation: null,
    stuck: null,
    ...more,
  });
  for (let at = 0; at < worlds.length; at++) {
    const world = worlds[at];
    if (world === undefined) continue;
    worlds[at] = undefined;
    const what = model.violation(world);
    if (what !== null) return found({ complete: false, violation: { what, trace: trace(at) } });
    if (model.goal?.(world)) goals.push(at);
    const next: number[] = [];
    for (const move of model.moves(world)) {
      transitions++;
      const key = model.key(move.world);
      let id = ids.get(key);
      if (id === undefined) {
        if (worlds.length >= maxStates) return found({ complete: false });
        id = worlds.length;
        ids.set(key, id);
        worlds.push(move.world);
        parent.push(at);
        label.push(move.label);
      }
      if (!move.fault && id !== at) next.push(id);
    }
    forward.push(next);
  }
  const lost = model.goal === undefined ? -1 : firstUnable(forward, goals);
  return found({ stuck: lost === -1 ? null : trace(lost) });
}

/** The lowest world from which no goal can be reached, or -1. */
function firstUnable(forward: readonly number[][], goals: readonly number[]): number {
  const backward: number[][] = forward.map(() => []);
  for (const [from, tos] of forward.entries()) for (const to of tos) backward[to]?.push(from);
  const able = new Uint8Array(forward.length);
  const queue = [...goals];
  for (const goal of goals) able[goal] = 1;
  for (let at = queue.pop(); at !== undefined; at = queue.pop())
    for (const from of backward[at] ?? [])
      if (able[from] === 0) {
        able[from] = 1;
        queue.push(from);
      }
  return able.indexOf(0);
}
