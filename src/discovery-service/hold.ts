/** Long polls: requests that are held until their id changes. */
import type { Clock } from "../lib/clock.ts";
import { RollcallError } from "../lib/errors.ts";
import type { Registers } from "./registers.ts";

/** How long to hold, and on which index the asker already is. */
export type Wait = { readonly waitMs: number; readonly index: string | null };

/** The requests that are held now. */
export interface Holds {
  /**
   * Returns at once when the id's index is not the asker's; else at its next change, when the wait ends or
   * when the asker goes away. Throws `too_many_waiters`, and `shutting_down` once `close` was called.
   */
  until(id: string, wait: Wait, gone: AbortSignal): Promise<void>;
  /** Ends every held request and refuses new ones. */
  close(): void;
  readonly closed: boolean;
}

/** Nothing is held yet. */
export function createHolds(registers: Registers, deps: { clock: Pick<Clock, "after"> }): Holds {
  const ends = new Set<() => void>();
  let closed = false;
  const refusal = () => new RollcallError("shutting_down", "the Discovery Service is shutting down");

  function change(id: string, waitMs: number, gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const forget = registers.onChange(id, end);
      const cancel = deps.clock.after(waitMs, end);
      ends.add(end);
      gone.addEventListener("abort", end);
      function end(): void {
        forget();
        cancel();
        ends.delete(end);
        gone.removeEventListener("abort", end);
        resolve();
      }
    });
  }

  return {
    async until(id, { waitMs, index }, gone) {
      if (waitMs === 0 || gone.aborted || registers.index(id) !== index) return;
      if (closed) throw refusal();
      await change(id, waitMs, gone);
      // Not an answer: an asker who got "unchanged" would ask again at once, and find nobody.
      if (closed) throw refusal();
    },

    close() {
      closed = true;
      for (const end of [...ends]) end();
    },

    get closed() {
      return closed;
    },
  };
}
