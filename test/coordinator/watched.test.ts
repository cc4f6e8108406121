import { mkdirSync, renameSync, rmSync, symlinkSync, watch, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { parseDocuments } from "../../src/coordinator/documents.ts";
import { openSettingsFiles, type SettingsFiles } from "../../src/coordinator/settings-files.ts";
import { readSettings, settingsProblems, watchSettings } from "../../src/coordinator/watched.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A text is settings of a cluster for each of its words, or bad. */
const parse: SettingsFiles["parse"] = async (text) =>
  text.includes("bad")
    ? { ok: false, problems: ["is bad"] }
    : {
        ok: true,
        documents: text.split(" ").map((word) => ({ kind: "ClusterSettings", name: `prod/${word}` })),
      };

/** Takes files by name, and gives the problems and the texts that were applied. */
function taking() {
  const applied: string[] = [];
  let isDown = false;
  const files = openSettingsFiles({
    parse,
    apply: async (text) => {
      if (isDown) {
        isDown = false;
        throw new Error("disk I/O error");
      }
      applied.push(text);
      return { ok: true, applied: [] };
    },
  });
  const take = (given: Readonly<Record<string, string>>) =>
    files.take(Object.entries(given).map(([path, text]) => ({ path, text })));
  const fails = () => {
    isDown = true;
  };
  return { applied, take, fails };
}

/** Watches a path, and gives the texts that were applied and the lines that were logged, as they grow. */
function watching(path: string, clock: Clock = systemClock) {
  const texts: string[] = [];
  const lines: string[] = [];
  const stop = new AbortController();
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  const apply = async (text: string) => {
    texts.push(text);
    return { ok: true as const, applied: [] };
  };
  const files = openSettingsFiles({ parse, apply });
  const done = watchSettings({ path, files, pacing: { clock, random: () => 0.5 }, log }, stop.signal);
  ends.push(async () => {
    stop.abort();
    await done;
  });
  return { texts, lines };
}

/** How long what was written is left to settle. */
const SETTLE_MS = 100;

const within = (what: string) => ({ deadlineMs: 20_000, what });

describe("settings from files", () => {
  it("are one file, or those of a directory by name", async () => {
    const dir = tempDir();
    for (const name of ["b.yaml", "a.yml", "c.json", ".d.yaml", "e.txt"])
      writeFileSync(join(dir, name), name);
    expect((await readSettings(dir)).map(({ text }) => text)).toEqual(["a.yml", "b.yaml", "c.json"]);
    expect((await readSettings(join(dir, "e.txt"))).map(({ text }) => text)).toEqual(["e.txt"]);
    await expect(readSettings(join(dir, "none"))).rejects.toThrow(/-apply: .*none: .*no such file/);
  });

  it("are looked through before anything of them is applied", async () => {
    const dir = tempDir();
    const parse = (text: string) => parseDocuments(text, async () => ({ ok: true }));
    const settings = (name: string, spec: object) =>
      JSON.stringify({ apiVersion: "rollcall/v1", kind: "ClusterSettings", metadata: { name }, spec });
    writeFileSync(join(dir, "a.yaml"), settings("prod/orders", { quorum: 2 }));
    expect(await settingsProblems(dir, parse)).toEqual([]);
    writeFileSync(join(dir, "b.yaml"), settings("prod/users", { quorum: 0, intervall: "1s" }));
    writeFileSync(join(dir, "c.yaml"), "");
    writeFileSync(join(dir, "d.yaml"), settings("prod/orders", { quorum: 3 }));
    const of = (name: string) => `-apply: ${join(dir, name)}: `;
    expect(await settingsProblems(dir, parse)).toEqual([
      expect.stringContaining(`${of("b.yaml")}document 1, ClusterSettings prod/users: spec.quorum: `),
      expect.stringContaining(`${of("b.yaml")}document 1, ClusterSettings prod/users: spec.intervall: `),
      `${of("c.yaml")}there is no document in the text`,
      `${of("d.yaml")}document 1, ClusterSettings prod/orders: stands in ${join(dir, "a.yaml")} too`,
    ]);
  });

  it("are applied as far as they are right, and the others named by their files", async () => {
    const { applied, take } = taking();
    expect(await take({ a: "bad", b: "good" })).toEqual(["a: is bad"]);
    expect(applied).toEqual(["good"]);
  });

  it("are applied again only where a file is another, and a bad one is told of once", async () => {
    const { applied, take } = taking();
    await take({ a: "one", b: "bad", c: "two" });
    expect(await take({ a: "one", b: "bad", c: "three" })).toEqual([]);
    expect(applied).toEqual(["one", "two", "three"]);
    expect(await take({ a: "one", b: "worse, and bad", c: "three" })).toEqual(["b: is bad"]);
    // A file that is taken away and laid there again is another one.
    await take({ c: "three" });
    await take({ a: "one", c: "three" });
    expect(applied).toEqual(["one", "two", "three", "one"]);
  });

  it("are refused where another file before has the same object, until it has it no more", async () => {
    const { applied, take } = taking();
    const problem = "b: document 2, ClusterSettings prod/y: stands in a too";
    expect(await take({ a: "x y", b: "z y" })).toEqual([problem]);
    expect(await take({ a: "x y", b: "z y" })).toEqual([]);
    expect(await take({ a: "x y bad", b: "z y" })).toEqual(["a: is bad"]);
    expect(await take({ a: "x", b: "z y" })).toEqual([]);
    expect(applied).toEqual(["x y", "x", "z y"]);
  });

  it("that the store did not take are applied again", async () => {
    const { applied, take, fails } = taking();
    fails();
    await expect(take({ a: "one" })).rejects.toThrow("disk I/O error");
    expect(await take({ a: "one" })).toEqual([]);
    expect(applied).toEqual(["one"]);
  });

  it("are applied again when they are written, and when they are replaced as a volume replaces them", async () => {
    const dir = tempDir();
    mkdirSync(join(dir, "v1"));
    mkdirSync(join(dir, "v2"));
    writeFileSync(join(dir, "v1", "s.yaml"), "one");
    writeFileSync(join(dir, "v2", "s.yaml"), "two");
    symlinkSync("v1", join(dir, "..data"));
    symlinkSync("..data/s.yaml", join(dir, "s.yaml"));
    const path = join(dir, "s.yaml");
    const { texts } = watching(path);
    await until(() => texts.at(-1) === "one", within("the first text"));
    symlinkSync("v2", join(dir, "..data_tmp"));
    renameSync(join(dir, "..data_tmp"), join(dir, "..data"));
    await until(() => texts.at(-1) === "two", within("the replaced text"));
    writeFileSync(path, "three");
    await until(() => texts.at(-1) === "three", within("the written text"));
  });

  it.each([
    ["file", "s.yaml", ["s.db-wal", "t.yaml"]],
    ["directory", "settings", ["s.db-wal", "t.yaml", "settings/s.db-wal"]],
  ])("of a %s are not read again for what is written beside them", async (_what, name, others) => {
    const dir = tempDir();
    const path = join(dir, name);
    if (name === "settings") mkdirSync(path);
    const own = name === "settings" ? join(path, "s.yaml") : path;
    writeFileSync(own, "one");
    const clock = manualClock();
    const sleeps: number[] = [];
    const sleep: Clock["sleep"] = (ms, signal) => {
      sleeps.push(ms);
      return clock.sleep(ms, signal);
    };
    const { texts } = watching(path, { ...clock, sleep });
    const told = new Set<string | null>();
    const watchers = [dir, path].map((one) => watch(one, (_event, name) => told.add(name)));
    ends.push(async () => {
      for (const one of watchers) one.close();
    });
    // A write may be heard of more than once.
    const settled = (text: string) =>
      until(() => {
        if (sleeps.at(-1) === SETTLE_MS) clock.advance(SETTLE_MS);
        return texts.at(-1) === text && sleeps.at(-1) !== SETTLE_MS;
      }, within(text));
    await settled("one");
    const before = [...sleeps];
    for (const other of others) writeFileSync(join(dir, other), "other");
    await until(
      () => others.every((other) => told.has(basename(other))),
      within("the system to tell of them"),
    );
    await turns();
    expect(sleeps).toEqual(before);
    writeFileSync(own, "two");
    await settled("two");
  });

  it("are taken once two looks agree: a write that is under way is no bad file", async () => {
    const path = join(tempDir(), "s.yaml");
    writeFileSync(path, "bad");
    const clock = manualClock();
    const { texts, lines } = watching(path, clock);
    const look = async () => {
      await until(() => clock.pending() > 0, within("the wait before a look"));
      clock.advance(SETTLE_MS);
    };
    await look();
    // That look has been, and the next one is waited for.
    await until(() => clock.pending() > 0, within("the wait before the next look"));
    writeFileSync(path, "one");
    await until(async () => {
      await look();
      return texts.length > 0;
    }, within("the settings"));
    expect(texts).toEqual(["one"]);
    expect(lines).toEqual([]);
  });

  it("stay when the file goes bad or away, with one line in the log", async () => {
    const dir = tempDir();
    const path = join(dir, "s.yaml");
    writeFileSync(path, "one");
    const { texts, lines } = watching(path);
    await until(() => texts.at(-1) === "one", within("the first text"));
    writeFileSync(path, "bad");
    await until(() => lines.some((line) => line.includes("is bad")), within("a line about the bad file"));
    rmSync(path);
    await until(() => lines.some((line) => line.includes("no such file")), within("a line about the file"));
    writeFileSync(path, "two");
    await until(() => texts.at(-1) === "two", within("the next text"));
    expect(texts).toEqual(["one", "two"]);
  });
});
