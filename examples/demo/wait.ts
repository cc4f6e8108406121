/** Waiting that ends when the demo does. */
import type { Clock } from "../../src/lib/clock.ts";
import { RollcallError, reason } from "../../src/lib/errors.ts";

const EVERY_MS = 20;
const MOST_MS = 30_000;

export type Wait = ReturnType<typeof openWait>;

/** Waits that throw the signal's reason as soon as it is aborted. `pace` stretches pauses; 0 leaves them out. */
export function openWait({ clock, signal, pace }: { clock: Clock; signal: AbortSignal; pace: number }) {
  return {
    signal,
    now: clock.now,
    /** Time to read what was shown at `since`, which is now unless given. */
    async pause(ms: number, since = clock.now()): Promise<void> {
      await clock.sleep(Math.max(0, since + ms * pace - clock.now()), signal);
      signal.throwIfAborted();
    },
    /** Until the demo is to end; then throws why. */
    async end(): Promise<never> {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      throw signal.reason;
    },
    /** A promise that may never settle by itself. Throws `late` after 30 s. */
    async event<T>(what: string, promise: Promise<T>, log = () => ""): Promise<T> {
      let cancel = () => {};
      const over = new Promise<never>((_, reject) => {
        const abort = () => reject(signal.reason);
        const stop = clock.after(MOST_MS, () => reject(late(what, "nothing yet", log())));
        signal.addEventListener("abort", abort, { once: true });
        cancel = () => {
          stop();
          signal.removeEventListener("abort", abort);
        };
      });
      try {
        signal.throwIfAborted();
        return await Promise.race([promise, over]);
      } finally {
        cancel();
      }
    },
    /** Looks until there is something. A throw is "not yet". Throws `late` with the last of them after 30 s, and with `log`. */
    async for<T>(what: string, look: () => Promise<T | null>, log = () => ""): Promise<T> {
      let last = "nothing yet";
      for (const end = clock.now() + MOST_MS; clock.now() < end; ) {
        signal.throwIfAborted();
        try {
          const found = await look();
          if (found !== null) return found;
        } catch (error) {
          last = reason(error);
        }
        await clock.sleep(EVERY_MS, signal);
      }
      signal.throwIfAborted();
      throw late(what, last, log());
    },
  };
}

function late(what: string, last: string, log: string): RollcallError {
  return new RollcallError("late", `waited ${MOST_MS / 1_000} s for ${what}; last: ${last}`, {
    facts: { log },
  });
}
