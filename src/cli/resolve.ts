/**
 * Who says what: a flag on the command line wins over its environment variable, that over the `-config` file,
 * that over the default. Only what a command uses is looked at, so that one environment and one file serve an
 * agent and every command beside it.
 */

import { Settings } from "../config.ts";
import { nearest } from "../lib/suggest.ts";
import type { CommandName } from "./command.ts";
import { type Document, readDocument, readJson } from "./document.ts";
import { type Env, expand } from "./expand.ts";
import { envName, FLAGS, type Flag, flagsOf } from "./flags.ts";
import type { GivenFlag } from "./parse.ts";
import { didYouMean, type Files, readGiven, usageError } from "./usage.ts";
import { convert, type Given } from "./values.ts";

/** What resolving needs of the world. */
export type ResolveDeps = { readonly env: Env; readonly files: Files };

/** The command line as it was read. */
export type Said = {
  readonly command: CommandName;
  readonly flags: readonly GivenFlag[];
  readonly database: readonly string[];
};

/** All settings of a command. Flags that it does not use have their defaults. Throws one usage line. */
export async function resolve({ command, flags, database }: Said, deps: ResolveDeps): Promise<Settings> {
  const line = new Map<Flag, Given>(flags.map(({ flag, where, text }) => [flag, { where, value: text }]));
  const file = await readConfigFile(command, line, deps);
  const used = new Set(flagsOf(command));
  const origins = new Map<string, string>();
  const values: Record<string, unknown> = { command: database };
  for (const flag of rowsOf(used)) {
    const given = used.has(flag) ? (line.get(flag) ?? fromEnv(flag, deps.env) ?? fromFile(flag, file)) : null;
    if (given !== null) origins.set(flag.key, given.where);
    const source = given ?? (flag.default === null ? null : { where: `-${flag.name}`, value: flag.default });
    if (source === null) values[flag.key] = null;
    else
      values[flag.key] = flag.kind === "json" ? await readNested(flag, source, deps) : convert(flag, source);
  }
  const parsed = Settings.safeParse(values);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const key = String(issue?.path[0]);
  throw usageError(`${origins.get(key) ?? key}: ${issue?.message}`);
}

/** One row a setting: of several with one key, that which the command uses. */
function rowsOf(used: ReadonlySet<Flag>): readonly Flag[] {
  const rows = new Map<string, Flag>();
  for (const flag of FLAGS) if (!rows.has(flag.key) || used.has(flag)) rows.set(flag.key, flag);
  rows.delete("config");
  return [...rows.values()];
}

type File = { readonly path: string; readonly document: Document } | null;

async function readConfigFile(
  command: CommandName,
  line: ReadonlyMap<Flag, Given>,
  deps: ResolveDeps,
): Promise<File> {
  const flag = flagsOf(command).find(({ name }) => name === "config");
  const given = flag === undefined ? null : (line.get(flag) ?? fromEnv(flag, deps.env));
  if (flag === undefined || given === null) return null;
  const path = String(convert(flag, given));
  const document = await readDocument(path, readGiven(deps.files, given.where, path));
  const known = FLAGS.filter((row) => row.lineOnly !== true && row.name !== "config").map((row) => row.key);
  const unknown = Object.keys(document).find((key) => !known.includes(key));
  if (unknown === undefined) return { path, document };
  // A word that is no key may be a secret in the wrong place.
  const name = /^[A-Za-z][A-Za-z0-9_-]{0,40}$/.test(unknown)
    ? `${unknown}: unknown key`
    : "has an unknown key";
  throw usageError(`${path}: ${name}${didYouMean(nearest(unknown, known))}`);
}

/** An empty variable is an unset one: container tools make them. */
function fromEnv(flag: Flag, env: Env): Given | null {
  const name = envName(flag);
  const value = name === null ? undefined : env[name];
  return name === null || value === undefined || value === "" ? null : { where: name, value };
}

function fromFile(flag: Flag, file: File): Given | null {
  if (file === null || flag.lineOnly === true || !Object.hasOwn(file.document, flag.key)) return null;
  const value = file.document[flag.key];
  return value === null ? null : { where: `${file.path}: ${flag.key}`, value };
}

/** JSON when it begins with `{`, else the path of a file; in a `-config` file also the object itself. */
async function readNested(flag: Flag, given: Given, { env, files }: ResolveDeps): Promise<Document> {
  const { where, value } = given;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return expand(where, value as Document, env);
  }
  const text = String(convert(flag, given)).trim();
  if (text.startsWith("{")) return expand(where, readJson(where, text), env);
  return expand(where, await readDocument(`${where}: ${text}`, readNestedFile(files, where, text)), env);
}

function readNestedFile(files: Files, where: string, path: string): string {
  try {
    return readGiven(files, where, path);
  } catch (error) {
    // What looks like no path is JSON that lost its braces or quotes: repeating it may tell a secret.
    if (!/[\s"'{}[\],=]/.test(path)) throw error;
    throw usageError(`${where}: is neither JSON, which begins with {, nor the path of a file that is there`);
  }
}
