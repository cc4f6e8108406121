/** The one home of time: everything that waits or measures is given a `Clock`, so that tests can own it. */

export type Clock = {
  /** Milliseconds on a clock that never goes back, from an arbitrary start. */
  now(): number;
  /** Milliseconds since the epoch; for display and for deadlines that a library wants so. */
  wall(): number;
  /** Resolves after `ms`, or at once when the signal is aborted. Never rejects; leaves no timer behind. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls `then` once after `ms`, unless the returned function is called first. */
  after(ms: number, then: () => void): () => void;
};

/** The machine's clock. */
export const systemClock: Clock = clockOf({
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
});

/** A whole clock: sleeping is waiting for what comes after. */
export function clockOf(inner: Omit<Clock, "sleep">): Clock {
  return {
    ...inner,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const done = () => {
          cancel();
          signal.removeEventListener("abort", done);
          resolve();
        };
        const cancel = inner.after(ms, done);
        signal.addEventListener("abort", done, { once: true });
      }),
  };
}
