/** One HTTP request, over node:http with keep-alive (global fetch would cost 16 MiB). Bounded in size and time. */
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { RollcallError, reason } from "./errors.ts";

const MOST_BYTES = 1024 * 1024;

/** The PEM texts of a client: whom to trust, and what to show. */
export type ClientTls = {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** False: takes any certificate. */
  readonly rejectUnauthorized?: boolean;
};
export type Answer = {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
};
export type Ask = {
  readonly method: "GET" | "POST" | "DELETE";
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
};

/**
 * A client that speaks https when `tls` is given. Its `send` rejects with `unreachable`, `too_large` (an answer of more
 * than `mostBytes`), or whatever the signal's abort gives. `close` drops the idle connections.
 */
export function openClient(tls: ClientTls | null, { mostBytes = MOST_BYTES } = {}) {
  const keepAlive = { keepAlive: true, maxSockets: 4, maxFreeSockets: 2, timeout: 60_000 };
  const agent =
    tls === null ? new HttpAgent(keepAlive) : new HttpsAgent({ ...keepAlive, ...tls, minVersion: "TLSv1.2" });
  const request = tls === null ? httpRequest : httpsRequest;
  return {
    send: ({ method, host, port, path, headers = {}, body, signal }: Ask): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const fail = (error: unknown) => {
          if (signal.aborted) return reject(signal.reason);
          if (error instanceof RollcallError) return reject(error);
          reject(new RollcallError("unreachable", reason(error) || "connection failed", { cause: error }));
        };
        const call = request(
          {
            method,
            host,
            port,
            path,
            headers: {
              ...headers,
              ...(body === undefined
                ? {}
                : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
            },
            agent,
            signal,
          },
          (response) => {
            const chunks: Buffer[] = [];
            let size = 0;
            response.on("data", (chunk: Buffer) => {
              size += chunk.length;
              if (size <= mostBytes) chunks.push(chunk);
              else response.destroy(new RollcallError("too_large", `the answer is over ${mostBytes} bytes`));
            });
            response.once("error", fail);
            response.once("end", () =>
              resolve({
                status: response.statusCode ?? 0,
                body: Buffer.concat(chunks).toString("utf8"),
                headers: response.headers,
              }),
            );
          },
        );
        call.once("error", fail);
        call.end(body);
      }),
    close: () => agent.destroy(),
  };
}
export type Client = ReturnType<typeof openClient>;
