/** What of a stored document may be shown: everything but the secrets that stand in a `config` itself. */
import * as z from "zod";

/** Stands where a secret stood. A document that holds it is not taken. */
const HIDDEN = "(not shown)";

/** The keys of any mode that hold secrets themselves. Their `_file` and `_path` siblings name files, and are shown. */
const SECRET = /token|password|secret|_pem$|^headers$|^body$|^basic_auth$/i;
const NAMES_A_FILE = /_(?:file|path)$/;

const Stored = z.looseObject({ spec: z.looseObject({ config: z.unknown().optional() }) });

/** A stored document, parsed, with every secret in `spec.config` replaced. Throws nothing for what this program stored. */
export function shownDocument(document: string): unknown {
  const parsed = Stored.parse(JSON.parse(document));
  if (parsed.spec.config === undefined) return parsed;
  return { ...parsed, spec: { ...parsed.spec, config: hide(parsed.spec.config) } };
}

/** The path of the first value that stands for a hidden secret; null: there is none. */
export function hiddenIn(config: unknown): string | null {
  if (config === HIDDEN) return "";
  if (typeof config !== "object" || config === null) return null;
  for (const [key, inner] of Object.entries(config)) {
    const found = hiddenIn(inner);
    if (found !== null) return found === "" ? key : `${key}.${found}`;
  }
  return null;
}

function hide(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hide);
  if (typeof value !== "object" || value === null) return value;
  const shown = Object.entries(value).map(([key, inner]) => {
    const secret = SECRET.test(key) && !NAMES_A_FILE.test(key) && inner !== null && inner !== "";
    return [key, secret ? HIDDEN : hide(inner)];
  });
  return Object.fromEntries(shown);
}
