/** A coordinator over a store in memory, inventories and agents by hand, on a clock that only the test moves. */
import { pino } from "pino";
import { openCoordinator } from "../../../src/coordinator/coordinator.ts";
import type { Inventory, Listing } from "../../../src/core/inventory.ts";
import type { Observation, Seen, SeenTransition } from "../../../src/core/observation.ts";
import { replayed } from "../../../src/core/replay.ts";
import { RollcallError } from "../../../src/lib/errors.ts";
import { openStore } from "../../../src/store/open.ts";
import type { Commit, Store } from "../../../src/store/store.ts";
import { type ManualClock, manualClock, turns } from "../../lib/manual-clock.ts";

type Read = "discovery" | "recordsOf" | "settingsOf" | "cluster";

/** `look` gives what the one discovery `d` lists; `poll` what the agent at an address says. */
export async function running(given: {
  readonly look: Inventory["look"];
  readonly poll?: (address: string) => Promise<Seen>;
  /** What one before it has left, with its clock. */
  readonly after?: { readonly store: Store; readonly clock: ManualClock };
}) {
  const clock = given.after?.clock ?? manualClock();
  const logged: Record<string, unknown>[] = [];
  const log = pino(
    { base: null, timestamp: false },
    { write: (line: string) => logged.push(JSON.parse(line)) },
  );
  const real =
    given.after?.store ?? (await openStore("memory:", { source: "/rollcall/test", clock, log, replayed }));
  const stop = new AbortController();
  let unknown: ((commit: Commit) => boolean) | null = null;
  let unread: readonly Read[] = [];
  let held: { readonly kind: Commit["kind"]; readonly until: Promise<void> } | null = null;
  const reads = <T>(what: Read, read: () => Promise<T>): Promise<T> =>
    unread.includes(what)
      ? Promise.reject(new RollcallError("store", "read the store: disk I/O error"))
      : read();
  let wholes = 0;
  const whole = <T>(read: () => Promise<T>): Promise<T> => {
    wholes++;
    return read();
  };
  const store: Store = {
    ...real,
    discoveries: () => whole(real.discoveries),
    records: () => whole(real.records),
    settings: () => whole(real.settings),
    clusters: () => whole(real.clusters),
    discovery: (name) => reads("discovery", () => real.discovery(name)),
    recordsOf: (name) => reads("recordsOf", () => real.recordsOf(name)),
    settingsOf: (id) => reads("settingsOf", () => real.settingsOf(id)),
    cluster: (id) => reads("cluster", () => real.cluster(id)),
    async commit(commits) {
      const events = await real.commit(commits);
      if (held !== null && commits.some(({ kind }) => kind === held?.kind)) {
        const { until } = held;
        held = null;
        await until;
      }
      if (!commits.some((commit) => unknown?.(commit))) return events;
      unknown = null;
      throw new RollcallError("store_unknown", "write to the store: disk I/O error");
    },
  };
  const poll = given.poll ?? (() => Promise.reject(new RollcallError("own", "nobody is polled here")));
  const coordinator = await openCoordinator(
    {
      ...{ name: "test", version: "0", store, log, retention: { ageMs: 3_600_000, most: 1_000 } },
      client: {
        poll: async ({ agent_addr }): Promise<Observation> => ({
          ...{ agent_addr, at: clock.wall() },
          ...(await poll(agent_addr)),
        }),
      },
      openInventory: async () => ({ look: given.look, close: async () => {} }),
      checkInventory: async () => ({ ok: true }),
      pacing: { clock, random: () => 0.5 },
    },
    stop.signal,
  );
  const run = coordinator.run();
  return {
    ...{ clock, view: coordinator.view, store: real },
    /** What it logged with this message. */
    logged: (message: string) => logged.filter(({ msg }) => msg === message),
    pass: (ms: number) => pass(clock, ms),
    apply: (...documents: readonly object[]) => coordinator.view.apply(JSON.stringify(documents)),
    types: async () =>
      (await real.events({ after: null, limit: 100, cluster: null, types: null })).map(
        ({ event }) => event.type,
      ),
    /** The store does the next commit, and then cannot tell. */
    forget: () => {
      unknown = ({ kind }) => kind !== "run";
    },
    /** The same of the next one that holds what a discovery lists. */
    forgetListings: () => {
      unknown = (commit) => commit.kind === "discovery" && commit.records !== undefined;
    },
    /** The store does the next commit with one of this kind, and says so when the result is called. */
    hold(kind: Commit["kind"]): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = { kind, until: promise };
      return resolve;
    },
    /** How often all that there is of something was read. */
    wholes: () => wholes,
    /** From now on the store cannot read these. */
    unread: (...what: readonly Read[]) => {
      unread = what;
    },
    /** Ends it, and leaves the store. */
    async stop() {
      stop.abort();
      await run;
      return { store: real, clock };
    },
    async end() {
      stop.abort();
      await run;
      await real.close();
    },
  };
}

async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 50) {
    clock.advance(Math.min(50, left));
    await turns(2);
  }
}

/** Settings of the discovery `d`. */
export function discovery(more: object = {}) {
  const spec = { mode: "file", interval: 10, config: { path: "/d" }, ...more };
  return { apiVersion: "rollcall/v1", kind: "DiscoverySettings", metadata: { name: "d" }, spec };
}

/** Settings of the cluster `prod/a`. */
export function clusterSettings(more: object = {}) {
  return { apiVersion: "rollcall/v1", kind: "ClusterSettings", metadata: { name: "prod/a" }, spec: more };
}

/** A whole answer: the cluster `prod/a` at these addresses. */
export function listing(...addresses: readonly string[]): Listing {
  const nodes = addresses.map((agent_addr) => ({
    ...{ agent_addr, secure: false, node_id: null, incarnation: null },
  }));
  return {
    ...{ kind: "complete", lacking: [], leased: false, retired: [], foreign: [], problems: [] },
    clusters: [{ cluster_id: "prod/a", display_name: null, nodes }],
  };
}

/** An agent of `prod/a` that leads. */
export function leader(seq: number, transitions: readonly SeenTransition[] = []): Seen {
  return {
    ...{ kind: "state", boot_id: "boot-1", seq, key: "prod/a", node_id: "n1", incarnation: "life-1" },
    ...{ version: "0.1.0", voter: true, api_addr: "n1:4001", addr: "n1:4002", genesis_id: "genesis-1" },
    report: {
      ...{ kind: "rqlite", version: "8.26.8", status: "healthy", problem: null, role: "leader", term: 1 },
      ...{ leader: null, members: null },
    },
    ...{ peers: ["n1"], transitions, shards: [] },
  };
}
