/** One round of asking: everybody known and everybody they name, all at once, each with its own time limit. */
import type { Hello } from "../core/model.ts";
import type { Clock } from "../lib/clock.ts";
import { bell } from "../lib/loop.ts";

/** How far a round follows those who are named or come meanwhile, and how many it asks. */
const MOST_STEPS = 8;
const MOST_ASKED = 2_048;
/** How often it asks others that came meanwhile, and once those they name; who comes after that is asked in the next round. */
const MOST_NEWS = 64;
/** How long those that have not answered are waited for beyond the slowest answer when enough have: as long again, and at least this. */
const LEAST_GRACE_MS = 50;
/** Longer than any question takes. */
const LONG_MS = 60_000;

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
  /** Calls back when others became known in any other way, or one that did not answer is there now; what it gives ends that. */
  readonly onNews: (then: (address: string | null) => void) => () => void;
  /** It did not answer in time when it was last asked. */
  readonly wasSlow: (address: string) => boolean;
};

/** The answers, one an incarnation. `enough` null: everybody is waited for. */
export async function askRound(
  { clock, targets, ask, heard, onNews, wasSlow }: RoundOptions,
  signal: AbortSignal,
  enough: Enough | null,
): Promise<Hello[]> {
  const asked = new Set<string>();
  const hellos = new Map<string, Hello>();
  /** When each of those that are waited for was asked. */
  const awaited = new Map<string, number>();
  const stirred = bell();
  let over = false;
  let slowestMs = 0;
  /** How long each is waited for since there are enough; before that for as long as it takes. */
  let waitMs: number | null = null;
  let news = 0;

  const take = (hello: Hello | null, tookMs: number) => {
    if (hello === null || over) return;
    slowestMs = Math.max(slowestMs, tookMs);
    hellos.set(hello.incarnation, hello);
    heard(hello);
    if (enough?.isEnough([...hellos.values()]) === true)
      waitMs ??= slowestMs + Math.max(slowestMs, LEAST_GRACE_MS);
  };
  // Also those who introduce themselves while others are being asked: whoever counts must hear of them.
  const askFresh = (step: number) => {
    if (step > MOST_STEPS || over) return;
    for (const address of targets()) {
      if (asked.has(address) || asked.size >= MOST_ASKED) continue;
      asked.add(address);
      const askedAt = clock.now();
      if (enough === null || !wasSlow(address)) awaited.set(address, askedAt);
      void ask(address, signal).then((hello) => {
        take(hello, clock.now() - askedAt);
        awaited.delete(address);
        askFresh(step + 1);
        stirred.ring();
      });
    }
  };
  /** Each has its own time: who was asked long before the others came has had it. */
  const leftMs = (): number =>
    waitMs === null ? LONG_MS : Math.max(...awaited.values()) + waitMs - clock.now();

  const stop = onNews((address) => {
    if (news++ >= MOST_NEWS) return;
    // It was asked before it was there.
    if (address !== null && !awaited.has(address)) asked.delete(address);
    askFresh(MOST_STEPS - 1);
  });
  askFresh(1);
  while (awaited.size > 0 && !signal.aborted) {
    const ms = leftMs();
    if (ms <= 0) break;
    await stirred.wait(clock, ms, signal);
  }
  over = true;
  stop();
  return [...hellos.values()];
}

/** What rounds under way are told while they ask: `null`, others became known; else who is at this address is there now. */
export function openNews() {
  const listeners = new Set<(address: string | null) => void>();
  return {
    tell(address: string | null): void {
      for (const then of listeners) then(address);
    },
    on(then: (address: string | null) => void): () => void {
      listeners.add(then);
      return () => void listeners.delete(then);
    },
  };
}
