/** Inventories of one cluster, over the look-ups of providers, and the table of all modes. */
import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import * as disco from "../../providers/disco.ts";
import { inventories, providers } from "../../providers/index.ts";
import { toListing } from "../../providers/one-cluster.ts";
import { InventoryMode, namesClusters } from "../../src/core/inventory.ts";
import type { Lookup } from "../../src/core/provider.ts";
import { createRegisters } from "../../src/discovery-service/registers.ts";
import { serve } from "../../src/discovery-service/serve.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { contextFor, member, patient, record } from "../contract/stage.ts";
import { startNameServer } from "../support/name-server.ts";
import { inventoryContext, inventoryOpener, lackOf, lookOf, plainNode } from "./inventory-stage.ts";
import { problemOf } from "./opener.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const complete = (clusterId: string, ...nodes: readonly object[]) => ({
  kind: "complete",
  clusters: [{ cluster_id: clusterId, display_name: null, nodes }],
  lacking: [],
  leased: false,
  retired: [],
  foreign: [],
  problems: [],
});

describe("every mode of an inventory", () => {
  it.each(InventoryMode.options)("%s has a configuration and can be opened", async (mode) => {
    const loaded = await inventories[mode]();
    expect(loaded.open).toBeTypeOf("function");
    expect(loaded.Config.safeParse({ "no such key": 1 }).success).toBe(false);
  });

  it("is every provider's", () => {
    expect(new Set(Object.keys(inventories))).toEqual(new Set(Object.keys(providers)));
    expect(InventoryMode.options.filter((mode) => !namesClusters(mode))).toEqual([
      "disco",
      "dns",
      "dns-srv",
      "consul-service",
      "static",
    ]);
  });
});

describe("a list", () => {
  const openWith = inventoryOpener("static");

  it("names somebody", async () => {
    const { Config } = await inventories.static();
    expect(problemOf(Config, { addresses: [] })).toBe("addresses: must name at least one agent");
  });

  it("is one cluster, sorted", async () => {
    const inventory = await openWith(
      { addresses: ["b.example", "a.example:4101", "b.example:4100"] },
      "prod/orders",
    );
    expect(await lookOf(inventory)).toEqual(
      complete("prod/orders", plainNode("a.example:4101"), plainNode("b.example:4100")),
    );
    await inventory.close();
    expect(await lackOf(inventory)).toMatch(/^closed: /);
  });

  it("is none that nobody names", async () => {
    const { Config, open } = await inventories.static();
    await expect(open(Config.parse({ addresses: ["a"] }), inventoryContext(null))).rejects.toMatchObject({
      code: "no_cluster_id",
    });
  });
});

describe("a name in DNS", () => {
  const openWith = inventoryOpener("dns");

  it("is one cluster, of which something lacks where an answer is missing, and cannot tell without one", async () => {
    const server = await startNameServer({
      "A db.example": { addresses: ["10.0.0.2", "10.0.0.1"] },
      "AAAA db.example": "NODATA",
    });
    ends.push(() => server.close());
    const inventory = await openWith({ name: "db.example", resolvers: [server.endpoint] }, "orders");
    expect(await lookOf(inventory)).toEqual(
      complete("orders", plainNode("10.0.0.1:4100"), plainNode("10.0.0.2:4100")),
    );
    server.zone = { "A db.example": { addresses: ["10.0.0.2"] }, "AAAA db.example": "REFUSED" };
    expect(await lookOf(inventory)).toMatchObject({
      lacking: ["orders"],
      clusters: [{ nodes: [plainNode("10.0.0.2:4100")] }],
      problems: [expect.stringContaining("db.example")],
    });
    server.zone = {};
    expect(await lackOf(inventory)).toMatch(/^dns_nxdomain: /);
  });

  it("is one by its SRV records too", async () => {
    const server = await startNameServer({
      "SRV _rqlite._tcp.db.example": { targets: [{ target: "n1.example", port: 4101 }] },
      "A n1.example": { addresses: ["10.0.0.1"] },
      "AAAA n1.example": "NODATA",
    });
    ends.push(() => server.close());
    const { Config, open } = await inventories["dns-srv"]();
    const inventory = await open(
      Config.parse({ name: "db.example", resolvers: [server.endpoint] }),
      inventoryContext("orders"),
    );
    ends.push(() => inventory.close());
    expect(await lookOf(inventory)).toEqual(complete("orders", plainNode("10.0.0.1:4101")));
  });
});

describe("a Discovery Service", () => {
  const openWith = inventoryOpener("disco");

  it("has one cluster an id, with its leased members, once it has a genesis", async () => {
    const deps = { clock: systemClock, log: { error: () => {} }, uuid: randomUUID };
    const registers = createRegisters({ uuid: randomUUID });
    const service = await serve({ host: "127.0.0.1", port: 0, token: null, registers }, deps);
    ends.push(() => service.close());
    const url = `http://127.0.0.1:${service.port}`;
    const agent = await disco.open(disco.Config.parse({ url }), contextFor("prod/orders"));
    ends.push(() => agent.close());
    const byKey = await openWith({ url }, "prod/orders");
    expect(await lookOf(byKey)).toMatchObject({ kind: "complete", clusters: [], leased: true, foreign: [] });
    await agent.leaderKey?.swap(null, '{"id":"1"}', patient());
    expect(await lookOf(byKey)).toMatchObject({ clusters: [], foreign: ["prod/orders"] });
    await agent.genesis?.swap(null, record("i", ""), patient());
    await agent.members?.announce(member(), patient());
    const listed = {
      ...complete("prod/orders", plainNode("10.0.0.1:4100", { node_id: "n1", incarnation: "n1-life-1" })),
      leased: true,
    };
    expect(await lookOf(byKey)).toEqual(listed);
    expect(await lookOf(await openWith({ url, id: "prod/orders" }))).toEqual(listed);
  });
});

describe("a look-up", () => {
  it("that leaves out a member lacks it", () => {
    const lookup: Lookup = {
      kind: "partial",
      addresses: [],
      members: [member()],
      genesis: null,
      leader: null,
    };
    expect(toListing("c", { ...lookup, genesis: { value: "{}", revision: "1" } })).toMatchObject({
      ...{ kind: "complete", lacking: ["c"] },
      clusters: [{ nodes: [{ node_id: "n1" }] }],
      problems: ["the record of a member could not be read"],
    });
  });

  it("with an address that is none lacks that member, and without one passes the member over", () => {
    const members = [member({ agent_addr: "nowhere" }), member({ id: "n2", agent_addr: "" })];
    const lookup: Lookup = {
      kind: "complete",
      addresses: [],
      members,
      genesis: { value: "{}", revision: "1" },
    };
    expect(toListing("c", lookup)).toMatchObject({
      ...{ kind: "complete", lacking: ["c"] },
      clusters: [{ nodes: [] }],
      problems: ["the address of n1 has no port; write nowhere:4100"],
    });
  });
});
