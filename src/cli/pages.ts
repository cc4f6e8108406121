/** Lists of a coordinator, page by page, so that no answer grows with what it keeps. */
import type { ClientConfig } from "../config.ts";
import { RollcallError } from "../lib/errors.ts";
import { ask } from "./ask.ts";
import type { Io } from "./io.ts";
import { Page, read } from "./served.ts";

/** Items asked for at once. */
const PAGE = 100;

/** A coordinator never has as many; who answers without an end is stopped here. */
const MOST_PAGES = 100_000;

/** A path with its query; what is null is left out. */
export function withQuery(path: string, query: Readonly<Record<string, string | null>>): string {
  const given = Object.entries(query).flatMap(([key, value]) =>
    value === null ? [] : [`${key}=${encodeURIComponent(value)}`],
  );
  return given.length === 0 ? path : `${path}?${given.join("&")}`;
}

/** The items of each page in turn, until the last page or until nobody reads what is printed. */
export async function* pages(
  path: string,
  query: Readonly<Record<string, string | null>>,
  config: ClientConfig,
  io: Io,
): AsyncGenerator<readonly unknown[]> {
  let after = query.after ?? null;
  for (let count = 0; count < MOST_PAGES && !io.unread.aborted; count++) {
    const body = await ask(withQuery(path, { ...query, limit: String(PAGE), after }), config, io);
    const { items, next } = read(Page, body, config);
    yield items;
    if (next === null || items.length === 0) return;
    if (next === after)
      throw new RollcallError("ask", `ask ${config.name}: ${path} gives the same page again`);
    after = next;
  }
}

/** A whole list, as it came. */
export async function all(path: string, config: ClientConfig, io: Io): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  for await (const items of pages(path, {}, config, io)) found.push(...items);
  return found;
}

/** The nodes of a cluster, as they came. */
export function nodesOf(clusterId: string, config: ClientConfig, io: Io): Promise<readonly unknown[]> {
  return all(`/v1/clusters/${encodeURIComponent(clusterId)}/nodes`, config, io);
}
