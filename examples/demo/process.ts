/** What a story on the terminal has of its own process: its end, its screen, its environment for others. */
import { envName, FLAGS } from "../../src/cli/flags.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { openScreen, type Screen } from "./screen.ts";

/** Aborted by Ctrl-C and its kin, and when nobody reads any more. A second Ctrl-C ends at once. */
export function endingOf(): AbortController {
  const ending = new AbortController();
  const end = (code: string, exitCode: number) =>
    ending.abort(new RollcallError(code, code, { facts: { exitCode } }));
  for (const [name, number] of [
    ["SIGHUP", 1],
    ["SIGINT", 2],
    ["SIGTERM", 15],
  ] as const)
    process.on(name, () => {
      if (ending.signal.aborted) process.exit(128 + number);
      end("interrupted", 128 + number);
    });
  process.stdout.on("error", () => end("unread", 0));
  return ending;
}

/** The terminal, or whatever standard output is. `who`: the longest name in the story. */
export function screenSince(began: number, who: number): Screen {
  const { stdout } = process;
  return openScreen({
    write: (text) => stdout.write(text),
    // Knows NO_COLOR.
    color: stdout.isTTY && stdout.hasColors(),
    columns: stdout.isTTY ? stdout.columns : null,
    sinceMs: () => systemClock.now() - began,
    who,
  });
}

/** Without what would change the agents, and without a certificate file, which every Node that starts would read. */
export function childEnv(): NodeJS.ProcessEnv {
  const unwanted = new Set<string | null>([...FLAGS.map(envName), "NODE_EXTRA_CA_CERTS"]);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !unwanted.has(name)));
}

export function uuid(): string {
  return crypto.randomUUID();
}
