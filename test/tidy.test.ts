/** The house rules that a machine can check: arrows, circles, sizes, and the one home of time, chance and process. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";

const files = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard", "src", "providers", "examples", "test", "bench"],
  { encoding: "utf8" },
)
  .split("\n")
  .filter((file) => file.endsWith(".ts") && existsSync(file));
const shipped = files.filter((file) => file.startsWith("src/") || file.startsWith("providers/"));
const text = new Map(files.map((file) => [file, readFileSync(file, "utf8")]));
const linesOf = (file: string) => (text.get(file) ?? "").split("\n");

type Import = { readonly to: string; readonly lazy: boolean };

function importsOf(file: string): Import[] {
  const source = text.get(file) ?? "";
  const found = [
    ...source.matchAll(/^\s*(?:import|export)\b[^;]*?\bfrom\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm),
  ];
  return found.map(([, eager, lazy]) => {
    const to = eager ?? lazy ?? "";
    return { to: to.startsWith(".") ? normalize(join(dirname(file), to)) : to, lazy: eager === undefined };
  });
}

/** The room a file is in, and the rooms it may look into. */
const rooms: readonly { readonly room: RegExp; readonly may: RegExp }[] = [
  { room: /^src\/core\//, may: /^(src\/core\/|zod$|node:crypto$)/ },
  { room: /^src\/lib\//, may: /^(src\/lib\/|node:|pino$|hono$|@hono\/node-server$|yaml$)/ },
  { room: /^providers\//, may: /^(providers\/|src\/core\/|src\/lib\/|node:|zod$|consul$|etcd3$)/ },
  { room: /^src\/config\.ts$/, may: /^(src\/core\/|src\/lib\/|zod$)/ },
  { room: /^src\/databases\//, may: /^(src\/databases\/|src\/core\/|src\/lib\/|node:|zod$)/ },
  {
    room: /^src\/agent\//,
    may: /^(src\/agent\/|src\/config\.ts$|src\/core\/|src\/databases\/(database|index)\.ts$|src\/lib\/|node:|hono|@hono\/|dns2$|zod$)/,
  },
  {
    room: /^src\/discovery-service\//,
    may: /^(src\/discovery-service\/|src\/config\.ts$|src\/core\/|src\/lib\/|node:|hono|@hono\/|zod$)/,
  },
  {
    room: /^src\/store\//,
    may: /^(src\/store\/|src\/core\/|src\/lib\/|node:|kysely$|zod$)/,
  },
  {
    room: /^src\/coordinator\//,
    may: /^(src\/coordinator\/|src\/store\/(store|open)\.ts$|src\/config\.ts$|src\/core\/|src\/lib\/|node:|hono|@hono\/|undici$|zod$)/,
  },
  { room: /^src\/cli\//, may: /^(src\/(?!main\.ts)|node:|zod$)/ },
];

describe("the house", () => {
  it("has only arrows that point down", () => {
    const wrong = shipped.flatMap((file) => {
      const may = rooms.find(({ room }) => room.test(file))?.may;
      if (may === undefined) return file === "src/main.ts" ? [] : [`${file} is in no room`];
      return importsOf(file)
        .filter(({ to }) => !may.test(to))
        .map(({ to }) => `${file} imports ${to}`);
    });
    expect(wrong).toEqual([]);
  });

  it("has no circles", () => {
    const circles: string[] = [];
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" → "));
      else if (!done.has(file)) {
        for (const { to, lazy } of importsOf(file)) if (!lazy && text.has(to)) visit(to, [...path, file]);
        done.add(file);
      }
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });

  it("keeps time, chance and process each in one place", () => {
    const homes: readonly { readonly word: RegExp; readonly home: RegExp }[] = [
      {
        word: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bset(?:Timeout|Interval|Immediate)\(|AbortSignal\.timeout\(/,
        home: /^src\/lib\/clock\.ts$/,
      },
      { word: /\bMath\.random\b|\brandomUUID\b/, home: /^src\/main\.ts$/ },
      { word: /\bprocess\.(?!kill\()/, home: /^src\/main\.ts$/ },
      { word: /\bprocess\.kill\(/, home: /^src\/agent\/child\.ts$/ },
      { word: /\bconsole\./, home: /^$/ },
    ];
    const wrong = shipped.flatMap((file) =>
      linesOf(file).flatMap((line, at) =>
        homes
          .filter(({ word, home }) => word.test(code(line)) && !home.test(file))
          .map(() => `${file}:${at + 1}: ${line.trim()}`),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it("has files of at most 360 lines and functions of at most 70", () => {
    const long = shipped
      .filter((file) => linesOf(file).length > 360)
      .map((file) => `${file}: ${linesOf(file).length} lines`);
    const functions = shipped.flatMap((file) =>
      functionsOf(file)
        .filter(({ own }) => own > 70)
        .map(({ at, own }) => `${file}:${at}: ${own} lines`),
    );
    expect([...long, ...functions]).toEqual([]);
  });

  it("has a lock file that every platform can install from, without addresses", () => {
    const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
      packages: Record<string, { resolved?: string; optionalDependencies?: Record<string, string> }>;
    };
    // npm leaves out what its registry does not have, and then refuses its own file.
    const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) =>
          path !== "" &&
          !(`node_modules/${name}` in lock.packages) &&
          !(`${path}/node_modules/${name}` in lock.packages),
      ),
    );
    expect(missing).toEqual([]);
    expect(Object.values(lock.packages).filter((entry) => entry.resolved !== undefined)).toEqual([]);
  });

  it("leaves no marks and focuses or skips no test without a reason", () => {
    const words = new RegExp(
      ["TO" + "DO", "FIX" + "ME", "XX" + "X", "\\.on" + "ly\\(", "\\bxi" + "t\\("].join("|"),
    );
    const wrong = files.flatMap((file) =>
      linesOf(file).flatMap((line, at) => (words.test(line) ? [`${file}:${at + 1}`] : [])),
    );
    expect(wrong).toEqual([]);
  });
});

/** A line without its comment, so that prose may speak of what code may not. */
function code(line: string): string {
  return /^\s*(\*|\/\*|\/\/)/.test(line) ? "" : line;
}

/**
 * Functions of a formatted file with their own lines: those of functions inside count for these. The
 * formatter puts the closing brace at the indentation of the line that opens.
 */
function functionsOf(file: string): { at: number; own: number }[] {
  const lines = linesOf(file);
  const open: { at: number; indent: number; inner: number }[] = [];
  const found: { at: number; own: number }[] = [];
  for (const [at, line] of lines.entries()) {
    const indent = line.length - line.trimStart().length;
    const top = open.at(-1);
    if (top !== undefined && indent === top.indent && /^\s*[})\]]/.test(line)) {
      open.pop();
      const all = at - top.at + 1;
      found.push({ at: top.at + 1, own: all - top.inner });
      const outer = open.at(-1);
      if (outer !== undefined) outer.inner += all;
    }
    if (
      /(=>|\)(: [^=]+)?) \{$/.test(line) &&
      !/^\s*(\} else )?(if|for|while|switch|catch)\b|^\s*\} catch/.test(line)
    )
      open.push({ at, indent, inner: 0 });
  }
  return found;
}
