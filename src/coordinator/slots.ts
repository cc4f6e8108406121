/** A bounded number of things at a time, shared fairly between groups. */

/**
 * So many slots. Who waits is let in group by group in turn, and in order within a group, so that a group of a
 * thousand does not hold up one of three.
 */
export function openSlots(most: number) {
  let free = most;
  /** Those who wait, by group; the group whose turn is next stands first. */
  const waiting = new Map<string, (() => void)[]>();
  return {
    /** Takes a slot if one is free. */
    tryTake(): boolean {
      if (free === 0) return false;
      free -= 1;
      return true;
    },
    /** Takes a slot, waiting for one. Throws what the signal was aborted with. */
    take(group: string, signal: AbortSignal): Promise<void> | null {
      if (this.tryTake()) return null;
      return new Promise((resolve, reject) => {
        const queue = waiting.get(group) ?? [];
        waiting.set(group, queue);
        const enter = () => {
          signal.removeEventListener("abort", leave);
          resolve();
        };
        const leave = () => {
          queue.splice(queue.indexOf(enter), 1);
          if (queue.length === 0) waiting.delete(group);
          reject(signal.reason);
        };
        queue.push(enter);
        signal.addEventListener("abort", leave, { once: true });
      });
    },
    /** Gives one back: to whoever waits, or to the next who comes. */
    release(): void {
      const first = waiting.entries().next();
      if (first.done) {
        free += 1;
        return;
      }
      const [group, queue] = first.value;
      const enter = queue.shift();
      waiting.delete(group);
      if (queue.length > 0) waiting.set(group, queue);
      enter?.();
    },
    free: () => free,
  };
}
