/**
 * What one idle agent costs: memory, private heap, CPU and the time from start to listening, of the shipped
 * bundle with each store, beside a bare hono server and a Consul client agent. Run: npm run bench:footprint [-- SECONDS]
 */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { startAgent } from "../test/support/agents.ts";
import { freePlace, freePort } from "../test/support/loopback.ts";
import { type Process, start } from "../test/support/processes.ts";
import { type Consul, startConsul } from "../test/support/servers/consul.ts";
import { startEtcd } from "../test/support/servers/etcd.ts";
import { programPath } from "../test/support/servers/install.ts";
import { until } from "../test/support/wait.ts";
import { spread, table } from "./figures.ts";

delete process.env.NODE_EXTRA_CA_CERTS;
const SECONDS = Number(process.argv[2] ?? 30);
const STARTS = 10;
const ROOT = fileURLToPath(new URL("..", import.meta.url));

type Cost = { readonly rss: number; readonly heap: number; readonly cpu: number };

async function untilListening(port: number, host = "127.0.0.1"): Promise<void> {
  await until(
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(port, host, () => {
          socket.destroy();
          resolve(true);
        });
        socket.once("error", () => resolve(false));
      }),
    { deadlineMs: 20_000, what: "a socket to listen", everyMs: 1 },
  );
}

const field = (status: string, name: string) =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) / 1024;

/** Resident and anonymous MiB, and per cent of one core over the given seconds, of a process left alone. */
async function cost(pid: number): Promise<Cost> {
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const threads = () => readThreads(pid).reduce((sum, ms) => sum + ms, 0);
  const before = threads();
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
  const cpu = (threads() - before) / (SECONDS * 10);
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return { rss: field(status, "VmRSS"), heap: field(status, "RssAnon"), cpu };
}

function readThreads(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map(
    (task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]) / 1e6,
  );
}

async function bareHono(): Promise<{ process: Process; port: number }> {
  const dir = mkdtempSync(join(tmpdir(), "rollcall-hono-"));
  writeFileSync(
    join(dir, "in.ts"),
    'import{serve}from"@hono/node-server";import{Hono}from"hono";const a=new Hono();a.get("/",(c)=>c.json({ok:true}));serve({fetch:a.fetch,port:Number(process.argv[2]),hostname:"127.0.0.1"});',
  );
  await build({
    entryPoints: [join(dir, "in.ts")],
    outfile: join(dir, "out.mjs"),
    bundle: true,
    format: "esm",
    platform: "node",
    nodePaths: [join(ROOT, "node_modules")],
    logLevel: "error",
  });
  const port = await freePort("127.0.0.1");
  return {
    port,
    process: await start({
      name: "hono",
      program: process.execPath,
      args: [join(dir, "out.mjs"), String(port)],
      env: { NODE_EXTRA_CA_CERTS: undefined },
    }),
  };
}

async function consulClient(server: Consul): Promise<Process> {
  const place = await freePlace(server.address, ["http", "serf_lan"]);
  const dir = mkdtempSync(join(tmpdir(), "rollcall-consul-"));
  return start({
    name: "consul client",
    program: await programPath("consul"),
    args: [
      "agent",
      "-data-dir",
      dir,
      "-node=client",
      `-bind=${server.address}`,
      `-client=${server.address}`,
      `-http-port=${place.ports.http}`,
      "-dns-port=-1",
      `-serf-lan-port=${place.ports.serf_lan}`,
      "-hcl",
      "disable_update_check=true",
      `-retry-join=${server.address}:${server.ports.serf_lan}`,
    ],
  });
}

async function startTimes(launch: () => Promise<{ process: Process; port: number }>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const before = performance.now();
    const { process: child, port } = await launch();
    await untilListening(port);
    times.push(performance.now() - before);
    await child.kill();
  }
  return times;
}

async function main(): Promise<void> {
  const consul = await startConsul();
  const etcd = await startEtcd();
  const modes = [
    {
      name: "rollcall, Consul",
      rss: 66,
      heap: 24,
      args: [
        "-disco-mode",
        "consul-kv",
        "-disco-config",
        JSON.stringify({ address: `${consul.address}:${consul.ports.http}` }),
      ],
    },
    {
      name: "rollcall, etcd",
      rss: 80,
      heap: 32,
      args: [
        "-disco-mode",
        "etcd-kv",
        "-disco-config",
        JSON.stringify({ endpoints: [`${etcd.address}:${etcd.ports.client}`] }),
      ],
    },
  ];
  const rows = [["process", "RSS MiB", "private heap MiB", "CPU %", "start to listening, ms"]];
  const lines: string[] = [];
  for (const { name, args, rss, heap } of modes) {
    const agent = await startAgent({ id: "idle", args });
    await agent.settled();
    const used = await cost(agent.process().pid);
    await agent.kill();
    const times = await startTimes(async () => {
      const one = await startAgent({ id: "idle", args });
      return { process: one.process(), port: Number(one.addr().split(":")[1]) };
    });
    rows.push([name, used.rss.toFixed(1), used.heap.toFixed(1), used.cpu.toFixed(2), spread(times)]);
    for (const [what, value, most] of [
      ["RSS", used.rss, rss],
      ["private heap", used.heap, heap],
      ["CPU %", used.cpu, 0.25],
    ] as const)
      lines.push(
        `${name}, ${what}: ${value.toFixed(2)}, aim ${most}: ${value <= most ? "met" : `missed by ${((value / most - 1) * 100).toFixed(0)} %`}`,
      );
  }
  const hono = await bareHono();
  await untilListening(hono.port);
  const bare = await cost(hono.process.pid);
  await hono.process.kill();
  rows.push([
    "bare hono server",
    bare.rss.toFixed(1),
    bare.heap.toFixed(1),
    bare.cpu.toFixed(2),
    spread(await startTimes(bareHono)),
  ]);
  const client = await consulClient(consul);
  const beside = await cost(client.pid);
  await client.kill();
  rows.push([
    "Consul client agent",
    beside.rss.toFixed(1),
    beside.heap.toFixed(1),
    beside.cpu.toFixed(2),
    "",
  ]);
  process.stdout.write(
    `Node ${process.version}, idle for ${SECONDS} s, ${STARTS} starts\n\n${table(rows)}\n\n${lines.join("\n")}\n`,
  );
  await Promise.all([consul.stop(), etcd.stop()]);
}

await main();
