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
import { giveUp, step as registerStep } from "../../src/core/register.ts";
import { vote } from "../../src/core/register-steps.ts";
import type { RegisterProtocol } from "./register-scope.ts";
import type { Protocol } from "./scope.ts";

/** One change of the text. `find` occurs exactly once in all the files that may be changed. */
export type Edit = { readonly find: string; readonly replace: string };

/** Both protocols: what is shared by them is mutated in both. */
export type Protocols = { readonly store: Protocol; readonly register: RegisterProtocol };

/** The protocols as they are shipped. */
export const shipped: Protocols = {
  store: { initial, step, testimony },
  register: { initial, step: registerStep, testimony, vote, giveUp },
};

const core = new URL("../../src/core/", import.meta.url);
const files = [
  "genesis.ts",
  "genesis-adoption.ts",
  "genesis-answers.ts",
  "genesis-state.ts",
  "genesis-steps.ts",
  "proposer.ts",
  "quorum.ts",
  "register.ts",
  "register-look.ts",
  "register-steps.ts",
  "voters.ts",
  "votes.ts",
];

/** The protocols with these changes. Throws where a text to be changed is not there exactly once. */
export async function mutant(edits: readonly Edit[]): Promise<Protocols> {
  const texts = new Map<string, string>();
  for (const file of files) texts.set(file, await readFile(new URL(file, core), "utf8"));
  for (const edit of edits) change(texts, edit);
  const dir = await mkdtemp(join(tmpdir(), "rollcall-mutant-"));
  try {
    for (const [file, text] of texts) await writeFile(join(dir, file), rehomed(text));
    const load = (file: string): Promise<Partial<Protocol & RegisterProtocol>> =>
      import(pathToFileURL(join(dir, file)).href);
    const { initial, testimony } = await load("genesis-state.ts");
    const { step } = await load("genesis.ts");
    const { step: registerStep, giveUp } = await load("register.ts");
    const { vote } = await load("register-steps.ts");
    if (!initial || !testimony || !step || !registerStep || !giveUp || !vote)
      throw new Error("the mutant lacks a part of the protocol");
    return {
      store: { initial, step, testimony },
      register: { initial, step: registerStep, testimony, vote, giveUp },
    };
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

/** Imports of files that are not copied lead back to where they are, and those of packages to where these are. */
function rehomed(text: string): string {
  return text
    .replace(/from "\.\/([^"]+)"/g, (line, file: string) =>
      files.includes(file) ? line : `from "${new URL(file, core).href}"`,
    )
    .replace(/from "zod"/g, () => `from "${import.meta.resolve("zod")}"`);
}
