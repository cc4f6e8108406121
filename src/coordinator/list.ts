/** Keyset paging: a page is what comes after a key, so that what is new or gone in between shifts nothing. */

export type PageQuery = { readonly after?: string | undefined; readonly limit: number };

/** One page. `next`: the `after` of the following one; null on the last. */
export type Page<T> = { readonly items: readonly T[]; readonly next: string | null };

/**
 * The rows with a key beyond `after`. `rows` stand in the order of their keys, which rise, or with `falling` fall;
 * `keep` leaves out rows, and is asked of no more than it takes to fill the page.
 */
export function pageOf<T>(
  rows: Iterable<T>,
  { after, limit }: PageQuery,
  keyOf: (row: T) => string,
  { keep = () => true, falling = false }: { keep?: (row: T) => boolean; falling?: boolean } = {},
): Page<T> {
  const items: T[] = [];
  for (const row of rows) {
    const key = keyOf(row);
    if (after !== undefined && (falling ? key >= after : key <= after)) continue;
    if (!keep(row)) continue;
    const last = items.at(-1);
    if (last !== undefined && items.length === limit) return { items, next: keyOf(last) };
    items.push(row);
  }
  return { items, next: null };
}

/** Rows in the order of their keys. */
export function sortedBy<T>(rows: readonly T[], keyOf: (row: T) => string): T[] {
  return [...rows].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0));
}
