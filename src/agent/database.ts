/**
 * The database's directory as an agent without an adapter sees it: looked at, never into, to tell blank
 * from used, and set aside whole when a claim is lost.
 */
import { basename, dirname, resolve } from "node:path";
import type { Data } from "../core/quorum.ts";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";
import { asName, type Disk, systemDisk } from "../lib/files.ts";

export type Parked = { readonly problem: string; readonly commands: readonly string[] } | null;

/** `unknown` where no directory was named, `empty` where it is missing or has no entry. Throws `disk` when it cannot tell. */
export async function lookAt(dir: string | null, disk: Disk = systemDisk): Promise<Data> {
  if (dir === null) return "unknown";
  try {
    // A file system's own lost+found is not a database's.
    return (await disk.list(dir)).some((name) => name !== "lost+found") ? "present" : "empty";
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "empty";
    throw new RollcallError("disk", `look at the database's directory ${dir}: ${reason(error)}`, {
      cause: error,
    });
  }
}

/**
 * Renames the directory to `<dir>.discarded-<claimId>` and makes an empty one in its place; nothing is ever
 * deleted. Null when done or when there was nothing in it; otherwise (a mount point, a missing right) what
 * stood in the way and the commands that do it by hand.
 */
export async function park(dir: string | null, claimId: string, disk: Disk = systemDisk): Promise<Parked> {
  if (dir === null || (await lookAt(dir, disk)) === "empty") return null;
  const from = resolve(dir);
  const to = await freeName(disk, `${from}.discarded-${asName(claimId)}`);
  const byHand = (problem: string): Parked => ({
    problem,
    commands: [
      `mkdir ${quote(to)}`,
      `find ${quote(from)} -mindepth 1 -maxdepth 1 -exec mv -t ${quote(to)} {} +`,
    ],
  });
  try {
    const [own, above] = await Promise.all([disk.standing(from), disk.standing(dirname(from))]);
    if (own.dev !== above.dev) return byHand(`${basename(from)} is a mount point and cannot be renamed`);
    await disk.rename(from, to);
    await disk.make(from, own);
    await disk.sync(dirname(from));
    return null;
  } catch (error) {
    return byHand(`rename ${from}: ${reason(error)}`);
  }
}

/** The first of `path`, `path-2`, `path-3` that is not there: one claim may be set aside more than once. */
async function freeName(disk: Disk, path: string): Promise<string> {
  const taken = new Set(await disk.list(dirname(path)).catch(() => []));
  for (let n = 1; ; n++) {
    const name = n === 1 ? path : `${path}-${n}`;
    if (!taken.has(basename(name))) return name;
  }
}

function quote(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
