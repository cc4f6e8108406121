/** The coordinator's stream of events, held open for as long as it is wanted. */
import * as http from "node:http";
import * as https from "node:https";
import type { ClientConfig } from "../config.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import { backoff } from "../lib/loop.ts";
import { openSse, type SseMessage } from "../lib/sse.ts";
import { refusal, requestOptions, unanswered } from "./ask.ts";
import type { Io } from "./io.ts";
import { printable } from "./usage.ts";

/** How long the beginning of an answer may take, and how long a stream may say nothing, keep-alives included. */
const BEGIN_MS = 5_000;
const SILENT_MS = 60_000;

const FIRST_PAUSE_MS = 250;
const MOST_PAUSE_MS = 10_000;
const MOST_CHARS = 4 * 1024 * 1024;

/** Ids of the last messages: what comes again after a connection was made anew is not told twice. */
const MOST_IDS = 4_096;

/** What to follow: a path, and the id of the event to go on from; null: what comes from now on. */
export type Followed = { readonly path: string; readonly after: string | null };

/**
 * Calls `onMessage` with each message once, until `stop`. A stream that was there and broke is opened again where it
 * ended. Throws when it cannot be opened for the first time, and when the coordinator refuses.
 */
export async function follow(
  { path, after }: Followed,
  { config, io, stop }: { config: ClientConfig; io: Io; stop: AbortSignal },
  onMessage: (message: SseMessage) => void,
): Promise<void> {
  const pause = backoff(FIRST_PAUSE_MS, MOST_PAUSE_MS, io.pacing.random);
  const isNew = openMemory();
  let lastId = after;
  let opened = false;
  let lost = false;
  const onOpen = () => {
    if (lost) io.stderr(`rollcall: ${config.name} is there again\n`);
    opened = true;
    lost = false;
  };
  const onData = (messages: readonly SseMessage[], id: string | null) => {
    lastId = id ?? lastId;
    if (messages.length > 0) pause.reset();
    try {
      for (const message of messages) if (isNew(message.id)) onMessage(message);
    } catch (error) {
      // A message that cannot be told is no broken stream, and would come again.
      throw new RollcallError("message", reason(error), { cause: error });
    }
  };
  while (!stop.aborted) {
    const broken = await stream({ path, after: lastId }, { config, io, stop }, onOpen, onData).then(
      () => new Error("the stream ended"),
      (error: unknown) => error,
    );
    if (stop.aborted) return;
    if (!opened || isFinal(broken)) throw unanswered(broken, config);
    if (!lost) io.stderr(`rollcall: ${printable(`lost ${config.name}: ${reason(broken)}; trying again`)}\n`);
    lost = true;
    await io.pacing.clock.sleep(pause.take(), stop);
  }
}

/** Asking again does not help. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof RollcallError)) return false;
  const { status } = error.facts;
  return typeof status !== "number" || (status < 500 && status !== 408 && status !== 429);
}

function openMemory(): (id: string | null) => boolean {
  const known = new Set<string>();
  return (id) => {
    if (id === null) return true;
    if (known.has(id)) return false;
    known.add(id);
    const [oldest] = known;
    if (known.size > MOST_IDS && oldest !== undefined) known.delete(oldest);
    return true;
  };
}

/** One connection, until it ends. Throws what broke it. */
async function stream(
  { path, after }: Followed,
  { config, io, stop }: { config: ClientConfig; io: Io; stop: AbortSignal },
  onOpen: () => void,
  onData: (messages: readonly SseMessage[], id: string | null) => void,
): Promise<void> {
  const { headers, ...options } = await requestOptions(config, io);
  const lastId = after === null ? {} : { "last-event-id": headerText(after) };
  const own = new AbortController();
  const guard = watchdog(io, () => own.abort(new Error("no answer in time")));
  const send = (config.tls === null ? http : https).request({
    ...options,
    path,
    headers: { ...headers, accept: "text/event-stream", ...lastId },
    signal: AbortSignal.any([stop, own.signal]),
  });
  try {
    guard.within(BEGIN_MS);
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      send.on("response", resolve).on("error", reject).end();
    });
    response.setEncoding("utf8");
    if (response.statusCode !== 200) throw await refused(path, response, config);
    const sse = openSse(MOST_CHARS);
    onOpen();
    guard.within(SILENT_MS);
    for await (const chunk of response as AsyncIterable<string>) {
      guard.within(SILENT_MS);
      onData(sse.push(chunk), sse.lastId());
    }
  } catch (error) {
    throw own.signal.aborted ? own.signal.reason : error;
  } finally {
    guard.end();
    send.destroy();
  }
}

async function refused(path: string, response: http.IncomingMessage, config: ClientConfig) {
  let body = "";
  for await (const chunk of response as AsyncIterable<string>) if (body.length < MOST_CHARS) body += chunk;
  return refusal(path, { status: response.statusCode ?? 0, body }, config);
}

/** A header takes no control characters; an id with some names no event. */
function headerText(text: string): string {
  return encodeURI(printable(text)).replaceAll("%25", "%");
}

/** Calls `late` unless it is told in time to wait on, or to end. */
function watchdog(io: Io, late: () => void) {
  let cancel = () => {};
  return {
    within(ms: number): void {
      cancel();
      cancel = io.pacing.clock.after(ms, late);
    },
    end: () => cancel(),
  };
}
