/** Virtual time: a heap of what is to happen. Nothing here waits; the next event comes when all promises rest. */

export type Time = {
  now(): number;
  /** Calls `then` at now + `ms`; the answer cancels. Events of one moment come in the order of asking. */
  after(ms: number, then: () => void): () => void;
  /** Lets things happen until `untilMs`, or until `over` says so after an event. Gives the number of events. */
  run(untilMs: number, over: () => boolean): Promise<number>;
};

type Event = { readonly atMs: number; readonly order: number; happens: (() => void) | null };

/** Time that begins at 0. */
export function virtualTime(): Time {
  const heap: Event[] = [];
  let nowMs = 0;
  let order = 0;
  return {
    now: () => nowMs,
    after(ms, then) {
      const event: Event = { atMs: nowMs + Math.max(0, ms), order: order++, happens: then };
      push(heap, event);
      return () => {
        event.happens = null;
      };
    },
    async run(untilMs, over) {
      let events = 0;
      for (let next = heap[0]; next !== undefined && next.atMs <= untilMs; next = heap[0]) {
        pop(heap);
        if (next.happens === null) continue;
        nowMs = next.atMs;
        next.happens();
        events += 1;
        await rest();
        if (over()) return events;
      }
      nowMs = Math.max(nowMs, untilMs);
      return events;
    },
  };
}

/** Resolves when every promise that can go on has gone on: nothing simulated waits for the machine. */
function rest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function push(heap: Event[], event: Event): void {
  let at = heap.push(event) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above] as Event;
    if (!before(event, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child += 1;
    if (!before(heap[child] as Event, last)) break;
    heap[at] = heap[child] as Event;
    at = child;
  }
  heap[at] = last;
}
