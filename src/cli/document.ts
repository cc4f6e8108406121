/** JSON and YAML, read with the place of a mistake and without repeating the text, which may hold secrets. */
import { jsonProblem } from "./json-problem.ts";
import { usageError } from "./usage.ts";

/** A mapping, as `-config` and `-disco-config` must be. */
export type Document = Readonly<Record<string, unknown>>;

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
  const [value, ...more] = await valuesIn(where, content);
  if (more.length > 0) throw usageError(`${where}: must be one document, without --- between several`);
  return mapping(where, value ?? {});
}

/** As readDocument, for any number of mappings in one text, in lists too; empty ones are left out. */
export async function readDocuments(where: string, content: string): Promise<readonly Document[]> {
  const values = (await valuesIn(where, content)).filter((value) => value !== null);
  return values.flat().map((one) => mapping(where, one));
}

async function valuesIn(where: string, content: string): Promise<readonly unknown[]> {
  const text = content.replace(/^\uFEFF/, "");
  const json = text.trimStart().startsWith("{");
  if (json && (where.endsWith(".json") || jsonProblem(text) === null)) return [readJson(where, text)];
  const { readYaml } = await import("../lib/yaml.ts");
  const read = readYaml(text);
  if (!read.ok) throw usageError(`${where}: is not YAML: ${read.problem}`);
  return read.values;
}

function mapping(where: string, value: unknown): Document {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Document;
  throw usageError(`${where}: must be a mapping of names to values, at its top`);
}

function at(line: number, column: number): string {
  return `line ${line}, column ${column}`;
}
