import { describe, expect, it } from "vitest";
import type { Listing } from "../../src/core/inventory.ts";
import type { Seen } from "../../src/core/observation.ts";
import { turns } from "../lib/manual-clock.ts";
import { clusterSettings, discovery, leader, listing, running } from "./support/running.ts";

const A = "10.0.0.1:4100";
const B = "10.0.0.2:4100";

describe("a refresh", () => {
  it("tells of what went and came back between two polls", async () => {
    const flip = [
      { seq: 2, kind: "role", before: "leader", after: "replica" },
      { seq: 3, kind: "role", before: "replica", after: "leader" },
    ];
    const said = [leader(1), leader(3, flip)];
    const its = await running({
      look: async () => listing(A),
      poll: async () => (said.length > 1 ? (said.shift() as Seen) : (said[0] as Seen)),
    });
    await its.apply(discovery());
    await its.pass(1_000);
    expect(await its.types()).toContain("rollcall.CLUSTER_NEW");
    await its.view.refresh("prod/a");
    await its.pass(1_000);
    expect((await its.types()).filter((type) => type === "rollcall.NODE_CHANGED")).toHaveLength(2);
    await its.end();
  });

  it("holds its lock until the last agent has answered, whatever became of the others", async () => {
    const late = Promise.withResolvers<Seen>();
    let polls = 0;
    const its = await running({
      look: async () => listing(A, B),
      poll: (address) => {
        polls++;
        return address === A ? Promise.reject(new Error("too many open files")) : late.promise;
      },
    });
    await its.apply(discovery());
    await its.pass(500);
    expect(polls).toBe(2);
    expect(await its.view.refresh("prod/a")).toBe("running");
    late.resolve(leader(1));
    await its.pass(500);
    expect(await its.view.refresh("prod/a")).toBe("queued");
    await its.end();
  });
});

describe("a discovery", () => {
  it("is looked at once at a time, so that no older answer follows a newer one", async () => {
    const answers: ((listing: Listing) => void)[] = [];
    const its = await running({
      look: () => new Promise((resolve) => answers.push(resolve)),
      poll: async () => leader(1),
    });
    await its.apply(discovery({ interval: 5 }));
    await its.pass(12_000);
    expect(answers).toHaveLength(1);
    expect(its.view.counters().discarded).toBeGreaterThan(0);
    answers[0]?.(listing(A));
    await its.pass(6_000);
    expect(answers).toHaveLength(2);
    answers[1]?.(listing(A));
    await its.end();
  });

  it("is looked at again when its settings changed meanwhile, and only that counts", async () => {
    const answers: ((listing: Listing) => void)[] = [];
    const its = await running({
      look: () => new Promise((resolve) => answers.push(resolve)),
      poll: async () => leader(1),
    });
    await its.apply(discovery());
    await its.pass(100);
    await its.apply(discovery({ config: { path: "/elsewhere" } }));
    answers[0]?.(listing(A));
    await its.pass(100);
    expect(its.view.discoveries()[0]?.clusters).toEqual([]);
    expect(answers).toHaveLength(2);
    answers[1]?.(listing(B));
    await its.pass(100);
    expect(its.view.cluster("prod/a")?.cluster?.facts.inventory).toMatchObject([{ agent_addr: B }]);
    await its.end();
  });
});

describe("a commit of which nobody can tell whether it was done", () => {
  it("is read back, be it settings or what was listed", async () => {
    const its = await running({ look: async () => listing(A), poll: async () => leader(1) });
    its.forget();
    await expect(its.apply(discovery())).rejects.toThrow("disk I/O error");
    expect(its.view.discoveries().map(({ settings }) => settings.name)).toEqual(["d"]);
    its.forget();
    await its.pass(100);
    expect(its.view.discoveries()[0]?.clusters).toEqual(["prod/a"]);
    // Nobody has to apply it again for it to be looked at, and for its cluster to be refreshed.
    await its.pass(11_000);
    expect(its.view.cluster("prod/a")?.cluster?.facts.inventory).toHaveLength(1);
    its.forget();
    await expect(its.view.remove("DiscoverySettings", "d")).rejects.toThrow("disk I/O error");
    expect(its.view.discoveries()).toEqual([]);
    await its.apply(discovery());
    await its.pass(1_000);
    expect(its.view.discoveries()[0]).toMatchObject({ run: { error: null }, clusters: ["prod/a"] });
    await its.end();
  });

  it("has its clusters refreshed without another look", async () => {
    let looks = 0;
    const look = async () => {
      looks++;
      return listing(A);
    };
    const its = await running({ look, poll: async () => leader(1) });
    its.forgetListings();
    await its.apply(discovery({ interval: 600 }));
    await its.pass(1_000);
    expect(its.view.discoveries()[0]?.run?.error).toContain("disk I/O error");
    expect(looks).toBe(1);
    expect(await its.types()).toContain("rollcall.CLUSTER_NEW");
    await its.end();
  });

  it("has nothing made of it before all of it is read back", async () => {
    const said = [listing(A), { ...listing(), clusters: [] }];
    const its = await running({
      look: async () => said.shift() ?? listing(A),
      poll: async () => leader(1),
    });
    await its.apply(discovery({ interval: 600 }));
    await its.pass(1_000);
    its.forgetListings();
    its.unread("recordsOf");
    await expect(its.view.accept("d")).rejects.toThrow("disk I/O error");
    // The cluster is gone, and what was listed of it is still here.
    await its.view.refresh("prod/a");
    await its.pass(1_000);
    expect((await its.types()).at(-1)).toBe("rollcall.CLUSTER_REMOVED");
    its.unread();
    await its.pass(3_000);
    expect(its.view.discoveries()[0]?.clusters).toEqual([]);
    expect(its.view.cluster("prod/a")).toBeNull();
    expect((await its.types()).at(-1)).toBe("rollcall.CLUSTER_REMOVED");
    await its.end();
  });

  it("is read back as soon as it can be, also where nobody acts on it any more", async () => {
    const its = await running({ look: async () => listing(A), poll: async () => leader(1) });
    await its.apply(discovery({ interval: 600 }));
    await its.pass(1_000);
    its.forget();
    its.unread("cluster");
    await expect(its.view.remove("DiscoverySettings", "d")).rejects.toThrow("disk I/O error");
    expect(its.view.clusters()).toHaveLength(1);
    its.unread();
    await its.pass(3_000);
    expect(its.view.clusters()).toEqual([]);
    await its.end();
  });

  it("counts as soon as it is read back, be it settings that nobody applies again", async () => {
    const its = await running({ look: async () => listing(A), poll: async () => leader(1) });
    await its.apply(discovery({ interval: 600 }));
    await its.pass(1_000);
    its.forget();
    its.unread("settingsOf");
    await expect(its.apply(clusterSettings({ interval: 1 }))).rejects.toThrow("disk I/O error");
    its.unread();
    const before = its.view.reports("prod/a").length;
    await its.pass(10_000);
    expect(its.view.reports("prod/a").length - before).toBeGreaterThan(5);
    await its.end();
  });

  it("does not double what it told", async () => {
    const its = await running({ look: async () => listing(A), poll: async () => leader(1) });
    its.forget();
    await expect(its.apply(discovery())).rejects.toThrow("disk I/O error");
    expect(await its.apply(discovery())).toMatchObject({ ok: true, applied: [{ changed: false }] });
    await turns();
    expect((await its.types()).filter((type) => type === "rollcall.DISCOVERY_SETTINGS_APPLY")).toHaveLength(
      1,
    );
    await its.end();
  });
});

describe("a coordinator that is started again", () => {
  it("goes on from what its predecessor wrote meanwhile, though it could not read that at first", async () => {
    const said = [1, 2];
    const look = async () => listing(A);
    const first = await running({ look, poll: async () => leader(said.shift() ?? 2) });
    await first.apply(discovery({ interval: 600 }));
    await first.pass(3_000);
    const second = await running({ look, poll: async () => leader(3), after: first });
    await first.view.refresh("prod/a");
    await first.pass(100);
    await first.stop();
    second.unread("cluster");
    await second.pass(60_000);
    expect(second.view.reports("prod/a")[0]?.decisions[0]?.message).toContain("read the store");
    second.unread();
    await second.pass(60_000);
    expect(second.view.reports("prod/a")[0]).toMatchObject({ outcome: "done", decisions: [] });
    await second.end();
  });

  it("refreshes a cluster when it was due, also one that nobody has settings for", async () => {
    let polls = 0;
    const poll = async () => {
      polls++;
      return leader(1);
    };
    const first = await running({ look: async () => listing(A), poll });
    await first.apply(discovery());
    await first.pass(65_000);
    const before = polls;
    expect(before).toBeGreaterThanOrEqual(2);
    const next = first.view.cluster("prod/a")?.run?.next_at ?? 0;
    const after = await first.stop();
    const second = await running({ look: async () => listing(A), poll, after });
    const left = next - after.clock.wall();
    await second.pass(left - 100);
    expect(polls).toBe(before);
    await second.pass(200);
    expect(polls).toBe(before + 1);
    expect(second.view.cluster("prod/a")).toMatchObject({ synthetic: true });
    await second.end();
  });

  it("has forgotten a cluster that was removed, and the settings that were made for it", async () => {
    const its = await running({ look: async () => listing(A), poll: async () => leader(1) });
    await its.apply(discovery());
    await its.pass(1_000);
    expect(its.view.settings()).toHaveLength(1);
    expect(await its.store.settings()).toHaveLength(1);
    await its.view.remove("DiscoverySettings", "d");
    expect(its.view.settings()).toEqual([]);
    expect(await its.store.settings()).toEqual([]);
    await its.end();
  });
});
