import { describe, expect, it } from "vitest";
import type * as z from "zod";
import type { Asked } from "../../src/coordinator/pages.ts";
import { type Route, type RouteName, routes } from "../../src/coordinator/routes.ts";
import { Problem } from "../../src/coordinator/shapes.ts";
import { NO_MARKS } from "../../src/core/cluster.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { clusterOf, discoveryOf, factsOf, make, reportOf } from "./support/view.ts";

type Made = ReturnType<typeof make>;

/** Asks a path for its answer, which must parse with the very schema of its route. */
async function said<N extends RouteName>(
  { ask }: Made,
  name: N,
  path: string,
  init: RequestInit = {},
): Promise<(typeof routes)[N]["answer"] extends infer S extends z.ZodType ? z.infer<S> : never> {
  const route: Route = routes[name];
  const answer = await ask(path, { method: route.method, ...init });
  expect([path, answer.status, answer.type, answer.body.slice(0, 200)]).toEqual([
    path,
    route.status,
    route.media,
    expect.anything(),
  ]);
  const value: unknown = JSON.parse(answer.body);
  const parsed = route.answer?.parse(value);
  expect(parsed).toEqual(value);
  return parsed as never;
}

/** Asks for what is refused, and gives the error. */
async function refused({ ask }: Made, path: string, init: RequestInit = {}) {
  const answer = await ask(path, init);
  expect([path, answer.type]).toEqual([path, "application/json"]);
  return { status: answer.status, ...Problem.parse(JSON.parse(answer.body)).error };
}

describe("the clusters", () => {
  it("are listed by id, a page at a time, each once", async () => {
    const made = make();
    made.shown.clusters = ["a", "b", "c", "d", "e"].map((id) => clusterOf(id));
    const ids: string[] = [];
    let path = "/v1/clusters?limit=2";
    for (let pages = 1; ; pages++) {
      const { items, next } = await said(made, "clusters", path);
      ids.push(...items.map((one) => one.cluster_id));
      // What comes before the place changes nothing.
      made.shown.clusters = made.shown.clusters.filter((page) => page.cluster_id !== "a");
      if (next === null) {
        expect(pages).toBe(3);
        break;
      }
      path = `/v1/clusters?limit=2&after=${encodeURIComponent(next)}`;
    }
    expect(ids).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("end without another page where the last one is full", async () => {
    const made = make();
    expect((await said(made, "clusters", "/v1/clusters?limit=2")).next).toBe(null);
  });

  it("are found by a part of id or display name, and by health", async () => {
    const made = make();
    const facts = factsOf("prod/users");
    const ill = { ...facts, conditions: { ...facts.conditions, primary_missing: { last: "n1" } } };
    const users = clusterOf("prod/users", { cluster: { facts: ill, marks: NO_MARKS, version: 1, seq: 1 } });
    made.shown.clusters = [clusterOf("prod/orders"), users, clusterOf("test/new", { cluster: null })];
    const ids = async (query: string) =>
      (await said(made, "clusters", `/v1/clusters?${query}`)).items.map((one) => one.cluster_id);
    expect(await ids("q=ORDERS")).toEqual(["prod/orders"]);
    expect(await ids("q=prod%2F")).toEqual(["prod/orders", "prod/users"]);
    expect(await ids("health=green")).toEqual(["prod/orders"]);
    expect(await ids("health=red,yellow")).toEqual(["prod/users", "test/new"]);
    expect(await ids("q=test&health=red")).toEqual([]);
  });

  it("are named with ~ or %2F for the / in their ids", async () => {
    const made = make();
    for (const id of ["prod~orders", "prod%2Forders", "prod%2forders", "prod%7Eorders"])
      expect([id, (await said(made, "cluster", `/v1/clusters/${id}`)).cluster_id]).toEqual([
        id,
        "prod/orders",
      ]);
    for (const id of ["prod/orders", "prod", "%", "%zz", "prod%252Forders", "..", "%00", "prod~~orders"])
      expect([id, (await refused(made, `/v1/clusters/${id}`)).status]).toEqual([id, 404]);
  });

  it("show their nodes, also one that was not asked yet and one that is listed no more", async () => {
    const made = make();
    const facts = made.shown.clusters[0]?.cluster?.facts;
    facts?.nodes.pop();
    facts?.inventory.shift();
    const { items } = await said(made, "nodes", "/v1/clusters/prod~orders/nodes");
    expect(items.map(({ agent_addr, listed, agent }) => [agent_addr, listed, agent?.status])).toEqual([
      ["n1.test:4100", false, "up"],
      ["n2.test:4100", true, "up"],
      ["n3.test:4100", true, undefined],
    ]);
    const first = await said(made, "nodes", "/v1/clusters/prod~orders/nodes?limit=1");
    expect(first.next).toBe("n1.test:4100");
    const rest = await said(made, "nodes", `/v1/clusters/prod~orders/nodes?after=${first.next}`);
    expect(rest.items).toHaveLength(2);
  });

  it("show their last refreshes, newest first", async () => {
    const made = make();
    made.shown.reports = ["3", "2", "1"].map((n) => reportOf("prod/orders", `2026-01-01T00:00:0${n}Z`));
    const first = await said(made, "reports", "/v1/clusters/prod~orders/reports?limit=2");
    const rest = await said(made, "reports", `/v1/clusters/prod~orders/reports?after=${first.next}`);
    expect([...first.items, ...rest.items]).toEqual(made.shown.reports);
    expect(rest.next).toBe(null);
  });

  it.each<[Asked, number, string | null]>([
    ["queued", 202, null],
    ["running", 202, null],
    ["full", 503, "full"],
    ["disabled", 409, "disabled"],
    ["unknown", 404, "not_found"],
  ])(
    "say what became of the wish to refresh one, or look at an inventory: %s",
    async (asked, status, code) => {
      const made = make();
      made.shown.asked = asked;
      for (const [name, path] of [
        ["refresh", "/v1/clusters/prod~orders/refresh"],
        ["discover", "/v1/discoveries/main/discover"],
      ] as const)
        if (code === null) expect(await said(made, name, path)).toEqual({ asked });
        else expect(await refused(made, path, { method: "POST" })).toMatchObject({ status, code });
    },
  );
});

describe("the discoveries", () => {
  const secret = "s3cr3t";
  it("show their settings, and nothing that may be a secret", async () => {
    const made = make();
    made.shown.discoveries = [
      discoveryOf("main", {
        config: {
          url: `http://me:${secret}@inventory.test/clusters?key=${secret}#${secret}`,
          endpoints: [`${secret}:pass@etcd.test:2379`, "etcd.test:2379"],
          headers: { Authorization: `Bearer ${secret}`, name: secret, "X-Number": [1234567, secret] },
          body: secret,
          password: 1234567,
          basic_auth: { path: secret, on: true },
          tls: { ca_file: "/etc/ca.pem", key: secret },
          port: 8500,
          Token: null,
        },
      }),
    ];
    const all = await said(made, "discoveries", "/v1/discoveries");
    const one = await said(made, "discovery", "/v1/discoveries/main");
    expect(all).toEqual({ items: [one], next: null });
    expect(one.document).toMatchObject({ spec: { config: one.settings.config } });
    expect(JSON.stringify(one)).not.toMatch(/s3cr3t|1234567/);
    expect(one.settings.config).toEqual({
      url: "http://(not shown)@inventory.test/clusters?(not shown)",
      endpoints: ["(not shown)@etcd.test:2379", "etcd.test:2379"],
      headers: {
        Authorization: "(not shown)",
        name: "(not shown)",
        "X-Number": ["(not shown)", "(not shown)"],
      },
      body: "(not shown)",
      password: "(not shown)",
      basic_auth: { path: "(not shown)", on: true },
      tls: { ca_file: "/etc/ca.pem", key: "(not shown)" },
      port: 8500,
      Token: null,
    });
  });

  it("are removed and accepted by name, and unknown ones are 404", async () => {
    const made = make();
    made.shown.accepts = ["prod/orders"];
    expect(await said(made, "accept", "/v1/discoveries/main/accept")).toEqual({ clusters: ["prod/orders"] });
    expect(await said(made, "removeDiscovery", "/v1/discoveries/main")).toEqual({ removed: "main" });
    made.shown.accepts = new RollcallError("discovery", "accept main: read /etc/clusters: no such file");
    expect(await refused(made, "/v1/discoveries/main/accept", { method: "POST" })).toMatchObject({
      ...{ status: 502, code: "discovery", message: "accept main: read /etc/clusters: no such file" },
    });
    for (const [method, path] of [
      ["GET", "/v1/discoveries/other"],
      ["DELETE", "/v1/discoveries/other"],
      ["POST", "/v1/discoveries/other/accept"],
      ["POST", "/v1/discoveries/other/discover"],
    ] as const)
      expect(await refused(made, path, { method })).toMatchObject({ status: 404, code: "not_found" });
  });
});

describe("the settings", () => {
  it("are shown as synthetic until somebody applies others, and only those can be removed", async () => {
    const made = make();
    expect((await said(made, "settingsList", "/v1/settings")).items.map((one) => one.synthetic)).toEqual([
      true,
      false,
    ]);
    expect(await said(made, "settings", "/v1/settings/prod~orders")).toMatchObject({ synthetic: true });
    expect(await said(made, "removeSettings", "/v1/settings/prod~users")).toEqual({ removed: "prod/users" });
    const { status } = await refused(made, "/v1/settings/prod~orders", { method: "DELETE" });
    expect(status).toBe(404);
    expect((await refused(made, "/v1/settings/none")).status).toBe(404);
  });

  it("are applied as they come, or refused with everything that is wrong", async () => {
    const made = make();
    made.shown.applies = { ok: true, applied: [{ kind: "ClusterSettings", name: "a", changed: true }] };
    const body = "kind: ClusterSettings\nname: Ünder\n";
    expect(await said(made, "apply", "/v1/apply", { body })).toEqual({ applied: made.shown.applies.applied });
    expect(made.shown.changes).toEqual([`apply ${body}`]);
    made.shown.applies = { ok: false, problems: ["document 1: no kind", "document 2: no name"] };
    expect(await refused(made, "/v1/apply", { method: "POST", body })).toMatchObject({
      status: 400,
      code: "bad_request",
      message: "document 1: no kind",
      problems: ["document 1: no kind", "document 2: no name"],
    });
  });

  it("are not read beyond a bound, nor from what is no text", async () => {
    const made = make();
    const large = "#".repeat(1024 * 1024 + 1);
    const post = (body: string | Uint8Array<ArrayBuffer>) =>
      refused(made, "/v1/apply", { method: "POST", body });
    expect(await post(large)).toMatchObject({ status: 413, code: "too_large" });
    const stream = new ReadableStream({
      start(controller) {
        for (let at = 0; at < 17; at++) controller.enqueue(new Uint8Array(64 * 1024));
        controller.close();
      },
    });
    const init = { method: "POST", body: stream, duplex: "half" } as RequestInit;
    expect(await refused(made, "/v1/apply", init)).toMatchObject({ status: 413, code: "too_large" });
    expect(await post(new Uint8Array([0xff, 0xfe]))).toMatchObject({ status: 400, code: "bad_request" });
    expect(made.shown.changes).toEqual([]);
  });
});

describe("the log of events", () => {
  const filled = () => {
    const made = make();
    made.log.add(["prod/orders", "CLUSTER_NEW"], ["prod/users", "CLUSTER_NEW"], ["prod/orders", "NODE_UP"]);
    made.log.add(["prod/orders", "NODE_DOWN"], ["discovery:main", "DISCOVERY_SETTINGS_APPLY"]);
    return made;
  };
  const ids = async (made: Made, query: string) =>
    (await said(made, "events", `/v1/events?${query}`)).items.map((event) => event.id);

  it("is read from a position or an event on, by cluster and by type", async () => {
    const made = filled();
    const all = ["prod/orders:1", "prod/users:2", "prod/orders:3", "prod/orders:4", "discovery:main:5"];
    expect(await ids(made, "")).toEqual(all);
    expect(await ids(made, "after=0")).toEqual(all);
    expect(await ids(made, "after=3")).toEqual(all.slice(3));
    expect(await ids(made, "after=prod/orders:3")).toEqual(all.slice(3));
    expect(await ids(made, "after=discovery:main:5")).toEqual([]);
    expect(await ids(made, "cluster=prod/users")).toEqual(["prod/users:2"]);
    expect(await ids(made, "type=NODE_UP,rollcall.NODE_DOWN")).toEqual(["prod/orders:3", "prod/orders:4"]);
    expect(await ids(made, "order=desc&limit=2")).toEqual(all.toReversed().slice(0, 2));
  });

  it("is paged both ways without gap or repeat", async () => {
    const made = filled();
    for (const order of ["asc", "desc"]) {
      const seen: string[] = [];
      let after = "";
      for (let pages = 0; pages < 3; pages++) {
        const page = await said(made, "events", `/v1/events?limit=2&order=${order}${after}`);
        seen.push(...page.items.map((event) => event.id.replace(/.*:/, "")));
        after = `&after=${page.next}`;
        if (page.next === null) break;
      }
      expect(seen).toEqual(order === "asc" ? ["1", "2", "3", "4", "5"] : ["5", "4", "3", "2", "1"]);
    }
  });

  it("is told apart by cluster, also of one that is gone", async () => {
    const made = filled();
    const path = "/v1/clusters/prod~orders/events";
    expect((await said(made, "clusterEvents", path)).items).toHaveLength(3);
    made.shown.clusters = [];
    expect((await said(made, "clusterEvents", `${path}?limit=1`)).next).toBe("1");
    expect((await refused(made, "/v1/clusters/other/events")).status).toBe(404);
  });

  it("says when a place is not kept any more", async () => {
    const made = filled();
    made.log.keepFrom(4);
    expect(await refused(made, "/v1/events?after=1")).toMatchObject({ status: 410, code: "gone" });
    for (const path of ["/v1/events", "/v1/clusters/prod%2Forders/events"])
      expect(await refused(made, `${path}?after=99999999`)).toMatchObject({
        ...{ status: 410, code: "gone", message: "the log ends before position 99999999" },
      });
    expect(await refused(made, "/v1/events?after=prod/orders:1")).toMatchObject({
      status: 410,
      code: "gone",
    });
    expect(await ids(made, "after=3")).toHaveLength(2);
  });

  it("says that the store failed, and not what it said of our files", async () => {
    const made = filled();
    made.log.fail = new RollcallError("store", "open /var/lib/rollcall/x.db: disk full");
    const error = await refused(made, "/v1/events");
    expect(error).toMatchObject({ status: 503, code: "store" });
    expect(JSON.stringify(error)).not.toContain("/var/lib");
    expect(made.shown.failures).toHaveLength(1);
  });
});

describe("who looks on", () => {
  it("gets liveness and readiness in one word", async () => {
    const { ask, shown } = make();
    expect(await ask("/livez")).toMatchObject({ status: 200, body: "ok\n" });
    expect(await ask("/readyz")).toMatchObject({ status: 200, body: "ok\n" });
    shown.readiness = "starting";
    expect(await ask("/livez")).toMatchObject({ status: 200 });
    expect(await ask("/readyz")).toMatchObject({ status: 503, body: "starting\n" });
  });

  it("gets the tasks, also those of one name", async () => {
    const made = make();
    const task = { state: "queued", reason: "schedule", since_ms: 5 } as const;
    made.shown.tasks = [
      { ...task, kind: "refresh", name: "main" },
      { ...task, kind: "discovery", name: "main", state: "running" },
    ];
    const first = await said(made, "tasks", "/v1/tasks?limit=1");
    const rest = await said(made, "tasks", `/v1/tasks?after=${first.next}`);
    expect([...first.items, ...rest.items].map(({ kind }) => kind)).toEqual(["discovery", "refresh"]);
  });

  it("gets targets for Prometheus, a group a node, and no list before all is known", async () => {
    const made = make();
    const facts = made.shown.clusters[0]?.cluster?.facts;
    facts?.nodes.pop();
    const groups = await said(made, "prometheus", "/v1/sd/prometheus?cluster=prod/orders");
    expect(groups.map(({ targets }) => targets)).toEqual([
      ["n1.test:4100"],
      ["n2.test:4100"],
      ["n3.test:4100"],
    ]);
    expect(groups[0]?.labels).toMatchObject({
      __meta_rollcall_cluster_id: "prod/orders",
      __meta_rollcall_node_id: "n1",
      __meta_rollcall_role: "leader",
    });
    expect(groups[0]?.labels).not.toHaveProperty("__scheme__");
    const databases = await said(made, "prometheus", "/v1/sd/prometheus?target=db&cluster=prod/orders");
    expect(databases.map(({ targets }) => targets)).toEqual([["n1.test:4001"], ["n2.test:4001"]]);
    made.shown.discoveries = [
      discoveryOf("main", { tls: { ca_file: null, cert_file: null, key_file: null } }),
    ];
    const secure = await said(made, "prometheus", "/v1/sd/prometheus");
    expect(secure).toHaveLength(6);
    expect(secure.every(({ labels }) => labels.__scheme__ === "https")).toBe(true);
    made.shown.readiness = "starting";
    expect(await refused(made, "/v1/sd/prometheus")).toMatchObject({ status: 503, code: "not_ready" });
  });

  it("gets metrics", async () => {
    const { ask, shown, log } = make();
    log.add(["prod/orders", "CLUSTER_NEW"]);
    shown.clusters = [clusterOf("prod/orders"), clusterOf('new"\n', { cluster: null, run: null })];
    const { status, type, body } = await ask("/metrics");
    expect([status, type]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
    for (const line of [
      'rollcall_cluster_nodes{cluster_id="prod/orders",state="expected"} 3',
      'rollcall_cluster_nodes{cluster_id="prod/orders",state="up"} 3',
      'rollcall_cluster_health{cluster_id="prod/orders",status="green"} 1',
      'rollcall_cluster_enabled{cluster_id="prod/orders"} 1',
      'rollcall_cluster_health{cluster_id="prod/orders",status="red"} 0',
      'rollcall_cluster_primaries{cluster_id="prod/orders",shard="db"} 1',
      'rollcall_cluster_refresh_late_seconds{cluster_id="new\\"\\n"} 0.012',
      'rollcall_cluster_refresh_last_end_timestamp_seconds{cluster_id="prod/orders"} 1.25',
      'rollcall_scheduler_lateness_seconds{quantile="0.99"} 0.04',
      'rollcall_poll_failures_total{code="unreachable"} 2',
      "rollcall_polls_total 15",
      "rollcall_in_doubt 2",
      "rollcall_sse_followers 0",
      "rollcall_events_newest_position 1",
    ])
      expect(body.split("\n")).toContain(line);
    // Every line is a comment or a sample, and no sample stands twice.
    const samples = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(samples.filter((line) => !/^rollcall_[a-z0-9_]+(\{.*\})? \S+$/.test(line))).toEqual([]);
    const series = samples.map((line) => line.replace(/ \S+$/, ""));
    expect(new Set(series).size).toBe(series.length);
  });
});
