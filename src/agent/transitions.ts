/** The ring of recent transitions, and those who follow it. */
import { changes, type Facets, type Transition } from "../core/transitions.ts";
import type { Clock } from "../lib/clock.ts";

/** How many are kept: a poller that looks every ten seconds misses none unless a node changes six times a second. */
const MOST_KEPT = 64;
/** Who follows at most, so that open streams cannot take all memory. */
const MOST_FOLLOWERS = 128;

export function openTransitions(clock: Clock) {
  let last: Facets | null = null;
  let seq = 1;
  let ring: readonly Transition[] = [];
  const followers = new Set<() => void>();
  return {
    /** Of the last transition; 1 before the first. */
    seq: () => seq,
    /** The most recent ones, oldest first. */
    recent: () => ring,
    /** Compares with the moment before; true when anything changed. The first moment is the base and no change. */
    update(next: Facets): boolean {
      const found = last === null ? [] : changes(last, next);
      last = next;
      if (found.length === 0) return false;
      const at = new Date(clock.wall()).toISOString();
      const added = found.map((change) => ({ seq: ++seq, at, ...change }));
      ring = [...ring, ...added].slice(-MOST_KEPT);
      for (const wake of followers) wake();
      return true;
    },
    /** What came after `since`; null when the ring no longer reaches back so far, or never went so far. */
    after(since: number): readonly Transition[] | null {
      const first = ring[0]?.seq ?? seq + 1;
      return since > seq || since < first - 1 ? null : ring.filter((t) => t.seq > since);
    },
    /** Calls `wake` after every transition until the result is called; null when there are too many followers already. */
    follow(wake: () => void): (() => void) | null {
      if (followers.size >= MOST_FOLLOWERS) return null;
      followers.add(wake);
      return () => followers.delete(wake);
    },
  };
}
export type Transitions = ReturnType<typeof openTransitions>;
