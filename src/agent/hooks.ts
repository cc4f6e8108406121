/**
 * Commands that the operator hangs into the agent's life. No shell; JSON on standard input; a limit for the
 * whole process group; never two at a time.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Clock } from "../lib/clock.ts";
import { reason } from "../lib/errors.ts";
import { identify, killGroup } from "./child.ts";

export const HOOK_LIMIT_MS = 60_000;

export type HookResult = { readonly ok: true } | { readonly ok: false; readonly problem: string };

/** How long the last words of a command that has ended are waited for: a grandchild may hold the pipe open. */
const LAST_WORDS_MS = 200;
const MOST_SAID = 2_000;
const STOPPED = "the agent was stopped";

export type HookOptions = {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  readonly limitMs?: number;
};

/**
 * Runs one command to its end, and ends with it whatever it left running in its process group: nothing that a
 * hook started in the background outlives it, unless it began a session of its own (`setsid`). Fails, never
 * throws, on a non-zero exit, a signal, a program that cannot be started, the time limit or abort; in the last
 * two its process group is killed. Standard error's last line becomes part of the problem.
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

/** How the child ended; null for exit 0 on its own. Throws when it could not be started. */
function ending(child: ChildProcess, stdin: string, options: HookOptions): Promise<string | null> {
  const { clock, signal, limitMs = HOOK_LIMIT_MS } = options;
  return new Promise((resolve, reject) => {
    let why: string | null = null;
    let said = "";
    const killAll = killerOf(child);
    const kill = (problem: string) => () => {
      why ??= problem;
      killAll();
    };
    let cancel = clock.after(limitMs, kill(`still running after ${limitMs / 1000} s`));
    const abort = kill(STOPPED);
    signal.addEventListener("abort", abort, { once: true });
    const settle = () => {
      cancel();
      signal.removeEventListener("abort", abort);
    };
    child.once("error", (error) => {
      settle();
      reject(error);
    });
    // Both are missing when no process could be made at all.
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      said = `${said}${chunk}`.slice(-MOST_SAID);
    });
    child.stdin?.on("error", () => {}).end(stdin);
    child.once("exit", (code, ended) => {
      settle();
      const end = () => {
        cancel();
        child.off("close", end);
        killAll();
        child.stderr?.destroy();
        const last = said.trim().split("\n").at(-1) ?? "";
        const how = why ?? (ended === null ? `exit ${code}` : `ended by ${ended}`);
        resolve(code === 0 && why === null ? null : `${how}${last === "" ? "" : `: ${last}`}`);
      };
      cancel = clock.after(LAST_WORDS_MS, end);
      child.once("close", end);
    });
  });
}

/** Kills the child's whole process group, also once the child itself has ended. */
function killerOf({ pid }: ChildProcess): () => void {
  if (pid === undefined) return () => {};
  const id = identify(pid);
  return () => {
    try {
      killGroup(id);
    } catch {
      // What runs as another user by now is not ours to end.
    }
  };
}
