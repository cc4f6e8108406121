/**
 * The data directory: who this node is and what it has promised, in one synced file, and a lock against a
 * second agent. A file that cannot be read is never guessed at: it is an error that says what to do.
 */
import { mkdir, unlink } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import * as z from "zod";
import type { Kept } from "../core/genesis-state.ts";
import { decode, Sealed, VERSION } from "../core/model.ts";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";
import { readIfThere, syncDirectory, writeSynced } from "../lib/files.ts";

const text = z.string().min(1);
const Identity = z.looseObject({
  v: z.int().min(1).max(VERSION, `is of a later version; this rollcall reads v ${VERSION}`),
  node_id: text,
  incarnation: text,
  claim: z
    .object({ claim_id: text, init_id: text, base: z.object({ value: z.string(), revision: z.string() }) })
    .nullable(),
  stamp: z.object({ claim_id: text, done: z.boolean() }).nullable(),
  marker: Sealed.nullable(),
  opened: z.boolean(),
});

/** What the data directory holds: the node's id, and everything the genesis protocol keeps. */
export type Identity = { readonly nodeId: string; readonly kept: Kept };

export type DataDir = {
  readonly identity: Identity;
  /** Syncs `kept`, after keeping `aside` (a marker that is given up) in a file of its own. Throws `disk`. */
  save(kept: Kept, aside: Sealed | null): Promise<void>;
  readonly path: (name: string) => string;
  /** Frees the lock. Safe twice. */
  close(): Promise<void>;
};

/**
 * Opens the directory, makes it where it is missing, locks it, and makes the identity at the first start:
 * it is on disk before this returns, so before any message. Throws `locked`, `disk`, `damaged`, or `usage`
 * where the id given differs from the one kept.
 */
export async function openDataDir(
  dir: string,
  given: { readonly nodeId: string | null; readonly hostName: string },
  uuid: () => string,
): Promise<DataDir> {
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new RollcallError("disk", `make the data directory ${dir}: ${reason(error)}`, { cause: error });
  });
  const unlock = await lock(dir);
  try {
    const kept = await readIdentity(dir);
    if (kept !== null && given.nodeId !== null && kept.nodeId !== given.nodeId)
      throw new RollcallError(
        "usage",
        `-node-id: ${given.nodeId} is not the id kept in ${dir}, ${kept.nodeId}`,
        {
          hint: "a node keeps its id for life: leave the flag out, or use another -data-dir for another node",
        },
      );
    const incarnation = uuid();
    const identity = kept ?? {
      nodeId: given.nodeId ?? given.hostName,
      kept: { incarnation, claim: null, stamp: null, marker: null, opened: false },
    };
    const write = (next: Kept) =>
      writeSynced(join(dir, FILE), `${JSON.stringify({ v: VERSION, node_id: identity.nodeId, ...next })}\n`);
    if (kept === null) {
      await write(identity.kept);
      await syncDirectory(join(dir, ".."));
    }
    return {
      identity,
      save: async (next, aside) => {
        if (aside !== null)
          await writeSynced(join(dir, `marker.${aside.genesis_id}.json`), JSON.stringify(aside));
        await write(next);
      },
      path: (name) => join(dir, name),
      close: unlock,
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** The genesis kept in a data directory, or null when there is none. Takes no lock. Throws `disk` or `damaged`. */
export async function readMarker(dir: string): Promise<Sealed | null> {
  return (await readIdentity(dir))?.kept.marker ?? null;
}

const FILE = "identity.json";

async function readIdentity(dir: string): Promise<Identity | null> {
  const path = join(dir, FILE);
  const content = await readIfThere(path);
  if (content === null) return null;
  const decoded = decode(Identity, content);
  if (!decoded.ok)
    throw new RollcallError("damaged", `${path}: ${decoded.problem}`, {
      hint: "restore the file; or, to make this a new and empty node, move the data directory and the database's away",
    });
  const { node_id: nodeId, incarnation, claim, stamp, marker, opened } = decoded.value;
  return { nodeId, kept: { incarnation, claim, stamp, marker, opened } };
}

/**
 * A Unix socket in the directory: the kernel frees it when the process ends in whatever way, it holds across
 * containers that share the volume, and needs no process ids. A socket nobody answers is a dead agent's.
 */
async function lock(dir: string): Promise<() => Promise<void>> {
  const path = join(dir, "agent.lock");
  if (Buffer.byteLength(path) > 100)
    throw new RollcallError("usage", `-data-dir: ${dir} is too long for the lock in it`, {
      hint: "use a path of at most 85 bytes, or a relative one",
    });
  const server = createServer((socket) => socket.end());
  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, () => {
        server.removeListener("error", reject);
        resolve();
      });
    });
  try {
    await listen();
  } catch (error) {
    if (codeOf(error) !== "EADDRINUSE")
      throw new RollcallError("disk", `lock ${dir}: ${reason(error)}`, { cause: error });
    if (await answers(path))
      throw new RollcallError("locked", `-data-dir: ${dir} is in use by another agent`, {
        hint: "give every agent its own data directory",
      });
    await unlink(path).catch(() => {});
    await listen().catch((again: unknown) => {
      throw new RollcallError("locked", `-data-dir: ${dir} was taken by another agent just now`, {
        cause: again,
      });
    });
  }
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
