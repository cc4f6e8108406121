/** A coordinator finds agents by names of real DNS servers, among Consul's services and in a Discovery Service, as these change. */
import { afterEach, describe, expect, it } from "vitest";
import { serviceOf } from "../support/consul-services.ts";
import { type Coordinator, discovery, portsOf, settings, startCoordinator } from "../support/coordinators.ts";
import { startDiscoveryService } from "../support/discovery-services.ts";
import { describeWith, startConsul, startKnot, withoutLeaks } from "../support/servers/index.ts";
import { until } from "../support/wait.ts";
import { listing, pods, type Seat, seated } from "./lists.ts";
import { freshKey, openFleet } from "./stores.ts";
import { teller, without } from "./told.ts";

const LONG = { timeout: 60_000 };

/** Where agents are listed: what the coordinator is told of it, and how it comes to list others. */
type Source = {
  readonly spec: { readonly mode: string; readonly config: Readonly<Record<string, unknown>> };
  set(seats: readonly Seat[]): Promise<void>;
  kill(): Promise<unknown>;
};

const fleet = openFleet();
let coordinator: Coordinator;
let source: Source | null = null;
afterEach(async () => {
  await coordinator?.kill();
  await fleet.end();
  await source?.kill();
  source = null;
});

const listed = (key: string, count: number) =>
  until(async () => (await coordinator.cluster(key)).view.counts.discovered === count, {
    deadlineMs: 30_000,
    what: `${count} nodes of ${key} to be listed`,
  });
/** Until the discovery says that its source does not answer. */
const failed = (name: string) =>
  until(
    async () =>
      (await coordinator.json<{ run: { error: string | null } }>(`/v1/discoveries/${name}`)).run.error,
    { deadlineMs: 30_000, what: "the discovery to say that it fails" },
  );
const joins = (id: string) => ["CLUSTER_CHANGED", `AGENT_NEW ${id}`, `NODE_NEW ${id}`];
/**
 * Agents know each other at once: whether two refreshes fall before the next look at the source is chance. So it is
 * whether a node is seen before it has settled, where it is listed by then.
 */
const CHANCE = /^MEMBERSHIP_DRIFT|^NODE_CHANGED c/;

async function byNames(port: number): Promise<Source> {
  const knot = await startKnot([]);
  return {
    spec: { mode: "dns", config: { name: "nodes.test", port, resolvers: [knot.endpoint] } },
    set: (seats) => knot.setRecords(seats.map(({ address }) => `nodes 0 A ${address}`)),
    kill: () => knot.kill(),
  };
}

async function byServices(): Promise<Source> {
  const knot = await startKnot([]);
  return {
    spec: {
      mode: "dns-srv",
      config: { name: "nodes.test", service: "rollcall", resolvers: [knot.endpoint] },
    },
    set: (seats) =>
      knot.setRecords(
        seats.flatMap(({ id, address, port }) => [
          `_rollcall._tcp.nodes 0 SRV 0 0 ${port} ${id}`,
          `${id} 0 A ${address}`,
        ]),
      ),
    kill: () => knot.kill(),
  };
}

async function byConsul(): Promise<Source> {
  const consul = await startConsul();
  const set = serviceOf(() => consul);
  return {
    spec: {
      mode: "consul-service",
      config: { address: `${consul.address}:${consul.ports.http}`, service: "rollcall" },
    },
    set: (seats) => set(seats.map(({ at }) => at)),
    kill: () => consul.kill(),
  };
}

/** Two agents are found, and a third when it is listed; nobody is lost when the source goes. */
async function follows(open: (port: number) => Promise<Source>): Promise<void> {
  const key = freshKey();
  const [a, b, c] = await pods(["a", "b", "c"]);
  if (a === undefined || b === undefined || c === undefined) throw new Error("three seats");
  const two = await seated(fleet, [a, b], listing([a, b], key, 2));
  await Promise.all(two.map((agent) => agent.settled()));
  source = await open(a.port);
  await source.set([a, b]);
  coordinator = await startCoordinator();
  await coordinator.apply(
    discovery("list", { ...source.spec, cluster_id: key, allow: { ports: [a.port] } }),
    settings(key),
  );
  await coordinator.found(key);
  const told = teller(() => coordinator, key);
  expect(await told()).toEqual(["CLUSTER_NEW"]);
  const [third] = await seated(fleet, [c], listing([a, b, c], key, 2));
  await third?.settled();
  await source.set([a, b, c]);
  await listed(key, 3);
  expect(without(await told(), CHANCE)).toEqual(joins("c"));
  await source.kill();
  await failed("list");
  expect(without(await told(), CHANCE)).toEqual([]);
  expect((await coordinator.cluster(key)).view.counts).toMatchObject({ discovered: 3, up: 3 });
}

describeWith("knotd", "a coordinator with DNS", () => {
  it("follows the addresses of a name", LONG, () => follows(byNames));
  it("follows the services of a name", LONG, () => follows(byServices));
});

describeWith("consul", "a coordinator with Consul's services", () => {
  it("follows who is registered", LONG, () => follows(byConsul));
});

describe("a coordinator with a Discovery Service", () =>
  withoutLeaks(() => {
    it("follows who holds a lease, and loses nobody when the service goes", LONG, async () => {
      const service = await startDiscoveryService();
      source = { spec: { mode: "disco", config: {} }, set: async () => {}, kill: () => service.kill() };
      const key = freshKey();
      const args = ["-disco-mode=disco", `-disco-url=${service.url}`, `-disco-id=${key}`];
      const places = await pods(["a", "b", "c"]);
      const two = await seated(fleet, places.slice(0, 2), [...args, "-bootstrap-expect=2"]);
      await Promise.all(two.map((agent) => agent.settled()));
      coordinator = await startCoordinator();
      await coordinator.apply(
        discovery("list", {
          mode: "disco",
          config: { url: service.url, id: key },
          allow: { ports: portsOf(places.map(({ at }) => at)) },
        }),
        settings(key),
      );
      await coordinator.found(key);
      const told = teller(() => coordinator, key);
      expect(await told()).toEqual(["CLUSTER_NEW"]);
      const [third] = await seated(fleet, places.slice(2), [...args, "-bootstrap-expect=2"]);
      await third?.settled();
      await listed(key, 3);
      expect(without(await told(), CHANCE)).toEqual(joins("c"));
      await service.kill();
      await failed("list");
      expect(without(await told(), CHANCE)).toEqual([]);
      expect((await coordinator.cluster(key)).view.counts).toMatchObject({ discovered: 3, up: 3 });
    });
  }));
