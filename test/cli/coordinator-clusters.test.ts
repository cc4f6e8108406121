import { afterEach, describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { syntheticSettings } from "../../src/core/settings.ts";
import { clusterView } from "../../src/core/view.ts";
import { DOWN, memberOf, refresh, run, seen, shard } from "../core/clusters.ts";
import { cluster, node, type Pages, type StandIn, standIn } from "./coordinator-stand-in.ts";
import { rollcall, type World } from "./fake-io.ts";

const open: StandIn[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function serve(pages: Pages): Promise<StandIn> {
  const one = await standIn(pages);
  open.push(one);
  return one;
}

const down = { agent: { status: "down", code: "unreachable" }, problem: "connection refused" };
const sick = cluster("prod/billing", {
  display_name: "Billing",
  health: {
    status: "yellow",
    reasons: [
      { code: "nodes", text: "2 of 3 nodes are up" },
      { code: "drift", text: "n4 is in no inventory" },
    ],
  },
  counts: { expected: 3, discovered: 3, reached: 2, up: 2 },
  nodes: [
    node("n1", { role: "leader" }),
    node("n2", { version: "8.36.1", lag: { unit: "entries", value: 12 }, listed: false }),
    node("n3", { ...down, stale: true }),
    node("n4", { ...down, node_id: null, status: null, role: null, version: null }),
  ],
});
const clusters = [
  sick,
  cluster("prod/orders", { last_event: { type: "rollcall.LEADER_CHANGED", time: "2026-11-21T10:00:00Z" } }),
  { cluster_id: "prod/young", enabled: false, view: null },
];
/** Pages of one, so that paging shows. */
const paged: Pages[string] = ({ path }) => {
  const after = new URL(path, "http://x").searchParams.get("after");
  const at = after === null ? 0 : Number(after);
  return {
    body: { items: clusters.slice(at, at + 1), next: at + 1 < clusters.length ? String(at + 1) : null },
  };
};
const all: Pages = {
  "GET /v1/clusters": paged,
  "GET /v1/clusters/prod%2Fbilling": { body: sick },
  "GET /v1/clusters/prod%2Fbilling/nodes": { body: { items: sick.nodes, next: null } },
  "GET /v1/clusters/prod%2Forders/nodes": { body: { items: cluster("x").nodes, next: null } },
  "GET /v1/clusters/prod%2Fyoung/nodes": { body: { items: [], next: null } },
};

const ask = async (line: string, pages: Pages = all, world: World = {}) => {
  const coordinator = await serve(pages);
  return { ...(await rollcall([...line.split(" "), coordinator.flag], world)), asked: coordinator.asked };
};

describe("clusters", () => {
  it("prints a line a cluster, of all pages", async () => {
    const { code, out, err } = await ask("clusters");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatchInlineSnapshot(`
      "ID            HEALTH   NODES  PRIMARY  VERSION        WHY, OR LAST EVENT
      prod/billing  yellow   2/3    n1       9.1.0, 8.36.1  2 of 3 nodes are up (and 1 more)
      prod/orders   green    3/3    n1       9.1.0          LEADER_CHANGED 2026-11-21T10:00:00Z
      prod/young    unknown  ?/?    -        -              its settings have enabled: false (and 1 more)
      "
    `);
  });

  it("understands the view that a coordinator has of a cluster", async () => {
    const report = { role: "replica", leader: memberOf("a") } as const;
    const lags = [shard("secondary", 7)];
    const asked = [seen("a"), seen("b", { report: { ...report, ...DOWN }, shards: lags }), seen("c")];
    const { facts, marks } = run(refresh(asked));
    const {
      nodes,
      members: _,
      lag: __,
      ...summary
    } = clusterView({
      ...{ facts, marks, settings: syntheticSettings("prod/orders") },
    });
    const item = { cluster_id: "prod/orders", enabled: true };
    const pages: Pages = {
      "GET /v1/clusters": { body: { items: [{ ...item, view: summary }], next: null } },
      "GET /v1/clusters/prod%2Forders": { body: { ...item, view: { ...summary, nodes } } },
    };
    const { reasons } = summary;
    expect((await ask("clusters", pages)).out.split("\n")[1]).toBe(
      `prod/orders  ${summary.health}  2/3    a        8.26.8   ${reasons[0]?.message}`,
    );
    const { out } = await ask("cluster show prod/orders", pages);
    for (const { message } of reasons) expect(out).toMatch(new RegExp(`^reason +${message}$`, "m"));
    expect(out).toMatch(/^b +b:4100 +unavailable +unknown +8\.26\.8 +7 entries +connection refused$/m);
  });

  it("is what get clusters prints", async () => {
    expect((await ask("get clusters")).out).toBe((await ask("clusters")).out);
    expect((await ask("get clusters prod/billing")).out).toBe((await ask("cluster show prod/billing")).out);
  });

  it("prints JSON and YAML with everything that came", async () => {
    const wanted = { items: clusters };
    expect(JSON.parse((await ask("clusters -o=json")).out)).toEqual(wanted);
    expect(parseYaml((await ask("clusters -o yaml")).out)).toEqual(wanted);
  });

  it("says where clusters come from when there is none", async () => {
    const { code, out } = await ask("clusters", { "GET /v1/clusters": { body: { items: [], next: null } } });
    expect([code, out]).toEqual([
      0,
      "no clusters yet; `rollcall get discoveries` says where they are looked for\n",
    ]);
  });

  it("stops at a page that leads to itself", async () => {
    const page = { body: { items: [clusters[0]], next: "x" } };
    const { code, err, asked } = await ask("clusters", { "GET /v1/clusters": page });
    expect([code, asked.length]).toEqual([1, 2]);
    expect(err).toMatch(
      /^rollcall: ask http:\/\/127\.0\.0\.1:\d+: \/v1\/clusters gives the same page again\n$/,
    );
  });

  it("is coloured on a terminal, unless nobody wants that", async () => {
    const coloured = await ask("clusters", all, { terminal: true });
    expect(coloured.out).toContain("\u001b[33myellow \u001b[39m");
    const plain = await ask("clusters");
    expect((await ask("clusters", all, { terminal: true, env: { NO_COLOR: "1" } })).out).toBe(plain.out);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are these.
    expect(coloured.out.replaceAll(/\u001b\[\d+m/g, "")).toBe(plain.out);
  });
});

describe("cluster show", () => {
  it("prints health and why, who leads, who is missing, and the nodes", async () => {
    const { code, out } = await ask("cluster show prod/billing");
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "cluster    prod/billing (Billing)
      health     yellow
      reason     2 of 3 nodes are up
      reason     n4 is in no inventory
      nodes      2 up, 2 reached, 3 discovered, 3 expected
      primary    n1
      missing    n3 at 10.0.0.3:4100: connection refused
      missing    10.0.0.4:4100: connection refused
      discovery  consul-prod
      genesis    0b5c4e1e-8d1f-4a57-9d5f-3f7c0a9b2f11

      NODE  AGENT          STATE            ROLE     VERSION  LAG         PROBLEM
      n1    10.0.0.1:4100  healthy          leader   9.1.0    -           -
      n2    10.0.0.2:4100  healthy          replica  8.36.1   12 entries  not in the inventory
      n3    10.0.0.3:4100  stale (healthy)  replica  9.1.0    -           connection refused
      -     10.0.0.4:4100  unreachable      -        -        -           connection refused
      "
    `);
  });

  it("asks for the nodes where the cluster comes without them, in the shape of facts and marks", async () => {
    const view = {
      ...cluster("a"),
      nodes: { expected: 1, discovered: 1, reached: 1, up: 1 },
      counts: undefined,
    };
    const facts = {
      agent_addr: "10.0.0.1:4100",
      listed: null,
      agent: { status: "up", code: "ok" },
      identity: { node_id: "n1", incarnation: "i" },
      report: { status: "unhealthy", role: "leader", version: "9.1.0" },
      marks: { problem: "no quorum", shards: { a: { lag: null }, b: { lag: { unit: "s", value: 3 } } } },
    };
    const { out } = await ask("cluster show a", {
      "GET /v1/clusters/a": {
        body: { cluster_id: "a", enabled: true, view: { ...view, leader: null, primaries: ["n1"] } },
      },
      "GET /v1/clusters/a/nodes": { body: { items: [facts], next: null } },
    });
    expect(out).toMatchInlineSnapshot(`
      "cluster    a
      health     green
      nodes      1 up, 1 reached, 1 discovered, 1 expected
      primary    n1
      discovery  consul-prod
      genesis    0b5c4e1e-8d1f-4a57-9d5f-3f7c0a9b2f11

      NODE  AGENT          STATE      ROLE    VERSION  LAG  PROBLEM
      n1    10.0.0.1:4100  unhealthy  leader  9.1.0    3 s  not in the inventory; no quorum
      "
    `);
  });

  it("wants to know which one", async () => {
    expect(await ask("cluster show")).toMatchObject({
      code: 2,
      err: "rollcall: cluster show: which one? give its id, as in prod/orders\n",
      asked: [],
    });
  });

  it("takes the id wherever it stands, and once", async () => {
    const { out } = await ask("cluster show -o=json prod/billing");
    expect(JSON.parse(out)).toEqual(sick);
    expect((await ask("cluster show a b")).err).toContain("what follows the value of -cluster is no flag");
  });
});

describe("nodes", () => {
  it("prints a line a node, of every cluster", async () => {
    const { code, out } = await ask("nodes");
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "CLUSTER       NODE  AGENT          STATE            ROLE     VERSION  LAG         PROBLEM
      prod/billing  n1    10.0.0.1:4100  healthy          leader   9.1.0    -           -
      prod/billing  n2    10.0.0.2:4100  healthy          replica  8.36.1   12 entries  not in the inventory
      prod/billing  n3    10.0.0.3:4100  stale (healthy)  replica  9.1.0    -           connection refused
      prod/billing  -     10.0.0.4:4100  unreachable      -        -        -           connection refused
      prod/orders   n1    10.0.0.1:4100  healthy          leader   9.1.0    -           -
      prod/orders   n2    10.0.0.2:4100  healthy          replica  9.1.0    -           -
      prod/orders   n3    10.0.0.3:4100  healthy          replica  9.1.0    -           -
      "
    `);
  });

  it("prints those of one cluster, also for programs", async () => {
    const { out } = await ask("nodes -cluster=prod/billing");
    expect(out.split("\n")[0]).toBe(
      "NODE  AGENT          STATE            ROLE     VERSION  LAG         PROBLEM",
    );
    const items = sick.nodes.map((one) => ({ cluster_id: "prod/billing", ...one }));
    expect(JSON.parse((await ask("nodes -cluster prod/billing -o=json")).out)).toEqual({ items });
  });
});

describe("a coordinator that does not answer as one", () => {
  it("is named with what to do when it is not there", async () => {
    const { code, out, err } = await rollcall(["clusters", "-coordinator=http://127.0.0.1:1"]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toBe(
      "rollcall: ask http://127.0.0.1:1: nobody listens there; start it with `rollcall coordinator`, or name another with -coordinator\n",
    );
  });

  const refused = (status: number) => ({
    status,
    body: { error: { code: "x", message: "wants its token", hint: "hint of its own" } },
  });
  it.each<[string, Pages[string], readonly string[], RegExp]>([
    ["401", refused(401), [], /: wants its token; -token-file names the file with its token\n$/],
    [
      "401 with a token",
      refused(401),
      ["-token-file=t"],
      /: wants its token; -token-file holds another token\n$/,
    ],
    ["401 without words", { status: 401, body: "" }, [], /: unauthorized; -token-file names/],
    ["403", refused(403), [], /: wants its token; hint of its own\n$/],
    [
      "an agent",
      { status: 404, body: "404" },
      [],
      /: 404 for \/v1\/clusters\?limit=100; is it a rollcall coordinator\?\n$/,
    ],
    [
      "another program",
      { body: "<html>" },
      [],
      /: the answer is not JSON; is it a rollcall coordinator\?\n$/,
    ],
    ["another shape", { body: { items: [{}], next: null } }, [], /: the answer has no cluster_id; is it/],
    ["TLS", { body: "" }, ["-coordinator=https://127.0.0.1:1"], /-coordinator: is given twice\n$/],
  ])("is told in one line for %s", async (_what, page, flags, line) => {
    const { out, err, code, asked } = await ask(
      ["clusters", ...flags].join(" "),
      { "GET /v1/clusters": page ?? refused(1) },
      {
        files: { t: "hunter2\n" },
      },
    );
    expect([code === 0, out]).toEqual([false, ""]);
    expect(err).toMatch(line);
    expect(err).toMatch(/^rollcall: [^\n]+\n$/);
    expect(err).not.toContain("hunter2");
    expect(asked[0]?.headers.authorization).toBe(flags[0] === "-token-file=t" ? "Bearer hunter2" : undefined);
  });

  it("is asked where the environment or a file says", async () => {
    const coordinator = await serve(all);
    const { out } = await ask("clusters");
    expect((await rollcall(["clusters"], { env: { ROLLCALL_COORDINATOR: coordinator.url } })).out).toBe(out);
    const files = { "c.yaml": `coordinator: ${coordinator.url}\n` };
    expect((await rollcall(["clusters", "-config=c.yaml"], { files })).out).toBe(out);
  });

  it("says that plain HTTP and TLS do not meet", async () => {
    const coordinator = await serve(all);
    const { code, err } = await rollcall([
      "clusters",
      `-coordinator=${coordinator.url.replace("http", "https")}`,
    ]);
    expect(code).toBe(1);
    expect(err).toMatch(
      /^rollcall: ask https:[^\n]+; does -coordinator begin with http:\/\/ or https:\/\/ as it should\?\n$/,
    );
  });
});

describe("-coordinator", () => {
  it.each([
    ["127.0.0.1:4200", "must be a URL that begins with http:// or https://, as in http://127.0.0.1:4200"],
    ["ftp://hunter2:4200", "must be a URL that begins with http:// or https://"],
    [
      "http://user:hunter2@host:4200",
      "must be only http(s)://HOST:PORT, without user, path, query or fragment",
    ],
    ["http://host:4200/hunter2", "must be only http(s)://HOST:PORT"],
  ])("refuses %s in one line that repeats nothing", async (url, line) => {
    const { code, err } = await rollcall(["clusters", `-coordinator=${url}`]);
    expect(code).toBe(2);
    expect(err.startsWith(`rollcall: -coordinator: ${line}`), err).toBe(true);
    expect(err).not.toContain("hunter2");
  });
});
