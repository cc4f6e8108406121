/** The answers with events: pages of the log, and the stream of what comes. */
import type { EventType } from "../core/events.ts";
import type { Answers } from "./answer.ts";
import type { Streams } from "./event-stream.ts";
import type { View } from "./pages.ts";
import { noCluster, refusal } from "./refusals.ts";

type Asked = {
  readonly limit: number;
  readonly after?: string | undefined;
  readonly type?: readonly EventType[] | undefined;
  readonly order: "asc" | "desc";
};

// A connection that has carried a stream is not kept: it would hold the end of the server.
const HEADERS = { "content-type": "text/event-stream", "cache-control": "no-store", connection: "close" };

export function eventAnswers(view: View, streams: Streams) {
  const { store } = view;
  async function log({ limit, after, type, order }: Asked, cluster: string | null) {
    // One more than asked for tells whether there is another page.
    const found = await store.events({
      after: await placeOf(view, after),
      limit: limit + 1,
      cluster,
      types: type ?? null,
      newestFirst: order === "desc",
    });
    const page = found.slice(0, limit);
    const next = found.length > limit ? String(page.at(-1)?.position) : null;
    return { items: page.map(({ event }) => event), next };
  }
  return {
    events: ({ query }) => log(query, query.cluster ?? null),
    clusterEvents: async ({ params: { id }, query }) => {
      const page = await log(query, id);
      // The events of a cluster stay when it is gone.
      if (page.items.length === 0 && view.cluster(id) === null) throw noCluster(id);
      return page;
    },
    stream: async ({ query: { after, type, cluster } }, c) => {
      const last = c.req.header("last-event-id") ?? after;
      // What only asks for the head of an answer takes no place.
      if (c.req.method === "HEAD") return c.body(null, 200, HEADERS);
      const given = last === undefined || last === "" ? null : await placeOf(view, last);
      const begin = last === "0" ? 0 : given;
      const stream = await streams.open(
        { after: begin, cluster: cluster ?? null, types: type ?? null },
        c.req.raw.signal,
      );
      return c.body(stream, 200, HEADERS);
    },
  } satisfies Partial<Answers>;
}

/** The position that a place in the log means, told as one or as an event's id; null: where it begins. */
async function placeOf({ store }: Pick<View, "store">, after: string | undefined): Promise<number | null> {
  if (after === undefined || after === "0") return null;
  if (/^\d{1,15}$/.test(after)) {
    const { newest } = await store.extent();
    if (Number(after) <= newest) return Number(after);
    throw refusal("gone", `the log ends before position ${after}`, "begin anew, without `after`");
  }
  const position = await store.position(after);
  if (position === null)
    throw refusal("gone", `the event ${after} is not kept, or never was`, "begin anew, without `after`");
  return position;
}
