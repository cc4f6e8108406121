/** Settings from files: `-apply FILE|DIR`, read at the start and again whenever something there changes. */
import { watch } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { bell, type Pacing } from "../lib/loop.ts";
import {
  type openSettingsFiles,
  problemsOf,
  type SettingsFile,
  type SettingsFiles,
} from "./settings-files.ts";

/** What is read of a directory: nothing hidden, such as an editor's lock. */
export const SETTINGS_NAME = /^[^.].*\.(ya?ml|json)$/;
const MOST_FILES = 1_000;
const MOST_BYTES = 8 * 1024 * 1024;
/** Writers write in steps, the first of which may leave nothing: how long there is nothing new before it is taken. */
const SETTLE_MS = 100;
/** File systems that tell nobody of changes (network mounts) are looked at this often. */
const LOOK_MS = 5_000;

/** The file, or the *.yaml, *.yml and *.json of the directory in order of their names. Throws one line. */
export async function readSettings(path: string): Promise<readonly SettingsFile[]> {
  const paths = await settingsPaths(path);
  let bytes = 0;
  const files: SettingsFile[] = [];
  for (const one of paths) {
    const text = await readFile(one, "utf8").catch((cause: unknown) => {
      throw new RollcallError("file", `-apply: ${one}: ${reason(cause)}`, { cause });
    });
    bytes += text.length;
    if (bytes > MOST_BYTES) throw new RollcallError("file", `-apply: ${path}: more than ${MOST_BYTES} bytes`);
    files.push({ path: one, text });
  }
  return files;
}

async function settingsPaths(path: string): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = (await readdir(path)).filter((name) => SETTINGS_NAME.test(name)).sort();
    if (names.length <= MOST_FILES) return names.map((name) => join(path, name));
  } catch (cause) {
    throw new RollcallError("file", `-apply: ${path}: ${reason(cause)}`, { cause });
  }
  throw new RollcallError("file", `-apply: ${path}: more than ${MOST_FILES} files`);
}

export type WatchOptions = {
  readonly path: string;
  readonly files: ReturnType<typeof openSettingsFiles>;
  readonly pacing: Pacing;
  readonly log: Log;
};

/** What is wrong with the settings at the path, one line each; changes nothing. Throws one line where they cannot be read. */
export async function settingsProblems(
  path: string,
  parse: SettingsFiles["parse"],
): Promise<readonly string[]> {
  const problems = await problemsOf(await readSettings(path), parse);
  return problems.map((problem) => `-apply: ${problem}`);
}

/** Applies the files that change, until aborted. A bad file is one line in the log, and its old settings stay. */
export async function watchSettings(options: WatchOptions, signal: AbortSignal): Promise<void> {
  const { path, files, pacing, log } = options;
  const changed = bell();
  const close = watchPath(path, changed.ring);
  // What was written while nobody watched yet.
  changed.ring();
  let last = "";
  try {
    while (!signal.aborted) {
      await changed.wait(pacing.clock, LOOK_MS, signal);
      if (signal.aborted) return;
      try {
        const now = await settled(path, pacing, signal);
        if (signal.aborted) return;
        for (const problem of await files.take(now)) log.error({ problem }, "settings not applied");
        last = "";
      } catch (error) {
        // Told once: the same failure again is no news.
        if (last !== reason(error)) log.error({ error: reason(error) }, "settings cannot be read");
        last = reason(error);
      }
    }
  } finally {
    close();
  }
}

/** What is there once two looks agree. */
async function settled(
  path: string,
  { clock }: Pacing,
  signal: AbortSignal,
): Promise<readonly SettingsFile[]> {
  for (let before = ""; ; ) {
    await clock.sleep(SETTLE_MS, signal);
    const files = await readSettings(path);
    const now = JSON.stringify(files);
    if (now === before || signal.aborted) return files;
    before = now;
  }
}

/**
 * Rings when the path, settings in it, or a volume's link (`..data`) beside either may be others; where that cannot be
 * watched, never. What else changes there, as a store does all the time, is none of it.
 */
function watchPath(path: string, ring: () => void): () => void {
  const isIt = (name: string) => name === basename(path) || name.startsWith("..");
  const isInIt = (name: string) => isIt(name) || SETTINGS_NAME.test(name);
  const places = [
    { place: path, counts: isInIt },
    { place: dirname(path), counts: isIt },
  ];
  const watchers = places.flatMap(({ place, counts }) => {
    try {
      const heard = (_event: string, name: string | null) => {
        if (name === null || counts(name)) ring();
      };
      return [watch(place, heard).on("error", () => {})];
    } catch (error) {
      if (codeOf(error) === null) throw error;
      return [];
    }
  });
  return () => {
    for (const one of watchers) one.close();
  };
}
