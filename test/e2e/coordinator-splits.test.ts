/** A coordinator over clusters that are two: agents of two geneses under one key, and a leader that a network cuts off. */
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  type Coordinator,
  discovery,
  portsOf,
  settings,
  startCoordinator,
  writeClusters,
} from "../support/coordinators.ts";
import { type Host, type Network, openNetwork } from "../support/network.ts";
import { describeAsRoot } from "../support/root.ts";
import { describeWith } from "../support/servers/index.ts";
import { openNodes, untilLed } from "../support/supervised.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { listing, seated, seatsFor } from "./lists.ts";
import { freshKey, openFleet } from "./stores.ts";
import { pathOf, teller, without } from "./told.ts";

const REPORTS = /^NODE_(?:CHANGED|UP|DOWN)/;
const SHARDS = /^SHARD_ALLOCATION_(?:NEW|CHANGED|LOST)/;

let coordinator: Coordinator;
afterEach(async () => {
  await coordinator?.kill();
});

describe("a coordinator over two clusters under one key", () => {
  const fleet = openFleet();
  afterEach(() => fleet.end());

  it("tells that nodes hold different geneses, which and whose, until all hold one", async () => {
    const key = freshKey();
    const [a, b, c] = await seatsFor(["a", "b", "c"]);
    if (a === undefined || b === undefined || c === undefined) throw new Error("three seats");
    const [first] = await seated(fleet, [a], listing([a], key, 1));
    const [other] = await seated(fleet, [b], listing([b], key, 1));
    const [genesis, stray] = await Promise.all(
      [first, other].map(async (one) => (await one?.settled())?.genesis_id),
    );
    const [third] = await seated(fleet, [c], listing([a, c], key, 1));
    expect((await third?.settled())?.genesis_id).toBe(genesis);

    coordinator = await startCoordinator();
    const file = join(tempDir("clusters"), "clusters.json");
    const list = (...seats: readonly { at: string }[]) =>
      writeClusters(file, { [key]: seats.map(({ at }) => at) });
    const ports = portsOf([a, b, c].map(({ at }) => at));
    list(a, c);
    await coordinator.apply(
      discovery("inventory", { mode: "file", config: { path: file }, allow: { ports } }),
      settings(key),
    );
    await coordinator.found(key);
    const told = teller(() => coordinator, key);
    expect(await told()).toEqual(["CLUSTER_NEW"]);
    list(a, b, c);
    const nodes = async () => (await coordinator.cluster(key)).view.counts.discovered;
    await until(async () => (await nodes()) === 3, { deadlineMs: 30_000, what: "the inventory to be read" });
    expect(await told()).toEqual(["CLUSTER_CHANGED", "AGENT_NEW b", "NODE_NEW b", "CLUSTER_SPLIT"]);
    const { view } = await coordinator.cluster(key);
    expect(view).toMatchObject({
      health: "red",
      genesis_id: genesis,
      conditions: { split: { [genesis ?? ""]: ["a", "c"], [stray ?? ""]: ["b"] } },
    });
    expect(view.reasons.map(({ code }) => code)).toContain("split");

    await other?.kill();
    await other?.restart({ wipe: true, args: listing([a, b, c], key, 1) });
    expect((await other?.settled())?.genesis_id).toBe(genesis);
    const lines = await told();
    expect(lines).toContain("CLUSTER_SPLIT over");
    expect(without(lines, /^(?:AGENT_|NODE_)/)).toEqual(["CLUSTER_SPLIT over"]);
    expect((await coordinator.cluster(key)).view.conditions.split).toBeNull();
  });
});

describeWith("rqlited", "a coordinator over rqlite on hosts of its own", () => {
  describeAsRoot(["ip"], "whose leader is cut off from the others", () => {
    const fleet = openNodes();
    let network: Network;
    afterEach(async () => {
      await fleet.end();
      await network?.end();
    });

    it("tells who leads instead, what becomes of the old leader, and that it is well again when it is back", {
      timeout: 90_000,
    }, async () => {
      network = await openNetwork(3);
      const key = freshKey();
      const places = network.hosts.map(({ address }) => ({ at: `${address}:4100` }));
      const nodes = await Promise.all(
        network.hosts.map(({ address, inside }, at) =>
          fleet.one({
            id: `n${at + 1}`,
            args: [...listing(places, key, 3), "-insecure"],
            seat: { address, port: 4100 },
            inside,
          }),
        ),
      );
      const old = await untilLed(nodes);
      coordinator = await startCoordinator();
      await coordinator.apply(
        discovery("list", {
          ...{ mode: "static", cluster_id: key },
          config: { addresses: network.hosts.map(({ address }) => address) },
        }),
        settings(key, { node_timeout: "500ms" }),
      );
      await coordinator.found(key);
      const told = teller(() => coordinator, key);
      expect(await told()).toEqual(["CLUSTER_NEW"]);

      const cutOff = network.hosts[nodes.indexOf(old)];
      const others = network.hosts.filter((host) => host !== cutOff);
      const both = (how: "cut" | "heal") =>
        Promise.all(
          others.flatMap((host) => [
            host[how]((cutOff as Host).address),
            (cutOff as Host)[how](host.address),
          ]),
        );
      await both("cut");
      const next = await untilLed(nodes.filter((node) => node !== old));
      const lines = await told();
      // Whether a refresh falls into the election, and two into a long one, is chance.
      expect(lines.filter((line) => line.startsWith("LEADER_CHANGED"))).toBeOneOf([
        [`LEADER_CHANGED ${old.id} → ${next.id}`],
        [`LEADER_CHANGED ${old.id} → nobody`, `LEADER_CHANGED nobody → ${next.id}`],
      ]);
      expect(pathOf(lines, REPORTS, old.id)).toBe("unhealthy");
      expect(pathOf(lines, SHARDS, `${old.id}/rqlite`)).toBe("recovering");
      // Its database answers, but follows nobody; the others have a leader again.
      expect((await coordinator.cluster(key)).view).toMatchObject({ health: "yellow", leader: next.id });
      const moves = /^LEADER_CHANGED|^PRIMARY_MISSING/;
      expect(without(without(without(lines, REPORTS), SHARDS), moves)).toEqual([]);

      await both("heal");
      await untilLed(nodes);
      const after = await told();
      expect(pathOf(after, REPORTS, old.id)).toMatch(/(^| )healthy$/);
      expect(pathOf(after, SHARDS, `${old.id}/rqlite`)).toMatch(/(^| )secondary$/);
      expect(without(without(without(after, REPORTS), SHARDS), moves)).toEqual([]);
      expect((await coordinator.cluster(key)).view).toMatchObject({ health: "green", reasons: [] });
    });
  });
});
