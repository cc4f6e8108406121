import { afterEach, describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import {
  CALM,
  DOWN,
  failed,
  LEADS,
  memberOf,
  recordOf,
  refresh,
  run,
  seen,
  shard,
} from "../core/clusters.ts";
import { notAsked, type Pages, type StandIn, served, standIn, UNKNOWN } from "./coordinator-stand-in.ts";
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

const named = (ids: string) => ({ record: recordOf(ids, { display_name: "Billing" }) });
/** `b` lags and is of an earlier version, `c` went, `d` was never there, and `e` is listed no more. */
const sick = served(
  "prod/billing",
  run(
    refresh([seen("a"), seen("b"), seen("c"), seen("e")], named("abce")),
    refresh(
      [
        seen("a", { seq: 6 }),
        seen("b", { seq: 6, report: { version: "8.25.0" }, shards: [shard("secondary", 12)] }),
        failed("c"),
        failed("d"),
      ],
      named("abcd"),
    ),
  ),
);
const well = served("prod/orders", run(CALM));
const young = served("prod/young", UNKNOWN, { enabled: false });
const clusters = [sick.item, well.item, young.item];
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
  "GET /v1/clusters/prod%2Fbilling": { body: sick.detail },
  "GET /v1/clusters/prod%2Fbilling/nodes": { body: { items: sick.nodes, next: null } },
  "GET /v1/clusters/prod%2Forders/nodes": { body: { items: well.nodes, next: null } },
  "GET /v1/clusters/prod%2Fyoung": { body: young.detail },
  "GET /v1/clusters/prod%2Fyoung/nodes": { body: { items: [notAsked("f:4100")], next: null } },
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
      "ID            HEALTH    NODES  PRIMARY  VERSION         WHY
      prod/billing  yellow    2/4    a        8.26.8, 8.25.0  c: what is known of it is old; its agent is unreachable (and 2 more)
      prod/orders   green     3/3    a        8.26.8          -
      prod/young    disabled  0/0    -        -               its settings have enabled: false (and 1 more)
      "
    `);
  });

  it("does not look green where nobody refreshes, or refreshing fails", async () => {
    const run_ = { next_at: 0, started_at: 0, ended_at: 0, error: "our own credentials: no token" };
    const failing = { ...well.detail, run: run_, late_ms: 3_000 };
    const idle = { ...well.detail, run: run_, cluster_id: "prod/idle", enabled: false };
    const pages: Pages = {
      "GET /v1/clusters": { body: { items: [failing, idle], next: null } },
      "GET /v1/clusters/prod%2Forders": { body: failing },
      "GET /v1/clusters/prod%2Fidle": { body: idle },
    };
    const [, first = "", second = ""] = (await ask("clusters", pages)).out.split("\n");
    expect(first).toMatch(/ green .* its last refresh failed: our own credentials: no token$/);
    expect(second).toMatch(/^prod\/idle +disabled /);
    const shown = (await ask("cluster show prod/orders", pages)).out;
    expect(shown).toMatch(/^reason +its last refresh failed: our own credentials: no token$/m);
    expect(shown).toMatch(/^refreshed +\d+[a-z0-9]* ago, begun 3s late$/m);
    expect((await ask("cluster show prod/idle", pages)).out).toMatch(
      /^health +disabled; green when it was last refreshed$/m,
    );
  });

  it("names everybody who claims to lead", async () => {
    const two = [seen("a"), seen("b", { report: { ...LEADS, leader: memberOf("b") } }), seen("c")];
    const torn = served("prod/orders", run(refresh(two), refresh(two)));
    const pages: Pages = {
      "GET /v1/clusters": { body: { items: [torn.item], next: null } },
      "GET /v1/clusters/prod%2Forders": { body: torn.detail },
    };
    expect((await ask("clusters", pages)).out.split("\n")[1]).toMatch(
      /^prod\/orders +red +3\/3 +a, b +8\.26\.8 +a and b each say that they lead/,
    );
    expect((await ask("cluster show prod/orders", pages)).out).toMatch(/^primary +a, b$/m);
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
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are these.
    expect(coloured.out).toMatch(/\u001b\[33myellow *\u001b\[39m/);
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
      reason     c: what is known of it is old; its agent is unreachable
      reason     d:4100: nothing of it is known; its agent is unreachable
      reason     e: the inventory does not list e:4100 any more
      nodes      2 up, 2 reached, 4 discovered, 4 expected
      primary    a
      missing    c at c:4100: connect: connection refused
      missing    d:4100: connect: connection refused
      discovery  consul
      genesis    genesis-1
      refreshed  never

      NODE  AGENT   STATE            ROLE     VERSION  LAG         PROBLEM
      a     a:4100  healthy          leader   8.26.8   -           -
      b     b:4100  healthy          replica  8.25.0   12 entries  -
      c     c:4100  stale (healthy)  replica  8.26.8   -           connect: connection refused
      -     d:4100  unreachable      -        -        -           connect: connection refused
      e     e:4100  stale (healthy)  replica  8.26.8   -           not in the inventory
      "
    `);
  });

  it("tells a database that is down, and the shard that lags most", async () => {
    const shards = [shard("secondary", 3), { ...shard("secondary", 7), id: "other" }];
    const { detail } = served("a", run(refresh([seen("a"), seen("b", { report: DOWN, shards }), seen("c")])));
    const { out } = await ask("cluster show a", { "GET /v1/clusters/a": { body: detail } });
    expect(out).toMatch(/^reason +b: its database is unavailable$/m);
    expect(out).toMatch(/^b +b:4100 +unavailable +unknown +8\.26\.8 +7 entries +connection refused$/m);
  });

  it("has little to say before the first refresh", async () => {
    expect((await ask("cluster show prod/young")).out).toMatchInlineSnapshot(`
      "cluster    prod/young
      health     disabled
      reason     its settings have enabled: false
      reason     it was never refreshed
      nodes      0 up, 0 reached, 0 discovered, 0 expected
      primary    none
      discovery  -
      genesis    not known yet
      refreshed  never
      "
    `);
  });

  it("reads what a later release adds", async () => {
    const { view, ...more } = sick.detail;
    const [node, ...nodes] = view.nodes;
    const agent = { ...node?.agent, code: "of_a_later_release", since: 7 };
    const later = { ...view, health: "blue", nodes: [{ ...node, agent }, ...nodes] };
    const body = { ...more, zone: "x", view: later };
    const { code, out } = await ask("cluster show x", { "GET /v1/clusters/x": { body } });
    expect([code, out]).toEqual([0, (await ask("cluster show prod/billing")).out.replace("yellow", "blue")]);
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
    expect(JSON.parse(out)).toEqual(sick.detail);
    expect((await ask("cluster show a b")).err).toContain("cluster show: takes one ID, and then only flags");
  });
});

describe("nodes", () => {
  it("prints a line a node, of every cluster", async () => {
    const { code, out } = await ask("nodes");
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "CLUSTER       NODE  AGENT   STATE            ROLE     VERSION  LAG         PROBLEM
      prod/billing  a     a:4100  healthy          leader   8.26.8   -           -
      prod/billing  b     b:4100  healthy          replica  8.25.0   12 entries  -
      prod/billing  c     c:4100  stale (healthy)  replica  8.26.8   -           connect: connection refused
      prod/billing  -     d:4100  unreachable      -        -        -           connect: connection refused
      prod/billing  e     e:4100  stale (healthy)  replica  8.26.8   -           not in the inventory
      prod/orders   a     a:4100  healthy          leader   8.26.8   -           -
      prod/orders   b     b:4100  healthy          replica  8.26.8   -           -
      prod/orders   c     c:4100  healthy          replica  8.26.8   -           -
      prod/young    -     f:4100  not asked yet    -        -        -           -
      "
    `);
  });

  it("prints those of one cluster, also for programs", async () => {
    const { out } = await ask("nodes -cluster=prod/billing");
    expect(out.split("\n")[0]).toMatch(/^NODE +AGENT +STATE +ROLE +VERSION +LAG +PROBLEM$/);
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
    ["another shape", { body: { items: [{}], next: null } }, [], /: the answer cluster_id: .*; is it/],
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
