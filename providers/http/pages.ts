/** Replicante's pages: asked for one after another, and given together or not at all. */
import * as z from "zod";
import { decode } from "../../src/core/model.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import type { Answer } from "../../src/lib/request.ts";
import type { Config } from "./config.ts";
import { openServer } from "./server.ts";

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

const Page = z.looseObject(
  {
    clusters: z.array(z.unknown(), "must be a list"),
    cursor: z.string("must be a text, or null").nullish(),
  },
  "must be {clusters: […], cursor}",
);

/** Connects to nothing yet. */
export function createPages(config: Config, deps: Deps): Pages {
  const { doing } = deps;
  const server = openServer(config, { ...deps, mostBytes: MOST_BYTES });
  const { where } = server;

  function pageOf({ body }: Answer): z.infer<typeof Page> {
    const page = decode(Page, body);
    if (page.ok) return page.value;
    const problem = page.problem.replace(/^(\w+): /, "'s $1 ").replace(/^(?!')/, " ");
    throw new RollcallError("bad_record", `${doing}: the answer${problem} (${where})`);
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
        const answer = await server.ask({ body: { ...config.body, cursor } }, signal);
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
    close: () => server.close(),
  };
}
