/**
 * Clusters in a YAML or JSON file: `{clusters: [{cluster_id, nodes}]}`, or the list alone. The file is read at each look.
 */
import * as z from "zod";
import type { Inventory } from "../../src/core/inventory.ts";
import { aborted, closed } from "../failure.ts";
import { listingOf } from "../records.ts";
import { readDocument, unreadable } from "./document.ts";

/** The file's size, at most. */
const MOST_BYTES = 32 * 1024 * 1024;

/** The `config` of this mode. */
export const Config = z.strictObject({ path: z.string().min(1, "must be the path of a file") });
export type Config = z.infer<typeof Config>;

/** Opens nothing yet, and throws nothing. */
export async function open({ path }: Config): Promise<Inventory> {
  const doing = `list the clusters in ${path}`;
  let open = true;
  return {
    async look(signal) {
      if (!open) throw closed(doing);
      if (signal.aborted) throw aborted(doing, signal);
      return listingOf(doing, listIn(doing, await readDocument({ doing, path, mostBytes: MOST_BYTES })));
    },
    async close() {
      open = false;
    },
  };
}

function listIn(doing: string, value: unknown): readonly unknown[] {
  const list: unknown =
    typeof value === "object" && value !== null ? Reflect.get(value, "clusters") : undefined;
  const given = Array.isArray(value) ? value : list;
  // An empty file is one that was just opened for writing; no clusters are written as `clusters: []`.
  if (!Array.isArray(given))
    throw unreadable(doing, "must be {clusters: […]}, or a list of {cluster_id, nodes}");
  return given;
}
