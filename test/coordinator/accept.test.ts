/** What an operator accepts, and what is said of an inventory that cannot be read whole. */
import { describe, expect, it } from "vitest";
import type { Listing } from "../../src/core/inventory.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { discovery, leader, listing, running } from "./support/running.ts";

const [A, B, C] = ["10.0.0.1:4100", "10.0.0.2:4100", "10.0.0.3:4100"];

describe("what is accepted", () => {
  it("names the clusters that it changed, suspect or not", async () => {
    let listed: Listing = { ...listing(A, B, C), leased: true };
    const its = await running({ look: async () => listed, poll: async () => leader(1) });
    await its.apply(discovery({ interval: 600 }));
    await its.pass(1_000);
    listed = { ...listing(A), leased: true };
    expect(await its.view.accept("d")).toEqual(["prod/a"]);
    expect(its.view.cluster("prod/a")?.cluster?.facts.inventory).toHaveLength(1);
    expect(await its.view.accept("d")).toEqual([]);
    listed = { ...listing(), clusters: [] };
    expect(await its.view.accept("d")).toEqual(["prod/a"]);
    expect(its.view.cluster("prod/a")).toBeNull();
    await its.end();
  });

  it("is refused where nobody looks, and where the inventory fails, with its words", async () => {
    let enabled = true;
    const its = await running({
      look: async () => {
        if (enabled) throw new RollcallError("file", "list the clusters in /d: no such file");
        return listing(A);
      },
    });
    await its.apply(discovery({ interval: 600 }));
    await expect(its.view.accept("d")).rejects.toMatchObject({
      code: "discovery",
      message: "accept d: list the clusters in /d: no such file",
    });
    enabled = false;
    await its.apply(discovery({ interval: 600, enabled }));
    await expect(its.view.accept("d")).rejects.toMatchObject({ code: "disabled" });
    expect(its.view.discoveries()[0]?.clusters).toEqual([]);
    expect(await its.view.accept("e")).toBeNull();
    await its.end();
  });
});

describe("an inventory of which something cannot be read", () => {
  it("is told of in the log when that changes", async () => {
    let problems: readonly string[] = [];
    const its = await running({
      look: async () => ({ ...listing(A), problems }),
      poll: async () => leader(1),
    });
    await its.apply(discovery({ interval: 1 }));
    const warned = () => its.logged("discovery could not read everything");
    await its.pass(2_500);
    expect(warned()).toEqual([]);
    problems = ["cluster 2: has no cluster_id"];
    await its.pass(5_000);
    expect(warned()).toMatchObject([{ level: 40, discovery: "d", problems }]);
    problems = [];
    await its.pass(2_500);
    problems = ["cluster 2: has no cluster_id"];
    await its.pass(2_500);
    expect(warned()).toHaveLength(2);
    await its.end();
  });
});
