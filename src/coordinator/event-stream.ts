/**
 * `/v1/events/stream`: events as Server-Sent Events, each with its position in the log as its id. First what the store
 * has after the reader's place, then what is committed, without a gap and without repeating any. A reader who is too
 * slow is cut off, with a comment that says so, and resumes by the id of the last event that it got.
 */
import type { EventType } from "../core/events.ts";
import type { Clock } from "../lib/clock.ts";
import { codeOf } from "../lib/errors.ts";
import { bell } from "../lib/loop.ts";
import type { StoredEvent } from "../store/store.ts";
import type { View } from "./pages.ts";
import { refusal } from "./refusals.ts";

/** Silence is broken by a comment, so that a connection that died is noticed on both sides. */
const HEARTBEAT_MS = 15_000;
/** Events read from the store at once, and written in one piece. */
const PAGE = 100;
/** Events kept for a reader that has not taken those before them. */
export const MOST_BUFFERED = 1_000;

export type StreamQuery = {
  /** The position after which to begin. 0: with the oldest; null: with the next to come. */
  readonly after: number | null;
  readonly cluster: string | null;
  readonly types: readonly EventType[] | null;
};

/** Streams that are open, and how to open one. */
export function openStreams(view: Pick<View, "store" | "follow" | "stopping" | "failed">, clock: Clock) {
  let open = 0;
  return {
    count: () => open,
    /**
     * The body of one stream, until `signal` aborts, the coordinator stops or the reader goes. Throws `too_many`,
     * `gone` where the place is not kept any more, `stopping`, and what the store throws.
     */
    async open(query: StreamQuery, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
      if (view.stopping.aborted) throw refusal("stopping", "the coordinator is being stopped", "ask again");
      const feed = openFeed(view, query);
      if (feed === null) throw refusal("too_many", "too many streams are open", "poll /v1/events instead");
      open++;
      const over = once(() => {
        feed.close();
        open--;
      });
      try {
        await feed.begin();
      } catch (error) {
        over();
        throw error;
      }
      return body({
        feed,
        clock,
        over,
        failed: view.failed,
        signal: AbortSignal.any([view.stopping, signal]),
      });
    },
  };
}
export type Streams = ReturnType<typeof openStreams>;

type Feed = NonNullable<ReturnType<typeof openFeed>>;

/** What one reader is to be told, in order; null when too many follow already. */
function openFeed({ store, follow }: Pick<View, "store" | "follow">, query: StreamQuery) {
  const news = bell();
  // While the store is being read nothing is kept of what is committed meanwhile: the store has it.
  let live = false;
  let missed = false;
  let cut = false;
  let cursor = 0;
  let waiting: StoredEvent[] = [];
  const wanted = wants(query);
  const unfollow = follow((events) => {
    missed = true;
    if (!live) return;
    const fresh = events.filter(({ position, event }) => position > cursor && wanted(event));
    cut ||= waiting.length + fresh.length > MOST_BUFFERED;
    waiting = cut ? [] : [...waiting, ...fresh];
    if (cut) leave();
    if (cut || waiting.length > 0) news.ring();
  });
  const leave = once(() => unfollow?.());
  if (unfollow === null) return null;

  /** The next ones of the store; from none on, what is committed comes by itself. */
  async function stored(): Promise<readonly StoredEvent[]> {
    for (;;) {
      missed = false;
      const { cluster, types } = query;
      const events = await store.events({ after: cursor === 0 ? null : cursor, limit: PAGE, cluster, types });
      cursor = events.at(-1)?.position ?? cursor;
      if (events.length > 0) return events;
      // Nothing may come between this look and the first that counts as live.
      live = !missed;
      if (live) return [];
    }
  }

  let first: readonly StoredEvent[] = [];
  let place = 0;
  return {
    /** The position after which it begins. */
    place: () => place,
    /** Finds the place to begin at, so that what is wrong with it is told before the stream begins. */
    async begin(): Promise<void> {
      const { newest } = await store.extent();
      if (query.after !== null && query.after > newest)
        throw refusal("gone", `the log ends before position ${query.after}`, "begin anew, without `after`");
      place = query.after ?? newest;
      cursor = place;
      first = await stored();
    },
    /** Up to a page of events; none: `wait` for some. */
    async take(): Promise<readonly StoredEvent[]> {
      const events = first.length > 0 ? first : live ? waiting.splice(0, PAGE) : await stored();
      first = [];
      cursor = Math.max(cursor, events.at(-1)?.position ?? 0);
      return events;
    },
    /** Resolves when there may be some, after `ms` at the latest, or on abort; true for the first. */
    wait: (clock: Clock, ms: number, signal: AbortSignal) => news.wait(clock, ms, signal),
    wasCut: () => cut,
    close: leave,
  };
}

type Body = {
  readonly feed: Feed;
  readonly clock: Clock;
  readonly over: () => void;
  readonly failed: (error: unknown) => void;
  readonly signal: AbortSignal;
};

function body({ feed, clock, over, failed, signal }: Body): ReadableStream<Uint8Array> {
  const gone = new AbortController();
  const either = AbortSignal.any([signal, gone.signal]);
  const text = new TextEncoder();
  const next = async (): Promise<string> => {
    for (;;) {
      if (either.aborted || feed.wasCut()) return "";
      const events = await feed.take();
      if (events.length > 0) return events.map(message).join("");
      if (!(await feed.wait(clock, HEARTBEAT_MS, either)) && !either.aborted) return ":\n\n";
    }
  };
  // Whoever reads nothing asks for nothing either: the place of a stream is free as soon as the connection ends.
  either.addEventListener("abort", over, { once: true });
  if (either.aborted) over();
  return new ReadableStream({
    start(controller) {
      // At once, not with the first event: who is cut off before that one resumes from here.
      controller.enqueue(text.encode(`: rollcall events\nid: ${feed.place()}\n\n`));
    },
    async pull(controller) {
      let why = "stopping";
      const said = await next().catch((error: unknown) => {
        why = codeOf(error) === "gone" ? "what comes next is not kept any more" : "the store does not answer";
        if (codeOf(error) !== "gone") failed(error);
        return "";
      });
      if (gone.signal.aborted) return;
      if (said !== "" && !either.aborted) return controller.enqueue(text.encode(said));
      over();
      if (feed.wasCut()) why = "too slow";
      controller.enqueue(text.encode(`: ${why}; resume by the id of the last event\n\n`));
      controller.close();
    },
    cancel() {
      gone.abort();
    },
  });
}

/** Whether an event is one that the query asks for. */
function wants({ cluster, types }: StreamQuery): (event: StoredEvent["event"]) => boolean {
  const words = types === null ? null : new Set(types.map((type) => `rollcall.${type}`));
  return ({ id, type }) =>
    (words === null || words.has(type)) && (cluster === null || id.slice(0, id.lastIndexOf(":")) === cluster);
}

function message({ position, event }: StoredEvent): string {
  return `id: ${position}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

function once(then: () => void): () => void {
  let done = false;
  return () => {
    if (!done) then();
    done = true;
  };
}
