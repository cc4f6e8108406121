/** Real rqlited nodes whose agents find each other through a real name server, and agree among themselves. */
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { Seat } from "../support/agents.ts";
import { describeWith, type Knot, startKnot } from "../support/servers/index.ts";
import { untilLed } from "../support/supervised.ts";
import { genesisOf, openSeated, seats, untilListed, writeAndRead } from "./rqlited-by.ts";
import { freshKey } from "./stores.ts";

const LONG = { timeout: 90_000 };
const THREE = ["a", "b", "c"];

describeWith(["rqlited", "knotd"], "rqlite by DNS", () => {
  const fleet = openSeated();
  let knot: Knot | null = null;
  beforeAll(async () => {
    knot = await startKnot([]);
  });
  afterEach(() => fleet.end());
  afterAll(async () => knot?.stop());

  const flags = (mode: "dns" | "dns-srv", config: Record<string, unknown>, key = freshKey()) => [
    ...["-disco-mode", mode, "-disco-key", key, "-bootstrap-expect", "3"],
    ...["-disco-config", JSON.stringify({ ...config, resolvers: [knot?.endpoint] })],
  ];
  const hosts = (name: string, places: ReadonlyMap<string, Seat>) =>
    [...places.values()].map(({ address }) => `${name} 1 A ${address}`);
  const portOf = (places: ReadonlyMap<string, Seat>) => [...places.values()][0]?.port;

  it(
    "makes one cluster of three by a name, and finds itself again where all addresses are others",
    LONG,
    async () => {
      const places = await seats(THREE);
      await knot?.setRecords(hosts("db", places));
      const args = flags("dns", { name: "db.test", port: portOf(places) });
      const nodes = await fleet.seated(places, args);
      const leader = await untilLed(nodes, 45_000);
      const genesis = await genesisOf(nodes);
      await writeAndRead(leader, nodes);
      for (const node of nodes) await untilListed(node, "a,b,c");
      await Promise.all(nodes.map((node) => node.stop()));
      const moved = await seats(THREE);
      await knot?.setRecords(hosts("db", moved));
      const config = flags("dns", { name: "db.test", port: portOf(moved) }, args[3]);
      await Promise.all(
        nodes.map((node) => node.restart({ moved: moved.get(node.id) ?? false, args: config })),
      );
      await writeAndRead(await untilLed(nodes, 60_000), nodes);
      expect(await genesisOf(nodes)).toBe(genesis);
    },
  );

  it(
    "makes one cluster of three by the records that rqlite uses, whose database ports are not the agents'",
    LONG,
    async () => {
      const places = await seats(THREE);
      const targets = [...places.keys()].map((id) => `_rqlite._tcp.db 1 SRV 0 0 4001 ${id}.db`);
      const addresses = [...places].map(([id, { address }]) => `${id}.db 1 A ${address}`);
      await knot?.setRecords([...targets, ...addresses]);
      const nodes = await fleet.seated(
        places,
        flags("dns-srv", { name: "db.test", agent_port: portOf(places) }),
      );
      const leader = await untilLed(nodes, 45_000);
      await writeAndRead(leader, nodes);
      await leader.kill();
      const left = nodes.filter((node) => node !== leader);
      await writeAndRead(await untilLed(left), left);
    },
  );

  it("keeps two clusters apart that one name lists together", LONG, async () => {
    const places = await seats(["a", "b", "c", "d", "e", "f"]);
    await knot?.setRecords(hosts("all", places));
    const config = { name: "all.test", port: portOf(places) };
    const some = (ids: readonly string[]) => new Map([...places].filter(([id]) => ids.includes(id)));
    const [one, two] = await Promise.all([
      fleet.seated(some(THREE), flags("dns", config)),
      fleet.seated(some(["d", "e", "f"]), flags("dns", config)),
    ]);
    const leaders = await Promise.all([untilLed(one, 60_000), untilLed(two, 60_000)]);
    await untilListed(leaders[0], "a,b,c");
    await untilListed(leaders[1], "d,e,f");
    expect(await genesisOf(one)).not.toBe(await genesisOf(two));
  });
});
