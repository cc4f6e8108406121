/** Files that survive a crash: written beside, synced, renamed, and the directory synced. */
import {
  chmod,
  chown,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  stat,
  unlink,
  writeFile,
} from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf, RollcallError, reason } from "./errors.ts";

/** Who may use a directory, and which file system it is on. */
export type Standing = {
  readonly dev: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
};

/**
 * A file system, as far as promises are kept on it. Everything fails with the system's own error and code.
 * Nothing is durable before its `sync`: the text of a file by its own, its name by its directory's.
 */
export type Disk = {
  read(path: string): Promise<string>;
  /** Makes or replaces a file of this process's own user. */
  write(path: string, text: string): Promise<void>;
  /** Makes a file's text durable, or the names in a directory. */
  sync(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  list(directory: string): Promise<readonly string[]>;
  /** Makes a directory of this process's own user, or one that stands like another, whoever this process is. */
  make(directory: string, like?: Standing): Promise<void>;
  standing(directory: string): Promise<Standing>;
};

/** The machine's own. */
export const systemDisk: Disk = {
  read: (path) => readFile(path, "utf8"),
  write: (path, text) => writeFile(path, text, { mode: 0o600 }),
  async sync(path) {
    const file = await open(path, "r");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  },
  rename,
  remove: unlink,
  list: (directory) => readdir(directory),
  async make(directory, like) {
    await mkdir(directory, { mode: 0o700 });
    if (like === undefined) return;
    const made = await stat(directory);
    // Only root may; anybody else's database most likely runs as the same user.
    if (made.uid !== like.uid || made.gid !== like.gid)
      await chown(directory, like.uid, like.gid).catch(() => {});
    // After the owner: giving a directory away takes set-id bits off. And not by mkdir, whose mode the umask cuts.
    await chmod(directory, like.mode & 0o7777);
  },
  standing: (directory) => stat(directory),
};

/**
 * Replaces `path` so that after a crash at any point it holds either the old or the new text, and the new
 * one once this has returned. Throws `disk` when any step fails; the old text is then still there, or, where
 * only the directory could not be synced, the new one, which a crash may undo. One write to a path at a time.
 */
export async function writeSynced(path: string, text: string, disk: Disk = systemDisk): Promise<void> {
  const beside = `${path}.new`;
  try {
    await disk.write(beside, text);
    await disk.sync(beside);
    await disk.rename(beside, path);
    await disk.sync(dirname(path));
  } catch (error) {
    await disk.remove(beside).catch(() => {});
    throw new RollcallError("disk", `write ${path}: ${reason(error)}`, { cause: error });
  }
}

/** An id from outside as part of a file's name: nothing in it leads to another directory. */
export function asName(id: string): string {
  return encodeURIComponent(id).slice(0, 128);
}

/** The text of a file, or null when there is none. Throws `disk` for anything else. */
export async function readIfThere(path: string, disk: Disk = systemDisk): Promise<string | null> {
  try {
    return await disk.read(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw new RollcallError("disk", `read ${path}: ${reason(error)}`, { cause: error });
  }
}

/**
 * The text of a file that others replace while this runs. Throws `file` in one line when it cannot be read, is larger
 * than `mostBytes`, is no file, or is written to meanwhile.
 */
export async function readWhole(path: string, mostBytes: number): Promise<string> {
  const refuse = (what: string) => new RollcallError("file", `read ${path}: ${what}`);
  let file: FileHandle | null = null;
  try {
    // Looked at by its name first: opening a pipe would wait for a writer.
    if (!(await stat(path)).isFile()) throw refuse("is no file");
    file = await open(path, "r");
    const before = await file.stat();
    if (before.size > mostBytes) throw refuse(`is larger than ${mostBytes} bytes`);
    const bytes = await file.readFile();
    const after = await file.stat();
    if (bytes.length !== before.size || after.mtimeMs !== before.mtimeMs) throw refuse("is being written");
    return bytes.toString("utf8");
  } catch (error) {
    if (error instanceof RollcallError) throw error;
    throw new RollcallError("file", `read ${path}: ${reason(error)}`, { cause: error });
  } finally {
    await file?.close();
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
