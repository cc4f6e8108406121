/** One GET over a connection that is given, with bounds on all that comes back. */
import { request } from "node:http";
import type { Socket } from "node:net";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";
import { brokenTls } from "./connections.ts";
import type { Limit } from "./limit.ts";

/** An agent's state is a few KiB; a hundred peers make it fifty. */
const MOST_BYTES = 1024 * 1024;
const MOST_HEADER_BYTES = 8 * 1024;

export type Answered = {
  readonly status: number;
  readonly body: string;
  /** Whether the connection may carry another request. It is closed where not. */
  readonly reusable: boolean;
};

/** What a failed exchange says beside its code: nothing had come back when it failed, and it was not given up. */
export type Broken = { readonly silent: boolean };

/**
 * Asks, and gives the whole answer. Rejects with `unreachable`, `unauthorized` or `not_an_agent` and facts of `Broken`,
 * or with what ended the limit; the connection is closed then. `headers`: names and values in turn.
 */
export function get(
  socket: Socket,
  { path, headers, headersMs }: { path: string; headers: readonly string[]; headersMs: number },
  limit: Limit,
): Promise<Answered> {
  const before = socket.bytesRead;
  return new Promise((resolve, reject) => {
    limit.phase("no answer", headersMs);
    const call = request({
      createConnection: () => socket,
      path,
      headers,
      setHost: false,
      maxHeaderSize: MOST_HEADER_BYTES,
    });
    // Without a pool of node's own a request would close its connection.
    call.shouldKeepAlive = true;
    limit.onOver((why) => call.destroy(why));
    const fail = (error: unknown) => {
      limit.onOver(() => {});
      socket.destroy();
      const over = limit.over();
      reject(over ?? problemOf(error, socket.bytesRead === before));
    };
    call.on("error", fail);
    call.once("response", (response) => {
      limit.phase("no whole answer", Number.POSITIVE_INFINITY);
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size <= MOST_BYTES) chunks.push(chunk);
        else response.destroy(tooLarge());
      });
      response.on("error", fail);
      response.once("end", () => {
        const finish = (reusable: boolean) => {
          limit.onOver(() => {});
          if (!reusable) socket.destroy();
          const body = size === 0 ? "" : Buffer.concat(chunks).toString("utf8");
          resolve({ status: response.statusCode ?? 0, body, reusable });
        };
        if (!call.shouldKeepAlive) return finish(false);
        // Only then has node let go of the connection.
        call.once("close", () => finish(socket.writable));
      });
    });
    call.end();
  });
}

function tooLarge(): RollcallError {
  return new RollcallError("not_an_agent", `its answer is over ${MOST_BYTES} bytes`);
}

function problemOf(error: unknown, silent: boolean): RollcallError {
  if (error instanceof RollcallError) return error;
  const code = codeOf(error) ?? "";
  const facts: Broken = { silent };
  const more = { cause: error, facts };
  if (code.startsWith("HPE_"))
    return new RollcallError("not_an_agent", `its answer is not HTTP: ${reason(error)}`, more);
  const tls = brokenTls(error);
  return new RollcallError(tls?.code ?? "unreachable", tls?.text ?? reason(error), more);
}
