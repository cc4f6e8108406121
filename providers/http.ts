/**
 * Agents in a list that a URL answers with (agents.ts has its shapes): by GET, and again only where its ETag is another
 * (RFC 9110 §13.1.2), or by POST page after page, as Replicante asks. The agents agree among themselves.
 */
import * as z from "zod";
import { decode } from "../src/core/model.ts";
import type { Lookup, Provider, ProviderContext } from "../src/core/provider.ts";
import { systemClock } from "../src/lib/clock.ts";
import { RollcallError } from "../src/lib/errors.ts";
import { agentsOf } from "./agents.ts";
import type { AgentsConfig } from "./http/config.ts";
import { createPages } from "./http/pages.ts";
import { openServer } from "./http/server.ts";

export { AgentsConfig as Config } from "./http/config.ts";

/** The list's size, at most. */
const MOST_BYTES = 4 * 1024 * 1024;
const DOING = "look for agents";

const List = z.union([z.array(z.unknown()), z.looseObject({})], { error: "must be a list" });
const More = z.looseObject({ cursor: z.string() });

/** Opens the provider. Connects to nothing yet. `clock` is for tests. */
export async function open(
  config: AgentsConfig,
  { file, key }: ProviderContext,
  { clock = systemClock } = {},
): Promise<Provider> {
  const wanted = { doing: DOING, key, labels: config.labels };
  const deps = { file, clock, doing: DOING };
  if (config.method === "POST") {
    const pages = createPages(config, deps);
    return {
      mode: "http",
      lookup: async (signal) => agentsOf(await pages.all(signal), wanted),
      close: async () => pages.close(),
    };
  }

  const server = openServer(config, { ...deps, mostBytes: MOST_BYTES });
  const { where } = server;
  let last: { readonly etag: string; readonly lookup: Lookup } | null = null;
  return {
    mode: "http",
    async lookup(signal) {
      const known = last;
      const headers = known === null ? {} : { "if-none-match": known.etag };
      const answer = await server.ask({ headers }, signal);
      if (answer.status === 304) {
        if (known !== null) return known.lookup;
        throw new RollcallError(
          "store_error",
          `${DOING}: 304 to a question without If-None-Match (${where})`,
        );
      }
      const lookup = agentsOf(listIn(answer.body, where), wanted);
      const { etag } = answer.headers;
      last = typeof etag === "string" ? { etag, lookup } : null;
      return lookup;
    },
    close: async () => server.close(),
  };
}

function listIn(body: string, where: string): unknown {
  const list = decode(List, body);
  if (!list.ok) throw new RollcallError("bad_record", `${DOING}: the answer ${list.problem} (${where})`);
  // There may be more, and no way to ask for it: not all that there is.
  if (More.safeParse(list.value).success) {
    const problem = "the answer has a cursor, which GET cannot send back";
    throw new RollcallError("store_error", `${DOING}: ${problem} (${where})`);
  }
  return list.value;
}
