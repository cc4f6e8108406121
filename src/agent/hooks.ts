/**
 * Commands that the operator hangs into the agent's life. No shell; JSON on standard input; a limit for the
 * whole process group; never two at a time.
 */
import { spawn } from "node:child_process";
import type { Clock } from "../lib/clock.ts";
import { reason } from "../lib/errors.ts";

export const HOOK_LIMIT_MS = 60_000;

export type HookResult = { readonly ok: true } | { readonly ok: false; readonly problem: string };

/**
 * Runs one command to its end. Fails, never throws, on a non-zero exit, a signal, a program that cannot be
 * started, the time limit or abort; in the last two its process group is killed. Standard error's last line
 * becomes part of the problem.
 */
export function runHook(
  command: readonly string[],
  payload: unknown,
  options: { clock: Clock; signal: AbortSignal; env: NodeJS.ProcessEnv; limitMs?: number },
): Promise<HookResult> {
  const { clock, signal, env, limitMs = HOOK_LIMIT_MS } = options;
  const [program = "", ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, { detached: true, env, stdio: ["pipe", "ignore", "pipe"] });
    let why: string | null = null;
    let complaint = "";
    const kill = (problem: string) => () => {
      why ??= problem;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // The group has ended on its own.
      }
    };
    const cancel = clock.after(limitMs, kill(`still running after ${limitMs / 1000} s`));
    const abort = kill("the agent was stopped");
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    const end = (result: HookResult) => {
      cancel();
      signal.removeEventListener("abort", abort);
      resolve(result);
    };
    child.stderr.on("data", (chunk: Buffer) => {
      complaint = `${complaint}${chunk.toString("utf8")}`.slice(-2000);
    });
    child.stdin.on("error", () => {});
    child.stdin.end(`${JSON.stringify(payload)}\n`);
    child.once("error", (error) => end({ ok: false, problem: `${program}: ${reason(error)}` }));
    // `exit`, not `close`: a grandchild that keeps our pipe open must not hold us.
    child.once("exit", (code, ended) => {
      child.stderr.destroy();
      if (code === 0 && why === null) return end({ ok: true });
      const last = complaint.trim().split("\n").at(-1) ?? "";
      const how = why ?? (ended === null ? `exit ${code}` : `ended by ${ended}`);
      end({ ok: false, problem: `${program}: ${how}${last === "" ? "" : `: ${last}`}` });
    });
  });
}
