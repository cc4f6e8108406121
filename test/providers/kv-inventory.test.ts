/** Clusters below a prefix: what rows say, and the same on real stores. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Config as ConsulConfig } from "../../providers/consul/inventory.ts";
import * as consulKv from "../../providers/consul-kv.ts";
import { Config as EtcdConfig } from "../../providers/etcd/inventory.ts";
import * as etcdKv from "../../providers/etcd-kv.ts";
import { toListing } from "../../providers/kv-inventory.ts";
import type { InventoryMode } from "../../src/core/inventory.ts";
import type { Provider } from "../../src/core/provider.ts";
import { contextFor, freshKey, member, patient, record } from "../contract/stage.ts";
import {
  base64,
  type Consul,
  describeWith,
  type Etcd,
  startConsul,
  startEtcd,
} from "../support/servers/index.ts";
import { inventoryOpener, lackOf, lookOf, plainNode } from "./inventory-stage.ts";
import { problemOf } from "./opener.ts";

const signal = patient();

const listing = (prefix: string, rows: Readonly<Record<string, string>>) =>
  toListing(
    "list clusters",
    prefix,
    Object.entries(rows).map(([name, value]) => ({ name, value, revision: "1" })),
  );
const memberRow = (id: string, address = `${id}:4100`) => JSON.stringify(member({ id, agent_addr: address }));
const leasedNode = (id: string, address = `${id}:4100`) =>
  plainNode(address, { node_id: id, incarnation: `${id}-life-1` });

describe("rows below a prefix", () => {
  it("are clusters where there is a genesis, with their leased members", () => {
    expect(
      listing("prod", {
        "orders/genesis": "{}",
        "orders/init/x": "",
        "orders/leader": "{}",
        "orders/members/n2": memberRow("n2"),
        "orders/members/n1": memberRow("n1"),
        "orders/retired/old": "{}",
        "eu/users/genesis": "{}",
        genesis: "{}",
      }),
    ).toEqual({
      kind: "complete",
      clusters: [
        { cluster_id: "prod", display_name: null, nodes: [] },
        { cluster_id: "prod/eu/users", display_name: null, nodes: [] },
        { cluster_id: "prod/orders", display_name: null, nodes: [leasedNode("n1"), leasedNode("n2")] },
      ],
      lacking: [],
      leased: true,
      retired: ["old"],
      foreign: [],
      problems: [],
    });
  });

  it("are foreign where there is a leader and no genesis, and nothing where there is neither", () => {
    const found = listing("prod", { "a/leader": "{}", "b/members/n1": memberRow("n1"), "c/genesis/x": "" });
    expect(found).toMatchObject({ kind: "complete", clusters: [], foreign: ["prod/a"] });
  });

  it("are no cluster for a member that is called like one", () => {
    const found = listing("prod", {
      "a/genesis": "{}",
      "a/members/genesis": memberRow("genesis"),
      "a/members/leader": memberRow("leader"),
      "a/retired/genesis": "",
    });
    expect(found.clusters.map((one) => one.cluster_id)).toEqual(["prod/a"]);
    expect(found.clusters[0]?.nodes.map((node) => node.node_id)).toEqual(["genesis", "leader"]);
    expect(found).toMatchObject({ foreign: [], retired: ["genesis"] });
  });

  it("are no cluster under a name that no agent can have", () => {
    const found = listing("a", {
      "B/genesis": "",
      "b/c/d/e/genesis": "",
      "../genesis": "",
      "b//genesis": "",
    });
    expect(found).toMatchObject({ kind: "complete", clusters: [], foreign: [] });
  });

  it("lack what cannot be understood of a member, and pass over one that nobody can ask", () => {
    const found = listing("prod", {
      "a/genesis": "{}",
      "a/members/n1": memberRow("n1"),
      "a/members/n2": "nonsense",
      "a/members/n3": memberRow("other"),
      "a/members/n4": memberRow("n4", ""),
      "a/members/n5": memberRow("n5", "n5"),
    });
    expect(found).toMatchObject({ kind: "complete", lacking: ["prod/a"] });
    expect(found.clusters[0]?.nodes).toEqual([leasedNode("n1")]);
    expect(found.problems).toEqual(["n2", "n3", "n5"].map((id) => `prod/a/members/${id} could not be read`));
  });

  it("are too many at some point", () => {
    const rows = Array.from({ length: 200_001 }, (_, at) => ({
      name: `a/init/${at}`,
      value: "",
      revision: "1",
    }));
    expect(() => toListing("list clusters", "prod", rows)).toThrow("list clusters: more than 200000 rows");
  });
});

describe("the configuration of an inventory in a store", () => {
  it.each([
    ["consul-kv", ConsulConfig, { address: "10.0.0.1:8500" }],
    ["etcd-kv", EtcdConfig, { endpoints: ["10.0.0.1:2379"] }],
  ])("of mode %s is the provider's, and a prefix", (_mode, schema, own) => {
    expect(schema.parse({ ...own, prefix: "/prod/eu/" }).prefix).toBe("prod/eu");
    expect(problemOf(schema, own)).toBe(
      "prefix: must be what the keys of the clusters begin with, as in prod",
    );
    expect(problemOf(schema, { ...own, prefix: "/" })).toBe(
      "prefix: must be 1 to 4 segments of [a-z0-9._-] joined by /, as in prod/orders",
    );
    expect(problemOf(schema, { ...own, prefix: "a", prefx: "b" })).toBe(': Unrecognized key: "prefx"');
  });

  it("keeps the provider's own rules", () => {
    expect(problemOf(EtcdConfig, { prefix: "a", cert_file: "c" })).toBe("cert_file: needs key_file");
  });
});

type Store = {
  readonly config: object;
  put(path: string, value: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** A provider as an agent has it. */
  agent(key: string): Promise<Provider>;
  stop(): Promise<void>;
};

/** What holds on every store. */
function onStore(mode: InventoryMode, start: () => Promise<Store>): void {
  let store: Store;
  beforeAll(async () => {
    store = await start();
  });
  afterAll(() => store.stop());
  const openWith = inventoryOpener(mode);

  it("lists what agents have written below the prefix, and nothing beside it", async () => {
    const prefix = freshKey();
    const inventory = await openWith({ ...store.config, prefix });
    expect(await lookOf(inventory)).toMatchObject({ kind: "complete", clusters: [], foreign: [] });
    const agents = [await store.agent(`${prefix}/orders`), await store.agent(`${prefix}-other`)];
    try {
      for (const agent of agents) {
        await agent.genesis?.swap(null, record("i", ""), signal);
        await agent.members?.announce(member(), signal);
      }
      await store.put(`${prefix}/foreign/leader`, '{"id":"1","api_addr":"http://h:4001","addr":"h:4002"}');
      await store.put(`${prefix}/orders/retired/gone`, "{}");
      expect(await lookOf(inventory)).toEqual({
        kind: "complete",
        clusters: [
          {
            cluster_id: `${prefix}/orders`,
            display_name: null,
            nodes: [plainNode("10.0.0.1:4100", { node_id: "n1", incarnation: "n1-life-1" })],
          },
        ],
        lacking: [],
        leased: true,
        retired: ["gone"],
        foreign: [`${prefix}/foreign`],
        problems: [],
      });
      await agents[0]?.members?.withdraw(signal);
      expect((await lookOf(inventory)).clusters).toMatchObject([
        { cluster_id: `${prefix}/orders`, nodes: [] },
      ]);
      await store.remove(`${prefix}/orders/genesis`);
      expect((await lookOf(inventory)).clusters).toEqual([]);
    } finally {
      await Promise.all(agents.map((agent) => agent.close()));
    }
  });

  it("knows who left for good from who is only away, until it is back", async () => {
    const prefix = freshKey();
    const inventory = await openWith({ ...store.config, prefix });
    const agent = await store.agent(`${prefix}/a`);
    const retired = async () => (await lookOf(inventory)).retired;
    try {
      await agent.members?.announce(member(), signal);
      await agent.members?.withdraw(signal);
      expect(await retired()).toEqual([]);
      await agent.members?.announce(member(), signal);
      await agent.members?.retire?.(member(), signal);
      await agent.members?.retire?.(member(), signal);
      await agent.members?.withdraw(signal);
      expect(await retired()).toEqual(["n1-life-1"]);
      await agent.members?.announce(member({ id: "n2", incarnation: "n2-life-1" }), signal);
      expect(await retired()).toEqual(["n1-life-1"]);
      const back = await store.agent(`${prefix}/a`);
      await back.members?.announce(member(), signal);
      await back.close();
      expect(await retired()).toEqual([]);
    } finally {
      await agent.close();
    }
  });

  it("says of which cluster a row is nonsense", async () => {
    const prefix = freshKey();
    await store.put(`${prefix}/a/genesis`, "{}");
    await store.put(`${prefix}/a/members/n1`, "nonsense");
    expect(await lookOf(await openWith({ ...store.config, prefix }))).toMatchObject({
      ...{ kind: "complete", lacking: [`${prefix}/a`] },
      problems: [`${prefix}/a/members/n1 could not be read`],
    });
  });

  it("ends when nobody waits, and is closed twice", async () => {
    const inventory = await openWith({ ...store.config, prefix: freshKey() });
    await expect(inventory.look(AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
    await inventory.close();
    await inventory.close();
    expect(await lackOf(inventory)).toMatch(/^closed: list clusters/);
  });
}

describeWith("consul", "the inventory consul-kv", () => {
  onStore("consul-kv", async () => {
    const consul = await startConsul();
    const config = { address: `${consul.address}:${consul.ports.http}` };
    return {
      config,
      put: async (path, body) => void (await consul.request(`/v1/kv/${path}`, { method: "PUT", body })),
      remove: async (path) => void (await consul.request(`/v1/kv/${path}`, { method: "DELETE" })),
      agent: (key) => consulKv.open(consulKv.Config.parse(config), contextFor(key)),
      stop: () => consul.stop(),
    };
  });
});

describeWith("consul", "the inventory consul-kv behind rights", () => {
  let consul: Consul;
  beforeAll(async () => {
    consul = await startConsul({ acl: true });
  });
  afterAll(() => consul.stop());
  const openWith = inventoryOpener("consul-kv");

  it("cannot tell what a token may not read, all of it or a part", async () => {
    const prefix = freshKey();
    await consul.request(`/v1/kv/${prefix}/a/genesis`, { method: "PUT", body: "{}" });
    await consul.request(`/v1/kv/${prefix}/b/genesis`, { method: "PUT", body: "{}" });
    const as = async (rules: string) => {
      const token = await consul.policyToken(rules);
      return openWith({ address: `${consul.address}:${consul.ports.http}`, token, prefix });
    };
    const all = await as(`key_prefix "${prefix}/" { policy = "read" }`);
    expect((await lookOf(all)).clusters.map((one) => one.cluster_id)).toEqual([`${prefix}/a`, `${prefix}/b`]);
    const line = /^store_denied: list clusters: .*the token lacks key_prefix "k.*\/" read$/;
    expect(await lackOf(await as('key_prefix "elsewhere/" { policy = "read" }'))).toMatch(line);
    expect(await lackOf(await as(`key_prefix "${prefix}/a/" { policy = "read" }`))).toMatch(line);
  });
});

describeWith("etcd", "the inventory etcd-kv", () => {
  onStore("etcd-kv", async () => {
    const etcd = await startEtcd();
    const config = { endpoints: [`${etcd.address}:${etcd.ports.client}`] };
    const key = (path: string) => base64(`/${path}`);
    return {
      config,
      put: async (path, value) =>
        void (await etcd.call("/v3/kv/put", { key: key(path), value: base64(value) })),
      remove: async (path) => void (await etcd.call("/v3/kv/deleterange", { key: key(path) })),
      agent: (path) => etcdKv.open(etcdKv.Config.parse(config), contextFor(path)),
      stop: () => etcd.stop(),
    };
  });
});

describeWith("etcd", "the inventory etcd-kv behind rights", () => {
  let etcd: Etcd;
  const prefix = freshKey();
  beforeAll(async () => {
    etcd = await startEtcd({ auth: { prefix: `/${prefix}/a/` } });
  });
  afterAll(() => etcd.stop());
  const openWith = inventoryOpener("etcd-kv");

  it("cannot tell what a user may not read", async () => {
    const { username = "", password = "" } = etcd.users?.user ?? {};
    const config = { endpoints: [`${etcd.address}:${etcd.ports.client}`], username, password };
    expect(await lookOf(await openWith({ ...config, prefix: `${prefix}/a` }))).toMatchObject({
      kind: "complete",
    });
    expect(await lackOf(await openWith({ ...config, prefix }))).toMatch(/^store_denied: list clusters: /);
  });
});
