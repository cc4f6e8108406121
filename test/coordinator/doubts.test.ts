import { describe, expect, it } from "vitest";
import type { Seen } from "../../src/core/observation.ts";
import { clusterSettings, discovery, leader, listing, running } from "./support/running.ts";

const A = "10.0.0.1:4100";
const IDS = ["prod/a", "prod/b", "prod/c"];

/** A coordinator of these clusters, each refreshed once. */
async function refreshed(ids: readonly string[]) {
  const [cluster] = listing(A).clusters;
  const clusters = ids.map((cluster_id) => ({ display_name: null, nodes: [], ...cluster, cluster_id }));
  const its = await running({
    look: async () => ({ ...listing(), clusters }),
    poll: async () => leader(1),
  });
  await its.apply(discovery({ interval: 600 }));
  await its.pass(1_000);
  return its;
}

describe("what is in doubt", () => {
  it("is read back alone, however much else the store has", async () => {
    const its = await refreshed(IDS);
    const before = its.wholes();
    its.forget();
    its.unread("settingsOf");
    await expect(its.view.remove("DiscoverySettings", "d")).rejects.toThrow("disk I/O error");
    its.unread();
    await its.pass(3_000);
    expect([its.view.discoveries(), its.view.clusters()]).toEqual([[], []]);
    expect(its.wholes()).toBe(before);
    await its.end();
  });
});

describe("what cannot be read back", () => {
  it("is told of once when that begins and once when it is over, and shown meanwhile", async () => {
    const its = await refreshed(IDS);
    expect(its.view.inDoubt()).toBe(0);
    its.forget();
    its.unread("recordsOf");
    await expect(its.view.remove("DiscoverySettings", "d")).rejects.toThrow("disk I/O error");
    await its.pass(10_000);
    expect(its.view.inDoubt()).toBe(1);
    const error = "read the store: disk I/O error";
    expect(its.logged("what is in doubt cannot be read back")).toMatchObject([{ inDoubt: 1, error }]);
    expect(its.logged("what was in doubt is read back")).toEqual([]);
    // Why the store cannot say so, and not only that it does not.
    await its.view.refresh("prod/a");
    await its.pass(100);
    const [report] = its.view.reports("prod/a");
    expect(report).toMatchObject({
      ...{ outcome: "failed", decisions: [{ code: "store", message: `read discovery:d back: ${error}` }] },
    });
    its.unread();
    await its.pass(3_000);
    expect(its.view.inDoubt()).toBe(0);
    expect(its.logged("what is in doubt cannot be read back")).toHaveLength(1);
    expect(its.logged("what was in doubt is read back")).toHaveLength(1);
    await its.end();
  });
});

describe("a cluster of which nothing is left", () => {
  it("is not made again by reading it back", async () => {
    const its = await refreshed(IDS);
    its.forget();
    await expect(its.view.remove("DiscoverySettings", "d")).rejects.toThrow("disk I/O error");
    expect(its.view.settings()).toEqual([]);
    await its.end();
  });

  it("is forgotten where it was never refreshed, once nobody lists it", async () => {
    const lists = [listing(A), { ...listing(), clusters: [] }];
    const said = Promise.withResolvers<Seen>();
    const its = await running({
      look: async () => lists.shift() ?? listing(A),
      poll: () => said.promise,
    });
    await its.apply(discovery({ interval: 600 }));
    await its.pass(100);
    expect(its.view.settings()).toHaveLength(1);
    await its.view.accept("d");
    expect(its.view.settings()).toEqual([]);
    said.resolve(leader(1));
    await its.end();
  });

  it("is forgotten with the settings that were applied before anybody listed it", async () => {
    const its = await running({ look: async () => listing() });
    await its.apply(clusterSettings({ interval: 10 }));
    await its.view.remove("ClusterSettings", "prod/a");
    expect(its.view.settings()).toEqual([]);
    await its.end();
  });
});
