/** Whole agents in this process: the shipped `runAgent`, on real ports, over a store in memory. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { runAgent } from "../../../src/agent/agent.ts";
import { thisMachine } from "../../../src/agent/machine.ts";
import type { AgentConfig, DatabaseConfig, HooksConfig } from "../../../src/config.ts";
import type { Explanation } from "../../../src/core/explain.ts";
import type { Outcome } from "../../../src/core/model.ts";
import type { Provider } from "../../../src/core/provider.ts";
import { type Clock, systemClock } from "../../../src/lib/clock.ts";
import { fileCache } from "../../../src/lib/files.ts";
import { type Reply, type RequestOptions, request } from "../../support/http.ts";
import { freePort } from "../../support/loopback.ts";
import type { Memory } from "../../support/memory.ts";
import { tempDir } from "../../support/temp.ts";
import { until } from "../../support/wait.ts";
import { rememberingLog } from "./log.ts";

export type AgentOptions = {
  readonly id?: string;
  readonly config?: Partial<AgentConfig>;
  /** An earlier agent's. */
  readonly dir?: string;
  readonly port?: number;
  readonly clock?: Clock;
  /** The store as this agent sees it. */
  readonly provider?: (provider: Provider) => Provider;
  readonly openProvider?: () => Promise<Provider>;
};

export type Agent = {
  readonly id: string;
  readonly dir: string;
  readonly port: number;
  readonly addr: string;
  readonly lines: () => readonly Record<string, unknown>[];
  /** What `runAgent` gave, or threw; null while it runs. */
  end(): { readonly gave: string } | { readonly threw: unknown } | null;
  get(path: string, options?: RequestOptions): Promise<Reply>;
  explain(): Promise<Explanation>;
  /** The outcome once there is one. */
  settled(deadlineMs?: number): Promise<Outcome>;
  waitsFor(code: string, deadlineMs?: number): Promise<Explanation>;
  /** Tells it to stop and gives how long that took, in milliseconds. */
  stop(): Promise<number>;
  /** Settles with what `end` gives. */
  readonly ended: Promise<{ readonly gave: string } | { readonly threw: unknown }>;
};

/** What every agent of the tests is told, where a test says nothing else. */
export function configOf(
  id: string,
  dir: string,
  port: number,
  more: Partial<AgentConfig> = {},
): AgentConfig {
  const addr = { host: "127.0.0.1", port };
  return {
    nodeId: id,
    httpAddr: addr,
    httpAdvAddr: addr,
    dnsAddr: null,
    dataDir: join(dir, "data"),
    disco: { mode: "disco", key: "rollcall", provider: {} },
    bootstrapExpect: 1,
    bootstrapExpectTimeoutMs: 120_000,
    exitOnTimeout: false,
    voter: true,
    genesis: "auto",
    formation: "single",
    db: databaseOf({ advAddr: `${id}.test:4001`, peerAddr: `${id}.test:4002` }),
    supervision: null,
    hooks: hooksOf({}),
    outputs: { env: null, json: null, hosts: null },
    tls: null,
    tokenFile: null,
    clusterSecretFile: null,
    insecure: false,
    log: { level: "debug", format: "json" },
    ...more,
  };
}

/** A database that nobody asks, or as told. */
export function databaseOf(more: Partial<DatabaseConfig>): DatabaseConfig {
  const nothing = { addr: null, advAddr: null, peerAddr: null, dataDir: null };
  return { kind: "none", ...nothing, config: {}, probeIntervalMs: 1_000, ...more };
}

/** No hooks but these. */
export function hooksOf(more: Partial<HooksConfig>): HooksConfig {
  const none = { init: null, bootstrap: null, join: null, leave: null };
  return { ...none, membersChange: null, leaderChange: null, roleChange: null, ...more };
}

/** Starts one agent; resolves at once, before it listens. */
export async function startAgent(memory: Memory, options: AgentOptions = {}): Promise<Agent> {
  const id = options.id ?? "n1";
  const dir = options.dir ?? tempDir(id);
  const port = options.port ?? (await freePort("127.0.0.1"));
  const { log, lines } = rememberingLog();
  const stop = new AbortController();
  let end: ReturnType<Agent["end"]> = null;
  const open =
    options.openProvider ?? (async () => (options.provider ?? ((p: Provider) => p))(memory.open()));
  const ended = runAgent(
    configOf(id, dir, port, options.config),
    {
      machine: thisMachine,
      pacing: { clock: options.clock ?? systemClock, random: Math.random },
      uuid: randomUUID,
      log,
      file: fileCache(),
      openProvider: open,
      hostName: "host",
      hookEnv: { PATH: process.env.PATH },
      version: "0.0.0-test",
      memory: () => 1,
    },
    stop.signal,
  ).then(
    ({ by }) => ({ gave: by }),
    (threw: unknown) => ({ threw }),
  );
  void ended.then((how) => {
    end = how;
  });
  const scheme = options.config?.tls ? "https" : "http";
  const get = (path: string, more?: RequestOptions) => request(`${scheme}://127.0.0.1:${port}${path}`, more);
  const giveUp = () =>
    end === null ? null : `${id} has ended: ${JSON.stringify(end)} ${String(Object.values(end))}`;
  const agent: Agent = {
    id,
    dir,
    port,
    addr: `127.0.0.1:${port}`,
    lines,
    end: () => end,
    ended,
    get,
    explain: async () => JSON.parse((await get("/v1/explain")).body),
    settled: (deadlineMs = 10_000) =>
      until(
        async () => {
          const reply = await get("/v1/outcome");
          return reply.status === 200 ? (JSON.parse(reply.body) as Outcome) : null;
        },
        { deadlineMs, what: `the outcome of ${id}`, giveUp },
      ),
    waitsFor: (code, deadlineMs = 10_000) =>
      until(
        async () => {
          const said = await agent.explain();
          return said.code === code ? said : null;
        },
        { deadlineMs, what: `${id} to say ${code}`, giveUp },
      ),
    async stop() {
      const began = performance.now();
      stop.abort();
      await ended;
      return performance.now() - began;
    },
  };
  return agent;
}
