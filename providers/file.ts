/**
 * Clusters in a YAML or JSON file: `{clusters: [{cluster_id, nodes}]}`, or the list alone. The file is read at each look.
 * One that is being written cannot be told from one that is damaged, and neither is believed.
 */
import * as z from "zod";
import type { Inventory } from "../src/core/inventory.ts";
import { RollcallError } from "../src/lib/errors.ts";
import { readWhole } from "../src/lib/files.ts";
import { aborted, closed } from "./failure.ts";
import { listingOf } from "./records.ts";

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
      const text = (await readWhole(path, MOST_BYTES)).replace(/^\uFEFF/, "");
      return listingOf(
        doing,
        listIn(doing, /^\s*[[{]/.test(text) ? json(doing, text) : await yaml(doing, text)),
      );
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

function json(doing: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The engine's message quotes the text.
    throw unreadable(doing, "is not JSON");
  }
}

async function yaml(doing: string, text: string): Promise<unknown> {
  // YAML that is cut off is often YAML with fewer nodes. Writers end with a newline, a cut seldom falls behind one.
  if (text !== "" && !text.endsWith("\n"))
    throw unreadable(doing, "ends within a line: it is being written, or lacks the last newline");
  const { parseDocument } = await import("./yaml.ts");
  const document = parseDocument(text, { prettyErrors: false, stringKeys: true, logLevel: "error" });
  if (document.errors.length > 0) throw unreadable(doing, "is not YAML");
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    throw unreadable(doing, "is not YAML: an alias leads nowhere, or too many aliases");
  }
}

function unreadable(doing: string, problem: string): RollcallError {
  return new RollcallError("bad_record", `${doing}: ${problem}`);
}
