/**
 * Finds, in the bytes of one connection, a request whose answer is to be lost, and the moment its answer
 * comes. Knows HTTP/1.1 (one request at a time) and HTTP/2 with prior knowledge, as gRPC speaks it.
 */
import { type Frame, frameReader, PREFACE } from "./http2-frames.ts";

/** One order to lose answers; shared by all connections of a proxy. */
export type LostReplies = {
  readonly matches: (request: Buffer) => boolean;
  /** How many more matching requests lose their answer. */
  left: number;
  /** How many have lost it: the server had answered, and nobody got to know. */
  dropped: number;
};

/** What to do with a piece of an answer. `cut`: it is, or holds, the answer to lose. */
export type Verdict = "forward" | "cut";

/** The watch over one connection; both take the bytes in the order in which they were sent. */
export type Watch = {
  request(chunk: Buffer): void;
  response(chunk: Buffer): Verdict;
};

const REQUEST_LIMIT = 1024 * 1024;
const DATA = 0;
const END_STREAM = 1;

/** Watches one connection. It settles by the first bytes which protocol is spoken. */
export function watchReplies(orders: readonly LostReplies[]): Watch {
  let chosen: Watch | null = null;
  return {
    request(chunk) {
      chosen ??= chunk.subarray(0, 3).equals(PREFACE.subarray(0, 3)) ? overHttp2(orders) : overHttp1(orders);
      chosen.request(chunk);
    },
    response: (chunk) => chosen?.response(chunk) ?? "forward",
  };
}

// A request is everything since the last answer; its answer is whatever comes next.
function overHttp1(orders: readonly LostReplies[]): Watch {
  let asked: Buffer = Buffer.alloc(0);
  let order: LostReplies | null = null;
  return {
    request(chunk) {
      asked = Buffer.concat([asked, chunk]).subarray(-REQUEST_LIMIT);
      order ??= take(orders, asked);
    },
    response() {
      asked = Buffer.alloc(0);
      if (order === null) return "forward";
      order.dropped += 1;
      return "cut";
    },
  };
}

// Requests share the connection. The server also sends frames of its own (window updates, pings) before it has
// handled anything, so only a message or the end of the very stream counts as the answer.
function overHttp2(orders: readonly LostReplies[]): Watch {
  const sent = frameReader();
  const received = frameReader();
  const asked = new Map<number, Buffer>();
  let waiting: { order: LostReplies; stream: number } | null = null;
  let prefaceLeft = PREFACE.length;

  const see = (frame: Frame) => {
    if (frame.type !== DATA || waiting !== null) return;
    const before = asked.get(frame.stream) ?? Buffer.alloc(0);
    const request = Buffer.concat([before, frame.payload]).subarray(-REQUEST_LIMIT);
    if ((frame.flags & END_STREAM) === 0) asked.set(frame.stream, request);
    else asked.delete(frame.stream);
    const order = take(orders, request);
    if (order !== null) waiting = { order, stream: frame.stream };
  };
  const answers = (frame: Frame) =>
    frame.stream === waiting?.stream &&
    (frame.type === DATA || (frame.type === 1 && (frame.flags & END_STREAM) !== 0));
  return {
    request(chunk) {
      const skipped = Math.min(prefaceLeft, chunk.length);
      prefaceLeft -= skipped;
      for (const frame of sent(chunk.subarray(skipped))) see(frame);
    },
    response(chunk) {
      const answered = received(chunk).some(answers);
      if (!answered || waiting === null) return "forward";
      waiting.order.dropped += 1;
      return "cut";
    },
  };
}

function take(orders: readonly LostReplies[], request: Buffer): LostReplies | null {
  const order = orders.find((one) => one.left > 0 && one.matches(request)) ?? null;
  if (order !== null) order.left -= 1;
  return order;
}
