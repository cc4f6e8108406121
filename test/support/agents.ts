/**
 * Real agents for end-to-end tests and benches: the shipped bundle as its own process, with an address, a
 * data directory that survives restarts, and its HTTP.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Explanation } from "../../src/core/explain.ts";
import type { Outcome } from "../../src/core/model.ts";
import { type Reply, type RequestOptions, request } from "./http.ts";
import { freePort } from "./loopback.ts";
import { type Exit, type Inside, type Process, start } from "./processes.ts";
import { tempDir } from "./temp.ts";
import { until } from "./wait.ts";

export const PROGRAM = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

export type AgentOptions = {
  readonly id: string;
  /** Flags beside -node-id, -http-addr and -data-dir. */
  readonly args: readonly string[];
  readonly address?: string;
  /** Instead of a free one: others have been told of it before. */
  readonly port?: number;
  /** Where it runs, if not here. In another network it needs an address and a port that are there. */
  readonly inside?: Inside;
  /** Listen on every interface, and advertise the address. */
  readonly everywhere?: boolean;
  /** How to ask it when it serves TLS. */
  readonly tls?: RequestOptions["tls"];
  /** A data directory of an earlier agent. */
  readonly dir?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
};

/** Where an agent is, where that is settled before it starts. */
export type Seat = { readonly address: string; readonly port: number };

export type Agent = {
  readonly id: string;
  /** Holds `data`, and `db` for tests that give the database a directory. */
  readonly dir: string;
  addr(): string;
  process(): Process;
  get(path: string, options?: RequestOptions): Promise<Reply>;
  explain(): Promise<Explanation>;
  /** The outcome, or null while there is none. */
  outcome(): Promise<Outcome | null>;
  /** Waits for the outcome. */
  settled(deadlineMs?: number): Promise<Outcome>;
  /** Waits until `explain` gives this code. */
  waitsFor(code: string, deadlineMs?: number): Promise<Explanation>;
  kill(): Promise<Exit>;
  stop(): Promise<Exit>;
  pause(): Promise<void>;
  resume(): void;
  /** Starts it again after its end, with the same data unless wiped, and other flags or another address when given. */
  restart(change?: {
    readonly wipe?: boolean;
    readonly args?: readonly string[];
    readonly moved?: boolean | Seat;
  }): Promise<void>;
};

/** Starts one agent; resolves when its process runs, which is before it listens. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  let address = options.address ?? "127.0.0.1";
  const dir = options.dir ?? tempDir(options.id);
  let port = options.port ?? (await freePort(address));
  let args = options.args;
  let child: Process;
  const addr = () => `${address}:${port}`;
  const launch = async () => {
    child = await start({
      name: options.id,
      ...(options.inside === undefined ? {} : { inside: options.inside }),
      program: process.execPath,
      args: [
        // As the shipped file's first line has it.
        "--max-semi-space-size=1",
        PROGRAM,
        "agent",
        "-node-id",
        options.id,
        "-http-addr",
        options.everywhere ? `0.0.0.0:${port}` : addr(),
        ...(options.everywhere ? ["-http-adv-addr", addr()] : []),
        "-data-dir",
        join(dir, "data"),
        "-log-format",
        "json",
        ...args,
      ],
      env: { NODE_EXTRA_CA_CERTS: undefined, ...options.env },
    });
  };
  await launch();
  const get = (path: string, more?: RequestOptions) =>
    request(`${options.tls ? "https" : "http"}://${addr()}${path}`, {
      ...more,
      ...(options.tls ? { tls: options.tls } : {}),
    });
  const giveUp = () => {
    const exit = child.exit();
    return exit === null
      ? null
      : `${options.id} has ended (${exit.code ?? exit.signal}): ${child.stderr().slice(-500)}`;
  };
  const agent: Agent = {
    id: options.id,
    dir,
    addr,
    process: () => child,
    get,
    explain: async () => JSON.parse((await get("/v1/explain")).body) as Explanation,
    async outcome() {
      const reply = await get("/v1/outcome");
      return reply.status === 200 ? (JSON.parse(reply.body) as Outcome) : null;
    },
    settled: (deadlineMs = 30_000) =>
      until(() => agent.outcome(), {
        deadlineMs,
        what: `the outcome of ${options.id}; it says ${child.stderr().split("\n").at(-2)}`,
        giveUp,
      }),
    waitsFor: (code, deadlineMs = 30_000) =>
      until(
        async () => {
          const explanation = await agent.explain();
          return explanation.code === code ? explanation : null;
        },
        { deadlineMs, what: `${options.id} to say ${code}`, giveUp },
      ),
    kill: () => child.kill(),
    stop: () => child.stop(5_000),
    pause: async () => void (await child.pause()),
    resume: () => void child.signal("SIGCONT"),
    async restart(change = {}) {
      await child.kill();
      if (change.wipe) rmSync(join(dir, "data"), { recursive: true, force: true });
      if (typeof change.moved === "object") ({ address, port } = change.moved);
      else if (change.moved) port = await freePort(address);
      args = change.args ?? args;
      await launch();
    },
  };
  return agent;
}
