/**
 * The record of a supervised database, by which the next agent takes it back where this one is killed. An
 * intent with a nonce is synced before the start, and the process is added in the turn in which it is made; an
 * agent killed in between leaves a process that carries the nonce in its environment.
 */
import { renameSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import * as z from "zod";
import { decode, VERSION } from "../core/model.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import { readIfThere, writeSynced } from "../lib/files.ts";
import type { Log } from "../lib/log.ts";
import { bootId, findStart, isRunning, type ProcessId, signalProcess } from "./child.ts";

const Supervised = z.looseObject({
  v: z.int().min(1).max(VERSION, `is of a later version; this rollcall reads v ${VERSION}`),
  nonce: z.string().min(1),
  /** Null: it was about to be started. */
  pid: z.int().min(1).nullable(),
  /** Field 22 of /proc/<pid>/stat. */
  start_time: z.string().nullable(),
  boot_id: z.string().nullable(),
  /** As given after `--`. */
  command: z.array(z.string()),
  started_at: z.string(),
});
type Supervised = z.infer<typeof Supervised>;

/** A start, as its record has it. `startedAt` is an ISO time. */
export type Start = {
  readonly nonce: string;
  readonly command: readonly string[];
  readonly startedAt: string;
};

/** A database that an agent before this one started and that runs. */
export type Earlier = {
  readonly id: ProcessId;
  readonly command: readonly string[];
  readonly startedAt: string;
};

/** Keeps, synced, that this start is about to be made. Throws `disk`. */
export function keepIntent(path: string, start: Start): Promise<void> {
  return writeSynced(path, textOf(start, { pid: null, startTime: null, bootId: bootId() }));
}

/**
 * Adds the process, before anything else can happen in this one. Not synced: after a crash of the machine
 * there is no process to be found. Throws the system's error.
 */
export function keepProcess(path: string, start: Start, id: ProcessId): void {
  writeFileSync(`${path}.new`, textOf(start, id), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Nothing is to be taken back any more. Throws the system's error. */
export function forget(path: string): Promise<void> {
  return rm(path, { force: true });
}

/**
 * The database that an earlier agent left running, or null. Where that one is gone and has left processes in
 * its group, they are killed. Throws `disk`, or `damaged` for a record that cannot be read.
 */
export async function findEarlier(path: string, log: Log): Promise<Earlier | null> {
  const text = await readIfThere(path);
  // An empty file is what a crash of the machine may leave; no process outlives that.
  if (text === null || text.trim() === "") return null;
  const decoded = decode(Supervised, text);
  if (!decoded.ok)
    throw new RollcallError("damaged", `${path}: ${decoded.problem}`, {
      hint: "a database that an earlier agent started may run: stop it, then remove the file",
    });
  const { nonce, pid, start_time, boot_id, command, started_at } = decoded.value;
  const kept = pid === null ? null : { pid, startTime: start_time, bootId: boot_id };
  const id = kept === null ? foundByNonce(nonce) : isRunning(kept) ? kept : null;
  if (id === null) killRest(nonce, log);
  return id && { id, command, startedAt: started_at };
}

function textOf({ nonce, command, startedAt }: Start, { pid, startTime, bootId }: Unmade): string {
  const record = {
    v: VERSION,
    nonce,
    pid,
    start_time: startTime,
    boot_id: bootId,
    command: [...command],
    started_at: startedAt,
  } satisfies Supervised;
  return `${JSON.stringify(record)}\n`;
}
type Unmade = Omit<ProcessId, "pid"> & { readonly pid: number | null };

/** The process that was started leads its group, and is older than any that it started. */
function foundByNonce(nonce: string): ProcessId | null {
  return findStart(nonce).find(({ id, group }) => id.pid === group)?.id ?? null;
}

/** What a database leaves behind holds its ports and files against the next start. */
function killRest(nonce: string, log: Log): void {
  for (const { id, group } of findStart(nonce)) {
    // One that made a group of its own wanted to outlive the database.
    if (id.pid === group) continue;
    log.warn({ pid: id.pid }, "killing what the database of the agent before left");
    try {
      signalProcess(id, "SIGKILL");
    } catch (error) {
      log.warn({ pid: id.pid, error: reason(error) }, "could not kill it");
    }
  }
}
