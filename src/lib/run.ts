/** Running several things as one, and ending them in order. */

/**
 * Runs all tasks under one signal. The first that fails ends the others, and is thrown once all have ended;
 * a task that returns early ends nothing.
 */
export async function runAll(
  signal: AbortSignal,
  tasks: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const own = new AbortController();
  const both = AbortSignal.any([signal, own.signal]);
  const failures: unknown[] = [];
  await Promise.all(
    tasks.map((task) =>
      task(both).catch((error: unknown) => {
        if (!both.aborted) failures.push(error);
        own.abort();
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
}

/** Things to undo, last opened first. Whoever opens something pushes its close. */
export function releasers(onError: (error: unknown) => void) {
  const closes: (() => Promise<void> | void)[] = [];
  return {
    push(close: () => Promise<void> | void): void {
      closes.push(close);
    },
    /** Closes everything, whatever fails on the way. Safe twice. */
    async close(): Promise<void> {
      for (let close = closes.pop(); close !== undefined; close = closes.pop())
        try {
          await close();
        } catch (error) {
          onError(error);
        }
    },
  };
}
