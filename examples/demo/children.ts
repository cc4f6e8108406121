/** The demo's child processes: started with their output kept, watched, and all ended whatever happens. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Clock } from "../../src/lib/clock.ts";
import { codeOf, RollcallError } from "../../src/lib/errors.ts";

const KEPT = 64 * 1024;
/** How long children have after SIGTERM. The embedded store then takes a second at most: together below 2 s. */
const GRACE_MS = 900;

export type Child = {
  readonly name: string;
  /** Resolves at the first output line that `wanted` accepts; never when none comes. */
  line(wanted: (line: string) => boolean): Promise<void>;
  /** The last lines it wrote. */
  tail(): string;
  /** Ends it: its end is no failure from now on. Resolves when it is gone; SIGKILL follows after `graceMs` (900). */
  end(signal: "SIGTERM" | "SIGKILL", graceMs?: number): Promise<void>;
};

export type Children = ReturnType<typeof openChildren>;

/** No children yet. `failed` is called with one clear error when a child ends that nobody has ended. */
export function openChildren(
  options: { readonly env: NodeJS.ProcessEnv; readonly failed: (error: RollcallError) => void },
  clock: Clock,
) {
  const alive = new Map<ChildProcess, Child>();
  let closed = false;
  return {
    /** Starts a program. After `endAll` nothing starts any more: throws `closed`. */
    start(name: string, program: string, args: readonly string[]): Child {
      if (closed) throw new RollcallError("closed", `start ${name}: the demo is ending`);
      const spawned = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: options.env });
      const output = keepOutput(spawned);
      let dismissed = false;
      const gone = new Promise<void>((resolve) => {
        const over = (how: string) => {
          if (!alive.delete(spawned)) return;
          resolve();
          if (!dismissed) options.failed(ended(name, how, output.tail()));
        };
        spawned.once("error", (error) => over(`could not be started: ${codeOf(error) ?? error.message}`));
        spawned.once("close", (code, signal) =>
          over(`ended by itself with ${signal ?? `exit code ${code}`}`),
        );
      });
      const child: Child = {
        name,
        line: output.line,
        tail: output.tail,
        async end(signal, graceMs = GRACE_MS) {
          dismissed = true;
          if (!alive.has(spawned)) return;
          spawned.kill(signal);
          const cancel = clock.after(graceMs, () => spawned.kill("SIGKILL"));
          await gone;
          cancel();
        },
      };
      alive.set(spawned, child);
      return child;
    },
    /** What a program prints that ends by itself with 0. Throws `child_ended` with what it complains of. */
    async output(program: string, args: readonly string[]): Promise<string> {
      if (closed) throw new RollcallError("closed", `run ${program}: the demo is ending`);
      const spawned = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: options.env });
      let text = "";
      spawned.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      const output = keepOutput(spawned);
      const name = args.slice(1).join(" ");
      const gone = new Promise<string>((resolve, reject) => {
        spawned.once("error", reject);
        spawned.once("close", (code, signal) => {
          alive.delete(spawned);
          if (code === 0) resolve(text.trimEnd());
          else reject(ended(name, `ended with ${signal ?? `exit code ${code}`}`, output.tail()));
        });
      });
      const end = async (signal: NodeJS.Signals) => {
        spawned.kill(signal);
        await gone.catch(() => {});
      };
      alive.set(spawned, { name, line: output.line, tail: output.tail, end });
      return gone;
    },
    /** Ends everything that still runs, at once. Safe twice. */
    async endAll(): Promise<void> {
      closed = true;
      await Promise.all([...alive.values()].map((child) => child.end("SIGTERM")));
    },
    /** The last resort of a process that is about to exit. */
    killAll(): void {
      closed = true;
      for (const spawned of alive.keys()) spawned.kill("SIGKILL");
    },
  };
}

function ended(name: string, how: string, log: string): RollcallError {
  return new RollcallError("child_ended", `${name} ${how}`, { facts: { log } });
}

function keepOutput({ stdout, stderr }: ChildProcess) {
  let kept = "";
  const waiting = new Set<(line: string) => void>();
  for (const stream of [stdout, stderr]) {
    let begun = "";
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      kept = (kept + chunk).slice(-KEPT);
      const lines = (begun + chunk).split("\n");
      begun = lines.pop() ?? "";
      for (const line of lines) for (const hear of waiting) hear(line);
    });
  }
  return {
    tail: () => kept.trimEnd().split("\n").slice(-12).join("\n"),
    line: (wanted: (line: string) => boolean) =>
      new Promise<void>((resolve) => {
        const hear = (line: string) => {
          if (!wanted(line)) return;
          waiting.delete(hear);
          resolve();
        };
        waiting.add(hear);
      }),
  };
}
