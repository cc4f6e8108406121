/**
 * The data directory: who this node is and what it has promised, in one synced file, and a lock against a
 * second agent. A file that cannot be read is never guessed at: it is an error that says what to do.
 */
import { createHash } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import * as z from "zod";
import type { Kept } from "../core/genesis-state.ts";
import { blank } from "../core/genesis-steps.ts";
import { decode, Sealed, VERSION } from "../core/model.ts";
import { Votes } from "../core/votes.ts";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";
import { asName, type Disk, readIfThere, systemDisk, writeSynced } from "../lib/files.ts";
import { lockDirectory } from "./lock.ts";
import type { Machine } from "./machine.ts";

const text = z.string().min(1);
const Identity = z.looseObject({
  v: z.int().min(1).max(VERSION, `is of a later version; this rollcall reads v ${VERSION}`),
  /** The cluster this directory belongs to: a node never carries its genesis to another key. */
  key: text,
  node_id: text,
  incarnation: text,
  claim: z
    .object({ claim_id: text, init_id: text, base: z.object({ value: z.string(), revision: z.string() }) })
    .nullable(),
  stamp: z.object({ claim_id: text, done: z.boolean() }).nullable(),
  marker: Sealed.nullable(),
  opened: z.boolean(),
  votes: Votes.nullable().default(null),
});

/** What the data directory holds: the node's id, and everything the genesis protocol keeps. */
export type Identity = { readonly key: string; readonly nodeId: string; readonly kept: Kept };

export type DataDir = {
  readonly identity: Identity;
  /** Syncs `kept`, after keeping `aside` (a marker that is given up) in a file of its own. Throws `disk`. */
  save(kept: Kept, aside: Sealed | null): Promise<void>;
  readonly path: (name: string) => string;
  /** The disk it is on, and the database's directory as well. */
  readonly disk: Disk;
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
  given: { readonly key: string; readonly nodeId: string | null; readonly hostName: string },
  uuid: () => string,
  { disk, lock }: Pick<Machine, "disk" | "lock"> = { disk: systemDisk, lock: lockDirectory },
): Promise<DataDir> {
  await makeDir(dir, disk).catch((error: unknown) => {
    throw new RollcallError("disk", `-data-dir: make ${dir}: ${reason(error)}`, { cause: error });
  });
  const unlock = await lock(dir);
  try {
    const kept = await readIdentity(dir, disk);
    if (kept !== null && given.nodeId !== null && kept.nodeId !== given.nodeId)
      throw new RollcallError(
        "usage",
        `-node-id: ${given.nodeId} is not the id kept in ${dir}, ${kept.nodeId}`,
        {
          hint: "a node keeps its id for life: leave the flag out, or use another -data-dir for another node",
        },
      );
    if (kept !== null) checkKey(dir, kept, given.key);
    const incarnation = uuid();
    const identity = kept ?? {
      key: given.key,
      nodeId: given.nodeId ?? given.hostName,
      kept: blank(incarnation),
    };
    const write = (next: Kept) =>
      writeSynced(
        join(dir, FILE),
        sealed({ v: VERSION, key: identity.key, node_id: identity.nodeId, ...next }),
        disk,
      );
    if (kept === null) {
      await syncAbove(dir, disk);
      await write(identity.kept);
      // An agent that was killed may have written it, and not have synced its name.
    } else await disk.sync(dir);
    return {
      identity,
      save: async (next, aside) => {
        if (aside !== null)
          await writeSynced(
            join(dir, `marker.${asName(aside.genesis_id)}.json`),
            JSON.stringify(aside),
            disk,
          );
        await write(next);
      },
      path: (name) => join(dir, name),
      disk,
      close: unlock,
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** Node's own recursive mkdir never ends where an existing parent takes no directories, as in /proc. */
async function makeDir(dir: string, disk: Disk): Promise<void> {
  try {
    await disk.make(dir);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    const above = dirname(resolve(dir));
    if (codeOf(error) !== "ENOENT" || above === resolve(dir)) throw error;
    await makeDir(above, disk);
    await disk.make(dir);
  }
}

/**
 * Syncs the names of the directory and of all above it on its file system: any of them may have been made just now,
 * or by an agent that was killed right after. What cannot be opened was made by neither.
 */
async function syncAbove(dir: string, disk: Disk): Promise<void> {
  const { dev } = await disk.standing(dir);
  let at = resolve(dir);
  for (let above = dirname(at); above !== at; at = above, above = dirname(at)) {
    if ((await disk.standing(above)).dev !== dev) return;
    await disk.sync(above).catch((error: unknown) => {
      if (codeOf(error) !== "EACCES") throw error;
    });
  }
}

/** The genesis kept in a data directory, or null when there is none. Takes no lock. Throws `disk` or `damaged`. */
export async function readMarker(dir: string, key: string): Promise<Sealed | null> {
  const identity = await readIdentity(dir, systemDisk);
  if (identity === null) return null;
  checkKey(dir, identity, key);
  return identity.kept.marker;
}

function checkKey(dir: string, kept: Identity, key: string): void {
  if (kept.key === key) return;
  throw new RollcallError("usage", `-disco-key: ${dir} belongs to the cluster ${kept.key}, not to ${key}`, {
    hint: "give every cluster's node its own -data-dir",
  });
}

const FILE = "identity.json";

async function readIdentity(dir: string, disk: Disk): Promise<Identity | null> {
  const path = join(dir, FILE);
  const content = await readIfThere(path, disk);
  if (content === null) return null;
  const decoded = decode(Identity, content);
  const problem = decoded.ok ? checksumProblem(content) : decoded.problem;
  if (!decoded.ok || problem !== null)
    throw new RollcallError("damaged", `${path}: ${problem}`, {
      hint: "restore the file; or, to make this a new and empty node, move the data directory and the database's away",
    });
  const { key, node_id: nodeId, incarnation, claim, stamp, marker, opened, votes } = decoded.value;
  return { key, nodeId, kept: { incarnation, claim, stamp, marker, opened, votes } };
}

/** The text of the file, with a checksum over everything before it: a vote that reads otherwise is no vote. */
function sealed(content: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(content);
  return `${text.slice(0, -1)},"sum":"${sumOf(text)}"}\n`;
}

/** What is wrong with a file's checksum; null: nothing, or it has none. */
function checksumProblem(text: string): string | null {
  const sum = /,"sum":"([^"]*)"\}\s*$/.exec(text);
  if (sum === null || sumOf(`${text.slice(0, sum.index)}}`) === sum[1]) return null;
  return "its checksum does not fit what it says";
}

function sumOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
