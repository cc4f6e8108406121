/**
 * YAML, of which JSON is a part, and what is wrong with it. Loaded when a text is read: the library's names stand here
 * statically because a bundled CommonJS package, imported lazily itself, gives no names but `default`.
 */
import { LineCounter, parseAllDocuments } from "yaml";

export { stringify } from "yaml";

/** The usual mistakes, by the library's codes. */
const MISTAKES: Readonly<Record<string, string>> = {
  BAD_INDENT: "wrong indentation",
  BLOCK_AS_IMPLICIT_KEY: "wrong indentation, or a second : in one line,",
  DUPLICATE_KEY: "a key that is there already",
  MISSING_CHAR: "something is missing (a quote, a bracket, or the space after :)",
  TAB_AS_INDENT: "a tab as indentation",
  UNEXPECTED_TOKEN: "something unexpected",
};

/** The values of the documents in a text, null for an empty one; or its first mistake, with the place of it. */
export type Yaml =
  | { readonly ok: true; readonly values: readonly unknown[] }
  | { readonly ok: false; readonly problem: string };

/** Never throws. What is wrong is named by its place, never by the text around it, which may hold secrets. */
export function readYaml(text: string): Yaml {
  const lines = new LineCounter();
  const options = { lineCounter: lines, prettyErrors: false, stringKeys: true, logLevel: "error" } as const;
  const values: unknown[] = [];
  for (const document of parseAllDocuments(text, options)) {
    const [error] = document.errors;
    if (error !== undefined) {
      const { line, col } = lines.linePos(error.pos[0]);
      // The library's own sentence may quote the text.
      const what = MISTAKES[error.code] ?? error.code.toLowerCase().replaceAll("_", " ");
      return { ok: false, problem: `${what} at line ${line}, column ${col}` };
    }
    try {
      values.push((document.toJS({ maxAliasCount: 100 }) as unknown) ?? null);
    } catch {
      return { ok: false, problem: "an alias leads nowhere, or too many aliases" };
    }
  }
  return { ok: true, values };
}
