/** A coordinator's own life: how it begins, how it is ended, killed and started again, and what it refuses. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Event } from "../../src/core/events.ts";
import { replayed } from "../../src/core/replay.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { openLog } from "../../src/lib/log.ts";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/store.ts";
import { makeCertificates } from "../support/certificates.ts";
import { rollcall } from "../support/commands.ts";
import {
  type Coordinator,
  type CoordinatorOptions,
  discovery,
  documents,
  portsOf,
  replay,
  settings,
  startCoordinator,
  writeClusters,
} from "../support/coordinators.ts";
import { freePort, loopbackAddress } from "../support/loopback.ts";
import { describeWith, withoutLeaks } from "../support/servers/index.ts";
import { type SimulatedFleet, startSimulatedFleet } from "../support/simulated-agents.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { freshKey, openFleet } from "./stores.ts";

const coordinators: Coordinator[] = [];
const startOne = async (options: CoordinatorOptions = {}) => {
  const one = await startCoordinator(options);
  coordinators.push(one);
  return one;
};
afterEach(async () => void (await Promise.all(coordinators.splice(0).map((one) => one.kill()))));

/** A file in a directory of its own. */
const fileOf = (name: string, text: string) => {
  const path = join(tempDir("life"), name);
  writeFileSync(path, text);
  return path;
};
/** The log of one that has ended. */
const linesOf = (text: string): Record<string, unknown>[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));

describe("a coordinator of twenty clusters", () =>
  withoutLeaks(() => {
    let fleet: SimulatedFleet;
    const ids = () => fleet.clusters.map(({ cluster_id }) => cluster_id);
    beforeAll(async () => {
      fleet = await startSimulatedFleet({ clusters: 20, nodes: 3 });
    });
    afterAll(() => fleet.close());

    /** What finds them, and polls them this often. */
    const objects = (interval = "1s", nodeTimeout = "5s") => {
      const path = join(tempDir("clusters"), "clusters.json");
      writeClusters(path, fleet.listing());
      const ports = portsOf(fleet.addresses());
      return [
        discovery("file", { mode: "file", config: { path }, allow: { ports }, interval }),
        ...ids().map((id) => settings(id, { interval, node_timeout: nodeTimeout })),
      ];
    };

    it("killed at any moment loses no number of its log, and the log makes what it knows", {
      timeout: 60_000,
    }, async () => {
      const one = await startOne();
      await one.apply(...objects());
      fleet.restless(true);
      const newest = async () =>
        Number(/^rollcall_events_newest_position (\d+)/m.exec((await one.ask("/metrics")).body)?.[1]);
      for (let kills = 0; kills < 5; kills++) {
        // Whenever it has told of some more, a few commits at once under way.
        const enough = (await newest()) + 40 + Math.floor(Math.random() * 80);
        await until(async () => (await newest()) >= enough, {
          deadlineMs: 30_000,
          what: `event ${enough} to be told`,
        });
        await one.kill();
        await one.restart();
      }
      fleet.restless(false);
      await one.refreshed(ids()[0] ?? "");
      await Promise.all(ids().map((id) => one.refreshed(id)));
      expect(await one.stop()).toEqual({ code: 0, signal: null });
      await withStore(one.store, async (store) => {
        const events = await everyEvent(store);
        const clusters = await store.clusters();
        expect(clusters.map(({ facts }) => facts.cluster_id).sort()).toEqual(ids().sort());
        for (const { facts, seq } of clusters) {
          const own = events.filter(({ id }) => id.startsWith(`${facts.cluster_id}:`));
          expect(own.length).toBe(seq);
          expect(replay(facts.cluster_id, own)).toEqual(facts);
          const leader = fleet.clusters.find(({ cluster_id }) => cluster_id === facts.cluster_id)?.leader;
          expect(facts.conditions.leader?.node_id).toBe(leader?.node_id);
        }
      });
    });

    it("goes on with its schedule where it was, and runs what it missed once", async () => {
      const one = await startOne();
      await one.apply(...objects("1h"));
      await Promise.all(ids().map((id) => one.found(id)));
      const runs = async () =>
        Object.fromEntries(
          (await one.json<{ items: Listed[] }>("/v1/clusters?limit=100")).items.map((row) => [
            row.cluster_id,
            row.run,
          ]),
        );
      const before = await runs();
      expect(await one.stop()).toEqual({ code: 0, signal: null });
      // These two were missed, one of them many times; of the others the time has not come.
      const [long = "", once = "", ...rest] = ids();
      const hour = 3_600_000;
      await withStore(one.store, async (store) => {
        for (const [name, hours] of [
          [long, 20],
          [once, 0.5],
        ] as const) {
          const run = { started_at: 1, ended_at: 2, error: null, next_at: Date.now() - hours * hour };
          await store.commit([{ kind: "run", of: "cluster", name, run }]);
        }
      });
      const polls = new Map(ids().map((id) => [id, fleet.polls(id)]));
      await one.restart();
      await Promise.all(
        [long, once].map((id) => until(async () => (await one.reports(id)).length > 0, MOMENT)),
      );
      // Asked to, it does one more: then everything that was due has long begun.
      for (const id of [long, once]) await one.ask(pathOf(id, "/refresh"), { method: "POST" });
      await Promise.all(
        [long, once].map((id) => until(async () => (await one.reports(id)).length > 1, MOMENT)),
      );
      for (const id of [long, once]) {
        expect((await one.reports(id)).map(({ reason }) => reason)).toEqual(["request", "schedule"]);
        expect(fleet.polls(id)).toBe((polls.get(id) ?? 0) + 2 * 3);
      }
      const after = await runs();
      for (const id of rest) {
        expect(fleet.polls(id)).toBe(polls.get(id));
        expect(after[id]).toEqual(before[id]);
      }
      for (const id of [long, once]) expect(after[id]?.next_at).toBeGreaterThan(Date.now());
    });

    it("ends within two seconds of SIGTERM while polls, a discovery and a follower hang", async () => {
      const server = createServer(() => {});
      const address = await loopbackAddress();
      await new Promise<void>((resolve) => server.listen(0, address, resolve));
      const bound = server.address();
      const port = typeof bound === "object" && bound !== null ? bound.port : 0;
      fleet.silent(true);
      try {
        const one = await startOne();
        const http = { mode: "http", config: { url: `http://${address}:${port}/`, timeout: "30s" } };
        await one.apply(...objects("1s", "30s"), discovery("hangs", http));
        const following = one.ask("/v1/events/stream", { timeoutMs: 20_000 }).catch(() => null);
        const running = async () => {
          const { items } = await one.json<{ items: { kind: string; state: string }[] }>(
            "/v1/tasks?limit=100",
          );
          return items.filter(({ state }) => state === "running").map(({ kind }) => kind);
        };
        await until(
          async () => {
            const kinds = await running();
            return kinds.length > 20 && kinds.includes("discovery") && (await streams(one)) === 1;
          },
          { deadlineMs: 30_000, what: "polls, a discovery and a follower to hang" },
        );
        expect(await one.stop()).toEqual({ code: 0, signal: null });
        await following;
        // What was broken off is nobody's failure.
        const said = linesOf(one.process().stderr()).filter(({ level }) => level !== "info" && level !== 30);
        expect(said).toEqual([]);
      } finally {
        fleet.silent(false);
        server.closeAllConnections();
        server.close();
      }
    });
  }));

describe("a coordinator that cannot begin", () =>
  withoutLeaks(() => {
    const started = async (...args: readonly string[]) => {
      const address = await loopbackAddress();
      const at = args.includes("-http-addr") ? [] : ["-http-addr", `${address}:${await freePort(address)}`];
      const { code, out, err } = await rollcall(["coordinator", ...at, ...args]);
      expect(out).toBe("");
      return { code, lines: err.trimEnd().split("\n") };
    };
    const fresh = () => join(tempDir("store"), "rollcall.db");

    it("says in one line that another one has its database, which goes on", async () => {
      const one = await startOne();
      const { code, lines } = await started("-store", `sqlite:${one.store}`);
      expect(lines).toEqual([expect.stringMatching(/^rollcall: .*in use by another coordinator/)]);
      expect(code).toBe(1);
      expect((await one.ask("/readyz")).status).toBe(200);
    });

    it("says in one line that its database is damaged, or none, and leaves it as it is", async () => {
      const one = await startOne();
      await one.apply(settings("prod/orders"));
      await one.stop();
      const damaged = readFileSync(one.store);
      damaged.fill(0xff, 4_096, 12_288);
      for (const bytes of [
        damaged,
        Buffer.from("this is not a database at all, and long enough to be one\n".repeat(90)),
      ]) {
        writeFileSync(one.store, bytes);
        const { code, lines } = await started("-store", `sqlite:${one.store}`);
        expect(lines).toEqual([
          expect.stringMatching(/^rollcall: open the store .*(damaged|not a database)/),
        ]);
        expect(code).toBe(1);
        expect(readFileSync(one.store).equals(bytes)).toBe(true);
      }
    });

    it("takes nothing of files where one of them is wrong, and says everything that is", async () => {
      const store = fresh();
      const dir = tempDir("apply");
      writeFileSync(join(dir, "good.yaml"), documents([settings("prod/orders")]));
      writeFileSync(
        join(dir, "wrong.yaml"),
        documents([
          settings("prod/users", { intervall: "1s" }),
          discovery("x", { mode: "file", interval: "0s" }),
        ]),
      );
      const { code, lines } = await started("-store", `sqlite:${store}`, "-apply", dir);
      expect(code).toBe(2);
      expect(lines).toEqual([
        expect.stringMatching(
          /^rollcall: -apply: .*wrong\.yaml: document 1, .*intervall.*did you mean interval/,
        ),
        expect.stringMatching(/^rollcall: -apply: .*wrong\.yaml: document 2, .*spec\.interval: is "0s"/),
      ]);
      expect(existsSync(store)).toBe(false);
    });

    it.each([
      ["-apply", ["-apply", "/nowhere/at/all.yaml"], /-apply: .*no such file/],
      [
        "-http-addr",
        ["-http-addr", "0.0.0.0:4200"],
        /-http-addr: 0\.0\.0\.0:4200 is open beyond.*-token-file/,
      ],
      ["-store", ["-store", "postgres://u:secret@db/x"], /-store: must be sqlite:FILE/],
      ["-token-for-reads", ["-token-for-reads"], /-token-for-reads: needs -token-file/],
      ["-retain", ["-retain", "1s"], /-retain: /],
    ])("refuses a wrong %s in one line", async (_flag, args, said) => {
      const { code, lines } = await started(...args);
      expect(lines).toEqual([expect.stringMatching(said)]);
      expect(lines.join()).not.toContain("secret");
      expect(code).toBe(2);
    });
  }));

describeWith("openssl", "a coordinator", () => {
  it("keeps its settings where a file becomes wrong, says so, and takes it when it is right again", async () => {
    const path = fileOf("settings.yaml", documents([settings("prod/orders", { interval: "7s" })]));
    const one = await startOne({ args: ["-apply", path] });
    const interval = async () =>
      (await one.json<{ settings: { interval_ms: number } }>("/v1/settings/prod~orders")).settings
        .interval_ms;
    expect(await interval()).toBe(7_000);
    // At once: half a file, or none, for a tenth of a second would be a problem of its own.
    const replace = (text: string) => {
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    };
    replace(documents([settings("prod/orders", { interval: "a while" })]));
    const problems = () =>
      linesOf(one.process().stderr()).flatMap(({ problem }) => (problem ? [problem] : []));
    await until(() => problems().length === 1, MOMENT);
    expect(problems()).toEqual([expect.stringMatching(/settings\.yaml: .*spec\.interval: .*a while/)]);
    expect(await interval()).toBe(7_000);
    replace(documents([settings("prod/orders", { interval: "9s" })]));
    await until(async () => (await interval()) === 9_000, MOMENT);
    expect(problems()).toHaveLength(1);
  });

  it("takes changes with its token only, and gives nothing without it where it is told so", async () => {
    const token = fileOf("token", "correct-horse-battery-staple\n");
    const one = await startOne({ args: ["-token-file", token], token: "correct-horse-battery-staple" });
    const change = (authorization: string) =>
      one.ask("/v1/apply", {
        ...{ method: "POST", body: documents([settings("prod/orders")]) },
        headers: { authorization },
      });
    expect((await change("")).status).toBe(401);
    expect((await change("Bearer correct-horse-battery-stapler")).status).toBe(401);
    expect((await one.ask("/v1/settings", { headers: { authorization: "" } })).status).toBe(200);
    expect((await change("Bearer correct-horse-battery-staple")).status).toBe(200);
    await one.restart(["-token-file", token, "-token-for-reads"]);
    for (const path of ["/v1/settings", "/v1/events", "/metrics", "/openapi.json", "/v1/sd/prometheus"]) {
      expect([path, (await one.ask(path, { headers: { authorization: "" } })).status]).toEqual([path, 401]);
      expect([path, (await one.ask(path)).status]).toEqual([path, 200]);
    }
    expect((await one.ask("/livez", { headers: { authorization: "" } })).status).toBe(200);
    expect(one.process().stderr()).not.toContain("horse");
  });

  it("serves over TLS, and trusts an agent's certificate only by its discovery's CA", async () => {
    const address = await loopbackAddress();
    const { ca, server } = await makeCertificates([address, "127.0.0.1"]);
    const agents = openFleet();
    const key = freshKey();
    const tls = ["-tls-cert", server.certFile, "-tls-key", server.keyFile];
    try {
      const args = ["-join", "self", "-disco-key", key, ...tls];
      const agent = await agents.one("a", args, { address, tls: { ca: ca.cert } });
      await agent.settled();
      const one = await startOne({ address, args: tls, tls: { ca: ca.cert } });
      const list = (spec: object) =>
        discovery("list", {
          ...{ mode: "static", cluster_id: key, config: { addresses: [agent.addr()] } },
          ...{ allow: { ports: portsOf([agent.addr()]) }, ...spec },
        });
      const code = async () => {
        await one.found(key);
        await one.refreshed(key);
        return (await one.nodes(key)).map((node) => node.agent?.code);
      };
      await one.apply(list({ tls: {} }), settings(key));
      expect(await code()).toEqual(["unauthorized"]);
      await one.apply(list({ tls: { ca_file: ca.certFile } }));
      expect(await code()).toEqual(["ok"]);
    } finally {
      await agents.end();
    }
  });
});

const MOMENT = { deadlineMs: 30_000, what: "the coordinator to do so" };

type Listed = { readonly cluster_id: string; readonly run: { readonly next_at: number } };

const pathOf = (id: string, rest: string) => `/v1/clusters/${id.replaceAll("/", "~")}${rest}`;

async function streams(one: Coordinator): Promise<number> {
  return Number(/^rollcall_sse_followers (\d+)/m.exec((await one.ask("/metrics")).body)?.[1]);
}

/** Looks into the database of a coordinator that has ended. */
async function withStore(path: string, look: (store: Store) => Promise<void>): Promise<void> {
  const log = openLog({ level: "error", format: "json", write: () => {}, color: false });
  const store = await openStore(`sqlite:${path}`, { source: "/test", clock: systemClock, log, replayed });
  try {
    await look(store);
  } finally {
    await store.close();
  }
}

async function everyEvent(store: Store): Promise<readonly Event[]> {
  const all: Event[] = [];
  for (let after: number | null = null; ; ) {
    const page = await store.events({ after, limit: 1_000, cluster: null, types: null, newestFirst: false });
    all.push(...page.map(({ event }) => event));
    after = page.at(-1)?.position ?? null;
    if (page.length < 1_000) return all;
  }
}
