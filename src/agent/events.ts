/**
 * `/v1/events`: local transitions as Server-Sent Events. A stream begins with the whole state (`event: state`),
 * or, with `Last-Event-ID` or `?since=` of this run, with exactly what was missed. A reader too slow for the
 * ring gets the whole state again, so nothing is kept for it.
 */
import type { Clock } from "../lib/clock.ts";
import { bell } from "../lib/loop.ts";
import type { Transitions } from "./transitions.ts";

/** Silence is broken by a comment, so that a connection that died is noticed on both sides. */
const HEARTBEAT_MS = 15_000;

export type EventSource = {
  readonly bootId: string;
  readonly clock: Clock;
  readonly transitions: Transitions;
  readonly state: () => unknown;
};

/**
 * The body of one stream, from after the event `last` (`<boot_id>-<seq>`), until `signal` aborts or the reader
 * goes; null when there are too many readers already.
 */
export function eventStream(
  { bootId, clock, transitions, state }: EventSource,
  last: string | null,
  signal: AbortSignal,
): ReadableStream<Uint8Array> | null {
  const news = bell();
  const unfollow = transitions.follow(() => news.ring());
  if (unfollow === null) return null;
  const gone = new AbortController();
  const either = AbortSignal.any([signal, gone.signal]);
  const text = new TextEncoder();
  let cursor = seqOf(last, bootId);
  const whole = (): string => {
    cursor = transitions.seq();
    return message(bootId, cursor, "state", state());
  };
  const next = async (): Promise<string> => {
    if (cursor === null) return whole();
    const quiet = transitions.after(cursor)?.length === 0;
    if (quiet && !(await news.wait(clock, HEARTBEAT_MS, either))) return ":\n\n";
    const missed = transitions.after(cursor);
    if (missed === null) return whole();
    cursor = transitions.seq();
    return missed.map(({ kind, ...rest }) => message(bootId, rest.seq, kind, { kind, ...rest })).join("");
  };
  return new ReadableStream({
    async pull(controller) {
      const said = await next();
      if (!either.aborted) return controller.enqueue(text.encode(said));
      unfollow();
      // Whoever cancelled has closed it already.
      if (!gone.signal.aborted) controller.close();
    },
    cancel() {
      unfollow();
      gone.abort();
    },
  });
}

/** The sequence in an event's id; null for none, or one of another run of the agent. */
function seqOf(id: string | null, bootId: string): number | null {
  if (id === null || !id.startsWith(`${bootId}-`)) return null;
  const text = id.slice(bootId.length + 1);
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function message(bootId: string, seq: number, event: string, data: unknown): string {
  return `id: ${bootId}-${seq}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
