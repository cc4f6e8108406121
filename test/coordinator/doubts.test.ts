import { describe, expect, it } from "vitest";
import { discovery, leader, listing, running } from "./support/running.ts";

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
