/** Requests to one Discovery Service over node:http, and the names of their failures. No request is ever repeated. */
import * as http from "node:http";
import * as https from "node:https";
import type { ProviderContext } from "../../src/core/provider.ts";
import { codeOf, RollcallError, reason } from "../../src/lib/errors.ts";
import { aborted, closed, inWords, timedOut, unreachable } from "../failure.ts";
import { readPems } from "../tls.ts";
import type { Config } from "./config.ts";

/** The service keeps its largest answer, a view, below this. */
const ANSWER_BYTES = 8 * 1024 * 1024;
/** Sockets at once; a held watch takes one. */
const MAX_SOCKETS = 8;
/** First TCP keep-alive probe after this much silence. */
const KEEP_ALIVE_MS = 10_000;

/** What to send. `doing` begins every error's text, and `path` is the part below the id. */
export type Question = {
  readonly doing: string;
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How much longer than `timeout` the service may stay silent. */
  readonly extraMs?: number;
};

/** An answer of any status. */
export type Answer = {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
};

/** The service, at one id. */
export interface Connection {
  /** `host:port`, for errors. */
  readonly where: string;
  /**
   * Sends once and gives the whole answer. Throws `aborted`, `closed`, `store_timeout`, `store_unreachable`
   * and, for an answer larger than 8 MiB, `store_error`; or what reading the configured files throws.
   */
  ask(question: Question, signal: AbortSignal): Promise<Answer>;
  /** Ends the requests in progress and frees the connections. Safe twice. */
  close(): void;
}

/** Connects to nothing yet. */
export function createConnection(config: Config, context: ProviderContext): Connection {
  const base = new URL(config.url);
  const secure = base.protocol === "https:";
  const where = `${base.hostname}:${base.port || (secure ? 443 : 80)}`;
  const root = `${base.href.replace(/\/+$/, "")}/${(config.id ?? context.key).replaceAll("/", "~")}`;
  const pool = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, maxSockets: MAX_SOCKETS, maxFreeSockets: 2 };
  const agent = secure ? new https.Agent(pool) : new http.Agent(pool);
  const ending = new AbortController();

  return {
    where,
    async ask({ doing, method, path, headers, body, extraMs = 0 }, signal) {
      const secrets = await readSecrets(config, context);
      if (ending.signal.aborted) throw closed(doing);
      if (signal.aborted) throw aborted(doing, signal);
      const timeout = config.timeout + extraMs;
      const { token, ...tls } = secrets;
      const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
      try {
        return await exchange(root + path, {
          ...tls,
          agent,
          method,
          timeout,
          headers: { ...headers, ...authorization },
          signal: AbortSignal.any([signal, ending.signal]),
          ...(body === undefined ? {} : { body }),
        });
      } catch (error) {
        if (ending.signal.aborted) throw closed(doing);
        if (signal.aborted) throw aborted(doing, signal);
        throw failure(doing, error, { timeout, where });
      }
    },
    close() {
      ending.abort();
      agent.destroy();
    },
  };
}

/** The token, the CA and our certificate, from files that are read again when they change. An empty token file is none. */
async function readSecrets(config: Config, { file }: ProviderContext) {
  const kept = config.token_file === undefined ? "" : (await file(config.token_file)).trim();
  const { ca, cert, key } = await readPems(
    { caFile: config.ca_file, certFile: config.cert_file, keyFile: config.key_file },
    file,
  );
  return {
    token: kept || config.token || null,
    ...(ca === null ? {} : { ca }),
    ...(cert === null || key === null ? {} : { cert, key }),
  };
}

function failure(doing: string, error: unknown, { timeout, where }: { timeout: number; where: string }) {
  if (error instanceof RollcallError) {
    if (error.code === SILENCE) return timedOut(doing, timeout, where);
    return new RollcallError(error.code, `${doing}: ${error.message} (${where})`);
  }
  return unreachable(doing, inWords(codeOf(error), reason(error)), where);
}

/** The code that only this file sees: nothing was sent or received for the whole `timeout`. */
const SILENCE = "silence";

type Sending = https.RequestOptions & { readonly body?: string };

function exchange(url: string, { body, ...options }: Sending): Promise<Answer> {
  const send = url.startsWith("https:") ? https.request : http.request;
  return new Promise((resolve, reject) => {
    const request = send(url, options, (response) => {
      const { statusCode: status = 0, headers } = response;
      readAll(response).then((text) => resolve({ status, headers, body: text }), reject);
    });
    request.on("error", reject);
    request.on("timeout", () => {
      // Before the connection is destroyed: the errors that follow from that do not tell why.
      reject(new RollcallError(SILENCE, "no answer"));
      request.destroy();
    });
    request.end(body);
  });
}

async function readAll(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    // Throwing out of the loop also destroys the connection.
    if (bytes > ANSWER_BYTES) throw new RollcallError("store_error", "the answer is larger than 8 MiB");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
