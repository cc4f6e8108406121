/** One connection through the fault proxy: two sockets and the bytes between them, held or delayed. */
import { Socket } from "node:net";
import type { Watch } from "./lost-replies.ts";

/** What the links ask of their proxy at every step. */
export type Conditions = {
  /** Whether nothing may pass now. What arrives meanwhile passes afterwards. */
  readonly held: () => boolean;
  readonly requestDelayMs: () => number;
  readonly responseDelayMs: () => number;
};

/** A client that was just accepted, and what its link needs. */
export type LinkOptions = {
  readonly client: Socket;
  readonly target: { readonly address: string; readonly port: number };
  readonly conditions: Conditions;
  readonly watch: Watch;
  /** Called once, when both sides are closed. */
  readonly closed: () => void;
};

/** One client's connection. */
export type Link = {
  /** Looks at the conditions again. */
  review(): void;
  /** Ends the server's side and leaves the client's open and silent for ever. */
  abandon(): void;
  /** Resets both sides. Safe twice. */
  cut(): void;
};

/** Links an accepted client with the target, to which it connects as soon as nothing is held. */
export function openLink(options: LinkOptions): Link {
  const { client, target, conditions, watch } = options;
  const server = new Socket({ allowHalfOpen: true });
  const cut = () => {
    requests.stop();
    responses.stop();
    for (const side of [client, server]) side.resetAndDestroy();
  };
  const requests = pump(client, server, {
    held: conditions.held,
    delayMs: conditions.requestDelayMs,
    passes(chunk) {
      watch.request(chunk);
      return true;
    },
    cut,
  });
  const responses = pump(server, client, {
    held: conditions.held,
    delayMs: conditions.responseDelayMs,
    passes: (chunk) => watch.response(chunk) === "forward",
    cut,
  });
  // A socket that was never connected emits no "close" of its own accord, hence the count of both.
  let open = 2;
  const oneLess = () => {
    open -= 1;
    if (open === 0) options.closed();
  };
  for (const side of [client, server]) side.once("close", oneLess);
  let asked = false;
  return {
    review() {
      if (conditions.held()) return;
      if (!asked) server.connect(target.port, target.address);
      asked = true;
      requests.flush();
      responses.flush();
    },
    abandon() {
      requests.stop();
      responses.stop();
      server.destroy();
      if (client.readableEnded) client.destroy();
      client.once("end", () => client.destroy());
      client.resume();
    },
    cut,
  };
}

type Rules = {
  readonly held: () => boolean;
  readonly delayMs: () => number;
  /** Whether this piece goes on; if not, the link is cut. */
  readonly passes: (chunk: Buffer) => boolean;
  readonly cut: () => void;
};

/** What came from one side, in order: bytes, its end, or its breaking off. */
type Entry = { readonly what: Buffer | "end" | "reset"; readonly dueAt: number };

const QUEUE_BYTES = 1024 * 1024;

// One queue a direction keeps the order even when the delay shrinks; a full one stops reading, as TCP would.
function pump(from: Socket, to: Socket, rules: Rules): { flush(): void; stop(): void } {
  let queue: Entry[] = [];
  let bytes = 0;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const add = (what: Entry["what"]) => {
    if (stopped) return;
    queue.push({ what, dueAt: performance.now() + rules.delayMs() });
    if (typeof what !== "string") bytes += what.length;
    if (bytes > QUEUE_BYTES) from.pause();
    flush();
  };
  const send = (what: Entry["what"]) => {
    if (what === "reset") rules.cut();
    else if (what === "end") to.end();
    else if (!to.destroyed) to.write(what);
    if (typeof what !== "string") bytes -= what.length;
  };
  const flush = () => {
    clearTimeout(timer);
    while (!rules.held() && !to.writableNeedDrain) {
      const [next] = queue;
      if (next === undefined) break;
      const earlyMs = next.dueAt - performance.now();
      if (earlyMs > 0) {
        timer = setTimeout(flush, earlyMs);
        break;
      }
      queue.shift();
      send(next.what);
    }
    if (bytes <= QUEUE_BYTES && !stopped) from.resume();
  };

  from.on("data", (chunk: Buffer) => {
    if (stopped) return;
    if (rules.passes(chunk)) add(chunk);
    else rules.cut();
  });
  from.on("end", () => add("end"));
  from.on("error", () => {}); // "close" follows and says the same.
  from.on("close", (broken) => broken && add("reset"));
  to.on("drain", flush);
  return {
    flush,
    stop() {
      stopped = true;
      queue = [];
      clearTimeout(timer);
    },
  };
}
