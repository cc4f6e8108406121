/**
 * Commands that the operator hangs into the agent's life. No shell; JSON on standard input; a limit for the
 * whole process group; never two at a time.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Clock } from "../lib/clock.ts";
import { reason } from "../lib/errors.ts";

export const HOOK_LIMIT_MS = 60_000;

export type HookResult = { readonly ok: true } | { readonly ok: false; readonly problem: string };

/** How long the last words of a command that has ended are waited for: a grandchild may hold the pipe open. */
const LAST_WORDS_MS = 200;
const MOST_SAID = 2_000;

type HookOptions = { clock: Clock; signal: AbortSignal; env: NodeJS.ProcessEnv; limitMs?: number };

/**
 * Runs one command to its end. Fails, never throws, on a non-zero exit, a signal, a program that cannot be
 * started, the time limit or abort; in the last two its process group is killed. Standard error's last line
 * becomes part of the problem.
 */
export async function runHook(
  command: readonly string[],
  payload: unknown,
  options: HookOptions,
): Promise<HookResult> {
  const [program = "", ...args] = command;
  const failed = (how: string): HookResult => ({ ok: false, problem: `${program}: ${how}` });
  if (options.signal.aborted) return failed(STOPPED);
  try {
    const child = spawn(program, args, {
      detached: true,
      env: options.env,
      stdio: ["pipe", "ignore", "pipe"],
    });
    const how = await ending(child, `${JSON.stringify(payload)}\n`, options);
    return how === null ? { ok: true } : failed(how);
  } catch (error) {
    // An empty name, too long an argument: these are thrown, where a missing program is an event.
    return failed(reason(error));
  }
}

const STOPPED = "the agent was stopped";

/** How the child ended; null for exit 0 on its own. Throws when it could not be started. */
function ending(child: ChildProcess, stdin: string, options: HookOptions): Promise<string | null> {
  const { clock, signal, limitMs = HOOK_LIMIT_MS } = options;
  return new Promise((resolve, reject) => {
    let why: string | null = null;
    let said = "";
    const kill = (problem: string) => () => {
      why ??= problem;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // The group has ended on its own.
      }
    };
    let cancel = clock.after(limitMs, kill(`still running after ${limitMs / 1000} s`));
    const abort = kill(STOPPED);
    signal.addEventListener("abort", abort, { once: true });
    const finish = () => {
      cancel();
      signal.removeEventListener("abort", abort);
      child.stderr?.destroy();
    };
    child.once("error", (error) => {
      finish();
      reject(error);
    });
    // Both are missing when no process could be made at all.
    child.stderr?.on("data", (chunk: Buffer) => {
      said = `${said}${chunk.toString("utf8")}`.slice(-MOST_SAID);
    });
    child.stdin?.on("error", () => {}).end(stdin);
    child.once("exit", (code, ended) => {
      cancel();
      const end = () => {
        finish();
        const last = said.trim().split("\n").at(-1) ?? "";
        const how = why ?? (ended === null ? `exit ${code}` : `ended by ${ended}`);
        resolve(code === 0 && why === null ? null : `${how}${last === "" ? "" : `: ${last}`}`);
      };
      if (code === 0) return end();
      cancel = clock.after(LAST_WORDS_MS, end);
      child.once("close", end);
    });
  });
}
