/**
 * A TCP proxy between a client and a server on loopback that misbehaves on demand, as networks do. Every
 * switch works on open connections too. TLS passes as it is, but the bytes in it cannot be matched.
 */
import { createServer, type Server, type Socket } from "node:net";
import { codeOf, RollcallError } from "../../src/lib/errors.ts";
import { type Link, openLink } from "./fault-link.ts";
import { loopbackAddress } from "./loopback.ts";
import { type LostReplies, watchReplies } from "./lost-replies.ts";
import { until } from "./wait.ts";

/** Which requests lose their answer, and how many of them. */
export type DropResponses = {
  /**
   * Looks at a request: on HTTP/1.1 its bytes so far, head and body; on HTTP/2 the bytes of its messages
   * (keys and values of etcd are readable in them, the name of the call is not). A pattern sees latin-1 text.
   */
  readonly matching: RegExp | ((request: Buffer) => boolean);
  /** The next so many matching requests; 1 unless told. */
  readonly times?: number;
};

/** A proxy that stands before one server. */
export type FaultProxy = {
  readonly address: string;
  readonly port: number;
  /** `address:port`. */
  readonly endpoint: string;
  /** Everything passes. Held bytes pass now, in order; a port that refused listens again. */
  pass(): Promise<void>;
  /** Nobody listens: new connections are refused, open ones reset. */
  refuse(): Promise<void>;
  /** Connections are accepted and stay open, and nothing passes until `pass`. Late bytes do arrive then. */
  blackhole(): Promise<void>;
  /**
   * The server's side of every connection, open or new, is gone and the client is not told: it stays
   * connected and hears nothing, even after `pass`, which is for new connections only.
   */
  halfOpen(): Promise<void>;
  /** Everything passes this much later, until `delay({})`. Goes together with the other modes. */
  delay(times: { readonly requestMs?: number; readonly responseMs?: number }): void;
  /**
   * The lost acknowledgement: matching requests reach the server, and when its answer comes it is thrown away
   * and the connection is reset. Gives the count so far; `cancel` ends it.
   */
  dropResponses(options: DropResponses): { dropped(): number; cancel(): void };
  /** Resets every open connection. */
  cut(): void;
  /** How many clients are connected. */
  connections(): number;
  /** Closes everything. Safe twice. */
  stop(): Promise<void>;
};

type Mode = "pass" | "refuse" | "blackhole" | "half-open";

/** Starts a proxy on a loopback address of its own, with everything passing. */
export async function startFaultProxy(target: {
  readonly address: string;
  readonly port: number;
}): Promise<FaultProxy> {
  const address = await loopbackAddress();
  const links = new Set<Link>();
  const orders: LostReplies[] = [];
  let mode: Mode = "pass";
  let delays: { readonly requestMs?: number; readonly responseMs?: number } = {};
  const conditions = {
    held: () => mode === "blackhole",
    requestDelayMs: () => delays.requestMs ?? 0,
    responseDelayMs: () => delays.responseMs ?? 0,
  };
  const accept = (client: Socket) => {
    const link = openLink({
      client,
      target,
      conditions,
      watch: watchReplies(orders),
      closed: () => links.delete(link),
    });
    links.add(link);
    if (mode === "half-open") link.abandon();
    else link.review();
  };
  const door = doorAt(address, accept);
  const port = await door.open(0);
  const cut = () => {
    for (const link of links) link.cut();
  };
  const become = async (next: Mode) => {
    mode = next;
    if (next === "refuse") await door.close();
    else await door.open(port);
    // Per mode: refuse breaks what is open, half-open abandons it, pass lets go what was held.
    for (const link of links) {
      if (next === "refuse") link.cut();
      else if (next === "half-open") link.abandon();
      else link.review();
    }
  };
  return {
    address,
    port,
    endpoint: `${address}:${port}`,
    pass: () => become("pass"),
    refuse: () => become("refuse"),
    blackhole: () => become("blackhole"),
    halfOpen: () => become("half-open"),
    delay(times) {
      delays = times;
    },
    dropResponses: (options) => addOrder(orders, options),
    cut,
    connections: () => links.size,
    async stop() {
      cut();
      await door.close();
    },
  };
}

function addOrder(orders: LostReplies[], options: DropResponses): { dropped(): number; cancel(): void } {
  const { matching, times = 1 } = options;
  // A sticky or global pattern remembers where it stopped; a fresh copy each time does not.
  const matches = (request: Buffer) =>
    typeof matching === "function"
      ? matching(request)
      : new RegExp(matching.source, matching.flags.replace(/[gy]/g, "")).test(request.toString("latin1"));
  const order: LostReplies = { matches, left: times, dropped: 0 };
  orders.push(order);
  return {
    dropped: () => order.dropped,
    cancel() {
      order.left = 0;
    },
  };
}

/** A listener that can be closed and opened again on the same port. */
function doorAt(address: string, accept: (client: Socket) => void) {
  let server: Server | null = null;
  return {
    async open(port: number): Promise<number> {
      if (server === null) {
        const what = `${address}:${port} to be free again`;
        server = await until(() => listen(address, port, accept), { deadlineMs: 2_000, what });
      }
      const bound = server.address();
      if (bound === null || typeof bound === "string")
        throw new RollcallError("listen", `listen on ${address}`);
      return bound.port;
    },
    async close(): Promise<void> {
      const closing = server;
      server = null;
      // Its callback would wait for abandoned clients as well; the port is free at once.
      closing?.close();
    },
  };
}

function listen(address: string, port: number, accept: (client: Socket) => void): Promise<Server | null> {
  const server = createServer({ allowHalfOpen: true }, accept);
  return new Promise((resolve, reject) => {
    server.once("error", (error) => (codeOf(error) === "EADDRINUSE" ? resolve(null) : reject(error)));
    server.listen(port, address, () => resolve(server));
  });
}
