/**
 * Who may work on a cluster. A refresh holds its lock from the first poll to the commit, and never waits for it; a
 * turn is short, waits, and surrounds whatever reads a cluster and commits what follows from it.
 */
export function openLocks() {
  const held = new Set<string>();
  const last = new Map<string, Promise<void>>();
  return {
    isHeld: (id: string) => held.has(id),
    /** Takes the lock, and gives what releases it; null: somebody else holds it. */
    take(id: string): (() => void) | null {
      if (held.has(id)) return null;
      held.add(id);
      return () => held.delete(id);
    },
    /** Whether somebody has his turn, or waits for it. */
    isTaken: (id: string) => last.has(id),
    /** Runs `work` after all that was asked for earlier on any of these clusters. Nobody waits in a circle: places are taken at once. */
    async inTurn<T>(ids: readonly string[], work: () => Promise<T>): Promise<T> {
      const own = Promise.withResolvers<void>();
      const before = ids.map((id) => last.get(id));
      for (const id of ids) last.set(id, own.promise);
      await Promise.all(before);
      try {
        return await work();
      } finally {
        for (const id of ids) if (last.get(id) === own.promise) last.delete(id);
        own.resolve();
      }
    },
  };
}
export type Locks = ReturnType<typeof openLocks>;
