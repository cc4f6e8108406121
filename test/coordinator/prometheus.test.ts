/** A real Prometheus scrapes the coordinator's metrics, and takes the nodes from it as targets. */
import { afterEach, expect, it } from "vitest";
import { describeWith, startPrometheus } from "../support/servers/index.ts";
import { until } from "../support/wait.ts";
import { clusterOf, factsOf, listenFor, nodeOf, viewOf } from "./support/view.ts";

type Target = {
  readonly scrapePool: string;
  readonly health: string;
  readonly lastError: string;
  readonly labels: Readonly<Record<string, string>>;
};
type Series = {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
};

describeWith("prometheus", "Prometheus", () => {
  const closes: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closes.splice(0).toReversed()) await close();
  });

  it("scrapes the metrics, and takes every node as a target with its labels", {
    timeout: 60_000,
  }, async () => {
    const { view, shown } = viewOf();
    const token = "for-prometheus";
    const listening = await listenFor(view, { token: async () => token, reads: true, certificates: false });
    closes.push(() => listening.close(1_000));
    const addr = `127.0.0.1:${listening.port}`;
    // The coordinator itself stands in for the agents.
    const node = nodeOf(addr, { identity: { node_id: "n1", incarnation: "life-n1" } });
    const inventory = [{ agent_addr: addr, secure: false, node_id: null, incarnation: null }];
    const facts = { ...factsOf("prod/orders"), inventory, nodes: [node] };
    const cluster = clusterOf("prod/orders").cluster;
    shown.clusters = cluster === null ? [] : [clusterOf("prod/orders", { cluster: { ...cluster, facts } })];

    // Debian's Prometheus sends no type to http_sd where none is written, whatever its documentation says.
    const bearer = `authorization: { type: Bearer, credentials: ${token} }`;
    const prometheus = await startPrometheus(`
  - job_name: coordinator
    ${bearer}
    static_configs: [{ targets: ["${addr}"] }]
  - job_name: nodes
    ${bearer}
    http_sd_configs:
      - url: http://${addr}/v1/sd/prometheus
        refresh_interval: 1s
        ${bearer}
    relabel_configs:
      - action: labelmap
        regex: __meta_rollcall_(.+)`);
    closes.push(prometheus.stop);
    const get = async (path: string) =>
      (await (await fetch(`${prometheus.url}${path}`)).json()) as { data: unknown };
    const within = { deadlineMs: 30_000, everyMs: 200 };
    const targets = await until(
      async () => {
        const { activeTargets } = (await get("/api/v1/targets")).data as { activeTargets: Target[] };
        return (
          activeTargets.length === 2 && activeTargets.every(({ health }) => health === "up") && activeTargets
        );
      },
      { ...within, what: "both targets to be up" },
    );
    expect(targets.map(({ lastError }) => lastError)).toEqual(["", ""]);
    expect(targets.find(({ scrapePool }) => scrapePool === "nodes")?.labels).toMatchObject({
      cluster_id: "prod/orders",
      node_id: "n1",
      kind: "rqlite",
      status: "healthy",
      voter: "true",
    });
    const series = await until(
      async () => {
        const query = encodeURIComponent('rollcall_cluster_nodes{job="coordinator",state="discovered"}');
        const { result } = (await get(`/api/v1/query?query=${query}`)).data as { result: Series[] };
        return result.length > 0 && result;
      },
      { ...within, what: "a series" },
    );
    expect(series.map(({ metric, value }) => [metric.cluster_id, value[1]])).toEqual([["prod/orders", "1"]]);
  });
});
