/**
 * How long agents take to agree, beside rqlite's own KV modes on the same store: both in turn, a fresh key a
 * run. Agents are timed from the last process's start, and from the last one's listening socket, until every
 * agent has its outcome; rqlited, alone and driven by agents, until every node's /readyz is green. Run: npm run bench:formation [-- RUNS]
 */
import { connect } from "node:net";
import { type Agent, PROGRAM, startAgent } from "../test/support/agents.ts";
import { request } from "../test/support/http.ts";
import { freePort, loopbackAddress } from "../test/support/loopback.ts";
import { startConsul } from "../test/support/servers/consul.ts";
import { startEtcd } from "../test/support/servers/etcd.ts";
import { startRqlite } from "../test/support/servers/rqlite.ts";
import { type Node, startNode } from "../test/support/supervised.ts";
import { until } from "../test/support/wait.ts";
import { aim, median, spread, table } from "./figures.ts";

delete process.env.NODE_EXTRA_CA_CERTS;
const RUNS = Number(process.argv[2] ?? 10);
let keys = 0;

type Store = { readonly name: string; readonly mode: string; readonly config: string };
type Timing = { readonly fromStart: number; readonly fromListening: number };

async function listening(agent: Agent): Promise<number> {
  const [host = "", port = ""] = agent.addr().split(":");
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), host);
      socket.once("connect", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
    if (open) return performance.now();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const flags = (store: Store, key: string, expect: number) => [
  "-disco-mode",
  store.mode,
  "-disco-config",
  store.config,
  "-disco-key",
  key,
  "-bootstrap-expect",
  String(expect),
  "-log-level",
  "warn",
];

async function outcomeAt(agent: Agent): Promise<number> {
  await until(
    () => agent.get("/v1/outcome?wait=60s", { timeoutMs: 70_000 }).then((reply) => reply.status === 200),
    { deadlineMs: 60_000, what: `${agent.id} to settle`, everyMs: 1 },
  );
  return performance.now();
}

async function form(store: Store, count: number): Promise<{ timing: Timing; late: Timing | null }> {
  const key = `bench/${++keys}`;
  const agents: Agent[] = [];
  try {
    for (let i = 0; i < count; i++)
      agents.push(await startAgent({ id: `n${i}`, args: flags(store, key, count) }));
    const started = performance.now();
    const timing = await settle(agents, started);
    if (count !== 3) return { timing, late: null };
    const lateStart = performance.now();
    const late = await startAgent({ id: "late", args: flags(store, key, count) });
    agents.push(late);
    return { timing, late: await settle([late], lateStart) };
  } finally {
    await Promise.all(agents.map((agent) => agent.kill()));
  }
}

async function settle(agents: readonly Agent[], started: number): Promise<Timing> {
  const times = await Promise.all(
    agents.map(async (agent) => {
      const open = await listening(agent);
      return { open, settled: await outcomeAt(agent) };
    }),
  );
  const end = Math.max(...times.map((t) => t.settled));
  return { fromStart: end - started, fromListening: end - Math.max(...times.map((t) => t.open)) };
}

/** Until a database knows its leader, by the same question for both. */
const led = (address: string) =>
  until(() => request(`http://${address}/readyz`, { timeoutMs: 1000 }).then((r) => r.status === 200), {
    deadlineMs: 30_000,
    what: "rqlite to be ready",
    everyMs: 10,
  });

/** The whole thing: rqlited started by its agent, from the last agent's start until every node knows its leader. */
async function driven(store: Store, count: number): Promise<number> {
  const args = flags(store, `bench/${++keys}`, count);
  const nodes: Node[] = [];
  try {
    for (let i = 0; i < count; i++) nodes.push(await startNode({ id: `n${i}`, args }));
    const started = performance.now();
    await Promise.all(nodes.map((node) => led(node.http())));
    return performance.now() - started;
  } finally {
    await Promise.all(nodes.map((node) => node.kill()));
  }
}

async function native(store: Store, count: number): Promise<number> {
  const key = `rqlite-bench-${++keys}`;
  const nodes = [];
  for (let i = 0; i < count; i++) {
    const address = await loopbackAddress();
    const where = { address, ports: { http: await freePort(address), raft: await freePort(address) } };
    nodes.push({ where, name: `r${i}` });
  }
  const args = ["-disco-mode", store.mode, "-disco-config", store.config, "-disco-key", key];
  const starting = nodes.map(({ where, name }) => startRqlite({ name, where, args, until: "listening" }));
  const started = performance.now();
  try {
    await Promise.all(nodes.map(({ where }) => led(`${where.address}:${where.ports.http}`)));
    return performance.now() - started;
  } finally {
    await Promise.all(starting.map(async (node) => (await node).kill()));
  }
}

async function main(): Promise<void> {
  const consul = await startConsul();
  const etcd = await startEtcd();
  const stores: Store[] = [
    {
      name: "Consul",
      mode: "consul-kv",
      config: JSON.stringify({ address: `${consul.address}:${consul.ports.http}` }),
    },
    {
      name: "etcd",
      mode: "etcd-kv",
      config: JSON.stringify({ endpoints: [`${etcd.address}:${etcd.ports.client}`] }),
    },
  ];
  const counts = [3, 5, 15];
  const agents = new Map<string, Timing[]>();
  const peers = new Map<string, number[]>();
  const put = <T>(map: Map<string, T[]>, key: string, value: T) =>
    map.set(key, [...(map.get(key) ?? []), value]);
  for (let run = 0; run < RUNS; run++)
    for (const store of stores) {
      for (const count of counts) {
        const { timing, late } = await form(store, count);
        put(agents, `${store.name} ${count}`, timing);
        if (late !== null) put(agents, `${store.name} late`, late);
      }
      put(peers, store.name, await native(store, 3));
      put(peers, `${store.name} driven`, await driven(store, 3));
      process.stderr.write(`run ${run + 1}/${RUNS} ${store.name}\n`);
    }
  report(stores, counts, agents, peers);
  await Promise.all([consul.stop(), etcd.stop()]);
}

function report(
  stores: readonly Store[],
  counts: readonly number[],
  agents: Map<string, Timing[]>,
  peers: Map<string, number[]>,
): void {
  const rows = [
    ["store", "agents", "from the last start, ms", "from the last listening socket, ms", "rqlited x3, ms"],
  ];
  const lines: string[] = [];
  for (const { name } of stores) {
    const peer = peers.get(name) ?? [];
    for (const count of [...counts, "late"]) {
      const timings = agents.get(`${name} ${count}`) ?? [];
      const start = timings.map((t) => t.fromStart);
      const socket = timings.map((t) => t.fromListening);
      rows.push([
        name,
        count === "late" ? "1 late" : String(count),
        spread(start),
        spread(socket, 1),
        count === 3 ? spread(peer) : "",
      ]);
      if (count === 3) {
        const whole = peers.get(`${name} driven`) ?? [];
        lines.push(
          `${name}, rqlited driven by agents, three at once until all know the leader: ${spread(whole)} ms`,
          aim(`${name}, the same`, median(whole) / median(peer), 0.75),
        );
        lines.push(aim(`${name}, three at once, from the last start`, median(start) / median(peer), 1 / 5));
        lines.push(
          aim(
            `${name}, three at once, from the last listening socket`,
            median(socket) / median(peer),
            1 / 30,
          ),
        );
      }
      if (count === "late")
        lines.push(
          `${name}, late node: ${median(socket).toFixed(1)} ms from listening, aim 50 ms: ${median(socket) <= 50 ? "met" : "missed"}`,
        );
    }
  }
  process.stdout.write(
    `${PROGRAM.split("/").slice(-2).join("/")} on Node ${process.version}; medians (min-max) of ${RUNS} interleaved runs\n\n${table(rows)}\n\n${lines.join("\n")}\n`,
  );
}

await main();
