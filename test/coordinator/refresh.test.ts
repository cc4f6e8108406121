import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { noCounts } from "../../src/coordinator/counts.ts";
import { openKnown } from "../../src/coordinator/known.ts";
import { openLocks } from "../../src/coordinator/locks.ts";
import { refresh } from "../../src/coordinator/refresh.ts";
import type { Observation, Seen, Unchanged } from "../../src/core/observation.ts";
import { replayed } from "../../src/core/replay.ts";
import type { DiscoverySettings } from "../../src/core/settings.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { openStore } from "../../src/store/open.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const SETTINGS: DiscoverySettings = {
  ...{ name: "all", enabled: true, interval_ms: 60_000, mode: "static", config: {}, cluster_id: "c" },
  ...{ allow: { cidrs: ["127.0.0.0/8"], ports: [4100] }, tls: null, token_file: null },
};

function seen(node: string, seq: number, status: "healthy" | "unavailable" = "healthy"): Seen {
  return {
    ...{ kind: "state", boot_id: `boot-${node}`, seq, key: "c", node_id: node, incarnation: `i-${node}` },
    ...{ version: "1", voter: true, api_addr: "", addr: "", genesis_id: "g", peers: ["a", "b"] },
    ...{ transitions: [], shards: null },
    report: {
      ...{ kind: "db", version: null, status, problem: null, role: "unknown", term: null },
      ...{ leader: null, members: null },
    },
  };
}

type Said = Seen | Unchanged | { kind: "failed"; code: "unreachable"; problem: string };

/** Refreshes of one cluster of the nodes a and b on a store in memory, whose agents answer when the test says so. */
async function refreshing() {
  const clock = manualClock();
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => lines.push(line) });
  const store = await openStore("memory:", { source: "/test", clock, log, replayed });
  ends.push(store.close);
  const nodes = ["a", "b"].map((node) => ({
    ...{ agent_addr: `127.0.0.1:${node}`, secure: false, node_id: null, incarnation: null },
  }));
  await store.commit([
    {
      ...{
        kind: "discovery",
        name: "all",
        stored: { settings: SETTINGS, document: "{}" },
        changes: [],
        at: 0,
      },
      records: [{ cluster_id: "c", display_name: null, nodes }],
    },
  ]);
  const counts = noCounts();
  const types: string[] = [];
  const told = (events: readonly { event: { type: string } }[]) =>
    types.push(...events.map(({ event }) => event.type.replace("rollcall.", "")));
  const known = await openKnown({ store, counts, wall: clock.wall, told, reread: () => {} });
  const asked = new Map<string, PromiseWithResolvers<Observation>>();
  const askedForShards: string[] = [];
  const client = {
    poll: ({ agent_addr, shards }: { agent_addr: string; shards: boolean }) => {
      const poll = Promise.withResolvers<Observation>();
      asked.set(agent_addr, poll);
      if (shards) askedForShards.push(agent_addr.at(-1) ?? "");
      return poll.promise;
    },
  };
  const deps = {
    known,
    locks: openLocks(),
    client,
    counts,
    clock,
    log,
    signal: new AbortController().signal,
  };
  const answer = (node: string, said: Said) =>
    asked.get(`127.0.0.1:${node}`)?.resolve({ agent_addr: `127.0.0.1:${node}`, at: clock.wall(), ...said });
  const fail = (node: string, error: Error) => asked.get(`127.0.0.1:${node}`)?.reject(error);
  const logged = () =>
    lines
      .map((line) => JSON.parse(line))
      .flatMap(({ msg, error }) => (msg === "refresh failed" ? [error] : []));
  const run = () => refresh({ kind: "refresh", name: "c", reason: "schedule", expectedAt: 0 }, 0, deps);
  const whole = async (a: Said, b: Said) => {
    const done = run();
    await turns();
    answer("a", a);
    answer("b", b);
    await done;
  };
  /** Who was asked for its shards whatever else it says, since the last call. */
  const forShards = () => askedForShards.splice(0);
  return { clock, known, types, answer, run, whole, fail, logged, forShards };
}

const SILENT = { kind: "failed", code: "unreachable", problem: "no answer in 5 s" } as const;

describe("a refresh that fails by a fault of ours", () => {
  it("says nothing of any agent, and is logged once until that changes", async () => {
    const { types, run, whole, fail, logged } = await refreshing();
    await whole(seen("a", 1), seen("b", 1));
    for (const problem of ["our own credentials: no token", "our own credentials: no token", "no sockets"]) {
      const done = run();
      await turns();
      fail("a", new RollcallError("own", problem));
      fail("b", new RollcallError("own", problem));
      expect(await done).toBe(problem);
    }
    expect(types).toEqual(["CLUSTER_NEW"]);
    await whole(seen("a", 2), seen("b", 2));
    expect(logged()).toEqual(["our own credentials: no token", "no sockets"]);
  });
});

describe("a refresh", () => {
  it("tells what one agent said before a silent neighbour is given up", async () => {
    const { clock, known, types, answer, run, whole } = await refreshing();
    await whole(seen("a", 1), seen("b", 1));
    expect(types).toEqual(["CLUSTER_NEW"]);
    const done = run();
    await turns();
    answer("a", seen("a", 2, "unavailable"));
    clock.advance(60);
    await turns();
    expect(types).toEqual(["CLUSTER_NEW", "NODE_DOWN"]);
    answer("b", SILENT);
    await done;
    expect(types).toEqual(["CLUSTER_NEW", "NODE_DOWN", "AGENT_DOWN", "NODE_STALE"]);
    const [report] = known.clusters.get("c")?.reports ?? [];
    expect(report).toMatchObject({ outcome: "done", polled: 2, failed: 1, events: 3, version: 3 });
    expect(known.clusters.get("c")?.cluster?.marks.refreshes).toBe(2);
  });

  it("makes one event of a cluster that is seen for the first time, however late a node answers", async () => {
    const { clock, types, answer, run } = await refreshing();
    const done = run();
    await turns();
    answer("a", seen("a", 1));
    clock.advance(5_000);
    await turns();
    expect(types).toEqual([]);
    answer("b", SILENT);
    await done;
    expect(types).toEqual(["CLUSTER_NEW"]);
  });

  it("asks for units of data again that could not be read, until they are", async () => {
    const { whole, forShards } = await refreshing();
    const unchanged: Unchanged = { kind: "unchanged", boot_id: "boot-a", seq: 1, shards: null };
    const b: Unchanged = { ...unchanged, boot_id: "boot-b" };
    await whole(seen("a", 1), { ...seen("b", 1), shards: [] });
    expect(forShards()).toEqual(["a", "b"]);
    await whole(SILENT, b);
    await whole(unchanged, b);
    expect(forShards()).toEqual(["a", "a"]);
    await whole({ ...unchanged, shards: [] }, b);
    expect(forShards()).toEqual(["a"]);
    await whole(unchanged, b);
    expect(forShards()).toEqual([]);
  });

  it("is discarded, and says so, while another one of the cluster runs", async () => {
    const { known, answer, run } = await refreshing();
    const first = run();
    await turns();
    await run();
    expect(known.clusters.get("c")?.reports).toMatchObject([{ outcome: "discarded", polled: 0 }]);
    answer("a", seen("a", 1));
    answer("b", seen("b", 1));
    await first;
    expect(known.clusters.get("c")?.reports).toMatchObject([{ outcome: "done" }, { outcome: "discarded" }]);
  });
});
