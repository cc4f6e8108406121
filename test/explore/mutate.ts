/**
 * Mutants of the shipped protocol, made from its text: the shipped code has no hooks for them. The text is
 * changed in one or more places, written to a temporary directory, and run by Node as it is.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { step } from "../../src/core/genesis.ts";
import { initial, testimony } from "../../src/core/genesis-state.ts";
import type { Protocol } from "./scope.ts";

/** One change of the text. `find` occurs exactly once in all the files that may be changed. */
export type Edit = { readonly find: string; readonly replace: string };

/** The protocol as it is shipped. */
export const shipped: Protocol = { initial, step, testimony };

const core = new URL("../../src/core/", import.meta.url);
const files = [
  "genesis.ts",
  "genesis-adoption.ts",
  "genesis-answers.ts",
  "genesis-state.ts",
  "genesis-steps.ts",
  "quorum.ts",
];

/** The protocol with these changes. Throws where a text to be changed is not there exactly once. */
export async function mutant(edits: readonly Edit[]): Promise<Protocol> {
  const texts = new Map<string, string>();
  for (const file of files) texts.set(file, await readFile(new URL(file, core), "utf8"));
  for (const edit of edits) change(texts, edit);
  const dir = await mkdtemp(join(tmpdir(), "rollcall-mutant-"));
  try {
    for (const [file, text] of texts) await writeFile(join(dir, file), rehomed(text));
    const load = (file: string): Promise<Partial<Protocol>> => import(pathToFileURL(join(dir, file)).href);
    return whole({ ...(await load("genesis-state.ts")), ...(await load("genesis.ts")) });
  } finally {
    await rm(dir, { recursive: true });
  }
}

function change(texts: Map<string, string>, { find, replace }: Edit): void {
  const places = [...texts].flatMap(([file, text]) => Array(text.split(find).length - 1).fill(file));
  const [file] = places;
  if (places.length !== 1)
    throw new Error(`the text to be changed occurs ${places.length} times, not once: ${find}`);
  texts.set(
    file,
    (texts.get(file) ?? "").replace(find, () => replace),
  );
}

/** Imports of files that are not copied lead back to where they are. */
function rehomed(text: string): string {
  return text.replace(/from "\.\/([^"]+)"/g, (line, file: string) =>
    files.includes(file) ? line : `from "${new URL(file, core).href}"`,
  );
}

function whole({ initial, step, testimony }: Partial<Protocol>): Protocol {
  if (!initial || !step || !testimony) throw new Error("the mutant lacks a part of the protocol");
  return { initial, step, testimony };
}
