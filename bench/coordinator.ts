/**
 * What polling a fleet costs: CPU for each 1,000 polls, memory, lateness, the time to the first complete view and from
 * a poll to an event at a client, beside Prometheus on the same targets, one after the other. The agents are simulated
 * by a process of their own, whose CPU is not counted. Run: npm run bench:coordinator [-- --agents 500,2000 --seconds 60]
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { freePort } from "../test/support/loopback.ts";
import { programPath } from "../test/support/servers/install.ts";
import { until } from "../test/support/wait.ts";
import { quantile, table } from "./figures.ts";

delete process.env.NODE_EXTRA_CA_CERTS;
const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "500,2000,5000,10000" },
    // Of which the coordinator says how late its runs were: with less, the rounds before would be among them.
    seconds: { type: "string", default: "60" },
    change: { type: "string", default: "0.01" },
    silent: { type: "string", default: "0" },
    alone: { type: "boolean", default: false },
  },
});
const SECONDS = Number(values.seconds);
const INTERVAL_S = 10;
const NODES = 10;
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "rollcall-bench-"));
const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});
process.on("SIGINT", () => process.exit(130));

type Cost = {
  readonly name: string;
  readonly agents: number;
  /** CPU seconds for each 1,000 polls. */
  readonly cpu: number;
  readonly rssMiB: number;
  /** Polls made, of those that were due. */
  readonly made: number;
  readonly lateness: string;
  readonly firstViewS: number;
  readonly toClientMs: string;
};

function launch(program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], cwd: ROOT });
  children.add(child);
  child.once("exit", () => children.delete(child));
  child.stderr?.resume();
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}

/** CPU seconds of all threads so far, the kernel's work for them included. */
function cpuOf(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const ns = tasks.map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]),
  );
  return ns.reduce((sum, one) => sum + one, 0) / 1e9;
}

function rssOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

function get(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      answer.once("end", () => resolve(body));
    });
    asked.once("error", reject);
    asked.end();
  });
}

const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1_000));

type Fleet = {
  readonly child: ChildProcess;
  readonly addresses: readonly string[];
  readonly clusters: readonly string[];
  readonly changes: Map<string, number[]>;
};

/** The fleet, and when which state was given out first: by subject and status, oldest first. */
async function startFleet(agents: number): Promise<Fleet> {
  const inventory = join(dir, "inventory.json");
  const child = launch(process.execPath, [
    "examples/coordinator/fleet.ts",
    ...["--inventory", inventory, "--clusters", String(agents / NODES), "--nodes", String(NODES)],
    ...["--change", values.change, "--silent", values.silent],
  ]);
  const changes = new Map<string, number[]>();
  const ready = Promise.withResolvers<void>();
  createInterface({ input: child.stdout as NonNullable<typeof child.stdout> }).on("line", (line) => {
    if (line === "listening") ready.resolve();
    const [, subject, status, at] = /^changed (\S+) (\S+) (\S+)$/.exec(line) ?? [];
    const key = `${subject} ${status}`;
    if (at !== undefined) changes.set(key, [...(changes.get(key) ?? []), Number(at)]);
  });
  await ready.promise;
  const { clusters } = JSON.parse(readFileSync(inventory, "utf8")) as {
    clusters: { cluster_id: string; nodes: string[] }[];
  };
  return {
    ...{ child, changes, clusters: clusters.map((one) => one.cluster_id) },
    addresses: clusters.flatMap(({ nodes }) => nodes.map((url) => url.slice("http://".length, -1))),
  };
}

function metric(page: string, name: string): number {
  return Number(
    new RegExp(`^${name.replaceAll(/[{}"]/g, "\\$&")} (\\S+)$`, "m").exec(page)?.[1] ?? Number.NaN,
  );
}

async function coordinator(fleet: Fleet): Promise<Cost> {
  const port = await freePort("127.0.0.1");
  const settings = mkdtempSync(join(dir, "settings-"));
  const documents = [
    [
      "DiscoverySettings",
      "fleet",
      { mode: "file", interval: "60s", config: { path: join(dir, "inventory.json") } },
    ],
    ...fleet.clusters.map((id) => [
      "ClusterSettings",
      id,
      { interval: `${INTERVAL_S}s`, node_timeout: "5s" },
    ]),
  ].map(([kind, name, spec]) =>
    JSON.stringify({ apiVersion: "rollcall/v1", kind, metadata: { name }, spec }),
  );
  // A file has 1,000 documents at most.
  for (let at = 0; at < documents.length; at += 500)
    writeFileSync(join(settings, `${at}.yaml`), documents.slice(at, at + 500).join("\n---\n"));
  const began = performance.now();
  const child = launch(join(ROOT, "dist/main.js"), [
    ...["coordinator", "-store", `sqlite:${join(dir, `${fleet.addresses.length}.db`)}`],
    ...["-apply", settings, "-http-addr", `127.0.0.1:${port}`, "-log-level", "error"],
  ]);
  const url = `http://127.0.0.1:${port}`;
  const page = () => get(`${url}/metrics`);
  const seen = async () =>
    ((await page()).match(/^rollcall_cluster_health\{.*status="(green|yellow|red)"\} 1$/gm) ?? []).length;
  await until(async () => (await seen()) === fleet.clusters.length, {
    deadlineMs: 120_000,
    what: "a view of all clusters",
    everyMs: 50,
  });
  const firstViewS = (performance.now() - began) / 1_000;
  const latencies: number[] = [];
  fleet.changes.clear();
  const stop = follow(url, (subject, type, at) => {
    const status =
      type === "rollcall.NODE_UP" ? "healthy" : type === "rollcall.NODE_DOWN" ? "unavailable" : null;
    const sent = fleet.changes.get(`${subject} ${status}`)?.shift();
    if (sent !== undefined) latencies.push(at - sent);
  });
  await pause(2 * INTERVAL_S);
  const pid = child.pid ?? 0;
  const before = {
    cpu: cpuOf(pid),
    polls: metric(await page(), "rollcall_polls_total"),
    at: performance.now(),
  };
  latencies.length = 0;
  await pause(SECONDS);
  const cpu = cpuOf(pid) - before.cpu;
  const after = await page();
  const polls = metric(after, "rollcall_polls_total") - before.polls;
  const due = (fleet.addresses.length * (performance.now() - before.at)) / 1_000 / INTERVAL_S;
  const late = (q: string) =>
    (1_000 * metric(after, `rollcall_scheduler_lateness_seconds{quantile="${q}"}`)).toFixed(0);
  stop();
  const rssMiB = rssOf(pid);
  await end(child);
  return {
    ...{
      name: "rollcall",
      agents: fleet.addresses.length,
      cpu: (cpu / polls) * 1_000,
      rssMiB,
      made: polls / due,
    },
    ...{ lateness: `${late("0.5")} / ${late("0.99")} / ${late("1")}`, firstViewS },
    toClientMs: `${quantile(latencies, 0.5).toFixed(0)} / ${quantile(latencies, 0.99).toFixed(0)} (${latencies.length})`,
  };
}

/** Reads the stream of events until the result is called. `at`: milliseconds since the epoch, of this moment. */
function follow(url: string, told: (subject: string, type: string, at: number) => void): () => void {
  const asked = request(`${url}/v1/events/stream?type=NODE_UP,NODE_DOWN`, { agent: false }, (answer) => {
    const lines = createInterface({ input: answer });
    // It passes on that the connection ended.
    lines.on("error", () => {});
    lines.on("line", (line) => {
      if (!line.startsWith("data:")) return;
      const event = JSON.parse(line.slice(5)) as { subject: string; type: string };
      told(event.subject, event.type, performance.timeOrigin + performance.now());
    });
  });
  asked.on("error", () => {});
  asked.end();
  return () => asked.destroy();
}

async function prometheus(fleet: Fleet): Promise<Cost> {
  const port = await freePort("127.0.0.1");
  const targets = join(dir, "targets.json");
  writeFileSync(targets, JSON.stringify([{ targets: fleet.addresses }]));
  const config = join(dir, "prometheus.yml");
  const scrape = `{job_name: fleet, file_sd_configs: [{files: [${targets}]}]}`;
  writeFileSync(
    config,
    `global: {scrape_interval: ${INTERVAL_S}s, scrape_timeout: 5s}\nscrape_configs: [${scrape}]\n`,
  );
  const began = performance.now();
  const child = launch(await programPath("prometheus"), [
    ...[`--config.file=${config}`, `--storage.tsdb.path=${join(dir, `tsdb-${fleet.addresses.length}`)}`],
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  const ask = async (query: string) => {
    const body = await get(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`);
    const { data } = JSON.parse(body) as { data: { result: { value: [number, string] }[] } };
    return Number(data.result[0]?.value[1] ?? 0);
  };
  const answering = Math.floor(fleet.addresses.length * (1 - Number(values.silent)) * 0.98);
  await until(async () => (await ask("sum(up)")) >= answering, {
    deadlineMs: 120_000,
    what: "all targets to be up",
    everyMs: 100,
  });
  const firstViewS = (performance.now() - began) / 1_000;
  await pause(2 * INTERVAL_S);
  const pid = child.pid ?? 0;
  const before = cpuOf(pid);
  await pause(SECONDS);
  const cpu = cpuOf(pid) - before;
  const polls = await ask(`sum(count_over_time(up[${SECONDS}s]))`);
  const rssMiB = rssOf(pid);
  await end(child);
  return {
    ...{ name: "Prometheus", agents: fleet.addresses.length, cpu: (cpu / polls) * 1_000, rssMiB },
    ...{
      made: (polls * INTERVAL_S) / SECONDS / fleet.addresses.length,
      lateness: "-",
      firstViewS,
      toClientMs: "-",
    },
  };
}

const rows: Cost[] = [];
process.stdout.write(
  `load ${loadavg()[0]?.toFixed(1)}, interval ${INTERVAL_S} s, ${SECONDS} s each, ${values.change} of polls changed, ${values.silent} silent\n`,
);
for (const agents of values.agents.split(",").map(Number)) {
  const fleet = await startFleet(agents);
  rows.push(await coordinator(fleet));
  if (!values.alone) rows.push(await prometheus(fleet));
  await end(fleet.child);
  process.stdout.write(
    `${table([
      [
        "poller",
        "agents",
        "CPU s/1,000",
        "RSS MiB",
        "made",
        "late p50/p99/max ms",
        "first view s",
        "poll to client p50/p99 ms",
      ],
      ...rows.map((r) => [
        r.name,
        String(r.agents),
        r.cpu.toFixed(3),
        r.rssMiB.toFixed(0),
        `${(r.made * 100).toFixed(1)} %`,
        r.lateness,
        r.firstViewS.toFixed(1),
        r.toClientMs,
      ]),
    ])}\n\n`,
  );
}
