/** The look-up that follows changes in etcd: a stream says that something changed, a read says what there is. */
import type { IWatchRequest, IWatchResponse } from "etcd3";
import type { Lookup } from "../../src/core/provider.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { timedOut } from "../failure.ts";
import { fingerprint, isShown, toLookup } from "../kv.ts";
import type { Connection, Stream } from "./connection.ts";
import { type Rows, rightOn } from "./rows.ts";

/** Merges what happens between two calls of `next`. Throws on failure and on abort; the caller opens it again. */
export async function* watch(
  connection: Connection,
  rows: Rows,
  signal: AbortSignal,
): AsyncGenerator<Lookup> {
  let { rows: seen, revision } = await rows.tree("watch", signal);
  yield toLookup(seen);

  const ended = new AbortController();
  const news = createNews();
  const following = connection
    .stream(
      { doing: "watch", needs: rightOn(rows.prefix) },
      AbortSignal.any([signal, ended.signal]),
      (etcd, options) => etcd.watchClient.watch(options),
      (stream: Stream<IWatchRequest, IWatchResponse>) =>
        follow(stream, { rows, after: revision, timeoutMs: connection.timeoutMs, news }),
    )
    .catch(news.fail);
  try {
    for (;;) {
      await news.after(revision);
      const now = await rows.tree("watch", signal);
      revision = now.revision;
      if (fingerprint(now.rows) === fingerprint(seen)) continue;
      seen = now.rows;
      yield toLookup(seen);
    }
  } finally {
    ended.abort();
    await following;
  }
}

type News = ReturnType<typeof createNews>;

/** The revision of the newest change, for one that waits. Bounded: a burst is one number. */
function createNews() {
  let newest = 0;
  let failure: { error: unknown } | null = null;
  let wake = () => {};
  return {
    tell(revision: number): void {
      newest = Math.max(newest, revision);
      wake();
    },
    fail(error: unknown): void {
      failure ??= { error };
      wake();
    },
    /** Resolves when something newer than `revision` is known. Rejects after a failure. */
    async after(revision: number): Promise<void> {
      while (failure === null && newest <= revision) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (failure !== null) throw failure.error;
    },
  };
}

type Following = {
  readonly rows: Rows;
  readonly after: number;
  readonly timeoutMs: number;
  readonly news: News;
};

/** Never resolves; rejects when etcd cancels the watch, when the stream fails, and when etcd does not begin in time. */
function follow(stream: Stream<IWatchRequest, IWatchResponse>, following: Following): Promise<never> {
  const { rows, after, timeoutMs, news } = following;
  return new Promise((_, reject) => {
    // A stream has no deadline for its beginning alone.
    const forget = systemClock.after(timeoutMs, () => reject(timedOut("watch: begin", timeoutMs, "etcd")));
    const fail = (error: Error) => {
      forget();
      reject(error);
    };
    stream.on("error", fail);
    stream.on("end", () => fail(new Error("14 UNAVAILABLE: the stream ended")));
    stream.on("data", (response) => {
      forget();
      if (response.canceled) return reject(cancellation(response));
      const shown = response.events.filter((event) => isShown(rows.nameOf(event.kv)));
      // A delete carries its revision like a put.
      for (const { kv } of shown) news.tell(Number(kv.mod_revision));
    });
    stream.write({ create_request: { ...rows.range, start_revision: String(after + 1) } });
  });
}

function cancellation({ compact_revision, cancel_reason }: IWatchResponse): Error {
  if (compact_revision === "0") return new Error(cancel_reason || "etcd has canceled it");
  return new RollcallError("store_compacted", "watch: the changes since the last look are compacted away", {
    hint: "look again and watch from there",
  });
}
