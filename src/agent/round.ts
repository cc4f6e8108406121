/** One round of asking: everybody known and everybody they name, all at once, each with its own time limit. */
import type { Hello } from "../core/model.ts";
import type { Clock } from "../lib/clock.ts";

/** How far a round follows those who are named or come meanwhile, and how many it asks. */
const MOST_STEPS = 8;
const MOST_ASKED = 2_048;
/** How long those that have not answered are waited for when enough have: as long as that took, and at least this. */
const LEAST_GRACE_MS = 50;

/** When a round need not wait for everybody. */
export type Enough = {
  /** With these answers the others are given only a little time more, and those that were slow the last time none. */
  isEnough(hellos: readonly Hello[]): boolean;
};

export type RoundOptions = {
  readonly clock: Clock;
  /** Whom to ask, as far as is known now. */
  readonly targets: () => readonly string[];
  /** Asks one; null when it does not answer. Never rejects. */
  readonly ask: (address: string, signal: AbortSignal) => Promise<Hello | null>;
  /** Takes in an answer, which may make others known. */
  readonly heard: (hello: Hello) => void;
  /** It did not answer in time when it was last asked. */
  readonly wasSlow: (address: string) => boolean;
};

/** The answers, one an incarnation. `enough` null: everybody is waited for. */
export async function askRound(
  { clock, targets, ask, heard, wasSlow }: RoundOptions,
  signal: AbortSignal,
  enough: Enough | null,
): Promise<Hello[]> {
  const asked = new Set<string>();
  const hellos = new Map<string, Hello>();
  const awaited = new Set<Promise<void>>();
  const over = new AbortController();
  const began = clock.now();
  let grace: Promise<true> | undefined;

  const take = (hello: Hello | null) => {
    if (hello === null || over.signal.aborted) return;
    hellos.set(hello.incarnation, hello);
    heard(hello);
    if (grace !== undefined || enough?.isEnough([...hellos.values()]) !== true) return;
    const ms = Math.max(clock.now() - began, LEAST_GRACE_MS);
    grace = clock.sleep(ms, AbortSignal.any([signal, over.signal])).then(() => true);
  };
  // Also those who introduce themselves while others are being asked: whoever counts must hear of them.
  const askFresh = (step: number) => {
    if (step > MOST_STEPS || over.signal.aborted) return;
    for (const address of targets()) {
      if (asked.has(address) || asked.size >= MOST_ASKED) continue;
      asked.add(address);
      const isAwaited = enough === null || !wasSlow(address);
      const answer = ask(address, signal).then((hello) => {
        take(hello);
        awaited.delete(answer);
        askFresh(step + 1);
      });
      if (isAwaited) awaited.add(answer);
    }
  };

  askFresh(1);
  while (awaited.size > 0) {
    const one = Promise.race(awaited).then(() => false);
    if ((await Promise.race(grace === undefined ? [one] : [one, grace])) === true) break;
  }
  over.abort();
  return [...hellos.values()];
}
