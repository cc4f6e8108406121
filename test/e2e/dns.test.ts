/** Real rqlited nodes whose agents answer DNS: a client that knows only names finds the leader, and the next one. */
import type { Resolver } from "node:dns/promises";
import { Packet } from "dns2";
import { afterEach, expect, it } from "vitest";
import { zoneOf } from "../../src/core/dns-names.ts";
import { askTcp, askUdp, questionBytes, resolverAt } from "../support/dns.ts";
import { request } from "../support/http.ts";
import { freePort } from "../support/loopback.ts";
import { type Node, openNodes, untilLed } from "../support/supervised.ts";
import { until } from "../support/wait.ts";
import { freshKey, onBothStores } from "./stores.ts";

const LONG = { timeout: 90_000 };

onBothStores("DNS", (store) => {
  const fleet = openNodes();
  afterEach(() => fleet.end());

  const hostOf = (node: Node) => node.http().replace(/:\d+$/, "");
  const portOf = (node: Node) => Number(node.http().replace(/^.*:/, ""));

  /** Three nodes, each at an address of its own, and where the agent of each answers DNS. */
  async function three(key: string) {
    const args = [...store().flags(key), "-bootstrap-expect", "3"];
    const nodes = await Promise.all(
      ["a", "b", "c"].map(async (id) => {
        const port = await freePort("127.0.0.1");
        const node = await fleet.one({ id, args: [...args, "-dns-addr", `127.0.0.1:${port}`] });
        return { node, place: { address: "127.0.0.1", port } };
      }),
    );
    return { nodes, leader: await untilLed(nodes.map(({ node }) => node)) };
  }

  /** A system with one loopback address has one replica's host for all. */
  const untilReplicas = (resolver: Resolver, zone: string, expected: readonly string[]) =>
    until(
      async () => {
        const found = await resolver.resolve4(`replica.${zone}`);
        return found.sort().join() === [...new Set(expected)].sort().join();
      },
      { deadlineMs: 30_000, what: `the replicas to be ${expected.join(", ")}` },
    );

  it("names the new leader wherever it is asked when the old one is killed", LONG, async () => {
    const key = freshKey();
    const { nodes, leader } = await three(key);
    const named = zoneOf(key);
    if (!named.ok) return expect.unreachable(named.problem);
    const zone = named.name;
    for (const { node, place } of nodes) {
      const resolver = resolverAt(place);
      expect(await resolver.resolve4(`leader.${zone}`, { ttl: true })).toEqual([
        { address: hostOf(leader), ttl: 1 },
      ]);
      expect(await resolver.resolve4(`${node.id}.${zone}`)).toEqual([hostOf(node)]);
      const others = nodes.filter((other) => other.node !== leader).map((other) => hostOf(other.node));
      await untilReplicas(resolver, zone, others);
      await expect(resolver.resolve4(`d.${zone}`)).rejects.toMatchObject({ code: "ENOTFOUND" });
    }
    await leader.kill();
    const left = nodes.filter(({ node }) => node !== leader);
    const next = await untilLed(left.map(({ node }) => node));
    for (const { place } of left) {
      const resolver = resolverAt(place);
      // Names alone lead to it: the port from one answer, the address from the next.
      const found = await until(
        async () => {
          const [service] = await resolver.resolveSrv(`_db._tcp.leader.${zone}`);
          return service?.name === `${next.id}.${zone}` ? service : null;
        },
        { deadlineMs: 30_000, what: `${next.id} to be named` },
      );
      expect(found.port).toBe(portOf(next));
      const [address] = await resolver.resolve4(found.name);
      expect(address).toBe(hostOf(next));
      const ready = await request(`http://${address}:${found.port}/readyz`);
      expect(ready.status).toBe(200);
      // Who was killed is no replica, long before its lease lapses.
      const replica = left.filter(({ node }) => node !== next).map(({ node }) => hostOf(node));
      await untilReplicas(resolver, zone, replica);
      const question = questionBytes(`leader.${zone}`);
      const [overTcp] = await askTcp(place, question);
      for (const answer of [await askUdp(place, question), overTcp])
        expect(Packet.parse(answer ?? Buffer.alloc(0)).answers).toMatchObject([
          { address: hostOf(next), ttl: 1 },
        ]);
    }
    for (const { node } of left) expect(await node.stop()).toEqual({ code: 0, signal: null });
  });
});
