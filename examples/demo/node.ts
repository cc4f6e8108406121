/** One node of the demo: an agent and the stand-in database beside it, as two processes with one disk. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { Outcome } from "../../src/core/model.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import type { Child, Children } from "./children.ts";
import type { Wait } from "./wait.ts";

const AGENT = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const DATABASE = fileURLToPath(new URL("../stand-in/database.ts", import.meta.url));
/** A request that is older than this will not be answered; longer than the longest `wait` below. */
const REQUEST_MS = 4_000;

const Explanation = z.looseObject({
  code: z.string(),
  summary: z.string(),
  unblock: z.array(z.string()),
  counted: z.array(z.string()),
});
const Self = z.looseObject({ incarnation: z.string() });
const Peers = z.looseObject({
  peers: z.array(z.looseObject({ id: z.string(), incarnation: z.string(), registered: z.boolean() })),
});
const Database = z.looseObject({ role: z.string(), peers: z.array(z.string()), genesis_id: z.string() });

/** Ports on 127.0.0.1. */
export type NodePorts = { readonly agent: number; readonly database: number };
export type DemoNode = ReturnType<typeof openNode>;

/** A node that has not started. `flags` say where the agents meet; everything is kept below `dir`. */
export function openNode(options: {
  readonly name: string;
  readonly dir: string;
  readonly ports: NodePorts;
  readonly flags: readonly string[];
  readonly children: Children;
  readonly wait: Wait;
}) {
  const { name, dir, flags, children, wait } = options;
  let { ports } = options;
  let agent: Child | null = null;
  let database: Child | null = null;
  const at = (port: number) => `127.0.0.1:${port}`;
  const agentAddr = () => at(ports.agent);
  const databaseAddr = () => at(ports.database);
  const log = () => agent?.tail() ?? "";

  /** Asks until there is an answer that `wanted` takes. */
  const ask = <T>(addr: () => string, path: string, schema: z.ZodType<T>, wanted = (_: T) => true) =>
    wait.for(
      `${name} to answer ${path} as expected`,
      async () => {
        const signal = AbortSignal.any([wait.signal, AbortSignal.timeout(REQUEST_MS)]);
        const answer = await fetch(`http://${addr()}${path}`, { signal });
        if (answer.status === 204) return null;
        const body = await answer.text();
        if (!answer.ok) throw new RollcallError("refused", `status ${answer.status}: ${body.trim()}`);
        const value = schema.parse(JSON.parse(body));
        return wanted(value) ? value : null;
      },
      log,
    );

  return {
    name,
    agentAddr,
    databaseAddr,
    /** Starts both. Resolves when the agent listens, with the time on the demo's clock. */
    async start(): Promise<number> {
      agent = children.start(`the agent of ${name}`, process.execPath, [
        AGENT,
        "agent",
        ...["-node-id", name, "-bootstrap-expect", "3", ...flags],
        ...["-http-addr", agentAddr(), "-data-dir", join(dir, "agent")],
        ...["-db", "http", "-db-addr", `http://${databaseAddr()}/health`],
        ...["-db-adv-addr", databaseAddr(), "-db-data-dir", join(dir, "database")],
        ...["-log-format", "text"],
      ]);
      const listening = agent.line((line) => /\blistening\b/.test(line));
      database = children.start(`the database of ${name}`, process.execPath, [
        DATABASE,
        ...["-agent", agentAddr(), "-addr", databaseAddr(), "-data-dir", join(dir, "database")],
      ]);
      await wait.event(`the agent of ${name} to listen`, listening, log);
      return wait.now();
    },
    /** Both at once, without a chance to say good-bye. */
    async kill(): Promise<void> {
      await Promise.all([agent?.end("SIGKILL"), database?.end("SIGKILL")]);
    },
    /** The database, then its agent; each gets `graceMs`. */
    async stop(graceMs: number): Promise<void> {
      await database?.end("SIGTERM", graceMs);
      await agent?.end("SIGTERM", graceMs);
    },
    /** Takes a stopped node's disk away; the next start is at these ports. */
    replace(next: NodePorts): void {
      rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
      ports = next;
    },
    incarnation: async () => (await ask(agentAddr, "/v1/agent", Self)).incarnation,
    /** Why it waits, once it gives this code and counts so many voters. */
    explains: (code: string, counted: number) =>
      ask(agentAddr, "/v1/explain", Explanation, (e) => e.code === code && e.counted.length === counted),
    outcome: (wanted?: (outcome: Outcome) => boolean) =>
      ask(agentAddr, "/v1/outcome?wait=2s", Outcome, wanted),
    /** Its peers, once `wanted` takes the incarnations of those that are registered. */
    peers: (wanted: (incarnations: readonly string[]) => boolean) =>
      ask(agentAddr, "/v1/peers", Peers, ({ peers }) =>
        wanted(peers.filter((peer) => peer.registered).map((peer) => peer.incarnation)),
      ),
    database: (wanted?: (database: z.infer<typeof Database>) => boolean) =>
      ask(databaseAddr, "/", Database, wanted),
  };
}
