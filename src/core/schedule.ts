/**
 * What runs when: each entry has an expected next time, and what is past it is due, once, however often it was
 * missed. The runs of one interval are spread by a hash of their names, and keep their places in it. Times are
 * milliseconds of one clock that never goes back.
 */

/** One thing that runs again and again. */
export type Entry = { readonly name: string; readonly intervalMs: number; readonly nextAt: number };
export type Due = { readonly name: string; readonly expectedAt: number };

/** The place of `name` in its interval, from 0 up to but not 1: 32-bit FNV-1a, which spreads short names well. */
export function phaseOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return (hash >>> 0) / 2 ** 32;
}

/** The first moment after `now` that is the place of `name` in its interval. Never `now` itself, never more than one interval on. */
export function nextAfter(now: number, intervalMs: number, name: string): number {
  const offset = phaseOf(name) * intervalMs;
  const next = Math.ceil((now - offset) / intervalMs) * intervalMs + offset;
  return next > now ? next : next + intervalMs;
}

/** A schedule. Empty at first. */
export function createSchedule() {
  const entries = new Map<string, Entry>();
  /** By time; may hold what was replaced or removed since, which is skipped when it comes up. */
  let heap: Entry[] = [];

  return {
    /** Adds an entry, or replaces that of the same name. */
    set(entry: Entry): void {
      entries.set(entry.name, entry);
      push(heap, entry);
      if (heap.length > 2 * entries.size + 64) heap = rebuilt(entries);
    },
    remove(name: string): void {
      entries.delete(name);
    },
    get: (name: string): Entry | null => entries.get(name) ?? null,
    size: () => entries.size,
    /** When the next one is due; null: nothing is scheduled. */
    nextAt(): number | null {
      skip();
      return heap[0]?.nextAt ?? null;
    },
    /** What is due at `now`, in order of time, at most `most`; each has its next time set already. */
    due(now: number, most: number): Due[] {
      const found: Due[] = [];
      for (skip(); found.length < most; skip()) {
        const first = heap[0];
        if (first === undefined || first.nextAt > now) break;
        pop(heap);
        found.push({ name: first.name, expectedAt: first.nextAt });
        const next = { ...first, nextAt: nextAfter(now, first.intervalMs, first.name) };
        entries.set(next.name, next);
        push(heap, next);
      }
      return found;
    },
  };

  function skip(): void {
    for (let first = heap[0]; first !== undefined && entries.get(first.name) !== first; first = heap[0])
      pop(heap);
  }
}
export type Schedule = ReturnType<typeof createSchedule>;

function rebuilt(entries: ReadonlyMap<string, Entry>): Entry[] {
  return [...entries.values()].sort((a, b) => a.nextAt - b.nextAt);
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.push(entry) - 1;
  for (let up = (at - 1) >> 1; at > 0 && isBefore(heap, at, up); up = (at - 1) >> 1) {
    swap(heap, at, up);
    at = up;
  }
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  heap[0] = last;
  for (let at = 0; ; ) {
    const [left, right] = [2 * at + 1, 2 * at + 2];
    let least = at;
    if (left < heap.length && isBefore(heap, left, least)) least = left;
    if (right < heap.length && isBefore(heap, right, least)) least = right;
    if (least === at) return;
    swap(heap, at, least);
    at = least;
  }
}

function isBefore(heap: readonly Entry[], a: number, b: number): boolean {
  return (heap[a]?.nextAt ?? Infinity) < (heap[b]?.nextAt ?? Infinity);
}

function swap(heap: Entry[], a: number, b: number): void {
  const [one, other] = [heap[a], heap[b]];
  if (one === undefined || other === undefined) return;
  heap[a] = other;
  heap[b] = one;
}
