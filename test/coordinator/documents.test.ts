/** Documents to settings: what is taken, and the line that says why something is not. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { inventories } from "../../providers/index.ts";
import { issueLines } from "../../src/cli/issues.ts";
import {
  ClusterDocument,
  DiscoveryDocument,
  ReplicanteDocument,
} from "../../src/coordinator/document-schemas.ts";
import { type InventoryCheck, parseDocuments, type Understood } from "../../src/coordinator/documents.ts";
import { shownDocument } from "../../src/coordinator/secrets.ts";
import { syntheticSettings } from "../../src/core/settings.ts";

const anything: InventoryCheck = async () => ({ ok: true });

async function understood(text: string): Promise<readonly Understood[]> {
  const parsed = await parseDocuments(text, anything);
  if (!parsed.ok) throw new TypeError(parsed.problems.join("\n"));
  return parsed.documents;
}

async function problems(text: string, check = anything): Promise<readonly string[]> {
  const parsed = await parseDocuments(text, check);
  return parsed.ok ? [] : parsed.problems;
}

const discovery = (spec: object, name = "prod") =>
  JSON.stringify({ apiVersion: "rollcall/v1", kind: "DiscoverySettings", metadata: { name }, spec });
const cluster = (spec: object, metadata: object = { name: "prod/orders" }) =>
  JSON.stringify({ apiVersion: "rollcall/v1", kind: "ClusterSettings", metadata, spec });

const YAML = `
apiVersion: rollcall/v1
kind: DiscoverySettings
metadata: { namespace: default, name: prod }
spec:
  interval: 30s
  mode: consul-kv
  config: { address: 10.0.0.1:8500, prefix: prod }
  allow: { cidrs: [10.0.0.0/8], ports: [4100, 4101] }
  tls: { ca_file: /etc/ca.pem }
  token_file: /etc/token
---
# Only a comment, and no document.
---
apiVersion: rollcall/v1
kind: ClusterSettings
metadata: { name: prod/orders }
spec: { interval: 10, node_timeout: 2s, expected_nodes: 3, quorum: 2, retire_after: 24h, enabled: false }
`;

describe("documents", () => {
  it("are YAML with any number of them", async () => {
    const [first, second, ...rest] = await understood(YAML);
    expect(first?.settings).toEqual({
      name: "prod",
      enabled: true,
      interval_ms: 30_000,
      mode: "consul-kv",
      config: { address: "10.0.0.1:8500", prefix: "prod" },
      cluster_id: null,
      allow: { cidrs: ["10.0.0.0/8"], ports: [4100, 4101] },
      tls: { ca_file: "/etc/ca.pem", cert_file: null, key_file: null },
      token_file: "/etc/token",
    });
    expect(second).toMatchObject({
      kind: "ClusterSettings",
      name: "prod/orders",
      settings: {
        cluster_id: "prod/orders",
        enabled: false,
        interval_ms: 10_000,
        node_timeout_ms: 2_000,
        expected_nodes: 3,
        quorum: 2,
        retire_after_ms: 86_400_000,
      },
    });
    expect(rest).toEqual([]);
  });

  it("are JSON, alone or in a list", async () => {
    const one = discovery({ mode: "file", config: { path: "clusters.yaml" } });
    expect(await understood(one)).toHaveLength(1);
    expect((await understood(`[${one}, ${cluster({})}]`)).map(({ name }) => name)).toEqual([
      "prod",
      "prod/orders",
    ]);
  });

  it("have the default of every key that is left out", async () => {
    const [first] = await understood(discovery({ mode: "http" }));
    expect(first?.settings).toEqual({
      name: "prod",
      enabled: true,
      interval_ms: 60_000,
      mode: "http",
      config: {},
      cluster_id: null,
      allow: {
        cidrs: ["10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"],
        ports: [4100],
      },
      tls: null,
      token_file: null,
    });
    const [second] = await understood(cluster({}));
    expect(second?.settings).toEqual(syntheticSettings("prod/orders"));
    const [third] = await understood(cluster({ cluster_id: "orders" }, {}));
    expect(third?.name).toBe("orders");
  });

  it("may allow more than what is never asked", async () => {
    const cidrs = ["::/0", "0.0.0.0/0"];
    const [one] = await understood(discovery({ mode: "http", allow: { cidrs } }));
    expect(one?.settings).toMatchObject({ allow: { cidrs: ["0.0.0.0/0", "::/0"] } });
  });

  it("are Replicante's own, unchanged", async () => {
    const [one] = await understood(`
apiVersion: replicante.io/v0
kind: DiscoverySettings
metadata: {namespace: default, name: playground}
spec: {backend: http, enabled: true, interval: 10, method: GET, url: 'http://host:9876/discover'}
`);
    expect(one?.settings).toMatchObject({
      name: "playground",
      interval_ms: 10_000,
      mode: "http",
      config: { method: "GET", url: "http://host:9876/discover" },
    });
  });

  it("are the same text whenever they say the same", async () => {
    const [a] = await understood(YAML);
    const [b] = await understood(
      discovery({
        token_file: "/etc/token",
        tls: { cert_file: null, ca_file: "/etc/ca.pem" },
        allow: { ports: [4101, 4100, 4100], cidrs: ["10.0.0.0/8"] },
        config: { prefix: "prod", address: "10.0.0.1:8500" },
        mode: "consul-kv",
        interval: 30,
        enabled: true,
      }),
    );
    expect(b?.document).toBe(a?.document);
    const [c] = await understood(discovery({ mode: "consul-kv", config: { prefix: "other" } }));
    expect(c?.document).not.toBe(a?.document);
  });

  it("come back the same from their canonical text", async () => {
    const spec = fc.record(
      {
        interval: fc.oneof(
          fc.integer({ min: 1, max: 86_400 }),
          fc.integer({ min: 1_000, max: 86_400_000 }).map((ms) => `${ms}ms`),
        ),
        enabled: fc.boolean(),
        expected_nodes: fc.option(fc.integer({ min: 1, max: 9 })),
        retire_after: fc.option(fc.integer({ min: 1, max: 1e6 })),
        node_timeout: fc.integer({ min: 100, max: 300_000 }).map((ms) => `${ms}ms`),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(spec, async (given) => {
        const [one] = await understood(cluster(given));
        const [again] = await understood(one?.document ?? "");
        expect(again).toEqual(one);
      }),
    );
    const [one] = await understood(YAML);
    expect(await understood(one?.document ?? "")).toEqual([one]);
  });

  it("are refused together when one of them is wrong, and each line names its document", async () => {
    expect(await problems(`[${cluster({})}, ${discovery({ mode: "http", interval: "0s" })}]`)).toEqual([
      'document 2, DiscoverySettings prod: spec.interval: is "0s"; must be a duration from 1s to 24h such as "30s", or whole seconds',
    ]);
  });

  const rule = 'must be a duration from 1s to 24h such as "30s", or whole seconds';
  const http = { mode: "http" };
  it.each<[string, object, string]>([
    ["an interval of 0", { ...http, interval: 0 }, `spec.interval: is 0; ${rule}`],
    ["a negative interval", { ...http, interval: -5 }, `spec.interval: is -5; ${rule}`],
    ["an interval under a second", { ...http, interval: "999ms" }, `spec.interval: is "999ms"; ${rule}`],
    ["half a second as a number", { ...http, interval: 0.5 }, `spec.interval: is 0.5; ${rule}`],
    ["no duration at all", { ...http, interval: "soon" }, `spec.interval: is "soon"; ${rule}`],
    [
      "a key that is nearly one",
      { ...http, intervall: 5 },
      "spec.intervall: unknown key (did you mean interval?)",
    ],
    [
      "a key below that is nearly one",
      { ...http, allow: { cidr: [] } },
      "spec.allow.cidr: unknown key (did you mean cidrs?)",
    ],
    [
      "a mode that is nearly one",
      { mode: "consul_kv" },
      'spec.mode: is "consul_kv"; must be one of http, file, consul-kv, etcd-kv, disco, dns, dns-srv, consul-service, static (did you mean consul-kv?)',
    ],
    [
      "no mode",
      {},
      "spec.mode: is missing; must be one of http, file, consul-kv, etcd-kv, disco, dns, dns-srv, consul-service, static",
    ],
    [
      "dns without a cluster",
      { mode: "dns" },
      "spec.cluster_id: is missing; must be the agents' key: nothing in mode dns names the cluster",
    ],
    [
      "http with a cluster",
      { ...http, cluster_id: "a" },
      "spec.cluster_id: is not for mode http, whose source names its clusters",
    ],
    [
      "a cluster id that is no key",
      { mode: "static", cluster_id: "Prod" },
      'spec.cluster_id: is "Prod"; must be 1 to 4 segments of [a-z0-9._-] joined by /, as in prod/orders',
    ],
    [
      "link-local addresses",
      { ...http, allow: { cidrs: ["169.254.169.254/32"] } },
      "spec.allow.cidrs.0: is link-local; no agent is asked there, whatever is listed",
    ],
    [
      "a metadata service",
      { ...http, allow: { cidrs: ["10.0.0.0/8", "fd00:ec2::254/128"] } },
      "spec.allow.cidrs.1: is a metadata service; no agent is asked there, whatever is listed",
    ],
    [
      "an address instead of a range",
      { ...http, allow: { cidrs: ["10.0.0.1"] } },
      'spec.allow.cidrs.0: is "10.0.0.1"; must end in a prefix length from 0 to 32, as in 10.0.0.1/32',
    ],
    [
      "IPv4 in IPv6's clothes",
      { ...http, allow: { cidrs: ["::ffff:169.254.0.0/112"] } },
      'spec.allow.cidrs.0: is "::ffff:169.254.0.0/112"; must be written as an IPv4 range',
    ],
    [
      "a name as a range",
      { ...http, allow: { cidrs: ["localhost/8"] } },
      'spec.allow.cidrs.0: is "localhost/8"; must be an address range such as 10.0.0.0/8 or fd00::/8',
    ],
    [
      "a port that is none",
      { ...http, allow: { ports: [70_000] } },
      "spec.allow.ports.0: is 70000; must be at most 65535",
    ],
    [
      "an empty list of ports",
      { ...http, allow: { ports: [] } },
      "spec.allow.ports: is []; must not be empty",
    ],
    ["half a key pair", { ...http, tls: { cert_file: "c.pem" } }, "spec.tls.cert_file: needs key_file"],
    ["a word for yes", { ...http, enabled: "yes" }, 'spec.enabled: is "yes"; must be true or false'],
  ])("refuse %s", async (_what, spec, line) => {
    expect(await problems(discovery(spec))).toEqual([`document 1, DiscoverySettings prod: ${line}`]);
  });

  it.each<[string, string, string]>([
    [
      "a broken count",
      cluster({ quorum: 1.5 }),
      "document 1, ClusterSettings prod/orders: spec.quorum: is 1.5; must be a whole number",
    ],
    [
      "no voters at all",
      cluster({ quorum: 0 }),
      "document 1, ClusterSettings prod/orders: spec.quorum: is 0; must be at least 1",
    ],
    [
      "another namespace",
      cluster({}, { namespace: "prod", name: "a" }),
      'document 1, ClusterSettings a: metadata.namespace: is "prod"; must be "default" in this version',
    ],
    [
      "two names of one cluster",
      cluster({ cluster_id: "b" }, { name: "a" }),
      'document 1, ClusterSettings a: spec.cluster_id: is "b"; must be metadata.name, a, or left out',
    ],
    [
      "a cluster without a name",
      cluster({}, {}),
      "document 1, ClusterSettings: metadata.name: is missing; must be the cluster's id, as in prod/orders",
    ],
    [
      "a kind that is nearly one",
      '{"apiVersion":"rollcall/v1","kind":"ClusterSetting"}',
      'document 1, ClusterSetting: kind: is "ClusterSetting" (did you mean ClusterSettings?)'.replace(
        "1 C",
        "1, C",
      ),
    ],
    [
      "an apiVersion of another program",
      '{"apiVersion":"v1"}',
      'document 1: apiVersion: is "v1"; there are rollcall/v1, replicante.io/v0',
    ],
    [
      "no apiVersion",
      "{}",
      "document 1: apiVersion: is missing; must be one of rollcall/v1, replicante.io/v0",
    ],
    ["a text", "just words", "document 1: must be a mapping with apiVersion, kind, metadata and spec"],
    ["nothing", "---\n# nothing\n", "there is no document in the text"],
    ["half a flow mapping", "{a: [1", "the text is not YAML: wrong indentation at line 1, column 7"],
    [
      "the same object twice",
      `[${cluster({})},${cluster({})}]`,
      "document 2, ClusterSettings prod/orders: stands in the same text twice",
    ],
    ["too large a text", `# ${"x".repeat(1024 * 1024)}`, "the text is larger than 1 MiB"],
    [
      "a Replicante backend that never was",
      '{"apiVersion":"replicante.io/v0","kind":"DiscoverySettings","metadata":{"name":"a"},"spec":{"backend":"consul","interval":10,"url":"http://a/"}}',
      'document 1, DiscoverySettings a: spec.backend: is "consul"; must be "http"',
    ],
  ])("refuse %s", async (_what, text, line) => {
    expect(await problems(text)).toEqual([line]);
  });

  it("are checked by the mode's own schema, whose problems hold no values", async () => {
    const check: InventoryCheck = async (mode, config) =>
      mode === "http" && !("url" in config)
        ? { ok: false, problems: ["url: must be an http or https URL", "and 2 more"] }
        : { ok: true };
    expect(await problems(discovery({ mode: "http" }), check)).toEqual([
      "document 1, DiscoverySettings prod: spec.config.url: must be an http or https URL",
      "document 1, DiscoverySettings prod: spec.config: and 2 more",
    ]);
    expect(await problems(discovery({ mode: "http", config: { url: "http://a/" } }), check)).toEqual([]);
  });

  it("are checked so by the modes that there are", async () => {
    const check: InventoryCheck = async (mode, config) => {
      const { Config } = await inventories[mode]();
      const parsed = Config.safeParse(config);
      return parsed.success ? { ok: true } : { ok: false, problems: issueLines(Config, parsed.error) };
    };
    const valid: readonly (readonly [string, object, string?])[] = [
      ["http", { url: "http://a/" }],
      ["file", { path: "clusters.yaml" }],
      ["consul-kv", { prefix: "prod" }],
      ["etcd-kv", { prefix: "prod", endpoints: ["a:1"] }],
      ["disco", { url: "http://a/", id: "orders" }],
      ["disco", { url: "http://a/" }, "orders"],
      ["dns", { name: "db.example" }, "orders"],
      ["dns-srv", { name: "db.example" }, "orders"],
      ["consul-service", { service: "orders" }, "orders"],
      ["static", { addresses: ["a:4100"] }, "orders"],
    ];
    for (const [mode, config, cluster_id = null] of valid)
      expect(await problems(discovery({ mode, config, cluster_id }), check)).toEqual([]);
    const where = "document 1, DiscoverySettings prod: spec.config";
    expect(await problems(discovery({ mode: "consul-kv", config: { prefx: "hunter2" } }), check)).toEqual([
      `${where}.prefix: must be what the keys of the clusters begin with, as in prod`,
      `${where}.prefx: unknown key (did you mean prefix?)`,
    ]);
    expect(
      await problems(discovery({ mode: "http", config: { url: "http://u:hunter2@a/" } }), check),
    ).toEqual([`${where}.url: must have no user and no fragment`]);
    const replicante = {
      backend: "http",
      interval: 10,
      url: "host:9876",
      method: "GET",
      timeout: 500,
      body: null,
    };
    const document = {
      apiVersion: "replicante.io/v0",
      kind: "DiscoverySettings",
      metadata: { namespace: "default", name: "old" },
      spec: replicante,
    };
    expect(await problems(JSON.stringify(document), check)).toEqual([
      "document 1, DiscoverySettings old: spec.url: must be an http or https URL",
    ]);
    const right = { ...document, spec: { ...replicante, url: "http://host:9876/discover", tls: null } };
    expect(await problems(JSON.stringify(right), check)).toEqual([]);
  });

  it("never show what may be a secret", async () => {
    const secret = "hunter2";
    const lines = await problems(discovery({ mode: "http", config: secret, [`x ${secret}`]: 1 }));
    expect(lines).toHaveLength(2);
    expect(lines.join()).not.toContain(secret);
    const [one] = await understood(
      discovery({
        mode: "consul-kv",
        config: {
          token: secret,
          token_file: "/etc/token",
          basic_auth: { username: "u", password: secret },
          tls_config: { key_pem: secret, ca_file: "ca.pem" },
          prefix: "prod",
        },
      }),
    );
    const shown = shownDocument(one?.document ?? "");
    expect(JSON.stringify(shown)).not.toContain(secret);
    expect(shown).toMatchObject({
      spec: { config: { token_file: "/etc/token", tls_config: { ca_file: "ca.pem" }, prefix: "prod" } },
    });
    expect(await problems(JSON.stringify(shown))).toEqual([
      "document 1, DiscoverySettings prod: spec.config.basic_auth.password: stands for a secret that is not shown; write the secret itself",
    ]);
  });

  it("have schemas that OpenAPI can show", () => {
    for (const schema of [DiscoveryDocument, ClusterDocument, ReplicanteDocument])
      expect(z.toJSONSchema(schema, { io: "input" })).toMatchObject({ type: "object" });
  });
});
