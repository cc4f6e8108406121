/** Who waits for the next change of an id. */
import { RollcallError } from "../lib/errors.ts";

/** The callbacks that wait, by id. Each is called at most once. */
export interface Waiters {
  /** Calls `wake` at the next `wake(id)`. The answer cancels. Throws `too_many_waiters` at a bound. */
  add(id: string, wake: () => void): () => void;
  /** Calls everyone who waits for the id. */
  wake(id: string): void;
  /** How many wait, over all ids. */
  size(): number;
}

/** Nobody waits yet. `waitersPerId` and `waiters` bound one id and all of them. */
export function createWaiters(limits: { waitersPerId: number; waiters: number }): Waiters {
  const byId = new Map<string, Set<() => void>>();
  let total = 0;
  return {
    add(id, wake) {
      const set = byId.get(id) ?? new Set();
      if (set.size >= limits.waitersPerId || total >= limits.waiters) {
        throw new RollcallError("too_many_waiters", `wait for ${id}: too many requests wait already`);
      }
      // A function of its own, so that the same callback may wait twice.
      const own = () => wake();
      byId.set(id, set.add(own));
      total += 1;
      return () => {
        if (!set.delete(own)) return;
        total -= 1;
        if (set.size === 0) byId.delete(id);
      };
    },

    wake(id) {
      const set = byId.get(id);
      if (set === undefined) return;
      const woken = [...set];
      byId.delete(id);
      set.clear();
      total -= woken.length;
      for (const own of woken) own();
    },

    size: () => total,
  };
}
