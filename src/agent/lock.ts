/** The lock of a data directory: no two agents run on one. */
import { statSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { LOCK } from "../config.ts";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";

/**
 * A Unix socket in the directory: the kernel frees it when the process ends in whatever way, it holds across
 * containers that share the volume, and needs no process ids. A socket nobody answers is a dead agent's.
 * Gives what frees it. Throws `locked`, `disk`, or `usage` for a path that is too long.
 */
export async function lockDirectory(dir: string): Promise<() => Promise<void>> {
  const path = join(dir, LOCK.name);
  if (Buffer.byteLength(path) > LOCK.mostPathBytes)
    throw new RollcallError("usage", `-data-dir: ${dir} is too long for the lock in it`, {
      hint: "use a path of at most 85 bytes, or a relative one",
    });
  // Whoever connects only wants to know that somebody is there. A connection left open would hold the end up.
  const server = createServer((socket) => socket.destroy());
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const failure = await listenAt(server, path);
    if (failure === null) {
      server.on("error", () => {});
      server.unref();
      return () => new Promise((resolve) => server.close(() => resolve()));
    }
    if (codeOf(failure) !== "EADDRINUSE")
      throw new RollcallError("disk", `-data-dir: ${dir} ${lockProblem(failure)}`);
    if (!(await removeDead(path))) break;
  }
  throw new RollcallError("locked", `-data-dir: ${dir} is in use by another agent`, {
    hint: "give every agent its own data directory",
  });
}

/** How often a lock that is free when looked at may be gone to another before this agent gives up. */
const MOST_TRIES = 5;

function lockProblem(failure: Error): string {
  switch (codeOf(failure)) {
    case "ENOTDIR":
      return "is no directory";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return "cannot be written to";
    default:
      return `cannot be locked: ${reason(failure)}`;
  }
}

function listenAt(server: Server, path: string): Promise<Error | null> {
  return new Promise((resolve) => {
    server.once("error", resolve);
    server.listen(path, () => {
      server.removeListener("error", resolve);
      resolve(null);
    });
  });
}

/** True once no dead agent's socket is there. False when somebody answers, or the socket cannot be asked. */
function removeDead(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const seen = stampOf(path);
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error) => {
      if (codeOf(error) === "ENOENT") return resolve(true);
      // A full queue of connections, a missing right: not a sign of death.
      if (codeOf(error) !== "ECONNREFUSED") return resolve(false);
      try {
        // Looked at again and removed in one breath: another agent may have taken its place since.
        if (seen !== null && stampOf(path) === seen) unlinkSync(path);
        resolve(true);
      } catch (cause) {
        reject(new RollcallError("disk", `lock: remove ${path}: ${reason(cause)}`, { cause }));
      }
    });
  });
}

/** Tells one file at a path from another that replaced it, also where inode numbers are used again; null: none there. */
function stampOf(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? null : `${found.ino} ${found.ctimeNs}`;
}
