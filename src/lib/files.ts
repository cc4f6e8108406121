/** Files that survive a crash: written beside, synced, renamed, and the directory synced. */
import { open, readFile, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf, RollcallError, reason } from "./errors.ts";

/**
 * Replaces `path` so that after a crash at any point it holds either the old or the new text, and the new
 * one once this has returned. Throws `disk` when any step fails; the old text is then still there, or, where
 * only the directory could not be synced, the new one, which a crash may undo. One write to a path at a time.
 */
export async function writeSynced(path: string, text: string): Promise<void> {
  const beside = `${path}.new`;
  try {
    const file = await open(beside, "w", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await unlink(beside).catch(() => {});
    throw new RollcallError("disk", `write ${path}: ${reason(error)}`, { cause: error });
  }
}

/** An id from outside as part of a file's name: nothing in it leads to another directory. */
export function asName(id: string): string {
  return encodeURIComponent(id).slice(0, 128);
}

/** Makes a rename or a new entry in `path` durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The text of a file, or null when there is none. Throws `disk` for anything else. */
export async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw new RollcallError("disk", `read ${path}: ${reason(error)}`, { cause: error });
  }
}

/**
 * Reads files and remembers them until they change (by modification time, size and inode). For secrets and
 * certificates that are replaced while the program runs. Throws `file` in one line when one cannot be read.
 */
export function fileCache(): (path: string) => Promise<string> {
  const known = new Map<string, { stamp: string; text: string }>();
  return async (path) => {
    try {
      const { mtimeMs, size, ino } = await stat(path);
      const stamp = `${mtimeMs} ${size} ${ino}`;
      const old = known.get(path);
      if (old?.stamp === stamp) return old.text;
      const text = await readFile(path, "utf8");
      known.set(path, { stamp, text });
      return text;
    } catch (error) {
      throw new RollcallError("file", `read ${path}: ${reason(error)}`, { cause: error });
    }
  };
}
