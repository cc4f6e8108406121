/** One HTTP server that is asked for a list: its requests, their deadline, and what its answers mean. */
import type { Clock } from "../../src/lib/clock.ts";
import { codeOf, RollcallError, reason } from "../../src/lib/errors.ts";
import { withDeadline } from "../../src/lib/loop.ts";
import { type Answer, type Client, openClient } from "../../src/lib/request.ts";
import { createClients } from "../clients.ts";
import { aborted, closed, denied, inWords, timedOut, unreachable } from "../failure.ts";
import { authorityIn } from "../tls.ts";
import type { Asking } from "./config.ts";

/** What is asked: `body` goes with POST, `headers` beside those of the configuration. */
export type Question = { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> };

export interface Server {
  /** `host:port`, for messages. */
  readonly where: string;
  /** A 2xx, or a 304. Throws one line for every other answer, and for none. */
  ask(question: Question, signal: AbortSignal): Promise<Answer>;
  /** Ends requests in progress and frees connections. Safe twice. */
  close(): void;
}

type Deps = {
  readonly file: (path: string) => Promise<string>;
  readonly clock: Clock;
  /** Begins every error. */
  readonly doing: string;
  /** Of one answer. */
  readonly mostBytes: number;
};

/** Connects to nothing yet. */
export function openServer(
  config: Asking & { readonly method: "GET" | "POST" },
  { file, clock, doing, mostBytes }: Deps,
): Server {
  const url = new URL(config.url);
  const secure = url.protocol === "https:";
  const port = Number(url.port) || (secure ? 443 : 80);
  const where = `${url.hostname}:${port}`;
  const ending = new AbortController();
  const clients = createClients<Awaited<ReturnType<typeof ingredients>>, Client>({
    ingredients,
    make: ({ ca, identity }) => {
      const own = identity === null ? {} : { cert: identity, key: identity };
      return openClient(secure ? { ...(ca === null ? {} : { ca }), ...own } : null, { mostBytes });
    },
    close: (client) => client.close(),
  });

  async function ingredients() {
    const { ca_cert, client_cert } = config.tls ?? {};
    return {
      ca: ca_cert ? await authorityIn(ca_cert, file) : null,
      identity: client_cert ? await file(client_cert) : null,
    };
  }

  async function headers(): Promise<Record<string, string>> {
    const kept: Record<string, string> = { accept: "application/json", ...config.headers };
    for (const [name, path] of Object.entries(config.headers_file)) kept[name] = (await file(path)).trim();
    return kept;
  }

  function failure(error: unknown): RollcallError {
    if (codeOf(error) === "deadline") return timedOut(doing, config.timeout, where);
    if (codeOf(error) === "too_large")
      return new RollcallError("too_large", `${doing}: ${reason(error)} (${where})`);
    if (error instanceof RollcallError && error.code !== "unreachable") return error;
    const cause = error instanceof Error ? error.cause : null;
    return unreachable(doing, inWords(codeOf(cause ?? error), reason(error)), where);
  }

  function checked(answer: Answer): Answer {
    const { status } = answer;
    if (status === 401 || status === 403)
      throw denied(doing, `${status} (${where})`, "the server wants a credential");
    if (status === 429 || status >= 500) throw unreachable(doing, String(status), where);
    if ((status >= 200 && status < 300) || status === 304) return answer;
    const what = status >= 300 && status < 400 ? `${status}, and redirects are not followed` : String(status);
    throw new RollcallError("store_error", `${doing}: ${what} (${where})`, { facts: { status } });
  }

  return {
    where,
    async ask(question, signal) {
      if (ending.signal.aborted) throw closed(doing);
      if (signal.aborted) throw aborted(doing, signal);
      const given = { ...(await headers()), ...question.headers };
      const body = config.method === "POST" ? { body: JSON.stringify(question.body ?? {}) } : {};
      const outer = AbortSignal.any([signal, ending.signal]);
      const host = url.hostname.replace(/^\[|\]$/g, "");
      const path = `${url.pathname}${url.search}`;
      try {
        const answer = await clients.use(doing, (client) =>
          withDeadline(clock, outer, config.timeout, doing, (inner) =>
            client.send({ method: config.method, host, port, path, headers: given, ...body, signal: inner }),
          ),
        );
        return checked(answer);
      } catch (error) {
        if (ending.signal.aborted) throw closed(doing);
        if (signal.aborted) throw aborted(doing, signal);
        throw failure(error);
      }
    },
    close() {
      ending.abort();
      clients.close();
    },
  };
}
