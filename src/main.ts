/** The composition root: makes of the process what commands need, runs the one that was asked for, and ends with its code. */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { hostname } from "node:os";
import { createInterface } from "node:readline/promises";
import type * as z from "zod";
import { inventories, providers } from "../providers/index.ts";
import type { Io } from "./cli/io.ts";
import { run } from "./cli/run.ts";
import type { DiscoConfig, ProviderCheck } from "./config.ts";
import type { InventoryCheck } from "./coordinator/documents.ts";
import type { Inventory } from "./core/inventory.ts";
import type { Provider } from "./core/provider.ts";
import type { DiscoverySettings } from "./core/settings.ts";
import { systemClock } from "./lib/clock.ts";
import { RollcallError } from "./lib/errors.ts";
import { fileCache } from "./lib/files.ts";

/** A configuration, a certificate or a secret is never longer, in bytes; something else was named by mistake. */
const MOST_FILE_BYTES = 1024 * 1024;

const uuid = () => globalThis.crypto.randomUUID();
const file = fileCache();
const unread = new AbortController();

const io: Io = {
  argv: process.argv.slice(2),
  env: process.env,
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  terminal: {
    stdin: process.stdin.isTTY === true,
    stdout: process.stdout.isTTY === true,
    stderr: process.stderr.isTTY === true,
  },
  ask,
  stdin: readStdin,
  unread: unread.signal,
  pacing: { clock: systemClock, random: Math.random },
  uuid,
  hostName: hostname(),
  pid: process.pid,
  version: process.env.ROLLCALL_BUILD_VERSION ?? packageVersion(),
  platform: `node ${process.version}, ${process.platform} ${process.arch}`,
  memory: () => process.memoryUsage.rss(),
  files: { read: readBounded, list: (path) => readdirSync(path) },
  file,
  checkProviderConfig,
  openProvider,
  checkInventory,
  openInventory,
  untilStopped,
  onSignals,
};

/** What a second SIGTERM or SIGINT does before it ends the process. */
let killDatabase = () => {};

// A reader that went away (`rollcall help | head`) is no failure of ours.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    if (stream === process.stdout) unread.abort();
  });
}
if (process.argv[2] === "coordinator") widen();
process.exitCode = isTooOld(process.versions.node) ? refuseToRun() : await run(io);

/**
 * The shipped file's first line keeps the young generation at 1 MiB, which is right for an agent; a coordinator of
 * thousands would spend as much on collecting it as on polling. V8 takes this at the start only, so the process
 * begins anew in its own place: the same id, environment and files.
 */
function widen(): void {
  const { execPath, execArgv, argv, env } = process;
  if (!execArgv.includes("--max-semi-space-size=1") || process.execve === undefined) return;
  const flags = execArgv.map((flag) =>
    flag === "--max-semi-space-size=1" ? "--max-semi-space-size=8" : flag,
  );
  process.execve(execPath, [execPath, ...flags, ...argv.slice(1)], env);
}

/** Below 22.19, as package.json says, what is missing would be found out only on the way. */
function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < 22 || (major === 22 && minor < 19);
}

function refuseToRun(): number {
  io.stderr(`rollcall: needs Node 22.19 or newer; this is ${process.versions.node}\n`);
  return 1;
}

async function checkProviderConfig(...[mode, value]: Parameters<ProviderCheck>): ReturnType<ProviderCheck> {
  return checked(await providers[mode](), value);
}

async function checkInventory(...[mode, config]: Parameters<InventoryCheck>): ReturnType<InventoryCheck> {
  return checked(await inventories[mode](), config);
}

async function checked({ Config }: { readonly Config: z.ZodType }, value: Readonly<Record<string, unknown>>) {
  const parsed = Config.safeParse(value);
  if (parsed.success) return { ok: true as const, value };
  const { issueLines } = await import("./cli/issues.ts");
  return { ok: false as const, problems: issueLines(Config, parsed.error) };
}

async function openProvider({ mode, key, provider }: DiscoConfig): Promise<Provider> {
  const module = await providers[mode]();
  return module.open(module.Config.parse(provider), { key, now: systemClock.wall, file, uuid });
}

async function openInventory({ mode, config, cluster_id }: DiscoverySettings): Promise<Inventory> {
  const module = await inventories[mode]();
  return module.open(module.Config.parse(config), {
    clusterId: cluster_id,
    now: systemClock.wall,
    file,
    uuid,
  });
}

/** The first SIGTERM or SIGINT ends in order; the second one at once, with what a shell expects. */
function untilStopped(): AbortSignal {
  const stop = new AbortController();
  for (const [name, number] of [
    ["SIGTERM", 15],
    ["SIGINT", 2],
  ] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) {
        killDatabase();
        process.exit(128 + number);
      }
      stop.abort();
    });
  }
  return stop.signal;
}

/** What programs reload, rotate or report on is the database's; but a terminal that goes away ends both. */
function onSignals(forward: (name: NodeJS.Signals) => void, kill: () => void): void {
  killDatabase = kill;
  for (const name of ["SIGUSR1", "SIGUSR2", "SIGQUIT"] as const) process.on(name, () => forward(name));
  process.on("SIGHUP", () => (io.terminal.stdin ? process.emit("SIGTERM") : forward("SIGHUP")));
}

async function ask(question: string): Promise<string | null> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await new Promise((resolve, reject) => {
      lines.once("close", () => resolve(null));
      lines.question(question).then(resolve, reject);
    });
  } finally {
    lines.close();
  }
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST_FILE_BYTES) throw new RollcallError("usage", "standard input: is larger than 1 MiB");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Also reads pipes, whose size nobody knows beforehand. */
function readBounded(path: string): string {
  const descriptor = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(MOST_FILE_BYTES + 1);
    let size = 0;
    for (let got = -1; got !== 0 && size < buffer.length; size += got) {
      got = readSync(descriptor, buffer, size, buffer.length - size, null);
    }
    if (size > MOST_FILE_BYTES) throw new RollcallError("file", "is larger than 1 MiB");
    return buffer.toString("utf8", 0, size);
  } finally {
    closeSync(descriptor);
  }
}

/** When the sources run as they are; a build carries its version. */
function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}
