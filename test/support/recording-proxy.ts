/** An HTTP proxy before one server that writes down what it is asked, and can ask for a password. */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import { RollcallError } from "../../src/lib/errors.ts";
import { loopbackAddress } from "./loopback.ts";

/** One request as it came. */
export type Recorded = {
  readonly method: string;
  /** With the query: `/v1/kv/a?dc=dc1`. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The status it was answered with; 0 while it is not. */
  readonly status: () => number;
};

/** Where to forward, and who may ask. */
export type RecordingOptions = {
  /** `http://address:port`. */
  readonly target: string;
  /** Answer 401 unless a request brings these (RFC 7617). They are not forwarded. */
  readonly basicAuth?: { readonly username: string; readonly password: string };
};

/** A proxy that remembers. */
export type RecordingProxy = {
  readonly url: string;
  readonly address: string;
  readonly port: number;
  /** The requests so far, oldest first; the last 1,000. */
  requests(): readonly Recorded[];
  /** Forgets them. */
  clear(): void;
  /** Closes everything, waiting requests too. Safe twice. */
  stop(): Promise<void>;
};

const KEPT = 1_000;

/** Starts a proxy on a loopback address of its own. Refused requests are recorded, too, and not forwarded. */
export async function startRecordingProxy(options: RecordingOptions): Promise<RecordingProxy> {
  let requests: Recorded[] = [];
  const wanted = options.basicAuth;
  const expected =
    wanted === undefined
      ? null
      : `Basic ${Buffer.from(`${wanted.username}:${wanted.password}`).toString("base64")}`;
  const server = createServer((asked, answer) => {
    requests = [...requests.slice(1 - KEPT), recorded(asked, answer)];
    if (expected !== null && asked.headers.authorization !== expected) {
      answer.writeHead(401, { "WWW-Authenticate": 'Basic realm="test"' }).end("unauthorized\n");
      asked.resume();
    } else forward(asked, answer, { target: options.target, withoutPassword: expected !== null });
  });
  const address = await loopbackAddress();
  const port = await listen(server, address);
  return {
    url: `http://${address}:${port}`,
    address,
    port,
    requests: () => requests,
    clear() {
      requests = [];
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function recorded(asked: IncomingMessage, answer: ServerResponse): Recorded {
  const path = asked.url ?? "/";
  return {
    method: asked.method ?? "",
    path,
    query: new URL(path, "http://proxy").searchParams,
    headers: { ...asked.headers },
    status: () => (answer.headersSent ? answer.statusCode : 0),
  };
}

function forward(
  asked: IncomingMessage,
  answer: ServerResponse,
  options: { readonly target: string; readonly withoutPassword: boolean },
): void {
  const headers = endToEnd(asked.headers);
  if (options.withoutPassword) delete headers.authorization;
  const onward = request(
    `${options.target}${asked.url ?? "/"}`,
    { method: asked.method ?? "GET", headers, agent: false },
    (reply) => {
      answer.writeHead(reply.statusCode ?? 502, endToEnd(reply.headers));
      reply.pipe(answer);
      reply.on("error", () => answer.destroy());
    },
  );
  onward.on("error", () => answer.destroy());
  // A client that goes away (a cancelled long poll) takes its request to the server with it.
  answer.on("close", () => onward.destroy());
  asked.pipe(onward);
}

// What speaks of one connection only (RFC 9110, section 7.6.1) is not for the other one.
function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection: _1, "keep-alive": _2, "transfer-encoding": _3, ...rest } = headers;
  return rest;
}

function listen(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, address, () => {
      const bound = server.address();
      if (bound !== null && typeof bound === "object") resolve(bound.port);
      else reject(new RollcallError("listen", `listen on ${address}`));
    });
  });
}
