/** What a YAML or JSON file holds. One that is being written cannot be told from one that is damaged: neither is believed. */
import { RollcallError } from "../../src/lib/errors.ts";
import { readWhole } from "../../src/lib/files.ts";

/** `doing` begins every error. */
type Options = { readonly doing: string; readonly path: string; readonly mostBytes: number };

/** Longer ones are programs' JSON, and reading half of one as YAML would take seconds. */
const MOST_BRACKETED = 256 * 1024;

/** The value in the file as it is now. Throws `file` where it cannot be read, and `bad_record` where it is neither. */
export async function readDocument({ doing, path, mostBytes }: Options): Promise<unknown> {
  const text = (await readWhole(path, mostBytes)).replace(/^\uFEFF/, "");
  // What is in brackets is whole once they are closed.
  const bracketed = /^\s*[[{]/.test(text);
  if (bracketed) {
    // JSON is read by its own parser, which is faster. What that one refuses may still be YAML.
    try {
      return JSON.parse(text);
    } catch {
      if (text.length > MOST_BRACKETED) throw unreadable(doing, "is not JSON");
    }
  }
  // Other YAML that is cut off is often YAML with fewer nodes. Writers end with a newline, a cut seldom falls behind one.
  else if (text !== "" && !text.endsWith("\n"))
    throw unreadable(doing, "ends within a line: it is being written, or lacks the last newline");
  const { readYaml } = await import("../../src/lib/yaml.ts");
  const read = readYaml(text);
  if (!read.ok) throw unreadable(doing, `is ${bracketed ? "neither JSON nor" : "not"} YAML: ${read.problem}`);
  if (read.values.length > 1) throw unreadable(doing, "must be one document, without --- between several");
  return read.values[0];
}

/** `bad_record`, in one line. */
export function unreadable(doing: string, problem: string): RollcallError {
  return new RollcallError("bad_record", `${doing}: ${problem}`);
}
