/** One node: an agent, and the rqlited that it starts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { LeaderRecord } from "../../src/core/model.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import type { Child, Children } from "../demo/children.ts";
import type { Wait } from "../demo/wait.ts";

const AGENT = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const REQUEST_MS = 4_000;
/** The agent gives its database 5 s, and ends within 5 s after it. */
const STOP_MS = 11_000;

const State = z.looseObject({
  agent: z.looseObject({ incarnation: z.string() }),
  node: z.looseObject({ role: z.string(), status: z.string() }),
  outcome: z.looseObject({ kind: z.string(), genesis_id: z.string() }).nullable(),
  process: z.looseObject({ pid: z.int().nullable() }).nullable(),
});
const Explanation = z.looseObject({ code: z.string(), summary: z.string(), counted: z.array(z.string()) });
const Leader = z.looseObject({ record: LeaderRecord.nullable(), verified: z.boolean() });
const Rows = z.looseObject({
  results: z.array(
    z.looseObject({ values: z.array(z.array(z.unknown())).optional(), error: z.string().optional() }),
  ),
});

/** Ports on 127.0.0.1. */
export type NodePorts = { readonly agent: number; readonly http: number; readonly raft: number };
export type RqliteNode = ReturnType<typeof openRqliteNode>;

/** A node that has not started. `flags` say where the agents meet; everything is kept below `dir`. */
export function openRqliteNode(options: {
  readonly name: string;
  readonly dir: string;
  readonly ports: NodePorts;
  readonly flags: readonly string[];
  readonly rqlited: string;
  readonly children: Children;
  readonly wait: Wait;
  readonly clock: Clock;
}) {
  const { name, dir, ports, flags, rqlited, children, wait, clock } = options;
  const agentAddr = `127.0.0.1:${ports.agent}`;
  const databaseAddr = `127.0.0.1:${ports.http}`;
  const dataDir = join(dir, "rqlite");
  let agent: Child | null = null;
  const log = () => agent?.tail() ?? "";

  /** Asks until there is an answer that `wanted` takes. */
  const until = <T>(path: string, schema: z.ZodType<T>, wanted: (answer: T) => boolean): Promise<T> =>
    wait.for(
      `${name} to answer ${path} as expected`,
      async () => {
        const value = schema.parse(JSON.parse((await call(`http://${agentAddr}${path}`)).text));
        return wanted(value) ? value : null;
      },
      log,
    );

  const call = async (url: string, init: RequestInit = {}) => {
    const signal = AbortSignal.any([wait.signal, AbortSignal.timeout(REQUEST_MS)]);
    const answer = await fetch(url, { ...init, signal });
    return { status: answer.status, text: await answer.text() };
  };

  /** Runs SQL on this node's rqlited. Throws what rqlite says against it. */
  const sql = async (path: string, statement: string): Promise<unknown[][]> => {
    const init = {
      method: "POST",
      body: JSON.stringify([statement]),
      headers: { "content-type": "application/json" },
    };
    const { status, text } = await call(`http://${databaseAddr}${path}`, init);
    if (status !== 200) throw new RollcallError("rqlite", `${name}: status ${status}: ${text.trim()}`);
    const [result] = Rows.parse(JSON.parse(text)).results;
    if (result?.error !== undefined) throw new RollcallError("rqlite", `${name}: ${result.error}`);
    return result?.values ?? [];
  };

  /** The last resort, and of a process that is about to exit. */
  const killDatabase = (): void => {
    const pid = pidOf(join(dir, "agent", "supervised.json"));
    if (pid !== null && isOurs(pid, dataDir)) process.kill(pid, "SIGKILL");
  };

  return {
    name,
    agentAddr,
    databaseAddr,
    /** Starts the agent, which starts rqlited when it is agreed what it is to do. Resolves when the agent listens. */
    async start(): Promise<void> {
      agent = children.start(`the agent of ${name}`, process.execPath, [
        AGENT,
        "agent",
        ...["-node-id", name, "-bootstrap-expect", "3", ...flags],
        ...["-http-addr", agentAddr, "-data-dir", join(dir, "agent")],
        ...["-db", "rqlite", "-stop-timeout", "5s", "-log-format", "text"],
        "--",
        rqlited,
        ...["-http-addr", databaseAddr, "-raft-addr", `127.0.0.1:${ports.raft}`],
        dataDir,
      ]);
      await wait.event(
        `the agent of ${name} to listen`,
        agent.line((line) => /\blistening\b/.test(line)),
        log,
      );
    },
    /** Agent and rqlited at once, without a chance to say good-bye. */
    async kill(): Promise<void> {
      const { process: database } = await until("/v1/state", State, (state) => state.process?.pid != null);
      const gone = agent?.end("SIGKILL");
      process.kill(database?.pid ?? 0, "SIGKILL");
      await gone;
    },
    /** The agent ends its database first. One that had to be killed has left it running, and its output open. */
    async stop(): Promise<void> {
      const cancel = clock.after(STOP_MS + 500, killDatabase);
      await agent?.end("SIGTERM", STOP_MS);
      cancel();
    },
    killDatabase,
    state: (wanted: (state: z.infer<typeof State>) => boolean) => until("/v1/state", State, wanted),
    /** Why it waits, in its own words, once it gives this code and counts so many voters. */
    explains: async (code: string, counted: number) => {
      const wanted = (e: z.infer<typeof Explanation>) => e.code === code && e.counted.length === counted;
      return (await until("/v1/explain", Explanation, wanted)).summary;
    },
    /** Settled, and rqlited serves. */
    ready: () =>
      wait.for(
        `${name} to be ready`,
        async () => ((await call(`http://${agentAddr}/readyz`)).status === 200 ? true : null),
        log,
      ),
    /** Whether `/leader` says that a load balancer should send it what only the leader takes. */
    leads: async () => (await call(`http://${agentAddr}/leader`)).status === 200,
    /** The leader as this agent gives it, once it is verified and `wanted`. */
    leader: async (wanted: (id: string) => boolean) => {
      const { record } = await until("/v1/leader", Leader, (l) => l.verified && wanted(l.record?.id ?? ""));
      return record?.id ?? "";
    },
    execute: (statement: string) => sql("/db/execute", statement),
    /** What this node itself has, asking nobody else, once `wanted`. */
    query: (statement: string, wanted: (rows: unknown[][]) => boolean) =>
      wait.for(
        `${name} to have the rows`,
        async () => {
          const rows = await sql("/db/query?level=none", statement);
          return wanted(rows) ? rows : null;
        },
        log,
      ),
  };
}

function pidOf(record: string): number | null {
  try {
    return z.looseObject({ pid: z.int().positive() }).parse(JSON.parse(readFileSync(record, "utf8"))).pid;
  } catch {
    return null; // It never started one, or has ended it.
  }
}

/** A number may be another process's by now; without /proc nobody tells. */
function isOurs(pid: number, dataDir: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(dataDir);
  } catch {
    return false;
  }
}
