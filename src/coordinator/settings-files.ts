/**
 * Which files of settings are applied: those that are right, whose text is another than the one that was last taken,
 * so that what was changed otherwise since stands. Of two files with the same object the first by name has it.
 */
import type { Parsed, Understood } from "./documents.ts";
import type { ApplyAnswer } from "./pages.ts";

/** A text of settings, and where it stands. */
export type SettingsFile = { readonly path: string; readonly text: string };

export type SettingsFiles = {
  readonly apply: (text: string) => Promise<ApplyAnswer>;
  readonly parse: (
    text: string,
  ) => Promise<
    | Extract<Parsed, { ok: false }>
    | { readonly ok: true; readonly documents: readonly Pick<Understood, "kind" | "name">[] }
  >;
};

type Judged = {
  readonly text: string;
  /** `ClusterSettings prod/orders`: what it has by its last text that was right. */
  readonly objects: readonly string[];
  /** Of the text alone. */
  readonly wrong: readonly string[];
  /** All that is wrong, one line each. */
  readonly problems: readonly string[];
};

/** None is taken yet. `take` applies what is to be, and gives what is wrong that it did not give before, one line each. */
export function openSettingsFiles({ apply, parse }: SettingsFiles) {
  let known: ReadonlyMap<string, Judged> = new Map();
  return {
    async take(files: readonly SettingsFile[]): Promise<readonly string[]> {
      const now = await judge(files, parse, known);
      const before = known;
      const done = new Map([...before].filter(([path]) => now.has(path)));
      known = done;
      const problems: string[] = [];
      for (const [path, one] of now) {
        const old = before.get(path);
        if (old?.text === one.text && old.problems.join() === one.problems.join()) continue;
        const answer = one.problems.length > 0 ? one : await apply(one.text);
        if ("problems" in answer) problems.push(...answer.problems.map((problem) => `${path}: ${problem}`));
        done.set(path, one);
      }
      return problems;
    },
  };
}

/** What is wrong with files, one line each; applies nothing. */
export async function problemsOf(
  files: readonly SettingsFile[],
  parse: SettingsFiles["parse"],
): Promise<readonly string[]> {
  const all = await judge(files, parse, new Map());
  return [...all].flatMap(([path, { problems }]) => problems.map((problem) => `${path}: ${problem}`));
}

async function judge(
  files: readonly SettingsFile[],
  parse: SettingsFiles["parse"],
  before: ReadonlyMap<string, Judged>,
): Promise<ReadonlyMap<string, Judged>> {
  const owners = new Map<string, string>();
  const all = new Map<string, Judged>();
  for (const { path, text } of files) {
    const old = before.get(path);
    const read = old?.text === text ? old : await readAs(text, parse, old);
    const twice = read.objects.flatMap((object, at) => {
      const owner = owners.get(object);
      return owner === undefined ? [] : [`document ${at + 1}, ${object}: stands in ${owner} too`];
    });
    if (twice.length === 0) for (const object of read.objects) owners.set(object, path);
    all.set(path, { ...read, problems: read.wrong.length > 0 ? read.wrong : twice });
  }
  return all;
}

/** The settings of a file that went bad stay, and so does what it has. */
async function readAs(text: string, parse: SettingsFiles["parse"], old: Judged | undefined) {
  const parsed = await parse(text);
  if (!parsed.ok) return { text, objects: old?.objects ?? [], wrong: parsed.problems };
  return { text, objects: parsed.documents.map(({ kind, name }) => `${kind} ${name}`), wrong: [] };
}
