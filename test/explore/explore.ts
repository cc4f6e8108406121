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
  /** False when the bound or a violation came first: then the absence of anything else proves nothing. */
  readonly complete: boolean;
  /** What went wrong first, with a shortest trace to it. */
  readonly violation: { readonly what: string; readonly trace: readonly string[] } | null;
  /** A shortest trace into a world from which the goal cannot be reached any more, or null. */
  readonly stuck: readonly string[] | null;
};

/** Explores a model up to `maxStates` worlds, and stops at the first violation. */
export function explore<W>(model: Model<W>, maxStates: number): Found {
  const ids = new Map<string, number>([[model.key(model.start), 0]]);
  const history = openHistory();
  const edges = openEdges();
  const goals: number[] = [];
  let transitions = 0;
  const found = (more: Partial<Found>): Found => ({
    states: ids.size,
    transitions,
    complete: false,
    violation: null,
    stuck: null,
    ...more,
  });
  let at = -1;
  for (let level = [model.start]; level.length > 0; ) {
    const next: W[] = [];
    for (const world of level) {
      at++;
      const what = model.violation(world);
      if (what !== null) return found({ violation: { what, trace: history.trace(at) } });
      if (model.goal?.(world)) goals.push(at);
      edges.from();
      for (const move of model.moves(world)) {
        transitions++;
        const key = model.key(move.world);
        let id = ids.get(key);
        if (id === undefined) {
          if (ids.size >= maxStates) return found({});
          id = ids.size;
          ids.set(key, id);
          next.push(move.world);
          history.add(at, move.label);
        }
        if (model.goal !== undefined && !move.fault && id !== at) edges.to(id);
      }
    }
    level = next;
  }
  const lost = model.goal === undefined ? -1 : edges.firstUnable(goals);
  return found({ complete: true, stuck: lost === -1 ? null : history.trace(lost) });
}

/** How every world was reached first. World 0 is the start and has no entry. */
function openHistory() {
  const parents = growing();
  const labels = growing();
  const texts: string[] = [];
  const numbers = new Map<string, number>();
  return {
    add(parent: number, label: string): void {
      const number = numbers.get(label) ?? texts.push(label) - 1;
      numbers.set(label, number);
      parents.push(parent);
      labels.push(number);
    },
    trace(world: number): string[] {
      const trace: string[] = [];
      for (let at = world; at > 0; at = parents.get(at - 1)) trace.push(texts[labels.get(at - 1)] ?? "");
      return trace.reverse();
    },
  };
}

/** The transitions that need no fault, in order of the world they leave. */
function openEdges() {
  const starts = growing();
  const targets = growing();
  const end = (world: number) => (world + 1 < starts.size() ? starts.get(world + 1) : targets.size());
  return {
    /** The next world's transitions follow. */
    from: () => starts.push(targets.size()),
    to: targets.push,
    /** The lowest world from which no goal can be reached, or -1. */
    firstUnable(goals: readonly number[]): number {
      const worlds = starts.size();
      const offset = new Uint32Array(worlds + 1);
      for (let i = 0; i < targets.size(); i++)
        offset[targets.get(i) + 1] = (offset[targets.get(i) + 1] ?? 0) + 1;
      for (let world = 0; world < worlds; world++)
        offset[world + 1] = (offset[world + 1] ?? 0) + (offset[world] ?? 0);
      const sources = new Uint32Array(targets.size());
      const filled = offset.slice();
      for (let world = 0; world < worlds; world++)
        for (let i = starts.get(world); i < end(world); i++) {
          const place = filled[targets.get(i)] ?? 0;
          sources[place] = world;
          filled[targets.get(i)] = place + 1;
        }
      const able = new Uint8Array(worlds);
      const queue = [...goals];
      for (const goal of goals) able[goal] = 1;
      for (let at = queue.pop(); at !== undefined; at = queue.pop())
        for (let i = offset[at] ?? 0; i < (offset[at + 1] ?? 0); i++) {
          const source = sources[i] ?? 0;
          if (able[source] === 1) continue;
          able[source] = 1;
          queue.push(source);
        }
      return able.indexOf(0);
    },
  };
}

/** A list of numbers from 0 to 2^32 - 1 in four bytes each: there may be tens of millions. */
function growing() {
  let values = new Uint32Array(1024);
  let size = 0;
  return {
    size: () => size,
    get: (at: number): number => values[at] ?? 0,
    push(value: number): void {
      if (size === values.length) {
        const wider = new Uint32Array(size * 2);
        wider.set(values);
        values = wider;
      }
      values[size++] = value;
    },
  };
}
