/**
 * Agents that differ from the shipped one in one place of the shell. The simulator must find each: one that it does
 * not find shows that its silence about the shipped agent says little. Those of the protocol are the explorer's.
 */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Program } from "./node.ts";
import type { Mode } from "./shape.ts";

export type Mutant = {
  readonly file: string;
  /** Occurs once in the file. */
  readonly find: string;
  readonly replace: string;
  /** Only agents in this mode do that: it is looked for among them. */
  readonly mode?: Mode;
  /** What the simulator says of it. */
  readonly caughtAs: RegExp;
};

/** By what each leaves out. */
export const mutants: Readonly<Record<string, Mutant>> = {
  "a file's text is not synced": {
    file: "lib/files.ts",
    find: "    await disk.sync(beside);\n",
    replace: "",
    caughtAs: /before its (?:marker|identity) is on disk/,
  },
  "a file's name is not synced": {
    file: "lib/files.ts",
    find: "    await disk.sync(dirname(path));\n",
    replace: "",
    caughtAs: /before its (?:marker|identity) is on disk/,
  },
  "what a killed agent left is not synced": {
    file: "agent/identity.ts",
    find: "    } else await disk.sync(dir);\n",
    replace: "    }\n",
    caughtAs: /speaks before its identity is on disk/,
  },
  "a new directory's name is not synced": {
    file: "agent/identity.ts",
    find: "      await syncAbove(dir, disk);\n",
    replace: "",
    caughtAs: /before its identity is on disk/,
  },
  "a file is replaced in place": {
    file: "lib/files.ts",
    find: `const beside = \`\${path}.new\`;`,
    replace: "const beside = path;",
    caughtAs: /ended by itself|before its marker/,
  },
  "it opens before that is saved": {
    file: "core/genesis.ts",
    find: `  return save({ ...state, kept: { ...state.kept, opened: true, stamp } }, "open");`,
    replace: `  return open({ ...state, kept: { ...state.kept, opened: true, stamp } }, marker, null, firstKind(state, marker));`,
    caughtAs: /before its marker is on disk/,
  },
  "it never looks again by itself": {
    file: "agent/agreement.ts",
    find: "    return repair.take();\n  };",
    replace: "    return 3_600_000;\n  };",
    caughtAs: /not settled/,
  },
  "a call to an agent has no deadline": {
    file: "agent/peers.ts",
    find: "export const HELLO_LIMIT_MS = 1_000;",
    replace: "export const HELLO_LIMIT_MS = 3_600_000;",
    caughtAs: /not settled/,
  },
  "a call to the store has no deadline": {
    mode: "store",
    file: "agent/registration.ts",
    find: "export const CALL_LIMIT_MS = 5_000;",
    replace: "export const CALL_LIMIT_MS = 3_600_000;",
    caughtAs: /not settled/,
  },
  "a stop waits for the store": {
    mode: "store",
    file: "agent/agent.ts",
    find: `await withDeadline(pacing.clock, farewell, FAREWELL_MS, "deregister"`,
    replace: `await withDeadline(pacing.clock, farewell, 3_600_000, "deregister"`,
    caughtAs: /runs on/,
  },
  "a vote is given before it is on disk": {
    mode: "names",
    file: "agent/agreement.ts",
    find: "await save(null);\n      return value;",
    replace: "void save(null).catch(() => {});\n      return value;",
    caughtAs: /votes before its vote is on disk/,
  },
  "two saves at once overtake each other": {
    mode: "names",
    file: "agent/agreement.ts",
    find: "    last = last.then(write, write);\n    return last;",
    replace: "    return write();",
    caughtAs: /ended by itself|takes back what it has promised/,
  },
  "nobody waits for its own save": {
    file: "agent/agreement.ts",
    find: "        await save(effect.aside);",
    replace: "        void save(effect.aside).catch(() => {});",
    caughtAs: /before (?:its marker|its vote|that) is on disk/,
  },
  "an answer that never came is a vote": {
    mode: "names",
    file: "agent/register.ts",
    find: "      replies.set(founder.incarnation, reply);",
    replace: `      replies.set(founder.incarnation, reply ?? (message.kind === "prepare" ? { kind: "promise", accepted: null, lost: [] } : { kind: "accepted" }));`,
    caughtAs: /opens \S+ beside/,
  },
  "a marker is told of before it is on disk": {
    mode: "names",
    file: "core/genesis-state.ts",
    find: `const isSynced = phase.at !== "saving" || (opened && phase.before !== "open");`,
    replace: "const isSynced = true;",
    caughtAs: /tells of its marker before that is on disk/,
  },
  "votes are forgotten at a restart": {
    mode: "names",
    file: "agent/identity.ts",
    find: "kept: { incarnation, claim, stamp, marker, opened, votes } };",
    replace: "kept: { incarnation, claim, stamp, marker, opened, votes: votes && null } };",
    caughtAs: /takes back what it has promised/,
  },
  "a database that is gone is no new node": {
    file: "core/genesis-steps.ts",
    find: `  return data === "empty" && hadData(rules, kept) ? renew(state, fresh) : read(state);`,
    replace: "  return read(state);",
    caughtAs: /has no data/,
  },
};

const src = new URL("../../src/", import.meta.url);

/** The agent with one change. Throws where the text to be changed is not there once. */
export async function mutantProgram(mutant: Mutant): Promise<Program> {
  return (await changedModule(mutant, "agent/agent.ts")) as Program;
}

/** A module of the sources with one change, loaded from a copy of them all. Throws where the text to be changed is not there once. */
export async function changedModule(
  { file, find, replace }: Pick<Mutant, "file" | "find" | "replace">,
  module: string,
): Promise<unknown> {
  const dir = await mkdtemp(join(tmpdir(), "rollcall-sim-"));
  try {
    await cp(src, dir, { recursive: true });
    const names = (await readdir(dir, { recursive: true })).filter((name) => name.endsWith(".ts"));
    for (const name of names) {
      const path = join(dir, name);
      let text = await readFile(path, "utf8");
      if (name === file) {
        if (text.split(find).length !== 2) throw new Error(`not there once in ${file}: ${find}`);
        text = text.replace(find, () => replace);
      }
      const home = new URL(name, src);
      await writeFile(
        path,
        text.replace(/(from |import\()"([^"$]+)"/g, (...found) => rehomed(home, found)),
      );
    }
    return await import(pathToFileURL(join(dir, module)).href);
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** Packages, and what is loaded later, are found from where the sources are, not from where their copy is. */
function rehomed(home: URL, [all, before, name]: readonly unknown[]): string {
  const isBeside = String(name).startsWith(".");
  if (isBeside && before === "from ") return String(all);
  return `${before}"${isBeside ? new URL(String(name), home).href : import.meta.resolve(String(name))}"`;
}
