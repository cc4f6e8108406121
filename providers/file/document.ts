/** What a YAML or JSON file holds. One that is being written cannot be told from one that is damaged: neither is believed. */
import { RollcallError } from "../../src/lib/errors.ts";
import { readWhole } from "../../src/lib/files.ts";

/** `doing` begins every error. */
type Options = { readonly doing: string; readonly path: string; readonly mostBytes: number };

/** The value in the file as it is now. Throws `file` where it cannot be read, and `bad_record` where it is neither. */
export async function readDocument({ doing, path, mostBytes }: Options): Promise<unknown> {
  const text = (await readWhole(path, mostBytes)).replace(/^\uFEFF/, "");
  return /^\s*[[{]/.test(text) ? json(doing, text) : await yaml(doing, text);
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
  const { readYaml } = await import("../../src/lib/yaml.ts");
  const read = readYaml(text);
  if (!read.ok) throw unreadable(doing, `is not YAML: ${read.problem}`);
  if (read.values.length > 1) throw unreadable(doing, "must be one document, without --- between several");
  return read.values[0];
}

/** `bad_record`, in one line. */
export function unreadable(doing: string, problem: string): RollcallError {
  return new RollcallError("bad_record", `${doing}: ${problem}`);
}
