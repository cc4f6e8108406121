/**
 * Processes: started in a session and process group of their own, told apart from later ones with the same
 * number, signalled, and found again. What it knows of processes it did not start comes from /proc (proc(5)).
 * Elsewhere than on Linux there is none: a process is then known by its number alone.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants as files, readdirSync, readFileSync, statSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";
import { START_VARIABLE } from "./command.ts";

/** One process for all time. `startTime` in clock ticks since the machine's boot; null where there is no /proc. */
export type ProcessId = {
  readonly pid: number;
  readonly startTime: string | null;
  readonly bootId: string | null;
};

/** How a child ended: exactly one of the two is set. */
export type ChildExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type Child = { readonly id: ProcessId; readonly exit: Promise<ChildExit> };

/**
 * Starts a command without a shell, as the leader of a session and a process group of its own, with the
 * agent's standard input and output. `born` is called in the same turn as the process is made. Throws
 * `command` with one line when it cannot be started; `facts.lasting`: trying again will not help.
 */
export async function startChild(
  [program = "", ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  born: (id: ProcessId) => void,
): Promise<Child> {
  try {
    const child = spawn(program, args, { detached: true, env, stdio: "inherit" });
    const exit = exitOf(child);
    const spawned = new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    const id = child.pid === undefined ? null : identify(child.pid);
    if (id !== null) born(id);
    await spawned;
    if (id === null) throw new RollcallError("command", "has no process id");
    return { id, exit };
  } catch (error) {
    const lasting = LASTING.has(codeOf(error) ?? "");
    throw new RollcallError("command", `${program}: ${startProblem(error)}`, {
      facts: { lasting },
      cause: error,
    });
  }
}

/** Why a command cannot be started, as far as that can be told without starting it: one line, or null. */
export function checkProgram([program = ""]: readonly string[], env: NodeJS.ProcessEnv): string | null {
  if (program.includes("/")) {
    const problem = whyNotRun(program);
    return problem === null ? null : `${program}: ${problem}`;
  }
  const problems = (env.PATH ?? DEFAULT_PATH).split(delimiter).map((dir) => whyNotRun(join(dir, program)));
  if (program !== "" && problems.includes(null)) return null;
  return `${program}: ${problems.includes(MAY_NOT) ? MAY_NOT : "not found in PATH"}`;
}

/** The process with this number now. */
export function identify(pid: number): ProcessId {
  return { pid, startTime: statOf(pid)?.startTime ?? null, bootId: bootId() };
}

/** Whether this very process still runs. One that is dead and not yet waited for does not. */
export function isRunning({ pid, startTime, bootId: boot }: ProcessId): boolean {
  if (startTime === null) return send(pid, 0) && send(-pid, 0);
  const now = boot === bootId() ? statOf(pid) : null;
  return now !== null && now.startTime === startTime && !DEAD.has(now.state);
}

/** Sends a signal to the process, and only to it; false when it is gone. Throws when that is not allowed. */
export function signalProcess(id: ProcessId, name: NodeJS.Signals): boolean {
  return isRunning(id) && send(id.pid, name);
}

/** SIGKILL to all that is left of the group that the process leads or led. Throws when that is not allowed. */
export function killGroup({ pid, startTime }: ProcessId): void {
  // The number of a dead leader is not given out again while its group has members. One that is another
  // process's now says that nothing is left.
  const now = statOf(pid);
  if (now === null || startTime === null || now.startTime === startTime) send(-pid, "SIGKILL");
}

/**
 * The processes that carry the nonce of one start in their environment, oldest first, each with its process
 * group: the one that was started, and what it started itself. None where there is no /proc.
 */
export function findStart(nonce: string): readonly { readonly id: ProcessId; readonly group: number }[] {
  const boot = bootId();
  return pids()
    .flatMap((pid) => {
      const stat = statOf(pid);
      if (stat === null || DEAD.has(stat.state) || !carries(pid, nonce)) return [];
      return [{ id: { pid, startTime: stat.startTime, bootId: boot }, group: stat.group }];
    })
    .sort((a, b) => Number(a.id.startTime) - Number(b.id.startTime) || a.id.pid - b.id.pid);
}

/** What a shell reports for an end: the code, or 128 and the number of the signal. */
export function statusOf({ code, signal }: ChildExit): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** Names this boot of the machine; null where there is no /proc. */
export function bootId(): string | null {
  return readProc("/proc/sys/kernel/random/boot_id")?.trim() ?? null;
}

const MAY_NOT = "permission denied";
/** What the system's own search uses without a PATH. */
const DEFAULT_PATH = "/usr/bin:/bin";
/** Zombies, and what is about to be one. */
const DEAD = new Set(["Z", "X", "x"]);
const LASTING = new Set([
  "ENOENT",
  "EACCES",
  "EPERM",
  "ENOEXEC",
  "ENOTDIR",
  "EISDIR",
  "ELOOP",
  "ENAMETOOLONG",
  "E2BIG",
  "EINVAL",
  "ERR_INVALID_ARG_VALUE",
]);

function exitOf(child: ChildProcess): Promise<ChildExit> {
  return new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
}

function startProblem(error: unknown): string {
  switch (codeOf(error)) {
    case "ENOENT":
      // Also where the interpreter in its first line, or its loader, is missing.
      return "not found";
    case "EACCES":
      return MAY_NOT;
    case "ENOEXEC":
      return "is no program for this machine";
    case "E2BIG":
      return "its arguments and environment are too long";
    default:
      return reason(error);
  }
}

function whyNotRun(path: string): string | null {
  try {
    if (!statSync(path).isFile()) return "is no file";
    accessSync(path, files.X_OK);
    return null;
  } catch (error) {
    return codeOf(error) === "EACCES" ? MAY_NOT : "not found";
  }
}

/** `state`, `pgrp` and `starttime` of /proc/<pid>/stat, its fields 3, 5 and 22; null when there is no such process. */
function statOf(pid: number): { state: string; group: number; startTime: string } | null {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field, the name, may itself hold blanks and brackets.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", , group = ""] = fields;
  return { state, group: Number(group), startTime: fields[19] ?? "" };
}

function pids(): number[] {
  try {
    return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  } catch {
    return [];
  }
}

/** False also where this user may not look: a process of another user is not found. */
function carries(pid: number, nonce: string): boolean {
  return readProc(`/proc/${pid}/environ`)?.split("\0").includes(`${START_VARIABLE}=${nonce}`) ?? false;
}

function readProc(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function send(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if (codeOf(error) === "ESRCH") return false;
    // Somebody is there, which was the question.
    if (name === 0) return true;
    throw error;
  }
}
