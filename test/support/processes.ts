/**
 * Child processes of the tests. Everything started here is remembered and killed when this process ends, also
 * when it is itself killed, so that a crashed run leaves nothing behind.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { RollcallError } from "../../src/lib/errors.ts";
import { until } from "./wait.ts";

/** How a process ended: exactly one of the two is set. */
export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** One running, or ended, child process. */
export type Process = {
  /** Its name in messages. */
  readonly name: string;
  readonly pid: number;
  /** How it ended; null while it runs. A stopped (paused) process runs. */
  exit(): Exit | null;
  /**
   * Settles when the process is gone and its output is complete, or nearly so: what it started may hold the
   * pipes open for hours. Never throws.
   */
  readonly ended: Promise<Exit>;
  /** What it has written so far, at most the last 256 KiB. */
  stdout(): string;
  stderr(): string;
  /** Sends a signal; false when the process is gone. */
  signal(signal: NodeJS.Signals): boolean;
  /** SIGSTOP, and every thread has stopped: from here on nothing is answered. False when the process is gone. */
  pause(): Promise<boolean>;
  /** SIGTERM, then SIGKILL after `graceMs` (3,000). Also ends a paused process. Safe twice. */
  stop(graceMs?: number): Promise<Exit>;
  /** SIGKILL. Safe twice. */
  kill(): Promise<Exit>;
};

/** A namespace, by a process that is in it. */
export type Inside = { readonly pid: number; readonly kind: "net" | "mnt" };

/** What to start. */
export type Start = {
  readonly name?: string;
  readonly program: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** Added to this process's environment; undefined takes a name away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Run as this user; needs root. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Run in the network, or with the mounts, of another process; needs root. */
  readonly inside?: Inside;
};

const OUTPUT_LIMIT = 256 * 1024;
const LAST_WORDS_MS = 500;

// Module state on purpose: an exit hook has nothing else to look at.
const alive = new Set<Process>();
process.on("exit", () => {
  for (const child of alive) child.signal("SIGKILL");
});

/** The processes started here that have not ended, oldest first. */
export function running(): readonly Process[] {
  return [...alive];
}

/** Starts a process. Throws code `spawn` when the program cannot be started. */
export async function start(options: Start): Promise<Process> {
  const name = options.name ?? options.program;
  if (!(options.program.includes("/") ? isExecutable(options.program) : inPath(options.program))) {
    throw new RollcallError("spawn", `start ${name}: ${options.program} is not a program here`);
  }
  const [program, args] = dyingWithUs(...insideOf(options));
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...options.user,
  });
  const started = describe(child, name);
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => reject(new RollcallError("spawn", `start ${name}`, { cause })));
  });
  return started;
}

/** The absolute path of a program in PATH, or null. */
export function inPath(program: string, path = process.env.PATH ?? ""): string | null {
  const found = path.split(delimiter).map((folder) => join(folder, program));
  return found.find((file) => file.startsWith("/") && isExecutable(file)) ?? null;
}

/** Whether this file exists and this user may run it. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs a program to its end and gives its output. Throws code `command` when it does not exit with 0. */
export async function run(
  program: string,
  args: readonly string[],
  more: Omit<Start, "program" | "args"> = {},
) {
  const child = await start({ ...more, program, args });
  const exit = await child.ended;
  if (exit.code === 0) return { stdout: child.stdout(), stderr: child.stderr() };
  const said = child.stderr().trim() || child.stdout().trim();
  throw new RollcallError("command", `${child.name} ${args[0] ?? ""}: ${ending(exit)}: ${said}`, {
    facts: { ...exit },
  });
}

/** `exit code 1` or `signal SIGKILL`. */
export function ending(exit: Exit): string {
  return exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
}

// No exit hook runs when this process is killed (vitest ends its workers with SIGTERM), so on Linux the
// kernel is asked to kill the child when its parent dies.
function dyingWithUs(program: string, args: readonly string[]): [string, readonly string[]] {
  const setpriv = process.platform === "linux" ? inPath("setpriv") : null;
  return setpriv === null ? [program, args] : [setpriv, ["--pdeathsig", "KILL", program, ...args]];
}

// nsenter becomes the program, so a signal to it is one to the program.
function insideOf({ program, args = [], inside }: Start): [string, readonly string[]] {
  if (inside === undefined) return [program, args];
  const { pid, kind } = inside;
  const flag = kind === "net" ? "--net" : "--mount";
  return ["nsenter", [`${flag}=/proc/${pid}/ns/${kind}`, program, ...args]];
}

function describe(child: ChildProcess, name: string): Process {
  let exit: Exit | null = null;
  const stdout = capture(child.stdout);
  const stderr = capture(child.stderr);
  const ended = new Promise<Exit>((resolve) => {
    child.once("close", (code, signal) => {
      exit ??= { code, signal };
      resolve(exit);
    });
    child.once("exit", (code, signal) => {
      setTimeout(() => resolve({ code, signal }), LAST_WORDS_MS).unref();
    });
    child.once("error", () => alive.delete(self));
  });
  child.once("exit", (code, signal) => {
    exit = { code, signal };
    alive.delete(self);
  });
  const signal = (wanted: NodeJS.Signals) => exit === null && child.kill(wanted);
  const self: Process = {
    name,
    pid: child.pid ?? 0,
    exit: () => exit,
    ended,
    stdout,
    stderr,
    signal,
    async pause() {
      if (!signal("SIGSTOP")) return false;
      await until(() => exit !== null || isStopped(self.pid), {
        deadlineMs: 2_000,
        what: `${name} to pause`,
      });
      return exit === null;
    },
    async stop(graceMs = 3_000) {
      signal("SIGTERM");
      signal("SIGCONT"); // A paused process takes no SIGTERM before it continues.
      try {
        return await until(() => exit, { deadlineMs: graceMs, what: `${name} to stop` });
      } catch {
        return self.kill();
      }
    },
    kill() {
      signal("SIGKILL");
      return ended;
    },
  };
  alive.add(self);
  return self;
}

// A thread on another processor runs on for a moment after the signal was sent.
function isStopped(pid: number): boolean {
  if (process.platform !== "linux") return true;
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2)[0] === "T";
  });
}

function capture(stream: NodeJS.ReadableStream | null): () => string {
  let text = "";
  stream?.setEncoding("utf8");
  stream?.on("data", (chunk: string) => {
    text = (text + chunk).slice(-OUTPUT_LIMIT);
  });
  return () => text;
}
