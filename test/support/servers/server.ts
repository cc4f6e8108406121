/** What all real servers of the tests have in common: a place, a life, and an end. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, RollcallError, reason } from "../../../src/lib/errors.ts";
import { freePlace, type Place } from "../loopback.ts";
import { ending, type Process, type Start, start } from "../processes.ts";
import { tempDir } from "../temp.ts";
import { until } from "../wait.ts";

/** One real server. Its place stays the same through every restart. */
export type Server<Ports extends string = string> = {
  readonly name: string;
  readonly address: string;
  readonly ports: Readonly<Record<Ports, number>>;
  /** Where it keeps its data. */
  readonly dataDir: string;
  readonly pid: () => number;
  /** Whether its process is there and not paused. */
  readonly running: () => boolean;
  /** What its current process has written, for messages. */
  readonly output: () => string;
  /** SIGTERM, then SIGKILL after 3 s. The data stays, for `restart`. Safe twice. */
  stop(): Promise<void>;
  /** SIGKILL: nothing is flushed, no leave is sent. Safe twice. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing is answered, until `resume`. */
  pause(): Promise<void>;
  resume(): void;
  /** Kills it if need be and starts it again at the same place, with its data or, on `wipe`, without any. */
  restart(options?: { readonly wipe?: boolean }): Promise<void>;
};

/** How to run one kind of server. */
export type Recipe<Ports extends string> = {
  readonly name: string;
  /** Where it shall run: a whole place, or an address on which free ports are looked for. */
  readonly where: Place<Ports> | string;
  readonly portNames: readonly Ports[];
  /** The command for a place; the data folder exists. */
  command(place: Place<Ports>, dataDir: string): Start | Promise<Start>;
  /** Whether it serves now. A throw is "not yet". */
  ready(place: Place<Ports>): Promise<boolean>;
  readonly readyWithinMs?: number;
  /** What to do once with empty data, after it is ready. */
  prepare?(place: Place<Ports>): Promise<void>;
};

const ATTEMPTS = 5;

/**
 * Starts a server and waits until it serves. Another process may take a port between the search and the
 * start: then others are tried. Throws code `server_start` with what the server has written.
 */
export async function startServer<Ports extends string>(recipe: Recipe<Ports>): Promise<Server<Ports>> {
  const dataDir = join(tempDir(recipe.name), "data");
  for (let attempt = 1; ; attempt += 1) {
    const { where } = recipe;
    const place = typeof where === "string" ? await freePlace(where, recipe.portNames) : where;
    try {
      return serverOf(recipe, place, dataDir, await launch(recipe, place, dataDir, true));
    } catch (error) {
      if (codeOf(error) !== "address_in_use" || attempt === ATTEMPTS) throw error;
    }
  }
}

async function launch<Ports extends string>(
  recipe: Recipe<Ports>,
  place: Place<Ports>,
  dataDir: string,
  wipe: boolean,
): Promise<Process> {
  if (wipe) await rm(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  await mkdir(dataDir, { recursive: true });
  const command = await recipe.command(place, dataDir);
  const child = await start({ name: recipe.name, ...command });
  try {
    await until(() => recipe.ready(place), {
      deadlineMs: recipe.readyWithinMs ?? 20_000,
      what: `${recipe.name} on ${place.address} to serve`,
      giveUp: () => endingOf(child),
    });
    if (wipe) await recipe.prepare?.(place);
    return child;
  } catch (cause) {
    await child.kill();
    throw startFailure(child, cause);
  }
}

function startFailure(child: Process, cause: unknown): RollcallError {
  const wrote = output(child);
  const code = /address already in use/i.test(wrote) ? "address_in_use" : "server_start";
  return new RollcallError(code, `start ${child.name}: ${reason(cause)}; it wrote:\n${wrote}`, { cause });
}

function endingOf(child: Process): string | null {
  const exit = child.exit();
  return exit === null ? null : `it ended with ${ending(exit)}`;
}

// Consul writes its log to stdout, the others to stderr.
function output(child: Process): string {
  return `${child.stdout().slice(-4_000)}${child.stderr().slice(-4_000)}`.trim() || "(nothing)";
}

function serverOf<Ports extends string>(
  recipe: Recipe<Ports>,
  place: Place<Ports>,
  dataDir: string,
  first: Process,
): Server<Ports> {
  let child = first;
  let paused = false;
  return {
    name: recipe.name,
    ...place,
    dataDir,
    pid: () => child.pid,
    running: () => child.exit() === null && !paused,
    output: () => output(child),
    async stop() {
      await child.stop();
    },
    async kill() {
      await child.kill();
    },
    async pause() {
      paused = await child.pause();
    },
    resume() {
      child.signal("SIGCONT");
      paused = false;
    },
    async restart(options = {}) {
      await child.kill();
      paused = false;
      child = await launch(recipe, place, dataDir, options.wipe ?? false);
    },
  };
}
