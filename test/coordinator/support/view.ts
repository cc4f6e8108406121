/** A coordinator's view by hand: what it shows is set by the test, its log is kept in memory. */
import type { AccessOptions } from "../../../src/coordinator/access.ts";
import { openAccess } from "../../../src/coordinator/access.ts";
import { coordinatorApp } from "../../../src/coordinator/http.ts";
import type {
  ApplyAnswer,
  Asked,
  ClusterPage,
  Counters,
  DiscoveryPage,
  TaskPage,
  View,
} from "../../../src/coordinator/pages.ts";
import { type Facts, NO_CONDITIONS, NO_MARKS, type NodeFacts } from "../../../src/core/cluster.ts";
import type { EventType } from "../../../src/core/events.ts";
import type { RefreshReport } from "../../../src/core/report.ts";
import { type DiscoverySettings, syntheticSettings } from "../../../src/core/settings.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { RollcallError } from "../../../src/lib/errors.ts";
import { type Caller, callerOf, type Listening, listen } from "../../../src/lib/http-server.ts";
import type { EventQuery, StoredEvent, StoredSettings } from "../../../src/store/store.ts";
import { type ManualClock, manualClock } from "../../lib/manual-clock.ts";

/** A node that answers, leads or follows, and is healthy. */
export function nodeOf(address: string, more: Partial<NodeFacts> = {}): NodeFacts {
  const id = address.split(".")[0] ?? address;
  return {
    agent_addr: address,
    agent: { status: "up", code: "ok" },
    info: { version: "0.1.0", boot_id: `boot-${id}` },
    identity: { node_id: id, incarnation: `life-${id}` },
    report: {
      kind: "rqlite",
      version: "8.26.8",
      status: "healthy",
      role: id === "n1" ? "leader" : "replica",
      voter: true,
      api_addr: `${id}.test:4001`,
      addr: `${id}.test:4002`,
      genesis_id: "genesis-1",
    },
    shards: [{ id: "db", role: id === "n1" ? "primary" : "secondary" }],
    ...more,
  };
}

/** Facts of a cluster of `count` nodes. */
export function factsOf(id: string, count = 3): Facts {
  const addresses = Array.from({ length: count }, (_, at) => `n${at + 1}.test:4100`);
  return {
    cluster_id: id,
    display_name: id.toUpperCase(),
    discovery: "main",
    inventory: addresses.map((agent_addr) => ({
      agent_addr,
      secure: false,
      node_id: null,
      incarnation: null,
    })),
    genesis_id: "genesis-1",
    nodes: addresses.map((address) => nodeOf(address)),
    conditions: { ...NO_CONDITIONS, leader: { node_id: "n1" } },
  };
}

/** The page of a cluster that was refreshed once. */
export function clusterOf(id: string, more: Partial<ClusterPage> = {}): ClusterPage {
  return {
    cluster: { facts: factsOf(id), marks: NO_MARKS, version: 1, seq: 1 },
    cluster_id: id,
    settings: syntheticSettings(id),
    synthetic: true,
    document: null,
    run: { next_at: 60_000, started_at: 1_000, ended_at: 1_250, error: null },
    late_ms: 12,
    refreshing: false,
    ...more,
  };
}

/** The page of a discovery. */
export function discoveryOf(name: string, more: Partial<DiscoverySettings> = {}): DiscoveryPage {
  return {
    settings: {
      name,
      enabled: true,
      interval_ms: 10_000,
      mode: "http",
      config: { url: "http://inventory.test/clusters" },
      cluster_id: null,
      allow: { cidrs: ["10.0.0.0/8"], ports: [4100] },
      tls: null,
      token_file: null,
      ...more,
    },
    run: null,
    document: JSON.stringify({
      kind: "DiscoverySettings",
      metadata: { name },
      spec: { config: { url: "http://inventory.test/clusters", ...more.config } },
    }),
    late_ms: 0,
    foreign: [],
    problems: [],
    clusters: ["prod/orders"],
  };
}

/** How a refresh went. */
export function reportOf(clusterId: string, startedAt: string): RefreshReport {
  return {
    cluster_id: clusterId,
    reason: "schedule",
    started_at: startedAt,
    duration_ms: 3,
    late_ms: 1,
    outcome: "done",
    polled: 3,
    unchanged: 2,
    failed: 0,
    events: 1,
    version: 2,
    decisions: [{ code: "lag", message: "read the shards", node: null }],
  };
}

const COUNTERS: Counters = {
  scheduled: 7,
  queueFull: 0,
  discarded: 1,
  refreshes: 5,
  refreshFailures: 0,
  discoveries: 2,
  discoveryFailures: 0,
  polls: 15,
  pollsUnchanged: 10,
  pollFailures: { unreachable: 2 },
  events: 3,
  commits: 4,
};

type Added = readonly (readonly [cluster: string, type: EventType])[];

/** A log in memory. `keepFrom` forgets what is before a position; `fail` makes every look throw. */
export function memoryLog() {
  let events: StoredEvent[] = [];
  let fail: unknown = null;
  let before = async () => {};
  const followers = new Set<(events: readonly StoredEvent[]) => void>();
  const looked = async () => {
    await before();
    if (fail !== null) throw fail;
  };
  let most = 4;
  /** Commits events of which nobody is told yet. */
  const put = (
    ...added: readonly (readonly [cluster: string, type: EventType])[]
  ): readonly StoredEvent[] => {
    const last = events.at(-1)?.position ?? 0;
    const stored = added.map(([cluster, type], at) => ({
      position: last + at + 1,
      event: {
        specversion: "1.0" as const,
        id: `${cluster}:${last + at + 1}`,
        source: "/rollcall/test",
        type: `rollcall.${type}`,
        subject: cluster,
        time: "2026-01-01T00:00:00Z",
        datacontenttype: "application/json" as const,
        data: { before: null, after: { n: last + at + 1 } },
      },
    }));
    events = [...events, ...stored];
    return stored;
  };
  const tell = (stored: readonly StoredEvent[]) => {
    for (const wake of followers) wake(stored);
  };
  return {
    followers,
    set fail(error: unknown) {
      fail = error;
    },
    /** Awaited by every look. */
    set before(wait: () => Promise<void>) {
      before = wait;
    },
    set mostFollowers(count: number) {
      most = count;
    },
    put,
    tell,
    /** Commits events, and tells the followers. */
    add: (...added: Added) => tell(put(...added)),
    keepFrom(position: number) {
      events = events.filter((one) => one.position >= position);
    },
    follow(wake: (events: readonly StoredEvent[]) => void) {
      if (followers.size >= most) return null;
      followers.add(wake);
      return () => void followers.delete(wake);
    },
    store: {
      async events({ after, limit, cluster, types, newestFirst = false }: EventQuery) {
        // What is committed while this looks is not in it.
        const kept = newestFirst ? events.toReversed() : events;
        const oldest = events[0]?.position ?? 0;
        await looked();
        if (after !== null && after < oldest - 1)
          throw new RollcallError("gone", `position ${after} is not kept`);
        return kept
          .filter(({ position }) => after === null || (newestFirst ? position < after : position > after))
          .filter(({ event }) => cluster === null || event.id.startsWith(`${cluster}:`))
          .filter(({ event }) => types === null || types.some((type) => event.type === `rollcall.${type}`))
          .slice(0, limit);
      },
      async extent() {
        await looked();
        return { oldest: events[0]?.position ?? 0, newest: events.at(-1)?.position ?? 0 };
      },
      async position(id: string) {
        await looked();
        return events.find(({ event }) => event.id === id)?.position ?? null;
      },
      snapshot: async () => null,
    },
  };
}

/** What a test sets, and what callers did. */
export type Shown = {
  clusters: ClusterPage[];
  discoveries: DiscoveryPage[];
  settings: StoredSettings[];
  reports: RefreshReport[];
  tasks: TaskPage[];
  asked: Asked;
  applies: ApplyAnswer;
  accepts: readonly string[] | Error;
  readiness: string | null;
  /** Everything that was to change something, in words. */
  changes: string[];
  failures: unknown[];
};

/** A view, what it shows, its log, and its end. */
export function viewOf(more: Partial<View> = {}) {
  const log = memoryLog();
  const stop = new AbortController();
  const shown: Shown = {
    clusters: [clusterOf("prod/orders"), clusterOf("prod/users")],
    discoveries: [discoveryOf("main")],
    settings: [
      { settings: syntheticSettings("prod/orders"), synthetic: true, run: null, document: null },
      {
        settings: syntheticSettings("prod/users"),
        synthetic: false,
        run: null,
        document: '{"kind":"ClusterSettings","spec":{}}',
      },
    ],
    reports: [],
    tasks: [],
    asked: "queued",
    applies: { ok: true, applied: [] },
    accepts: [],
    readiness: null,
    changes: [],
    failures: [],
  };
  const change = (words: string) => void shown.changes.push(words);
  const view: View = {
    name: "test",
    version: "0.1.0",
    store: log.store,
    clusters: () => shown.clusters,
    cluster: (id) => shown.clusters.find((page) => page.cluster_id === id) ?? null,
    discoveries: () => shown.discoveries,
    settings: () => shown.settings,
    reports: () => shown.reports,
    inDoubt: () => 2,
    tasks: () => shown.tasks,
    counters: () => COUNTERS,
    lateness: () => ({ p50: 2, p99: 40, most: 55 }),
    async apply(text) {
      change(`apply ${text}`);
      return shown.applies;
    },
    async remove(kind, name) {
      change(`remove ${kind} ${name}`);
      return kind === "DiscoverySettings"
        ? shown.discoveries.some((page) => page.settings.name === name)
        : shown.settings.some(({ settings, synthetic }) => settings.cluster_id === name && !synthetic);
    },
    async refresh(id) {
      change(`refresh ${id}`);
      return shown.clusters.some((page) => page.cluster_id === id) ? shown.asked : "unknown";
    },
    async discover(name) {
      change(`discover ${name}`);
      return shown.discoveries.some((page) => page.settings.name === name) ? shown.asked : "unknown";
    },
    async accept(name) {
      change(`accept ${name}`);
      if (!shown.discoveries.some((page) => page.settings.name === name)) return null;
      if (shown.accepts instanceof Error) throw shown.accepts;
      return shown.accepts;
    },
    follow: log.follow,
    readiness: () => shown.readiness,
    failed: (error) => void shown.failures.push(error),
    stopping: stop.signal,
    ...more,
  };
  return { view, shown, log, stop };
}

/** The routes without a socket, for a caller on this machine unless told otherwise. */
export function make(options: Partial<AccessOptions> & { caller?: Caller; view?: Partial<View> } = {}) {
  const { view, shown, log, stop } = viewOf(options.view);
  const clock: ManualClock = manualClock();
  const access = openAccess({ token: async () => null, reads: false, certificates: false, ...options });
  const caller = options.caller ?? { loopback: true, certified: false };
  const app = coordinatorApp(view, { access, clock, callerOf: () => caller });
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await app.request(path, init);
    const body = await answer.text();
    return { status: answer.status, headers: answer.headers, body, type: answer.headers.get("content-type") };
  };
  return { app, ask, view, shown, log, stop, clock };
}

/** Serves the view at a port of its own on 127.0.0.1, as the coordinator does. */
export function listenFor(
  view: View,
  rules: AccessOptions = { token: async () => null, reads: false, certificates: false },
): Promise<Listening> {
  const app = coordinatorApp(view, { access: openAccess(rules), clock: systemClock, callerOf });
  return listen({ app, addr: { host: "127.0.0.1", port: 0 }, tls: null, clock: systemClock });
}
