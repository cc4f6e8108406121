/** Doubts are settled as soon as the store can be read, also of what nobody acts on any more. */
import { reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { backoff, type Pacing } from "../lib/loop.ts";
import type { Doubts } from "./doubts.ts";
import type { Locks } from "./locks.ts";

export type SettleDeps = {
  readonly doubts: Doubts;
  readonly locks: Locks;
  readonly pacing: Pacing;
  readonly log: Log;
};

/** Waits between two tries while the store cannot be read. */
const FIRST_MS = 100;
const MOST_MS = 2_000;
/** What is in doubt rings; this is only for how long one wait may be. */
const IDLE_MS = 60_000;

/** Reads back what is in doubt until aborted, each in its own turn. */
export async function settle(deps: SettleDeps, signal: AbortSignal): Promise<void> {
  const { doubts, log } = deps;
  const { clock, random } = deps.pacing;
  const wait = backoff(FIRST_MS, MOST_MS, random);
  let failing = false;
  while (!signal.aborted) {
    const problem = await settleOnce(deps);
    // Told once: the same failure again is no news.
    if (failing && problem === null) log.info({}, "what was in doubt is read back");
    if (!failing && problem !== null)
      log.warn({ inDoubt: doubts.scopes().length, error: problem }, "what is in doubt cannot be read back");
    failing = problem !== null;
    if (problem === null) {
      wait.reset();
      await doubts.more.wait(clock, IDLE_MS, signal);
    } else {
      await clock.sleep(wait.take(), signal);
    }
  }
}

/** Gives the first of what was wrong, or null. */
async function settleOnce({ doubts, locks }: SettleDeps): Promise<string | null> {
  let problem: string | null = null;
  for (const scope of doubts.scopes())
    await locks
      .inTurn([scope], () => doubts.sure([scope]))
      .catch((error: unknown) => {
        problem ??= reason(error);
      });
  return problem;
}
