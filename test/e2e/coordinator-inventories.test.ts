/** A coordinator finds clusters where inventories of every kind list them, and polls their real agents. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Agent } from "../support/agents.ts";
import { rollcall } from "../support/commands.ts";
import {
  type Coordinator,
  discovery,
  portsOf,
  settings,
  startCoordinator,
  writeClusters,
} from "../support/coordinators.ts";
import { request } from "../support/http.ts";
import { freePort, loopbackAddress } from "../support/loopback.ts";
import { describeWith, startPrometheus, withoutLeaks } from "../support/servers/index.ts";
import { startSimulatedFleet } from "../support/simulated-agents.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { freshKey, onBothStores, oneGenesis, openFleet } from "./stores.ts";
import { teller, without } from "./told.ts";

const fleet = openFleet();
let coordinator: Coordinator;
afterEach(async () => {
  await coordinator?.kill();
  await fleet.end();
});

const idsIn = async (id: string) => (await coordinator.nodes(id)).map(({ node_id }) => node_id).sort();
const portOf = (agent: Agent) => portsOf([agent.addr()]);

onBothStores("a coordinator below a prefix", (store) => {
  it("finds every cluster with a genesis, polls its agents, and one that joins later too", async () => {
    const prefix = freshKey();
    const [orders, users] = [`${prefix}/orders`, `${prefix}/users`];
    const flags = (key: string, expectVoters: number) => [
      ...store().flags(key),
      "-bootstrap-expect",
      String(expectVoters),
    ];
    const pair = await fleet.start(["a", "b"], flags(orders, 2));
    const alone = await fleet.one("u", flags(users, 1));
    await oneGenesis(pair);
    await alone.settled();
    await store().putLeader(
      `${prefix}/native`,
      '{"id":"1","api_addr":"10.0.0.1:4001","addr":"10.0.0.1:4002"}',
    );
    const address = await loopbackAddress();
    const late = { address, port: await freePort(address) };

    coordinator = await startCoordinator();
    const [, , , config = "{}"] = store().flags(orders);
    const ports = [...pair.flatMap(portOf), ...portOf(alone), late.port];
    await coordinator.apply(
      discovery("kv", {
        mode: store().name === "etcd" ? "etcd-kv" : "consul-kv",
        config: { ...JSON.parse(config), prefix },
        allow: { ports },
      }),
      settings(orders),
      settings(users),
    );
    await Promise.all([orders, users].map((id) => coordinator.found(id)));
    const told = teller(() => coordinator, orders);
    expect(await told()).toEqual(["CLUSTER_NEW"]);
    expect(await idsIn(orders)).toEqual(["a", "b"]);
    expect(await idsIn(users)).toEqual(["u"]);
    // A leader key without a genesis is nobody's that we know: it is named, and nobody is asked.
    expect(await coordinator.json("/v1/discoveries/kv")).toMatchObject({
      ...{ clusters: [orders, users], foreign: [`${prefix}/native`], problems: [] },
    });

    const third = await fleet.one("c", flags(orders, 2), late);
    await third.settled();
    await until(async () => (await coordinator.cluster(orders)).view.counts.discovered === 3, {
      deadlineMs: 30_000,
      what: "the directory to be read",
    });
    // Agents know each other at once and the inventory is read once a second: whether two refreshes fall in between is
    // chance, and so is whether the first poll comes before it has joined.
    expect(without(await told(), /^MEMBERSHIP_DRIFT|^NODE_CHANGED c/)).toEqual([
      "CLUSTER_CHANGED",
      "AGENT_NEW c",
      "NODE_NEW c",
    ]);
    expect(await idsIn(orders)).toEqual(["a", "b", "c"]);

    // One that leaves in order is not waited for.
    const addr = pair[1]?.addr() ?? "";
    const left = await rollcall(["leave", "-addr", addr, "-disco-key", orders, "-confirm", orders]);
    expect(left).toMatchObject({ code: 0, err: "" });
    await until(async () => (await coordinator.cluster(orders)).view.counts.discovered === 2, {
      deadlineMs: 30_000,
      what: "the node that left to be gone",
    });
    expect(without(await told(), /^MEMBERSHIP_DRIFT|^AGENT_DOWN b|^NODE_STALE b/)).toEqual([
      "CLUSTER_CHANGED",
      "NODE_REMOVED b",
    ]);
    expect(await idsIn(orders)).toEqual(["a", "c"]);
  });
});

describe("a coordinator with lists", () =>
  withoutLeaks(() => {
    it("reads a file again while it runs, and a list in its settings", async () => {
      const keys = [freshKey(), freshKey()] as const;
      const [a, b] = [await fleet.one("a", alone(keys[0])), await fleet.one("b", alone(keys[1]))];
      await Promise.all([a.settled(), b.settled()]);
      const path = join(tempDir("clusters"), "clusters.json");
      writeClusters(path, {});
      coordinator = await startCoordinator();
      await coordinator.apply(
        discovery("file", { mode: "file", config: { path }, allow: { ports: portOf(a) } }),
        discovery("list", {
          ...{ mode: "static", cluster_id: keys[1] },
          config: { addresses: [b.addr()] },
          allow: { ports: portOf(b) },
        }),
      );
      await coordinator.found(keys[1]);
      expect(await idsIn(keys[1])).toEqual(["b"]);
      expect((await coordinator.ask(`/v1/clusters/${keys[0].replaceAll("/", "~")}`)).status).toBe(404);
      writeClusters(path, { [keys[0]]: [{ agent_address: a.addr(), node_id: "a" }] });
      await coordinator.found(keys[0]);
      expect(await idsIn(keys[0])).toEqual(["a"]);
    });

    it("asks Replicante's server page by page, as Replicante does, with its document as it is", async () => {
      const simulated = await startSimulatedFleet({ clusters: 2, nodes: 1, port: 4100 });
      const [first, second] = simulated.clusters.map(({ cluster_id, nodes }) => ({
        ...{ cluster_id, display_name: `Cluster ${cluster_id}` },
        nodes: nodes.map(({ address }) => `http://${address}/`),
      }));
      const server = await startPages({
        null: { clusters: [first], cursor: "2" },
        // A page may be empty, and there may be more behind it.
        '"2"': { clusters: [], cursor: "3" },
        '"3"': { clusters: [second], cursor: null },
      });
      try {
        coordinator = await startCoordinator();
        await coordinator.apply({
          apiVersion: "replicante.io/v0",
          kind: "DiscoverySettings",
          metadata: { namespace: "default", name: "inventory" },
          spec: {
            ...{ backend: "http", interval: 1, url: server.url, method: "POST" },
            ...{ body: { zone: "eu" }, headers: { "x-team": "databases" }, timeout: 2_000 },
          },
        });
        for (const { cluster_id } of simulated.clusters) await coordinator.found(cluster_id);
        expect(server.asked().slice(0, 3)).toEqual([null, "2", "3"]);
        expect(server.last()).toMatchObject({
          method: "POST",
          headers: { "x-team": "databases", "content-type": "application/json" },
          body: { zone: "eu" },
        });
        const { cluster_id = "" } = first ?? {};
        expect((await coordinator.cluster(cluster_id)).view).toMatchObject({
          display_name: `Cluster ${cluster_id}`,
          counts: { expected: 1, reached: 1, up: 1 },
        });
      } finally {
        await server.close();
        await simulated.close();
      }
    });
  }));

describeWith("prometheus", "Prometheus", () => {
  it("scrapes a coordinator, and by it the agents that it found", async () => {
    const key = freshKey();
    const agent = await fleet.one("a", alone(key));
    await agent.settled();
    coordinator = await startCoordinator();
    await coordinator.apply(
      discovery("list", {
        ...{ mode: "static", cluster_id: key, config: { addresses: [agent.addr()] } },
        allow: { ports: portOf(agent) },
      }),
      settings(key),
    );
    await coordinator.found(key);
    const prometheus = await startPrometheus(`  - job_name: coordinator
    static_configs: [{targets: ["${coordinator.addr}"]}]
  - job_name: agents
    http_sd_configs: [{url: "${coordinator.url}/v1/sd/prometheus", refresh_interval: 1s}]
    relabel_configs:
      - {source_labels: [__meta_rollcall_cluster_id], target_label: cluster}
      - {source_labels: [__meta_rollcall_node_id], target_label: node}`);
    try {
      const ask = async (path: string) =>
        JSON.parse((await request(`${prometheus.url}/api/v1/${path}`)).body).data;
      const target = await until(
        async () =>
          ((await ask("targets?state=active")).activeTargets as Target[]).find(
            ({ labels, health }) => labels.job === "agents" && health === "up",
          ),
        { deadlineMs: 30_000, what: "the agent to be scraped" },
      );
      expect(target.discoveredLabels).toMatchObject({
        __address__: agent.addr(),
        __meta_rollcall_cluster_id: key,
        __meta_rollcall_node_id: "a",
        __meta_rollcall_agent_status: "up",
        __meta_rollcall_discovery: "list",
      });
      expect(target.labels).toEqual({ cluster: key, instance: agent.addr(), job: "agents", node: "a" });
      const value = async (query: string) => {
        const { result } = await ask(`query?query=${encodeURIComponent(query)}`);
        return (result as { value: [number, string] }[])[0]?.value[1];
      };
      const reached = `rollcall_cluster_nodes{job="coordinator",cluster_id="${key}",state="reached"}`;
      await until(async () => (await value(reached)) === "1", {
        deadlineMs: 30_000,
        what: "the coordinator's metrics",
      });
      expect(await value(`count({job="agents",node="a",__name__=~"rollcall_.*"}) > bool 1`)).toBe("1");
    } finally {
      await prometheus.stop();
    }
  });
});

type Target = {
  readonly labels: Readonly<Record<string, string>>;
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly health: string;
};

/** The flags of an agent that is a whole cluster. */
function alone(key: string): string[] {
  return ["-join", "self", "-disco-key", key];
}

/** A server that answers with a page for each cursor, by its JSON. */
async function startPages(pages: Readonly<Record<string, unknown>>) {
  const asked: { method: string; headers: IncomingHttpHeaders; body: { cursor: string | null } }[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const body = JSON.parse(text);
    asked.push({ method: request.method ?? "", headers: request.headers, body });
    const page = pages[JSON.stringify(body.cursor ?? null)];
    response.writeHead(page === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(page ?? {}));
  });
  const address = await loopbackAddress();
  const port = await freePort(address);
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  return {
    url: `http://${address}:${port}/discover`,
    asked: () => asked.map(({ body }) => body.cursor),
    last: () => asked.at(-1),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
