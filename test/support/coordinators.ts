/** Real coordinators for end-to-end tests: the shipped bundle as its own process, its settings, and the questions that a user would ask of it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as z from "zod";
import type * as shapes from "../../src/coordinator/shapes.ts";
import { Facts } from "../../src/core/cluster.ts";
import type { Event } from "../../src/core/events.ts";
import { replayed } from "../../src/core/replay.ts";
import { PROGRAM } from "./agents.ts";
import { type Reply, type RequestOptions, request } from "./http.ts";
import { freePort, loopbackAddress } from "./loopback.ts";
import { type Exit, type Process, start } from "./processes.ts";
import { tempDir } from "./temp.ts";
import { until } from "./wait.ts";

export type CoordinatorOptions = {
  /** Where it listens, if not at an address of its own. */
  readonly address?: string;
  /** Flags beside -http-addr and -store. */
  readonly args?: readonly string[];
  /** Where its database is; a fresh file where left out. */
  readonly store?: string;
  /** How to ask it: with TLS, with a token. */
  readonly tls?: RequestOptions["tls"];
  readonly token?: string;
};

export type Coordinator = {
  readonly url: string;
  /** `host:port`. */
  readonly addr: string;
  /** The path of its database. */
  readonly store: string;
  process(): Process;
  ask(path: string, options?: RequestOptions): Promise<Reply>;
  /** What is answered with 200. Throws for any other status. */
  json<T = unknown>(path: string): Promise<T>;
  /** Applies these objects. Throws unless all are taken. */
  apply(...objects: readonly unknown[]): Promise<void>;
  cluster(id: string): Promise<z.infer<typeof shapes.ClusterDetail>>;
  nodes(id: string): Promise<readonly z.infer<typeof shapes.Node>[]>;
  /** Newest first. */
  reports(id: string): Promise<readonly z.infer<typeof shapes.RefreshReport>[]>;
  /** All events of a cluster, oldest first. */
  events(id: string): Promise<readonly Event[]>;
  /** Waits until two refreshes that began after now are done: what is so now has been seen by then. */
  refreshed(id: string): Promise<void>;
  /** Waits until the cluster was refreshed for the first time. */
  found(id: string): Promise<void>;
  kill(): Promise<Exit>;
  /** SIGTERM; throws unless it ends by itself within 2 s. */
  stop(): Promise<Exit>;
  /** Starts it again after its end, on the same address and database. */
  restart(args?: readonly string[]): Promise<void>;
};

/** Starts one; resolves when it listens. Throws with what it said when it ends instead. */
export async function startCoordinator(options: CoordinatorOptions = {}): Promise<Coordinator> {
  const address = options.address ?? (await loopbackAddress());
  const addr = `${address}:${await freePort(address)}`;
  const store = options.store ?? join(tempDir("coordinator"), "rollcall.db");
  const url = `${options.tls ? "https" : "http"}://${addr}`;
  let args = options.args ?? [];
  let child: Process;
  const headers = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
  const ask: Coordinator["ask"] = (path, more = {}) =>
    request(`${url}${path}`, {
      ...more,
      ...(options.tls ? { tls: options.tls } : {}),
      headers: { ...headers, ...more.headers },
    });
  const json = async <T>(path: string): Promise<T> => {
    const { status, body } = await ask(path);
    if (status !== 200) throw new Error(`${path}: ${status} ${body}`);
    return JSON.parse(body) as T;
  };
  const items = async <T>(path: string): Promise<readonly T[]> =>
    (await json<{ items: T[] }>(`${path}${path.includes("?") ? "&" : "?"}limit=1000`)).items;
  const of = (id: string) => `/v1/clusters/${id.replaceAll("/", "~")}`;
  const launch = async () => {
    child = await startCommand(["coordinator", "-http-addr", addr, "-store", `sqlite:${store}`, ...args]);
    await until(async () => (await ask("/readyz")).status === 200, {
      deadlineMs: 15_000,
      what: "the coordinator to listen",
      giveUp: () => (child.exit() === null ? null : `it has ended: ${child.stderr().slice(-1_000)}`),
    }).catch(async (error: unknown) => {
      await child.kill();
      throw error;
    });
  };
  const coordinator: Coordinator = {
    ...{ url, addr, store, ask, json },
    process: () => child,
    async apply(...objects) {
      const reply = await ask("/v1/apply", { method: "POST", body: documents(objects) });
      if (reply.status !== 200) throw new Error(`apply: ${reply.status} ${reply.body}`);
    },
    cluster: (id) => json(of(id)),
    nodes: (id) => items(`${of(id)}/nodes`),
    reports: (id) => items(`${of(id)}/reports`),
    events: (id) => items(`${of(id)}/events`),
    async refreshed(id) {
      const since = new Date().toISOString();
      const later = async () =>
        (await coordinator.reports(id)).filter(
          ({ started_at, outcome }) => started_at > since && outcome === "done",
        );
      await until(async () => (await later()).length >= 2, {
        deadlineMs: 15_000,
        what: `two refreshes of ${id}`,
      });
    },
    found: async (id) =>
      void (await until(async () => (await coordinator.cluster(id)).view.refreshes > 0, {
        deadlineMs: 15_000,
        what: `the coordinator to find ${id}`,
      })),
    kill: () => child.kill(),
    async stop() {
      child.signal("SIGTERM");
      return until(() => child.exit(), { deadlineMs: 2_000, what: "the coordinator to end after SIGTERM" });
    },
    async restart(change = args) {
      args = change;
      await child.kill();
      await launch();
    },
  };
  await launch();
  return coordinator;
}

/** Starts `rollcall ARGS`; resolves when the process runs. */
export function startCommand(args: readonly string[]): Promise<Process> {
  return start({
    name: `rollcall ${args[0]}`,
    program: process.execPath,
    args: [PROGRAM, ...args],
    env: { NODE_EXTRA_CA_CERTS: undefined },
  });
}

/** Objects as one text, as `-apply` and /v1/apply take it: YAML, of which JSON is a part. */
export function documents(objects: readonly unknown[]): string {
  return objects.map((object) => `---\n${JSON.stringify(object)}\n`).join("");
}

/** DiscoverySettings; polled every second unless told otherwise. */
export function discovery(name: string, spec: Readonly<Record<string, unknown>>): unknown {
  return {
    apiVersion: "rollcall/v1",
    kind: "DiscoverySettings",
    metadata: { name },
    spec: { interval: "1s", ...spec },
  };
}

/** ClusterSettings; refreshed every second unless told otherwise. */
export function settings(clusterId: string, spec: Readonly<Record<string, unknown>> = {}): unknown {
  return {
    apiVersion: "rollcall/v1",
    kind: "ClusterSettings",
    metadata: { name: clusterId },
    spec: { interval: "1s", ...spec },
  };
}

/** The ports of these addresses, each `host:port`: what an allow-list needs of them. */
export function portsOf(addresses: readonly string[]): number[] {
  return [...new Set(addresses.map((at) => Number(at.slice(at.lastIndexOf(":") + 1))))];
}

/** A list of clusters in a file, for mode `file`. */
export function writeClusters(path: string, clusters: Readonly<Record<string, readonly unknown[]>>): void {
  const list = Object.entries(clusters).map(([cluster_id, nodes]) => ({ cluster_id, nodes }));
  writeFileSync(path, `${JSON.stringify({ clusters: list })}\n`);
}

/** What a log says a cluster is; null: it is gone, or was never there. Throws where its numbers are not 1, 2, 3 and on. */
export function replay(clusterId: string, events: readonly Event[]): Facts | null {
  let facts: Facts | null = null;
  for (const [at, event] of events.entries()) {
    if (event.id !== `${clusterId}:${at + 1}`) throw new Error(`event ${at + 1} is ${event.id}`);
    facts = replayed(facts, event);
  }
  return facts === null ? null : Facts.parse(facts);
}
