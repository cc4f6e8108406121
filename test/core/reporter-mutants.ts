/** Mutants of the leader key's rules, made from their text: the shipped code has no hooks for them. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Protocol } from "./reporter-model.ts";

const core = new URL("../../src/core/", import.meta.url);
const files = ["leader-key.ts", "reporter.ts"];

/** The rules with these changes: each text, which occurs exactly once in all, replaced by the other. */
export async function mutated(
  edits: readonly (readonly [find: string, replace: string])[],
): Promise<Protocol> {
  const texts = new Map<string, string>();
  for (const file of files) texts.set(file, await readFile(new URL(file, core), "utf8"));
  for (const [find, replace] of edits) {
    const places = [...texts].filter(([, text]) => text.includes(find));
    const [place] = places;
    if (place === undefined || places.length > 1 || place[1].split(find).length !== 2)
      throw new Error(`the text to be changed does not occur exactly once: ${find}`);
    texts.set(
      place[0],
      place[1].replace(find, () => replace),
    );
  }
  const dir = await mkdtemp(join(tmpdir(), "rollcall-mutant-"));
  try {
    for (const [file, text] of texts) await writeFile(join(dir, file), rehomed(text));
    return (await import(/* @vite-ignore */ pathToFileURL(join(dir, "reporter.ts")).href)) as Protocol;
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** Imports of files that are not copied lead back to where they are. */
function rehomed(text: string): string {
  return text.replace(/from "\.\/([^"]+)"/g, (line, file: string) =>
    files.includes(file) ? line : `from "${new URL(file, core).href}"`,
  );
}
