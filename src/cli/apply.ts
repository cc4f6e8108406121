/** `rollcall apply`: settings from files or standard input to a coordinator. */
import { join } from "node:path";
import * as z from "zod";
import type { Settings } from "../config.ts";
import { SETTINGS_NAME } from "../coordinator/watched.ts";
import { decode } from "../core/model.ts";
import { codeOf } from "../lib/errors.ts";
import { refusal, request } from "./ask.ts";
import { coordinatorClient } from "./coordinator-configs.ts";
import { readDocuments } from "./document.ts";
import type { Io } from "./io.ts";
import { read } from "./served.ts";
import { printValue } from "./shown.ts";
import { printable, readGiven, usageError } from "./usage.ts";

/** A coordinator answers once it has kept them all. */
const LIMIT_MS = 30_000;

const Applied = z.looseObject({
  applied: z.array(z.looseObject({ kind: z.string(), name: z.string(), changed: z.boolean() })),
});
const Refused = z.looseObject({ error: z.looseObject({ problems: z.array(z.string()).min(1) }) });

/** A text with `count` objects; `where` names it in messages. */
type Source = { readonly where: string; readonly text: string; readonly count: number };

/** 0 once all of it is kept; 2, with a line a problem, where any of it cannot be taken: nothing is changed then. */
export async function run(settings: Settings, io: Io): Promise<number> {
  const config = coordinatorClient(settings, io.files);
  const sources = await sourcesOf(settings.file, io);
  const body = sources.length === 1 ? (sources[0]?.text ?? "") : sources.map(asPart).reduce(joined);
  const answer = await request({ path: "/v1/apply", body, limitMs: LIMIT_MS }, config, io);
  if (answer.status >= 400 && answer.status < 500) {
    const refused = decode(Refused, answer.body);
    if (!refused.ok) throw refusal("/v1/apply", answer, config);
    for (const problem of refused.value.error.problems)
      io.stderr(`rollcall: ${printable(located(problem, sources))}\n`);
    return 2;
  }
  if (answer.status >= 300) throw refusal("/v1/apply", answer, config);
  const value = read(Applied, answer.body, config);
  if (settings.output !== "table") await printValue(value, settings.output, io);
  else
    for (const { kind, name, changed } of value.applied)
      io.stdout(`${printable(`${kind} ${name}: ${changed ? "applied" : "unchanged"}`)}\n`);
  return 0;
}

async function sourcesOf(path: string | null, io: Io): Promise<readonly Source[]> {
  if (path === null) throw usageError("-f: is required: a file, a directory, or - for standard input");
  if (path === "-") return [await sourceOf("standard input", await io.stdin())];
  const names = namesIn(path, io);
  if (names === null) return [await sourceOf(path, readGiven(io.files, "-f", path))];
  const wanted = names.filter((name) => SETTINGS_NAME.test(name)).sort();
  if (wanted.length === 0) throw usageError(`-f: ${path}: has no *.yaml, *.yml or *.json in it`);
  const sources: Source[] = [];
  for (const file of wanted.map((name) => join(path, name)))
    sources.push(await sourceOf(file, readGiven(io.files, "-f", file)));
  return sources;
}

/** The names in a directory; null: it is none. */
function namesIn(path: string, io: Io): readonly string[] | null {
  try {
    return io.files.list(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") throw usageError(`-f: ${path}: no such file or directory`);
    return null;
  }
}

async function sourceOf(where: string, text: string): Promise<Source> {
  const { length: count } = await readDocuments(where, text);
  if (count === 0) throw usageError(`-f: ${where}: has nothing in it to apply`);
  return { where, text, count };
}

/** One of several texts, without what begins or ends a document: that stands between them. */
function asPart({ text }: Source): string {
  return text
    .replace(/^\uFEFF/, "")
    .replace(/^(?:\s*(?:#.*)?\n)*---[ \t]*(?=\n)/, "")
    .replace(/\n(?:---|\.\.\.)\s*$/, "");
}

/** Directives may stand behind an ended document only. */
function joined(before: string, part: string): string {
  return `${before}\n${/^(?:\s*(?:#.*)?\n)*%/.test(part) ? "..." : "---"}\n${part}`;
}

/** A problem with the file that it is in, where that can be told. */
function located(problem: string, sources: readonly Source[]): string {
  const [only, ...more] = sources;
  if (only !== undefined && more.length === 0) return `${only.where}: ${problem}`;
  const [whole, number] = /^document (\d+)\b/.exec(problem) ?? [];
  if (whole === undefined) return problem;
  let left = Number(number);
  for (const { where, count } of sources) {
    if (left <= count) return `${where}: document ${left}${problem.slice(whole.length)}`;
    left -= count;
  }
  return problem;
}
