import { describe, expect, it } from "vitest";
import type { Seen } from "../../src/core/observation.ts";
import { turns } from "../lib/manual-clock.ts";
import { clusterSettings, discovery, leader, listing, running } from "./support/running.ts";

const A = "10.0.0.1:4100";

const stored = async ({ store }: Awaited<ReturnType<typeof running>>) =>
  (await store.settings()).map(({ settings, synthetic }) => [settings.interval_ms, synthetic]);

describe("settings of a cluster", () => {
  it("stay what was acknowledged where it is first seen meanwhile", async () => {
    const said = Promise.withResolvers<Seen>();
    const its = await running({ look: async () => listing(A), poll: () => said.promise });
    await its.apply(discovery());
    await its.pass(500);
    const answer = its.hold("settings");
    const applied = its.apply(clusterSettings({ interval: 10 }));
    await turns();
    said.resolve(leader(1));
    await its.pass(500);
    answer();
    expect(await applied).toMatchObject({ ok: true, applied: [{ changed: true }] });
    await its.pass(500);
    expect(its.view.cluster("prod/a")).toMatchObject({ cluster: { version: 1 }, synthetic: false });
    expect(await stored(its)).toEqual([[10_000, false]]);
    await its.end();
  });

  it("stay what was acknowledged where it goes meanwhile", async () => {
    const lists = [listing(A), { ...listing(), clusters: [] }];
    const its = await running({
      look: async () => lists.shift() ?? listing(A),
      poll: async () => leader(1),
    });
    await its.apply(discovery({ interval: 600 }));
    await its.pass(1_000);
    const answer = its.hold("settings");
    const applied = its.apply(clusterSettings({ interval: 10 }));
    await turns();
    const accepted = its.view.accept("d");
    await its.pass(500);
    answer();
    await Promise.all([applied, accepted]);
    expect(its.view.cluster("prod/a")).toBeNull();
    expect(await stored(its)).toEqual([[10_000, false]]);
    await its.end();
  });

  it("are applied with those of a discovery whose clusters go, and nobody waits in a circle", async () => {
    // However far the one has got when the other begins.
    for (let steps = 0; steps < 40; steps++) {
      const its = await running({ look: async () => listing(A), poll: async () => leader(1) });
      await its.apply(discovery({ interval: 600 }));
      await its.pass(100);
      const applied = its.apply(clusterSettings({ interval: 10 }), discovery());
      for (let left = steps; left > 0; left--) await null;
      const removed = its.view.remove("DiscoverySettings", "d");
      await its.pass(100);
      expect([await removed, await applied]).toMatchObject([true, { ok: true }]);
      expect(await stored(its)).toEqual([[10_000, false]]);
      await its.end();
    }
  });
});
