/** One GET over a connection that is given, with bounds on all that comes back. */
import { errors } from "undici";
import { RollcallError, reason } from "../lib/errors.ts";
import { brokenTls, type Connection } from "./connections.ts";
import type { Limit } from "./limit.ts";

/** An agent's state is a few KiB; a hundred peers make it fifty. */
const MOST_BYTES = 1024 * 1024;

export type Answered = { readonly status: number; readonly body: string };

/** What a failed exchange says beside its code: nothing had come back when it failed, and it was not given up. */
export type Broken = { readonly silent: boolean };

/**
 * Asks, and gives the whole answer. Rejects with `unreachable`, `unauthorized` or `not_an_agent` and facts of `Broken`,
 * or with what ended the limit; the connection is closed then. `headers`: names and values in turn.
 */
export function get(
  { socket, client, failure }: Connection,
  { path, headers, headersMs }: { path: string; headers: readonly string[]; headersMs: number },
  limit: Limit,
): Promise<Answered> {
  const before = socket.bytesRead;
  return new Promise((resolve, reject) => {
    limit.phase("no answer", headersMs);
    const chunks: Buffer[] = [];
    let size = 0;
    let status = 0;
    const fail = (error: Error) => {
      limit.onOver(() => {});
      socket.destroy();
      reject(limit.over() ?? problemOf(failure() ?? error, socket.bytesRead === before));
    };
    limit.onOver(fail);
    client.dispatch(
      { method: "GET", path, headers: [...headers] },
      {
        onRequestStart() {},
        onResponseStart(_call, code) {
          status = code;
          // One that only announces another is not the answer.
          if (code >= 200) limit.phase("no whole answer", Number.POSITIVE_INFINITY);
        },
        onResponseData(call, chunk) {
          size += chunk.length;
          if (size <= MOST_BYTES) chunks.push(chunk);
          else call.abort(tooLarge());
        },
        onResponseEnd() {
          limit.onOver(() => {});
          resolve({ status, body: size === 0 ? "" : Buffer.concat(chunks).toString("utf8") });
        },
        onResponseError: (_call, error) => fail(error),
      },
    );
  });
}

function tooLarge(): RollcallError {
  return new RollcallError("not_an_agent", `its answer is over ${MOST_BYTES} bytes`);
}

function problemOf(error: unknown, silent: boolean): RollcallError {
  if (error instanceof RollcallError) return error;
  const facts: Broken = { silent };
  const more = { cause: error, facts };
  if (error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError)
    return new RollcallError("not_an_agent", `its answer is not HTTP: ${reason(error)}`, more);
  const tls = brokenTls(error);
  return new RollcallError(tls?.code ?? "unreachable", tls?.text ?? reason(error), more);
}
