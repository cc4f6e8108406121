/** The process as commands see it, made for tests: arguments in, text and an exit code out. */
import type { Io } from "../../src/cli/io.ts";
import { run } from "../../src/cli/run.ts";
import type { Provider } from "../../src/core/provider.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";

export type World = {
  readonly env?: Readonly<Record<string, string>>;
  /** Path → content. */
  readonly files?: Readonly<Record<string, string>>;
  readonly provider?: () => Provider;
  /** What a person types when asked; stdin is a terminal when this is set. */
  readonly typed?: string;
  /** All of standard input. */
  readonly stdin?: string;
  /** Standard output is a terminal. */
  readonly terminal?: boolean;
  /** The machine's own unless the test moves one. */
  readonly clock?: Clock;
  /** SIGTERM, and the end of whoever reads standard output. */
  readonly stop?: AbortSignal;
  readonly unread?: AbortSignal;
  /** Called with each text on standard output. */
  readonly onOut?: (text: string) => void;
  /** What a provider's schema says of any configuration. */
  readonly problems?: readonly string[];
};

/** A missing file, as the system says it. */
export function noSuchFile(path: string): Error {
  return Object.assign(new Error(`ENOENT: no such file or directory, open '${path}'`), { code: "ENOENT" });
}

/** Files from a table, and ENOENT for the rest. */
export function filesOf(table: Readonly<Record<string, string>>) {
  return {
    read(path: string): string {
      const content = Object.hasOwn(table, path) ? table[path] : undefined;
      if (content === undefined) throw noSuchFile(path);
      return content;
    },
    list(path: string): readonly string[] {
      if (Object.hasOwn(table, path)) throw Object.assign(new Error("ENOTDIR"), { code: "ENOTDIR" });
      const inside = Object.keys(table).filter((name) => name.startsWith(`${path}/`));
      if (inside.length === 0) throw noSuchFile(path);
      return [...new Set(inside.map((name) => name.slice(path.length + 1).split("/", 1)[0] ?? ""))];
    },
  };
}

/** Runs the program with these arguments. `out` and `err` are all that it printed. */
export async function rollcall(argv: readonly string[], world: World = {}) {
  const printed = { out: "", err: "" };
  const files = filesOf(world.files ?? {});
  const asked: string[] = [];
  let ids = 0;
  const io: Io = {
    argv,
    env: world.env ?? {},
    stdout: (text) => {
      printed.out += text;
      world.onOut?.(text);
    },
    stderr: (text) => {
      printed.err += text;
    },
    terminal: { stdin: world.typed !== undefined, stdout: world.terminal === true, stderr: false },
    ask: async (question) => {
      asked.push(question);
      return world.typed ?? null;
    },
    stdin: async () => world.stdin ?? "",
    unread: world.unread ?? new AbortController().signal,
    pacing: { clock: world.clock ?? systemClock, random: () => 0.5 },
    uuid: () => `uuid-${++ids}`,
    hostName: "host",
    pid: 1,
    version: "1.2.3",
    platform: "node v24, linux x64",
    memory: () => 0,
    files,
    file: async (path) => files.read(path),
    checkProviderConfig: async (_mode, value) =>
      world.problems === undefined ? { ok: true, value } : { ok: false, problems: world.problems },
    checkInventory: async () => ({ ok: true }),
    openInventory: async () => {
      throw new Error("no test asks for an inventory");
    },
    openProvider: async () => {
      if (world.provider === undefined) throw new Error("this test opens no provider");
      return world.provider();
    },
    untilStopped: () => world.stop ?? new AbortController().signal,
    onSignals: () => {},
  };
  const code = await run(io);
  return { code, ...printed, asked };
}
