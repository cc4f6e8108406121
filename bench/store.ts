/**
 * What the store costs: bytes of an event, pages of 100 in a log of a million, and commits as a busy coordinator makes
 * them. Run: npm run bench:store [-- EVENTS]
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { type Facts, NO_CONDITIONS, NO_MARKS } from "../src/core/cluster.ts";
import type { Change, EventType } from "../src/core/events.ts";
import { syntheticSettings } from "../src/core/settings.ts";
import { systemClock } from "../src/lib/clock.ts";
import { openLog } from "../src/lib/log.ts";
import { openStore } from "../src/store/open.ts";
import type { Commit, EventQuery, Store } from "../src/store/store.ts";
import { median, quantile, table } from "./figures.ts";
import { slowSync } from "./slow-sync.ts";

const EVENTS = Number(process.argv[2] ?? 1_000_000);
const CLUSTERS = 500;
const NODES = 10;
/** Of a type that is asked for by itself: one in so many. */
const RARE = 100_000;
const PAGE_MS = 50;
const ROUNDS = 200;
const SYNC_MS = 10;

const log = openLog({
  level: "warn",
  format: "text",
  write: (line) => process.stderr.write(line),
  color: false,
});

const nameOf = (cluster: number) => `cluster-${cluster}`;

function factsOf(cluster: number): Facts {
  const nodes = Array.from({ length: NODES }, (_, node) => ({
    agent_addr: `10.1.${cluster % 256}.${node}:4100`,
    agent: { status: "up" as const, code: "ok" as const },
    info: { version: "0.1.0", boot_id: "0b0e6c0a-7d7a-4a3f-9f0a-3f2f6d1f9a11" },
    identity: { node_id: `node-${node}`, incarnation: "1c1f2d70-51bb-4a40-9c43-6f1d2b9f7c22" },
    report: reportOf(cluster, node),
    shards: [{ id: "main", role: node === 0 ? ("primary" as const) : ("secondary" as const) }],
  }));
  return {
    ...{ cluster_id: nameOf(cluster), display_name: null, discovery: "bench", inventory: [] },
    ...{ genesis_id: "9be2a3c4-31f7-4b7e-8a93-6a2f13f7a001", nodes, conditions: NO_CONDITIONS },
  };
}

function reportOf(cluster: number, node: number) {
  return {
    ...{
      kind: "rqlite",
      version: "9.1.2",
      status: "healthy" as const,
      role: "replica" as const,
      voter: true,
    },
    api_addr: `10.1.${cluster % 256}.${node}:4001`,
    addr: `10.1.${cluster % 256}.${node}:4002`,
    genesis_id: "9be2a3c4-31f7-4b7e-8a93-6a2f13f7a001",
  };
}

const COMMON: readonly EventType[] = ["NODE_CHANGED", "NODE_UP", "NODE_DOWN", "NODE_STALE", "LEADER_CHANGED"];

function changeOf(index: number, cluster: number): Change {
  const node = index % NODES;
  const type = index % RARE === 0 ? "CLUSTER_SPLIT" : (COMMON[index % COMMON.length] ?? "NODE_UP");
  const report = reportOf(cluster, node);
  return {
    type,
    subject: `${nameOf(cluster)}/node-${node}`,
    before: { report },
    after: { report: { ...report, status: "unhealthy" } },
  };
}

/** Versions, so that each cluster's next commit follows. */
const versions = new Map<number, number>();

function commitOf(cluster: number, changes: readonly Change[]): Commit {
  const version = (versions.get(cluster) ?? 0) + 1;
  versions.set(cluster, version);
  return {
    ...{ kind: "cluster", clusterId: nameOf(cluster), version, fence: 0, at: Date.now() },
    ...{ facts: factsOf(cluster), marks: NO_MARKS, changes },
  };
}

async function fill(store: Store): Promise<void> {
  const each = 50;
  for (let done = 0, turn = 0; done < EVENTS; turn++) {
    const commits: Commit[] = [];
    for (let part = 0; part < 40 && done < EVENTS; part++, done += each) {
      const cluster = (turn * 40 + part) % CLUSTERS;
      commits.push(
        commitOf(
          cluster,
          Array.from({ length: each }, (_, one) => changeOf(done + one, cluster)),
        ),
      );
    }
    await store.commit(commits);
    if (turn % 100 === 0) process.stderr.write(`${done} events\n`);
  }
}

type Page = { readonly name: string; readonly query: Omit<EventQuery, "after" | "limit"> };
const PAGES: readonly Page[] = [
  { name: "all", query: { cluster: null, types: null } },
  { name: "all, newest first", query: { cluster: null, types: null, newestFirst: true } },
  { name: "a rare type", query: { cluster: null, types: ["CLUSTER_SPLIT"] } },
  { name: "a type that is not there", query: { cluster: null, types: ["NODE_REMOVED"] } },
  { name: "five types", query: { cluster: null, types: COMMON } },
  { name: "one cluster", query: { cluster: nameOf(7), types: null } },
  { name: "one cluster, newest first", query: { cluster: nameOf(7), types: null, newestFirst: true } },
  { name: "one cluster, a rare type", query: { cluster: nameOf(7), types: ["CLUSTER_SPLIT"] } },
  { name: "one cluster, two types", query: { cluster: nameOf(7), types: ["NODE_UP", "NODE_DOWN"] } },
];

async function pages(store: Store): Promise<string> {
  const { oldest, newest } = await store.extent();
  const rows: string[][] = [];
  for (const { name, query } of PAGES) {
    const took: number[] = [];
    let found = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const after = oldest + Math.floor(((newest - oldest) * round) / ROUNDS);
      const from = performance.now();
      found = Math.max(found, (await store.events({ ...query, after, limit: 100 })).length);
      took.push(performance.now() - from);
    }
    const most = Math.max(...took);
    rows.push([
      ...[name, String(found), median(took).toFixed(2), quantile(took, 0.99).toFixed(2), most.toFixed(2)],
      most < PAGE_MS ? "met" : "missed",
    ]);
  }
  return table([
    ["page of 100", "events", "median, ms", "p99, ms", "most, ms", `aim ${PAGE_MS} ms`],
    ...rows,
  ]);
}

/** A tick of a busy coordinator: 50 runs and 5 clusters of which something changed, each asked for by itself. */
async function ticks(store: Store): Promise<string> {
  const run = { next_at: 1, started_at: 1, ended_at: 1, error: null };
  for (let cluster = 0; cluster < 50; cluster++)
    await store.commit([
      {
        ...{ kind: "settings", clusterId: nameOf(cluster) },
        stored: { settings: syntheticSettings(nameOf(cluster)), synthetic: true, document: null },
      },
    ]);
  const took: number[] = [];
  const cpu: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const commits: Commit[] = [];
    for (let cluster = 0; cluster < 50; cluster++)
      commits.push({ kind: "run", of: "cluster", name: nameOf(cluster), run: { ...run, next_at: round } });
    for (let cluster = 0; cluster < 5; cluster++)
      commits.push(commitOf(cluster, [changeOf(1, cluster), changeOf(2, cluster)]));
    await systemClock.sleep(10, new AbortController().signal);
    const before = process.cpuUsage();
    const from = performance.now();
    await Promise.all(commits.map((commit) => store.commit([commit])));
    took.push(performance.now() - from);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1_000);
  }
  return `50 runs and 5 clusters with 2 events each, 55 commits at once: ${median(took).toFixed(1)} ms (p99 ${quantile(took, 0.99).toFixed(1)}), ${median(cpu).toFixed(2)} ms of processor`;
}

/** What the pace of the store does to one caller, and to many who each wait for the last. */
async function callers(store: Store, many: number): Promise<string> {
  const took: number[] = [];
  const end = performance.now() + 2_000;
  const held = monitorEventLoopDelay({ resolution: 1 });
  held.enable();
  const one = async (cluster: number) => {
    while (performance.now() < end) {
      const from = performance.now();
      await store.commit([commitOf(cluster, [changeOf(1, cluster)])]);
      took.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: many }, (_, cluster) => one(cluster)));
  held.disable();
  return `${many} callers, one commit after the other: ${(took.length / 2).toFixed(0)} commits a second, ${median(took).toFixed(1)} ms each (p99 ${quantile(took, 0.99).toFixed(1)}); the loop held up for ${(held.percentile(50) / 1e6).toFixed(1)} ms (p99 ${(held.percentile(99) / 1e6).toFixed(1)})`;
}

/** Commits of one, of many, and how long they hold the loop up. */
async function paces(store: Store): Promise<string> {
  const lines = [await ticks(store)];
  for (const many of [1, 20, 200]) lines.push(await callers(store, many));
  return `${lines.join("\n")}\n`;
}

function open(path: string): Promise<Store> {
  const replayed = (facts: Facts | null) => facts;
  return openStore(`sqlite:${path}`, { source: "/rollcall/bench", clock: systemClock, log, replayed });
}

/** The same commits in a process of its own whose syncs take longer. */
function slow(dir: string): string {
  const env = slowSync(dir, SYNC_MS);
  if (env === null) return `commits under a ${SYNC_MS} ms sync: needs Linux and a C compiler\n`;
  const args = [fileURLToPath(import.meta.url), "paces", join(dir, "slow.db")];
  const told = execFileSync(process.execPath, args, { env: { ...process.env, ...env }, encoding: "utf8" });
  return `each sync ${SYNC_MS} ms longer:\n${told}`;
}

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "rollcall-bench-"));
  const path = join(dir, "store.db");
  try {
    let store = await open(path);
    const from = performance.now();
    await fill(store);
    const seconds = (performance.now() - from) / 1_000;
    await store.close();
    const bytes = statSync(path).size;
    const opening = performance.now();
    store = await open(path);
    const openedMs = performance.now() - opening;
    process.stdout.write(
      `${EVENTS} events of ${CLUSTERS} clusters: ${(bytes / EVENTS).toFixed(0)} bytes each, written in ${seconds.toFixed(1)} s; opened again in ${openedMs.toFixed(0)} ms\n\n${await pages(store)}\n\n${await paces(store)}`,
    );
    const retaining = performance.now();
    const gone = await store.retain({ olderThan: 0, most: Math.floor(EVENTS * 0.9) });
    const retainedS = (performance.now() - retaining) / 1_000;
    process.stdout.write(`retention: ${gone} events in ${retainedS.toFixed(1)} s\n\n`);
    await store.close();
    process.stdout.write(slow(dir));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

if (process.argv[2] === "paces") {
  const store = await open(process.argv[3] ?? "");
  process.stdout.write(await paces(store));
  await store.close();
} else await main();
