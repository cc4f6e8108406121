/** All pages of an HTTP inventory, one after another, bounded in number, size and time. No redirect is followed. */
import * as z from "zod";
import { decode } from "../../src/core/model.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { codeOf, RollcallError, reason } from "../../src/lib/errors.ts";
import { withDeadline } from "../../src/lib/loop.ts";
import { type Answer, type Ask, type Client, openClient } from "../../src/lib/request.ts";
import { createClients } from "../clients.ts";
import { aborted, closed, denied, inWords, timedOut, unreachable } from "../failure.ts";
import type { Config } from "./config.ts";

const MOST_PAGES = 1_000;
/** Of all pages of one look together. */
const MOST_BYTES = 32 * 1024 * 1024;

type Deps = {
  readonly file: (path: string) => Promise<string>;
  readonly clock: Clock;
  /** Begins every error. */
  readonly doing: string;
};

export interface Pages {
  /** The clusters of every page. Throws one line, and gives nothing, when any page cannot be had. */
  all(signal: AbortSignal): Promise<readonly unknown[]>;
  /** Ends requests in progress and frees connections. Safe twice. */
  close(): void;
}

const Page = z.looseObject({ clusters: z.array(z.unknown()), cursor: z.string().nullish() });

/** Connects to nothing yet. */
export function createPages(config: Config, { file, clock, doing }: Deps): Pages {
  const url = new URL(config.url);
  const secure = url.protocol === "https:";
  const port = Number(url.port) || (secure ? 443 : 80);
  const where = `${url.hostname}:${port}`;
  const ending = new AbortController();
  const clients = createClients<Awaited<ReturnType<typeof ingredients>>, Client>({
    ingredients,
    make: ({ ca, identity }) => {
      const own = identity === null ? {} : { cert: identity, key: identity };
      return openClient(secure ? { ...(ca === null ? {} : { ca }), ...own } : null, {
        mostBytes: MOST_BYTES,
      });
    },
    close: (client) => client.close(),
  });

  async function ingredients() {
    const { ca_cert, client_cert } = config.tls ?? {};
    return {
      ca: ca_cert ? await file(ca_cert) : null,
      identity: client_cert ? await file(client_cert) : null,
    };
  }

  async function headers(): Promise<Record<string, string>> {
    const kept: Record<string, string> = { accept: "application/json", ...config.headers };
    for (const [name, path] of Object.entries(config.headers_file)) kept[name] = (await file(path)).trim();
    return kept;
  }

  async function ask(cursor: string | null, signal: AbortSignal): Promise<Answer> {
    const given = await headers();
    const body = config.method === "POST" ? { body: JSON.stringify({ ...config.body, cursor }) } : {};
    const question: Omit<Ask, "signal"> = {
      method: config.method,
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port,
      path: `${url.pathname}${url.search}`,
      headers: given,
      ...body,
    };
    const outer = AbortSignal.any([signal, ending.signal]);
    try {
      return await clients.use(doing, (client) =>
        withDeadline(clock, outer, config.timeout, doing, (inner) =>
          client.send({ ...question, signal: inner }),
        ),
      );
    } catch (error) {
      if (ending.signal.aborted) throw closed(doing);
      if (signal.aborted) throw aborted(doing, signal);
      throw failure(error);
    }
  }

  function failure(error: unknown): RollcallError {
    if (codeOf(error) === "deadline") return timedOut(doing, config.timeout, where);
    if (codeOf(error) === "too_large")
      return new RollcallError("too_large", `${doing}: ${reason(error)} (${where})`);
    if (error instanceof RollcallError && error.code !== "unreachable") return error;
    const cause = error instanceof Error ? error.cause : null;
    return unreachable(doing, inWords(codeOf(cause ?? error), reason(error)), where);
  }

  function pageOf({ status, body }: Answer): z.infer<typeof Page> {
    if (status === 401 || status === 403)
      throw denied(doing, `${status} (${where})`, "the server wants a credential");
    if (status === 429 || status >= 500) throw unreachable(doing, String(status), where);
    if (status < 200 || status >= 300) {
      const what =
        status >= 300 && status < 400 ? `${status}, and redirects are not followed` : String(status);
      throw new RollcallError("store_error", `${doing}: ${what} (${where})`, { facts: { status } });
    }
    const page = decode(Page, body);
    if (page.ok) return page.value;
    throw new RollcallError("bad_record", `${doing}: the answer ${page.problem} (${where})`);
  }

  const stop = (what: string) => new RollcallError("store_error", `${doing}: ${what} (${where})`);

  return {
    async all(signal) {
      const clusters: unknown[] = [];
      const seen = new Set<string>();
      let bytes = 0;
      let cursor: string | null = null;
      for (let pages = 1; ; pages++) {
        if (pages > MOST_PAGES) throw stop(`more than ${MOST_PAGES} pages`);
        const answer = await ask(cursor, signal);
        bytes += Buffer.byteLength(answer.body);
        if (bytes > MOST_BYTES)
          throw new RollcallError("too_large", `${doing}: the pages are over ${MOST_BYTES} bytes (${where})`);
        const page = pageOf(answer);
        for (const cluster of page.clusters) clusters.push(cluster);
        cursor = page.cursor ?? null;
        if (cursor === null) return clusters;
        // There may be more clusters, and no way to ask for them: not all that there is.
        if (config.method === "GET") throw stop("the answer has a cursor, which GET cannot send back");
        if (seen.has(cursor)) throw stop("the server gave the same cursor twice");
        seen.add(cursor);
      }
    },
    close() {
      ending.abort();
      clients.close();
    },
  };
}
