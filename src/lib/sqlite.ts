/** A SQLite file, as Node brings it: one process, every commit synced. */
import { open, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { codeOf, RollcallError, reason } from "./errors.ts";
import { systemDisk } from "./files.ts";

/** What the log beside the file is cut back to after it was written home. */
const WAL_BYTES = 64 * 1024 * 1024;

/** Whose file it is. */
export type Owner = {
  /** Who has it open, as messages say it: `coordinator`. */
  readonly name: string;
  /** The error of a file with these tables, which another program made; null where it may be used. */
  readonly foreign: (tables: readonly string[]) => RollcallError | null;
  /** Tables that may be too long to be looked through at the start. */
  readonly long: readonly string[];
};

/**
 * Opens the database in a file, which it makes where there is none, and holds it for this process alone until it is
 * closed; `null` opens one in memory. Throws, in one line: `locked` when another process has it, `store` when the file
 * is damaged, cannot be written, or cannot be there, and what `foreign` gives. A damaged file is left as it is.
 */
export async function openDatabase(path: string | null, owner: Owner): Promise<DatabaseSync> {
  if (path !== null) await makeFile(path);
  // SQLite takes ":memory:" and what begins with "file:" for something else than a file of that name.
  const database = connect(path === null ? ":memory:" : resolve(path));
  try {
    prepareDatabase(database, owner);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Whether a commit that failed so has surely changed nothing. After any other failure of the disk, nobody can tell. */
export function surelyFailed(error: unknown): boolean {
  return resultOf(error) === FULL;
}

/** What went wrong with the file, for people. The rows that were not written are never in it. */
export function problemOf(error: unknown): string {
  const result = resultOf(error);
  if (result === CORRUPT || result === NOT_A_DATABASE) return `the file is damaged (${reason(error)})`;
  if (codeIn(error) === NO_LOCK) return "it cannot be written (no lock is to be had on it)";
  if (result === READ_ONLY || result === CANNOT_OPEN) return `it cannot be written (${reason(error)})`;
  return reason(error);
}

// Primary result codes: https://www.sqlite.org/rescode.html
const [BUSY, READ_ONLY, CORRUPT, FULL, CANNOT_OPEN, NOT_A_DATABASE] = [5, 8, 11, 13, 14, 26];

/** An extended one: so says a file that may only be read, before anything is written to it. */
const NO_LOCK = 3_850;

/** The primary result code, or null where the error is not SQLite's. */
function resultOf(error: unknown): number | null {
  const code = codeIn(error);
  return code === null ? null : code & 0xff;
}

function codeIn(error: unknown): number | null {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return null;
  return typeof error.errcode === "number" ? error.errcode : null;
}

/**
 * The file for nobody but this user, since what is in it may be secret. Only ever opened here when it is new: closing it
 * would free the locks that this process may have on it (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks).
 */
async function makeFile(path: string): Promise<void> {
  try {
    await (await open(path, "wx", 0o600)).close();
    await systemDisk.sync(dirname(path));
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT")
      throw new RollcallError("store", `there is no directory ${dirname(path)}`, { cause: undefined });
    if (code !== "EEXIST") throw new RollcallError("store", `it cannot be written (${reason(error)})`);
    if ((await stat(path)).isDirectory()) throw new RollcallError("store", "it is a directory, not a file");
  }
}

function connect(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 0 });
  } catch (error) {
    throw new RollcallError("store", problemOf(error));
  }
}

/** The lock is SQLite's own and the kernel's: taken with the first reading, freed however the process ends. */
function prepareDatabase(database: DatabaseSync, owner: Owner): void {
  try {
    database.exec("pragma locking_mode = exclusive");
    // How its log is kept is written into the file, and another program's file is not ours to write to.
    const foreign = owner.foreign(tablesOf(database));
    if (foreign !== null) throw foreign;
    database.exec("pragma journal_mode = wal");
    database.exec("pragma synchronous = full");
    database.exec(`pragma journal_size_limit = ${WAL_BYTES}`);
    // Takes the lock now, also on a file that is still empty, and fails where nothing could be written later.
    database.exec("begin immediate; commit");
  } catch (error) {
    if (error instanceof RollcallError) throw error;
    if (resultOf(error) === BUSY)
      throw new RollcallError("locked", `it is in use by another ${owner.name}`, {
        hint: "stop the other one, or give this one a file of its own",
      });
    throw new RollcallError("store", problemOf(error));
  }
  checkPages(database, owner);
}

/** All tables but long ones; a damaged page there shows when it is read. */
function checkPages(database: DatabaseSync, { long }: Owner): void {
  const damaged = (what: string) => new RollcallError("store", `the file is damaged (${what})`);
  try {
    for (const name of tablesOf(database).filter((table) => !long.includes(table))) {
      const [first] = database.prepare(`pragma quick_check("${name}")`).all();
      const said = String(Object.values(first ?? {})[0]);
      if (said !== "ok") throw damaged(said.split("\n").join(" "));
    }
  } catch (error) {
    throw error instanceof RollcallError ? error : new RollcallError("store", problemOf(error));
  }
}

function tablesOf(database: DatabaseSync): readonly string[] {
  const tables = database.prepare("select name from sqlite_schema where type = 'table'").all();
  return tables.map(({ name }) => String(name));
}
