/** Watching the store: what changes there wakes the rest; while it cannot be read, that is said and tried again. */
import type { Lookup, Provider } from "../core/provider.ts";
import { reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { backoff, bucket, type Pacing } from "../lib/loop.ts";

/** The last look at the store; `ok` is null before the first. */
export type StoreHealth = { readonly ok: boolean | null; readonly problem: string | null };

export type StoreWatchOptions = {
  readonly pacing: Pacing;
  readonly log: Log;
  readonly seen: (lookup: Lookup) => void;
  readonly lost: () => void;
};

/** `run` watches until it is aborted; `health` tells how the last look went. */
export function openStoreWatch({ pacing, log, seen, lost }: StoreWatchOptions) {
  let health: StoreHealth = { ok: null, problem: null };
  let attempt = new AbortController();

  const fail = (problem: string) => {
    if (health.ok !== false) log.warn({ error: problem }, "the store cannot be read; waiting for it");
    health = { ok: false, problem };
    lost();
  };

  return {
    health: () => health,
    /**
     * How another call to the store went (null: well). Where that contradicts the watch, the watch hangs on a
     * dead connection or waits out a failure that is over: it is opened anew.
     */
    heard(problem: string | null): void {
      if ((problem === null) === (health.ok !== false)) return;
      if (problem !== null) fail(problem);
      attempt.abort();
    },
    async run(provider: Provider, signal: AbortSignal): Promise<void> {
      const wait = backoff(100, 5_000, pacing.random);
      // A prefix that changes all the time must not keep this node busy.
      const pace = bucket(pacing.clock, 50, 20);
      while (!signal.aborted) {
        attempt = new AbortController();
        const either = AbortSignal.any([signal, attempt.signal]);
        try {
          for await (const lookup of provider.watch?.(either) ?? []) {
            if (health.ok === false) log.info({}, "the store is back");
            health = { ok: true, problem: null };
            wait.reset();
            seen(lookup);
            await pace.take(either);
            // Also for a watch that has a next look at hand whenever it is asked.
            if (either.aborted) break;
          }
        } catch (error) {
          if (signal.aborted) return;
          if (!attempt.signal.aborted) fail(reason(error));
        }
        await pacing.clock.sleep(wait.take(), either);
      }
    },
  };
}
export type StoreWatch = ReturnType<typeof openStoreWatch>;
