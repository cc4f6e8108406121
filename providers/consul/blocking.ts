/** Blocking queries (https://developer.hashicorp.com/consul/api-docs/features/blocking). */

/** How long a query is held while nothing changes; one on a Consul that hangs ends so much later. */
const WAIT_MS = 60_000;

/** From which index to wait, and for how long; null: not at all. */
export type Wait = { readonly index: string; readonly ms: number } | null;

/** The options of a query that is held, and how much longer than usual its answer may take, in milliseconds. */
export function held(wait: Wait) {
  if (wait === null) return { options: {}, extraMs: 0 };
  // Consul adds up to a sixteenth to the time, so that many waiters do not come back at once.
  return { options: { index: wait.index, wait: `${wait.ms}ms` }, extraMs: (wait.ms * 17) / 16 };
}

/**
 * What `ask` gives, and then whatever is another than before. The index says that something may have changed, so the
 * content is compared. No query runs ahead of `next()`. Ends by throwing what `ask` throws.
 */
export async function* changesOf<T extends { readonly index: string }>(
  ask: (wait: Wait) => Promise<T>,
  fingerprint: (answer: T) => string,
): AsyncGenerator<T> {
  let index = 0;
  let seen: string | null = null;
  for (;;) {
    const answer = await ask(index === 0 ? null : { index: String(index), ms: WAIT_MS });
    index = nextIndex(index, Number(answer.index));
    const now = fingerprint(answer);
    if (now === seen) continue;
    seen = now;
    yield answer;
  }
}

/** An index that went back (a wiped or restored store) starts anew; one below 1 would make every query return at once. */
function nextIndex(before: number, now: number): number {
  if (now < before) return 0;
  return Number.isFinite(now) ? Math.max(now, 1) : 1;
}
