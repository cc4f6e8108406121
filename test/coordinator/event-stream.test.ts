import { createConnection } from "node:net";
import { describe, expect, it } from "vitest";
import { MOST_BUFFERED } from "../../src/coordinator/event-stream.ts";
import { Event } from "../../src/core/events.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { turns } from "../lib/manual-clock.ts";
import { soon, until } from "../support/wait.ts";
import { listenFor, make, viewOf } from "./support/view.ts";

type Made = ReturnType<typeof make>;

/** A reader of a stream: `positions` that it got so far, everything that it got as text, and whether that has ended. */
async function follow({ app, stop }: Made, query = "", headers: Record<string, string> = {}) {
  const answer = await app.request(`/v1/events/stream${query}`, { headers });
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) throw new Error("a stream has a body");
  const got = { text: "", ended: false };
  const reading = (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      got.text += value;
    }
    got.ended = true;
    return got;
  })();
  return {
    got,
    reading,
    positions: () => [...got.text.matchAll(/^id: (\d+)\nevent:/gm)].map(([, id]) => Number(id)),
    until: (text: string) =>
      until(() => got.text.includes(text), { deadlineMs: 2_000, what: JSON.stringify(text) }),
    leave: () => reader.cancel(),
    /** The coordinator ends, and this with it. */
    end() {
      stop.abort();
      return soon(reading);
    },
  };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);
const ups = (count: number) => Array.from({ length: count }, () => ["a", "NODE_UP"] as const);

describe("the stream of events", () => {
  it("tells what the store has and then what comes, each once and in order", async () => {
    const made = make();
    made.log.add(...ups(250));
    const reader = await follow(made, "?after=10");
    await reader.until("id: 250\n");
    made.log.add(...ups(2));
    made.log.add(...ups(1));
    await reader.until("id: 253\n");
    expect(reader.positions()).toEqual(range(11, 253));
    await reader.end();
  });

  it("says at once where it begins, so that who is cut off before the first event misses none", async () => {
    const made = make();
    made.log.add(...ups(7));
    const reader = await follow(made);
    await reader.until("id: 7\n\n");
    expect(reader.positions()).toEqual([]);
    await reader.end();
  });

  it("has no gap where events are committed while the store is read", async () => {
    const made = make();
    made.log.add(...ups(150));
    let looks = 0;
    // The log gives what it had before this, so that only another look or the commit itself can tell of these; some
    // come while there is nothing else to give.
    made.log.before = async () => {
      if (++looks % 2 === 0 && looks <= 6) made.log.add(...ups(1));
    };
    const reader = await follow(made, "?after=0");
    await reader.until("id: 153\n");
    made.log.add(...ups(1));
    await reader.until("id: 154\n");
    expect(reader.positions()).toEqual(range(1, 154));
    await reader.end();
  });

  it("repeats nothing that the store had before anybody was told", async () => {
    const made = make();
    const early = made.log.put(...ups(2));
    const reader = await follow(made, "?after=0");
    await reader.until("id: 2\n");
    await until(() => made.clock.pending() > 0, { deadlineMs: 2_000, what: "the stream to wait" });
    made.log.tell(early);
    made.log.add(...ups(1));
    await reader.until("id: 3\n");
    expect(reader.positions()).toEqual([1, 2, 3]);
    await reader.end();
  });

  it("begins with what comes, where no place is told", async () => {
    const made = make();
    made.log.add(...ups(3));
    const reader = await follow(made);
    made.log.add(...ups(1));
    await reader.until("id: 4\n");
    expect(reader.positions()).toEqual([4]);
    await reader.end();
  });

  it("resumes by Last-Event-ID before `after`, by position or by event", async () => {
    const made = make();
    made.log.add(...ups(5));
    for (const [query, headers, from] of [
      ["?after=1", { "last-event-id": "3" }, 4],
      ["?after=a:4", {}, 5],
      ["", { "last-event-id": "a:2" }, 3],
    ] as const) {
      const reader = await follow(made, query, headers);
      await reader.until("id: 5\n");
      expect(reader.positions()).toEqual(range(from, 5));
      await reader.leave();
    }
    await until(() => made.log.followers.size === 0, { deadlineMs: 2_000, what: "the readers to be gone" });
  });

  it("tells only the clusters and types that are asked for, from the store and live", async () => {
    const made = make();
    const some = [
      ["a", "NODE_UP"],
      ["ab", "NODE_UP"],
      ["a", "NODE_DOWN"],
    ] as const;
    made.log.add(...some);
    const reader = await follow(made, "?after=0&cluster=a&type=rollcall.NODE_UP,CLUSTER_NEW");
    made.log.add(...some);
    made.log.add(["a", "CLUSTER_NEW"]);
    await reader.until("id: 7\n");
    expect(reader.positions()).toEqual([1, 4, 7]);
    const [, data] = /^data: (.*)$/m.exec(reader.got.text) ?? [];
    expect(Event.parse(JSON.parse(data ?? "")).id).toBe("a:1");
    expect(reader.got.text).toContain("event: rollcall.CLUSTER_NEW\n");
    await reader.end();
  });

  it("breaks silence by a comment", async () => {
    const made = make();
    const reader = await follow(made);
    await until(() => made.clock.pending() > 0, { deadlineMs: 2_000, what: "the stream to wait" });
    made.clock.advance(15_000);
    await reader.until("\n\n:\n\n");
    await reader.end();
    expect(made.clock.pending()).toBe(0);
  });

  it("ends at once when the coordinator stops, and begins no more", async () => {
    const made = make();
    const reader = await follow(made);
    await reader.end();
    expect(reader.got.ended).toBe(true);
    expect(reader.got.text).toMatch(/: stopping; [^\n]*\n\n$/);
    expect(made.log.followers.size).toBe(0);
    expect((await made.ask("/v1/events/stream")).status).toBe(503);
  });

  it("cuts off who is too slow, and who resumes has missed nothing", async () => {
    const made = make();
    const slow = await made.app.request("/v1/events/stream?after=0");
    made.log.add(...ups(2));
    await until(() => made.log.followers.size === 1, { deadlineMs: 2_000, what: "the stream to begin" });
    await turns();
    for (let at = 0; at < MOST_BUFFERED + 200; at += 100) made.log.add(...ups(100));
    // Nothing is kept for it any more.
    expect(made.log.followers.size).toBe(0);
    const text = await slow.text();
    expect(text).toMatch(/: too slow; [^\n]*\n\n$/);
    const positions = [...text.matchAll(/^id: (\d+)\nevent:/gm)].map(([, id]) => Number(id));
    expect(positions).toEqual(range(1, positions.length));
    const again = await follow(made, `?after=${positions.length}`);
    await again.until(`id: ${MOST_BUFFERED + 202}\n`);
    expect(again.positions()).toEqual(range(positions.length + 1, MOST_BUFFERED + 202));
    await again.end();
  });

  it("takes a bounded number, and frees the place of who goes", async () => {
    const made = make();
    made.log.mostFollowers = 2;
    const [one, two] = [await follow(made), await follow(made)];
    expect((await made.ask("/metrics")).body).toContain("rollcall_sse_followers 2\n");
    const full = await made.ask("/v1/events/stream");
    expect([full.status, JSON.parse(full.body).error.code]).toEqual([503, "too_many"]);
    await one.leave();
    await until(() => made.log.followers.size === 1, { deadlineMs: 2_000, what: "a place" });
    const three = await follow(made);
    made.stop.abort();
    await soon(Promise.all([two.reading, three.reading]));
    expect((await made.ask("/metrics")).body).toContain("rollcall_sse_followers 0\n");
  });

  it("refuses a place that is not kept or not there yet, before it begins", async () => {
    const made = make();
    made.log.add(...ups(5));
    made.log.keepFrom(4);
    for (const after of ["1", "a:1", "6", "nonsense"]) {
      const { status, body } = await made.ask(`/v1/events/stream?after=${after}`);
      expect([after, status, JSON.parse(body).error.code]).toEqual([after, 410, "gone"]);
    }
    expect(made.log.followers.size).toBe(0);
    const reader = await follow(made, "?after=0");
    await reader.until("id: 5\n");
    expect(reader.positions()).toEqual([4, 5]);
    await reader.end();
  });

  it("ends with the reason when the store fails meanwhile", async () => {
    const made = make();
    made.log.add(...ups(150));
    let looks = 0;
    made.log.before = async () => {
      if (++looks === 3) throw new RollcallError("store", "disk gone");
    };
    const reader = await follow(made, "?after=0");
    await soon(reader.reading);
    expect(reader.got.text).toMatch(/: the store does not answer; [^\n]*\n\n$/);
    expect(reader.positions()).toEqual(range(1, 100));
    expect([made.shown.failures.length, made.log.followers.size]).toEqual([1, 0]);
  });
});

describe("a stream over a socket", () => {
  it("is freed when its reader goes, and ends with the server", async () => {
    const { view, log, stop } = viewOf();
    const listening = await listenFor(view);
    const open = () => {
      const socket = createConnection(listening.port, "127.0.0.1");
      const got = { text: "", closed: false };
      socket.on("data", (chunk) => {
        got.text += String(chunk);
      });
      socket.on("error", () => {});
      socket.on("close", () => {
        got.closed = true;
      });
      socket.write("GET /v1/events/stream HTTP/1.1\r\nhost: x\r\n\r\n");
      return { socket, got };
    };
    const [first, second] = [open(), open()];
    await until(() => log.followers.size === 2, { deadlineMs: 5_000, what: "two streams" });
    log.add(["a", "NODE_UP"]);
    for (const { got } of [first, second])
      await until(() => got.text.includes("id: 1\n"), { deadlineMs: 5_000, what: "an event" });
    first.socket.destroy();
    await until(() => log.followers.size === 1, { deadlineMs: 5_000, what: "the place of who went" });
    stop.abort();
    // Longer than the test may take: nothing is left to wait for.
    await listening.close(60_000);
    await until(() => second.got.closed, { deadlineMs: 5_000, what: "the end of the connection" });
    expect(second.got.text).toContain(": stopping;");
    expect(log.followers.size).toBe(0);
  });

  it("that nobody reads takes no more than its bound, and is cut off", async () => {
    const { view, log, stop } = viewOf();
    const listening = await listenFor(view);
    const socket = createConnection(listening.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write("GET /v1/events/stream HTTP/1.1\r\nhost: x\r\n\r\n");
    await until(() => log.followers.size === 1, { deadlineMs: 5_000, what: "the stream" });
    // Some ten MiB fill what the kernel and the server take before the reader must.
    await until(
      () => {
        log.add(...ups(500));
        return log.followers.size === 0;
      },
      { deadlineMs: 15_000, what: "the slow reader to be cut off", everyMs: 1 },
    );
    socket.destroy();
    stop.abort();
    await listening.close(5_000);
  });
});
