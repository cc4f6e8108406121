/** JSON and YAML, read with the place of a mistake and without repeating the text, which may hold secrets. */
import type { LineCounter, Document as YamlDocument } from "yaml";
import { jsonProblem } from "./json-problem.ts";
import { usageError } from "./usage.ts";

/** A mapping, as `-config` and `-disco-config` must be. */
export type Document = Readonly<Record<string, unknown>>;

/** The usual mistakes in YAML, by the library's codes. */
const MISTAKES: Readonly<Record<string, string>> = {
  BAD_INDENT: "wrong indentation",
  BLOCK_AS_IMPLICIT_KEY: "wrong indentation, or a second : in one line,",
  DUPLICATE_KEY: "a key that is there already",
  MISSING_CHAR: "something is missing (a quote, a bracket, or the space after :)",
  TAB_AS_INDENT: "a tab as indentation",
  UNEXPECTED_TOKEN: "something unexpected",
};

/** Reads JSON that must be an object. Throws one usage line that begins with `where`. */
export function readJson(where: string, text: string): Document {
  try {
    return mapping(where, JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const problem = jsonProblem(text);
    const place =
      problem === null ? "" : `: expected ${problem.expected} at ${at(problem.line, problem.column)}`;
    throw usageError(`${where}: is not JSON${place}`);
  }
}

/**
 * Reads a file's JSON or YAML, which must be a mapping; empty YAML is an empty one. `where` ends with its path.
 * Throws one usage line that begins with `where`.
 */
export async function readDocument(where: string, content: string): Promise<Document> {
  const text = content.replace(/^\uFEFF/, "");
  const json = text.trimStart().startsWith("{");
  if (json && (where.endsWith(".json") || jsonProblem(text) === null)) return readJson(where, text);
  const { LineCounter, parseDocument } = await import("./yaml.ts");
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, ...YAML });
  return mapping(where, contentOf(where, document, lineCounter) ?? {});
}

/** As readDocument, for any number of mappings in one text, in lists too; empty ones are left out. */
export async function readDocuments(where: string, content: string): Promise<readonly Document[]> {
  const text = content.replace(/^\uFEFF/, "");
  const json = text.trimStart().startsWith("{");
  if (json && (where.endsWith(".json") || jsonProblem(text) === null)) return [readJson(where, text)];
  const { LineCounter, parseAllDocuments } = await import("./yaml.ts");
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter, ...YAML });
  return [...documents].flatMap((document) => {
    const value = contentOf(where, document, lineCounter);
    const values = Array.isArray(value) ? value : value === null || value === undefined ? [] : [value];
    return values.map((one) => mapping(where, one));
  });
}

const YAML = { prettyErrors: false, stringKeys: true, logLevel: "error" } as const;

function contentOf(where: string, document: YamlDocument, lines: LineCounter): unknown {
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    // The library's own sentence may quote the text.
    const what = MISTAKES[error.code] ?? error.code.toLowerCase().replaceAll("_", " ");
    throw usageError(`${where}: is not YAML: ${what} at ${at(line, col)}`);
  }
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    throw usageError(`${where}: is not YAML: an alias leads nowhere, or too many aliases`);
  }
}

function mapping(where: string, value: unknown): Document {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Document;
  throw usageError(`${where}: must be a mapping of names to values, at its top`);
}

function at(line: number, column: number): string {
  return `line ${line}, column ${column}`;
}
