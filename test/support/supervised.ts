/**
 * Real agents that start real rqlited nodes, for end-to-end tests and benches: one place a pair, which stays
 * the same through every restart, and the questions that a user would ask of either.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Agent, type Seat, startAgent } from "./agents.ts";
import { type Reply, type RequestOptions, request } from "./http.ts";
import { freePlace, loopbackAddress } from "./loopback.ts";
import type { Exit, Inside } from "./processes.ts";
import { RQLITE_PORTS, rqliteCommand } from "./servers/rqlite.ts";
import { until } from "./wait.ts";

export type NodeOptions = {
  readonly id: string;
  /** The agent's flags beside its identity and addresses. */
  readonly args: readonly string[];
  /** More flags of rqlited's. */
  readonly database?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where its agent is, and the database at another port; fresh ones where left out. */
  readonly seat?: Seat;
  /** Where both run, if not here: in another network, where every port is free; needs a seat there. */
  readonly inside?: Inside;
};

/** One agent and the rqlited it starts. */
export type Node = {
  readonly id: string;
  agent(): Agent;
  /** The database's directory. */
  readonly dataDir: string;
  /** The database's HTTP, `host:port`, and its Raft. */
  http(): string;
  raft(): string;
  /** Asks the database itself. */
  ask(path: string, options?: RequestOptions): Promise<Reply>;
  /** Runs statements; the result's first row of values. Throws unless the database answers without an error. */
  sql(statement: string, level?: "none" | "weak" | "strong"): Promise<unknown>;
  /** The agent's state. */
  state(): Promise<Record<string, never> & { process: { at: string; pid: number | null; restarts: number } }>;
  /** The database's process, once it runs. */
  pid(): Promise<number>;
  signal(name: NodeJS.Signals): Promise<void>;
  /** Ends both, without a farewell. */
  kill(): Promise<void>;
  /** SIGTERM to the agent, which ends its database first. */
  stop(): Promise<Exit>;
  /** Starts the agent again after its end, which starts the database. */
  restart(change?: {
    readonly wipe?: boolean;
    /** Both get other ports, or the agent goes to that seat and the database beside it. */
    readonly moved?: boolean | Seat;
    readonly args?: readonly string[];
  }): Promise<void>;
};

// Module state on purpose: an exit hook has nothing else to look at. A database outlives its agent by design.
const databases = new Set<number>();
process.on("exit", () => {
  for (const pid of databases) endProcess(pid);
});

function endProcess(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
  databases.delete(pid);
}

/** Starts an agent that supervises a new rqlited; resolves when the agent's process runs. */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { id, args, database = [], env = {}, seat, inside } = options;
  let address = seat?.address ?? (await loopbackAddress());
  const { command, dir } = await rqliteCommand();
  const dataDir = join(dir, "data");
  let place =
    inside === undefined ? await freePlace(address, RQLITE_PORTS) : { ports: { http: 4001, raft: 4002 } };
  let own = args;
  const http = () => `${address}:${place.ports.http}`;
  const raft = () => `${address}:${place.ports.raft}`;
  const line = () => [
    ...own,
    "-db",
    "rqlite",
    "--",
    ...command,
    "-http-addr",
    http(),
    "-raft-addr",
    raft(),
    ...database,
    dataDir,
  ];
  const agent = await startAgent({ id, address, ...seat, ...(inside && { inside }), args: line(), env });
  /** Every process that this node's database was seen in: the agent may be gone when they are to end. */
  const seen = new Set<number>();
  const state: Node["state"] = async () => {
    const now = JSON.parse((await agent.get("/v1/state")).body);
    if (typeof now.process?.pid === "number") {
      databases.add(now.process.pid);
      seen.add(now.process.pid);
    }
    return now;
  };
  const ask: Node["ask"] = (path, options) => request(`http://${http()}${path}`, options);
  const node: Node = {
    id,
    agent: () => agent,
    dataDir,
    http,
    raft,
    ask,
    async sql(statement, level = "weak") {
      const reading = /^\s*select/i.test(statement);
      const path = reading ? `/db/query?level=${level}` : "/db/execute";
      const reply = await ask(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify([statement]),
      });
      const result = JSON.parse(reply.body).results?.[0];
      if (reply.status !== 200 || result === undefined || result.error !== undefined)
        throw new Error(`${id}: ${statement}: ${reply.status} ${reply.body.slice(0, 200)}`);
      return result.values?.[0];
    },
    state,
    pid: () =>
      until(async () => (await state()).process.pid, { deadlineMs: 10_000, what: `the database of ${id}` }),
    async signal(name) {
      process.kill(await node.pid(), name);
    },
    async kill() {
      await state().catch(() => {});
      const gone = agent.kill();
      for (const pid of seen) endProcess(pid);
      seen.clear();
      await gone;
    },
    async stop() {
      await state().catch(() => {});
      return agent.process().stop(40_000);
    },
    async restart({ wipe = false, moved = false, args: next = own } = {}) {
      own = next;
      if (typeof moved === "object") address = moved.address;
      if (moved) place = await freePlace(address, RQLITE_PORTS);
      if (wipe) rmSync(dataDir, { recursive: true, force: true });
      await agent.restart({ wipe, moved, args: line() });
    },
  };
  return node;
}

/** Nodes that end with the test that started them. */
export function openNodes() {
  const nodes: Node[] = [];
  const one = async (options: NodeOptions): Promise<Node> => {
    const node = await startNode(options);
    nodes.push(node);
    return node;
  };
  return {
    one,
    start: (ids: readonly string[], args: readonly string[], more: Partial<NodeOptions> = {}) =>
      Promise.all(ids.map((id) => one({ id, args, ...more }))),
    async end(): Promise<void> {
      await Promise.all(nodes.splice(0).map((node) => node.kill()));
    },
  };
}

/** Waits until all nodes' agents are ready and name one leader, who is one of them; gives that node. */
export async function untilLed(nodes: readonly Node[], deadlineMs = 30_000): Promise<Node> {
  const leads = async (): Promise<Node> => {
    const seen = await Promise.all(
      nodes.map(async (node) => {
        const [ready, leader] = await Promise.all([
          node.agent().get("/readyz"),
          node.agent().get("/v1/leader"),
        ]);
        const { summary } = await node.state();
        const { record, verified } = JSON.parse(leader.body);
        const named: unknown = ready.status === 200 && verified === true ? record?.id : null;
        return { named, says: `${node.id}: ${ready.body.trim()}, ${leader.body.trim()}, ${summary}` };
      }),
    );
    const [first] = seen;
    const one =
      seen.every(({ named }) => named === first?.named) && nodes.find(({ id }) => id === first?.named);
    if (!one) throw new Error(seen.map(({ says }) => says).join("\n"));
    return one;
  };
  return until(leads, {
    deadlineMs,
    what: `${nodes.map((n) => n.id).join(", ")} to name one leader`,
    everyMs: 20,
  });
}
