/**
 * How long agents take to agree in each mode, beside rqlite's own way to form a cluster there: in turns, a new cluster
 * a run. Agents are timed from the last process's start, and from the last one's listening socket, until every agent
 * has its outcome; rqlited, alone and driven by agents, from the last start until every node's /readyz is green.
 * Run: npm run bench:formation [-- RUNS --modes static,file,http,dns,dns-srv,consul-service,consul-kv,etcd-kv,disco]
 */
import { connect, createServer, type Socket } from "node:net";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { type Agent, PROGRAM, startAgent } from "../test/support/agents.ts";
import { request } from "../test/support/http.ts";
import { freeSpots, type Spot } from "../test/support/loopback.ts";
import { type Mode, type ModeName, openMode } from "../test/support/modes.ts";
import { type Node, startNode } from "../test/support/supervised.ts";
import { removeTemp } from "../test/support/temp.ts";
import { until } from "../test/support/wait.ts";
import { aim, median, spread, table } from "./figures.ts";
import { byJoin, bySrv, startNatives, type Way } from "./native.ts";

delete process.env.NODE_EXTRA_CA_CERTS;
// What was started ends with this process: by a signal it would end without its exit hooks.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { modes: { type: "string", default: "static,dns,dns-srv,consul-kv,etcd-kv" } },
});
const RUNS = Number(positionals[0] ?? 10);
let keys = 0;

type Timing = { readonly fromStart: number; readonly fromListening: number };

/** One mode, what rqlite itself has for it, and the share of its time that agents may take. */
type Contest = {
  readonly mode: Mode;
  readonly counts: readonly number[];
  /** `name` of the peer, so that two modes beside one peer share its times; null: it cannot run here. */
  readonly native: { readonly name: string; readonly way: Way } | null;
  readonly most: { readonly start: number; readonly socket: number; readonly driven: number | null };
};

const IN_STORES = { start: 1 / 5, socket: 1 / 30, driven: 0.75 };
/** rqlited driven by agents still makes an election of its own, so there is no aim for it. */
const WITHOUT_STORE = { start: 1 / 2, socket: 1 / 8, driven: null };

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

async function outcomeAt(agent: Agent): Promise<number> {
  await until(
    () => agent.get("/v1/outcome?wait=60s", { timeoutMs: 70_000 }).then((reply) => reply.status === 200),
    { deadlineMs: 60_000, what: `${agent.id} to settle`, everyMs: 1 },
  );
  return performance.now();
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

/** So many agents; and beside three, one that comes late. `silent`: an address that is listed too, where nobody ever answers. */
async function form(
  mode: Mode,
  count: number,
  silent: Silent | null = null,
): Promise<{ timing: Timing; late: Timing | null }> {
  const key = `bench-${++keys}`;
  const expect = [`-bootstrap-expect=${count}`, "-log-level=warn"];
  const spots = await freeSpots(count + 1);
  const agents: Agent[] = [];
  const one = async (i: number, flags: readonly string[]) => {
    const agent = await startAgent({ id: `n${i}`, ...spots[i], args: [...flags, ...expect] });
    agents.push(agent);
    return agent;
  };
  try {
    const flags = await mode.flags(key, [
      ...spots.slice(0, count),
      ...(silent === null ? [] : [silent.spot]),
    ]);
    for (let i = 0; i < count; i++) await one(i, flags);
    const timing = await settle(agents, performance.now());
    if (count !== 3 || silent !== null) return { timing, late: null };
    const late = await one(count, await mode.flags(key, spots));
    return { timing, late: await settle([late], performance.now()) };
  } finally {
    await Promise.all(agents.map((agent) => agent.kill()));
    for (const { dir } of agents) removeTemp(dir);
  }
}

type Silent = { readonly spot: Spot; close(): void };

/** A place that takes connections and never says anything, as a black hole behind a load balancer does. */
async function openSilent(): Promise<Silent> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}).on("close", () => sockets.delete(socket)));
  });
  const [spot] = await freeSpots(1);
  if (spot === undefined) throw new Error("no free place");
  await new Promise<void>((resolve) => server.listen(spot.port, spot.address, resolve));
  return {
    spot,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Until a database knows its leader, by the same question for both. */
const led = (address: string) =>
  until(() => request(`http://${address}/readyz`, { timeoutMs: 1000 }).then((r) => r.status === 200), {
    deadlineMs: 60_000,
    what: "rqlite to be ready",
    everyMs: 10,
  });

/** The whole thing: rqlited started by its agent, from the last agent's start until every node knows its leader. */
async function driven(mode: Mode, count: number): Promise<number> {
  const spots = await freeSpots(count);
  const args = [...(await mode.flags(`bench-${++keys}`, spots)), `-bootstrap-expect=${count}`];
  const nodes: Node[] = [];
  try {
    for (const [i, seat] of spots.entries()) nodes.push(await startNode({ id: `n${i}`, args, seat }));
    const started = performance.now();
    await Promise.all(nodes.map((node) => led(node.http())));
    return performance.now() - started;
  } finally {
    await Promise.all(nodes.map((node) => node.kill()));
    for (const node of nodes) removeTemp(node.agent().dir);
  }
}

async function native(way: Way, count: number): Promise<number> {
  const { nodes, lastStart, end } = await startNatives(way, Array<number>(count).fill(0));
  try {
    await Promise.all(nodes.map(({ http }) => led(http)));
    return performance.now() - lastStart;
  } finally {
    await end();
  }
}

async function openContests(): Promise<readonly Contest[]> {
  const srv = await bySrv(3);
  const join = { name: "-join", way: byJoin(3) };
  const records = srv === null ? null : { name: "dns-srv", way: srv };
  const contest = async (name: ModeName): Promise<Contest> => {
    const mode = await openMode(name);
    if (["static", "file", "http", "disco"].includes(name))
      return { mode, counts: [3, 5], native: join, most: WITHOUT_STORE };
    if (name !== "consul-kv" && name !== "etcd-kv")
      return { mode, counts: [3, 5], native: records, most: WITHOUT_STORE };
    // rqlite's own flags for a store are those of the agents.
    const flags = () => mode.flags(`rqlite-bench-${++keys}`, []);
    const way = { flags, before: [], end: async () => {} };
    return { mode, counts: [3, 5, 15], native: { name, way }, most: IN_STORES };
  };
  return Promise.all(values.modes.split(",").map((name) => contest(name as ModeName)));
}

type Times = Map<string, number[]>;

async function main(): Promise<void> {
  const contests = await openContests();
  const times: Times = new Map();
  const put = (name: string, value: number) => times.set(name, [...(times.get(name) ?? []), value]);
  const putBoth = (name: string, { fromStart, fromListening }: Timing) => {
    put(`${name} start`, fromStart);
    put(`${name} socket`, fromListening);
  };
  const silent = await openSilent();
  const natives = new Map(contests.flatMap(({ native }) => (native ? [[native.name, native.way]] : [])));
  try {
    for (let run = 0; run < RUNS; run++) {
      for (const [name, way] of natives) put(`native ${name}`, await native(way, 3));
      for (const { mode, counts } of contests) {
        for (const count of counts) {
          const { timing, late } = await form(mode, count);
          putBoth(`${mode.name} ${count}`, timing);
          if (late !== null) putBoth(`${mode.name} late`, late);
        }
        if (mode.name === "static") putBoth("static silent", (await form(mode, 3, silent)).timing);
        put(`${mode.name} driven`, await driven(mode, 3));
      }
      process.stderr.write(`run ${run + 1}/${RUNS}, load ${loadavg()[0]?.toFixed(1)}\n`);
    }
  } finally {
    silent.close();
    await Promise.all([
      ...contests.map(({ mode }) => mode.end()),
      ...[...natives.values()].map((w) => w.end()),
    ]);
  }
  report(contests, times);
}

function report(contests: readonly Contest[], times: Times): void {
  const of = (name: string) => times.get(name) ?? [];
  const rows = [
    [
      "mode",
      "agents",
      "from the last start, ms",
      "from the last listening socket, ms",
      "rqlited x3 itself, ms",
    ],
  ];
  const lines: string[] = [];
  for (const { mode, counts, native, most } of contests) {
    const peer = native === null ? [] : of(`native ${native.name}`);
    for (const count of [...counts, "late"]) {
      const at = `${mode.name} ${count}`;
      const beside = count === 3 && native !== null ? `${native.name} ${spread(peer)}` : "";
      const agents = count === "late" ? "1 late" : String(count);
      rows.push([mode.name, agents, spread(of(`${at} start`)), spread(of(`${at} socket`), 1), beside]);
    }
    const odd = `${mode.name} silent`;
    if (times.has(`${odd} start`))
      rows.push([
        mode.name,
        "3, and 1 silent",
        spread(of(`${odd} start`)),
        spread(of(`${odd} socket`), 1),
        "",
      ]);
    const own = (what: string) => median(of(`${mode.name} ${what}`)) / median(peer);
    const whole = of(`${mode.name} driven`);
    const late = median(of(`${mode.name} late socket`));
    lines.push(
      `${mode.name}, rqlited driven by agents, three at once until all know the leader: ${spread(whole)} ms`,
      most.driven === null
        ? `${mode.name}, the same: ${own("driven").toFixed(2)} of the peer's`
        : aim(`${mode.name}, the same`, own("driven"), most.driven),
      aim(`${mode.name}, three at once, from the last start`, own("3 start"), most.start),
      aim(`${mode.name}, three at once, from the last listening socket`, own("3 socket"), most.socket),
      `${mode.name}, late node: ${late.toFixed(1)} ms from listening, aim 50 ms: ${late <= 50 ? "met" : "missed"}`,
    );
  }
  process.stdout.write(
    `${PROGRAM.split("/").slice(-2).join("/")} on Node ${process.version}; medians (min-max) of ${RUNS} interleaved runs\n\n${table(rows)}\n\n${lines.join("\n")}\n`,
  );
}

await main();
