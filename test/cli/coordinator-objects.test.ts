import { afterEach, describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { manualClock } from "../lib/manual-clock.ts";
import { until } from "../support/wait.ts";
import { type Pages, type StandIn, standIn } from "./coordinator-stand-in.ts";
import { rollcall, type World } from "./fake-io.ts";

const open: StandIn[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

const ask = async (line: string, pages: Pages, world: World = {}) => {
  const coordinator = await standIn(pages);
  open.push(coordinator);
  return { ...(await rollcall([...line.split(" "), coordinator.flag], world)), asked: coordinator.asked };
};

const discovery = {
  name: "consul-prod",
  settings: {
    name: "consul-prod",
    enabled: true,
    interval_ms: 30_000,
    mode: "consul-kv",
    allow: { cidrs: ["10.0.0.0/8"], ports: [4100] },
  },
  run: { next_at: 2, started_at: 1, ended_at: 1, error: null },
  late_ms: 0,
  foreign: [],
  problems: [],
  clusters: ["prod/billing", "prod/orders"],
};
const failing = {
  ...discovery,
  name: "dns-edge",
  settings: { ...discovery.settings, name: "dns-edge", mode: "dns", enabled: false },
  run: { ...discovery.run, error: "look up edge.example.com: timed out" },
  clusters: [],
};
const settings = {
  settings: {
    cluster_id: "prod/orders",
    enabled: true,
    interval_ms: 60_000,
    node_timeout_ms: 5_000,
    expected_nodes: null,
    quorum: 2,
  },
  synthetic: true,
  run: null,
  document: null,
};
const pages: Pages = {
  "GET /v1/discoveries": { body: { items: [discovery, failing], next: null } },
  "GET /v1/discoveries/consul-prod": { body: discovery },
  "GET /v1/settings": { body: { items: [settings], next: null } },
  "GET /v1/settings/prod%2Forders": { body: settings },
  "DELETE /v1/discoveries/consul-prod": { body: { removed: "consul-prod" } },
  "DELETE /v1/settings/prod%2Forders": { body: { removed: "prod/orders" } },
  "POST /v1/clusters/prod%2Forders/refresh": { status: 202, body: { asked: "queued" } },
  "POST /v1/clusters/busy/refresh": { status: 202, body: { asked: "running" } },
  "POST /v1/discoveries/consul-prod/accept": { body: { clusters: ["prod/orders"] } },
  "POST /v1/discoveries/calm/accept": { body: { clusters: [] } },
};

describe("get", () => {
  it("lists discoveries", async () => {
    expect((await ask("get discoveries", pages)).out).toMatchInlineSnapshot(`
      "NAME         MODE       INTERVAL  CLUSTERS  LAST LOOK
      consul-prod  consul-kv  30s       2         well
      dns-edge     dns        disabled  0         look up edge.example.com: timed out
      "
    `);
  });

  it("shows one discovery", async () => {
    expect((await ask("get discoveries consul-prod", pages)).out).toMatchInlineSnapshot(`
      "name                  consul-prod
      settings.name         consul-prod
      settings.enabled      true
      settings.interval_ms  30s
      settings.mode         consul-kv
      settings.allow.cidrs  10.0.0.0/8
      settings.allow.ports  4100
      run.next_at           1970-01-01T00:00:00.002Z
      run.started_at        1970-01-01T00:00:00.001Z
      run.ended_at          1970-01-01T00:00:00.001Z
      run.error             -
      late_ms               0s
      foreign               -
      problems              -
      clusters              prod/billing, prod/orders
      "
    `);
    expect(parseYaml((await ask("get discoveries consul-prod -o=yaml", pages)).out)).toEqual(discovery);
  });

  it("lists and shows settings of clusters", async () => {
    expect((await ask("get settings", pages)).out).toMatchInlineSnapshot(`
      "CLUSTER      INTERVAL  TIMEOUT  EXPECTED  QUORUM  FROM
      prod/orders  1m        5s       -         2       defaults
      "
    `);
    expect((await ask("get settings prod/orders", pages)).out).toContain("settings.interval_ms      1m\n");
    expect(JSON.parse((await ask("get settings -o=json", pages)).out)).toEqual({ items: [settings] });
  });

  it("says how there would be some", async () => {
    const none: Pages = { "GET /v1/discoveries": { body: { items: [], next: null } } };
    expect((await ask("get discoveries", none)).out).toBe("none yet; `rollcall apply` gives some\n");
  });
});

describe("a change", () => {
  it.each([
    ["delete discovery consul-prod", "discovery consul-prod: deleted\n"],
    ["delete cluster prod/orders", "settings of cluster prod/orders: deleted\n"],
    ["cluster refresh prod/orders", "cluster prod/orders: refresh is queued\n"],
    ["cluster refresh busy", "cluster busy: is being refreshed already\n"],
    [
      "discovery accept consul-prod",
      "discovery consul-prod: what it lists of prod/orders is taken as the truth\n",
    ],
    [
      "discovery accept calm",
      "discovery calm: nothing to accept; what it lists is known, and nothing is suspect\n",
    ],
  ])("`%s` says what it did", async (line, out) => {
    expect(await ask(line, pages)).toMatchObject({ code: 0, out, err: "" });
  });

  it.each(["delete discovery", "delete cluster", "cluster refresh", "discovery accept"])(
    "`%s` wants to know which one, and asks nobody",
    async (line) => {
      const { code, err, asked } = await ask(line, pages);
      expect([code, asked]).toEqual([2, []]);
      expect(err).toMatch(new RegExp(`^rollcall: ${line}: which one\\? give its [^\n]+\n$`));
    },
  );

  it.each([
    ["cluster refresh prod/orders", "POST /v1/clusters/prod%2Forders/refresh", 5],
    ["discovery accept consul-prod", "POST /v1/discoveries/consul-prod/accept", 40],
  ])("`%s` tells a coordinator that hangs from one that is not there", async (line, page, seconds) => {
    const clock = manualClock();
    let hangs = false;
    const hang = () => {
      hangs = true;
      return null;
    };
    const asking = ask(line, { [page]: hang }, { clock });
    await until(() => hangs, { deadlineMs: 5_000, what: "the question" });
    clock.advance(seconds * 1_000 - 1);
    expect(clock.pending()).toBe(1);
    clock.advance(1);
    const { code, err } = await asking;
    expect(code).toBe(1);
    expect(err).toMatch(
      new RegExp(`: no answer in ${seconds} s; it runs, and does not answer: its log may say why\\n$`),
    );
  });

  it("names the command that lists what there is", async () => {
    const error = {
      code: "not_found",
      message: "there is no discovery x",
      hint: "GET /v1/discoveries lists them",
    };
    const { err } = await ask("delete discovery x", {
      "DELETE /v1/discoveries/x": { status: 404, body: { error } },
    });
    expect(err).toMatch(/there is no discovery x; `rollcall get discoveries` lists them\n$/);
  });

  it("fails in the coordinator's words", async () => {
    const missing = {
      status: 404,
      body: { error: { code: "not_found", message: "there is no discovery x", hint: "" } },
    };
    const { code, err } = await ask("delete discovery x", { "DELETE /v1/discoveries/x": missing });
    expect(code).toBe(1);
    expect(err).toMatch(/^rollcall: ask http:\/\/127\.0\.0\.1:\d+: there is no discovery x\n$/);
  });
});

const one = "apiVersion: rollcall/v1\nkind: ClusterSettings\nmetadata: {name: a}\nspec: {}\n";
const taken: Pages = {
  "POST /v1/apply": {
    body: {
      applied: [
        { kind: "ClusterSettings", name: "a", changed: true },
        { kind: "ClusterSettings", name: "b", changed: false },
      ],
    },
  },
};
const refusing = (...problems: string[]): Pages => ({
  "POST /v1/apply": {
    status: 400,
    body: { error: { code: "bad_request", message: problems[0], hint: "nothing was changed", problems } },
  },
});

describe("apply", () => {
  it("sends a file as it is, and says what changed", async () => {
    const { code, out, err, asked } = await ask("apply -f=s.yaml", taken, { files: { "s.yaml": one } });
    expect([code, err]).toEqual([0, ""]);
    expect(out).toBe("ClusterSettings a: applied\nClusterSettings b: unchanged\n");
    expect(asked).toMatchObject([{ method: "POST", path: "/v1/apply", body: one }]);
  });

  it("takes standard input", async () => {
    const { code, asked } = await ask("apply -f -", taken, { stdin: one });
    expect([code, asked[0]?.body]).toEqual([0, one]);
  });

  it("sends a directory as one text, in the order of names", async () => {
    const files = {
      "d/b.yml": `# begins\n---\n${one}---\n`,
      "d/a.json": '{\n\t"kind": "A"}',
      "d/c.yaml": `${one}...\n`,
      "d/README.md": "no",
      "d/.hidden.yaml": "no: no",
      "d/.#b.yaml": "no: no",
      "d/deep/x.yaml": "no: no",
    };
    const { code, asked } = await ask("apply d", taken, { files: { ...files, "d/deep/x.yaml": "a: b" } });
    expect(code).toBe(0);
    const { parseAllDocuments } = await import("yaml");
    const sent = parseAllDocuments(asked[0]?.body ?? "") as {
      toJS(): { kind?: string };
      errors: unknown[];
    }[];
    expect(sent.flatMap(({ errors }) => errors)).toEqual([]);
    expect(sent.map((document) => document.toJS()?.kind)).toEqual([
      "A",
      "ClusterSettings",
      "ClusterSettings",
    ]);
  });

  it("keeps the directives of a file to that file", async () => {
    const files = { "d/a.yaml": one, "d/b.yaml": `# of YAML\n%YAML 1.2\n---\n${one}`, "d/c.yaml": one };
    const { code, asked } = await ask("apply -f=d", taken, { files });
    expect(code).toBe(0);
    const { readTexts } = await import("../../src/coordinator/document-texts.ts");
    const { values, problems } = await readTexts(asked[0]?.body ?? "");
    expect([values.length, problems]).toEqual([3, []]);
  });

  it("prints every problem with its file, and ends with 2", async () => {
    const single = await ask(
      "apply -f=s.yaml",
      refusing("document 1: spec.x: unknown key", "document 1: kind: ?"),
      {
        files: { "s.yaml": one },
      },
    );
    expect([single.code, single.out]).toEqual([2, ""]);
    expect(single.err).toBe(
      "rollcall: s.yaml: document 1: spec.x: unknown key\nrollcall: s.yaml: document 1: kind: ?\n",
    );
    const files = { "d/a.yaml": `${one}---\n[{kind: A}, {kind: B}]\n`, "d/b.yaml": one };
    const several = await ask(
      "apply -f=d",
      refusing("document 3 (A b): bad", "document 4: bad", "and 2 more"),
      { files },
    );
    expect(several.err).toBe(
      "rollcall: d/a.yaml: document 3 (A b): bad\nrollcall: d/b.yaml: document 1: bad\nrollcall: and 2 more\n",
    );
  });

  it.each<[string, World, string]>([
    ["apply", {}, "-f: is required: a file, a directory, or - for standard input"],
    ["apply -f=none.yaml", {}, "-f: none.yaml: no such file or directory"],
    ["apply -f=e.yaml", { files: { "e.yaml": "# nothing\n" } }, "-f: e.yaml: has nothing in it to apply"],
    ["apply -f=s.yaml", { files: { "s.yaml": "a: [1" } }, "s.yaml: is not YAML: "],
    ["apply -f=s.json", { files: { "s.json": '{"a":1,}' } }, "s.json: is not JSON: expected a key"],
    ["apply -f=s.yaml", { files: { "s.yaml": "- a\n- b\n" } }, "s.yaml: must be a mapping"],
    ["apply -f=d", { files: { "d/x.txt": "a: 1" } }, "-f: d: has no *.yaml, *.yml or *.json in it"],
    ["apply -f=d", { files: { "d/a.yaml": one, "d/b.yaml": "\tx: 1" } }, "d/b.yaml: is not YAML: "],
    ["apply -f=d", { files: { "d/a.yaml": "a: [", "d/b.yaml/c": "" } }, "d/a.yaml: is not YAML: "],
    ["apply -f=d", { files: { "d/a.yaml": one, "d/b.yaml/c": "" } }, "-f: d/b.yaml: no such file"],
    ["apply -f -", { stdin: "x" }, "standard input: must be a mapping"],
  ])("refuses `%s` in one line and sends nothing", async (line, world, wanted) => {
    const { code, out, err, asked } = await ask(line, taken, world);
    expect([code, out, asked]).toEqual([2, "", []]);
    expect(err.startsWith(`rollcall: ${wanted}`), err).toBe(true);
    expect(err).toMatch(/^[^\n]+\n$/);
  });

  it("is no bad input where the coordinator fails or wants a token", async () => {
    const failing = {
      status: 503,
      body: { error: { code: "store", message: "the store failed", hint: "" } },
    };
    const world = { files: { "s.yaml": one } };
    expect(await ask("apply -f=s.yaml", { "POST /v1/apply": failing }, world)).toMatchObject({ code: 1 });
    const unauthorized = {
      status: 401,
      body: { error: { code: "unauthorized", message: "no token", hint: "" } },
    };
    const { code, err } = await ask("apply -f=s.yaml", { "POST /v1/apply": unauthorized }, world);
    expect(code).toBe(1);
    expect(err).toMatch(/: no token; -token-file names the file with its token\n$/);
  });
});
