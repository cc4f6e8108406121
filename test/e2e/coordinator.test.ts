/** A coordinator over real agents beside real rqlited: what happens to them is told, once, in order, and nothing else is. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Seat } from "../support/agents.ts";
import {
  type Coordinator,
  discovery,
  portsOf,
  replay,
  settings,
  startCoordinator,
  writeClusters,
} from "../support/coordinators.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { describeWith } from "../support/servers/index.ts";
import { type Node, untilLed } from "../support/supervised.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { listing, openSeated, seats } from "./rqlited-by.ts";
import { pathOf, teller, without } from "./told.ts";

const ID = "prod/orders";
const LONG = { timeout: 60_000 };
const REPORTS = /^NODE_(?:CHANGED|UP|DOWN)/;
const SHARDS = /^SHARD_ALLOCATION_(?:NEW|CHANGED|LOST)/;

describeWith("rqlited", "a coordinator over rqlite", () => {
  const fleet = openSeated();
  const file = join(tempDir("clusters"), "clusters.json");
  let coordinator: Coordinator;
  /** Between the coordinator and the agent of c; the agents themselves know nothing of it. */
  let proxy: FaultProxy;
  let places: ReadonlyMap<string, Seat>;
  const nodes: Node[] = [];
  const told = teller(() => coordinator, ID);

  const others = (...not: readonly Node[]) => nodes.filter((node) => !not.includes(node));
  const listed = () => nodes.map(({ id, agent }) => (id === "c" ? proxy.endpoint : agent().addr()));
  const one = (id: string): Node => {
    const node = nodes.find((each) => each.id === id);
    if (node === undefined) throw new Error(`no ${id}`);
    return node;
  };
  /** Some node that neither leads nor is c. */
  const follower = async (): Promise<Node> => {
    const leader = await untilLed(nodes);
    return others(leader, one("c"))[0] ?? leader;
  };

  beforeAll(async () => {
    places = await seats(["a", "b", "c", "d"]);
    const three = new Map([...places].slice(0, 3));
    nodes.push(...(await fleet.seated(three, listing(three, ID, 3))));
    await untilLed(nodes);
    proxy = await startFaultProxy(places.get("c") ?? { address: "", port: 0 });
    coordinator = await startCoordinator();
    writeClusters(file, { [ID]: listed() });
    const ports = portsOf([...listed(), one("a").agent().addr()]);
    await coordinator.apply(
      discovery("inventory", { mode: "file", config: { path: file }, allow: { ports } }),
      settings(ID, { node_timeout: "500ms" }),
    );
    await coordinator.found(ID);
  });
  afterAll(async () => {
    await coordinator?.stop();
    await proxy?.stop();
    await fleet.end();
  });

  it("tells of a cluster that it finds in one event, with its nodes, and of nothing as long as nothing happens", async () => {
    expect(await told()).toEqual(["CLUSTER_NEW"]);
    const leader = await untilLed(nodes);
    const { view } = await coordinator.cluster(ID);
    expect(view).toMatchObject({ cluster_id: ID, health: "green", reasons: [], leader: leader.id });
    const found = await coordinator.nodes(ID);
    expect(found.map(({ node_id }) => node_id).sort()).toEqual(["a", "b", "c"]);
    for (const { report } of found) expect(report).toMatchObject({ kind: "rqlite", status: "healthy" });
    expect(await told()).toEqual([]);
  });

  it(
    "calls a node whose agent dies stale, never down, and says only of the agent that it is back",
    LONG,
    async () => {
      const node = await follower();
      await node.agent().kill();
      expect(await told()).toEqual([`AGENT_DOWN ${node.id}`, `NODE_STALE ${node.id}`]);
      await node.restart();
      await untilLed(nodes);
      expect(await told()).toEqual([`AGENT_UP ${node.id}`, `AGENT_INFO_CHANGED ${node.id}`]);
    },
  );

  it("tells of an agent that it is cut off from, and of its return", LONG, async () => {
    await proxy.blackhole();
    expect(await told()).toEqual(["AGENT_DOWN c", "NODE_STALE c"]);
    await proxy.pass();
    expect(await told()).toEqual(["AGENT_UP c"]);
  });

  it("tells who leads after the leader's database died and came back", LONG, async () => {
    const old = await untilLed(nodes);
    await old.signal("SIGKILL");
    const next = await until(
      async () => {
        const leader = await untilLed(nodes);
        return leader === old ? null : leader;
      },
      { deadlineMs: 30_000, what: "another node to lead" },
    );
    const lines = await told();
    const [third = old] = others(old, next);

    // Whether a refresh falls into the election, and two into a long one, is chance.
    expect(lines.filter((line) => line.startsWith("LEADER_CHANGED"))).toBeOneOf([
      [`LEADER_CHANGED ${old.id} → ${next.id}`],
      [`LEADER_CHANGED ${old.id} → nobody`, `LEADER_CHANGED nobody → ${next.id}`],
    ]);
    expect(lines.filter((line) => line.startsWith("PRIMARY_MISSING"))).toBeOneOf([
      [],
      ["PRIMARY_MISSING", "PRIMARY_MISSING over"],
    ]);

    // The agents' rings tell every stage that they saw, however many fall between two polls. How many they saw is
    // up to them: they look four times a second, and a database may be quicker than that. A look may also come between
    // its death and the word of it.
    expect(pathOf(lines, REPORTS, old.id)).toMatch(
      /^(unavailable )?unknown( unavailable)*( joining)?( unavailable| unhealthy)* healthy$/,
    );
    // These have nobody to follow for a while, some of them twice: who asks for votes and does not get them.
    for (const { id } of [next, third])
      expect(pathOf(lines, REPORTS, id)).toMatch(/^(unhealthy healthy ?)*(healthy)?$/);
    expect(pathOf(lines, SHARDS, `${old.id}/rqlite`)).toMatch(/^(recovering )?secondary$/);
    expect(pathOf(lines, SHARDS, `${next.id}/rqlite`)).toMatch(/^(recovering )?primary$/);
    expect(pathOf(lines, SHARDS, `${third.id}/rqlite`)).toBeOneOf(["", "recovering secondary"]);
    expect(without(without(without(lines, REPORTS), SHARDS), /^LEADER_CHANGED|^PRIMARY_MISSING/)).toEqual([]);
  });

  it("tells of a node that dies with its database, and comes back with an empty disk", LONG, async () => {
    const node = await follower();
    const { id } = node;
    await node.kill();
    expect(await told()).toEqual([`AGENT_DOWN ${id}`, `NODE_STALE ${id}`]);
    await node.restart({ wipe: true });
    await untilLed(nodes);
    const lines = await told();
    expect(without(without(lines, REPORTS), SHARDS)).toEqual([
      `AGENT_UP ${id}`,
      `AGENT_INFO_CHANGED ${id}`,
      `NODE_REPLACED ${id}`,
    ]);
    // How far it had come when it was first asked is chance; it ends well, and has its shard anew.
    expect(pathOf(lines, REPORTS, id)).toMatch(/^((unavailable|joining|unhealthy|unknown) )*(healthy)?$/);
    expect(pathOf(lines, SHARDS, `${id}/rqlite`)).toMatch(/^(recovering )?secondary$/);
    const now = (await coordinator.nodes(ID)).find(({ node_id }) => node_id === id);
    expect(now).toMatchObject({ agent: { status: "up" }, report: { status: "healthy" } });
  });

  it(
    "polls a node from when the inventory lists it, and tells before that the lists differ",
    LONG,
    async () => {
      const seat = places.get("d");
      const args = ["-join", one("a").agent().addr(), "-disco-key", ID, "-bootstrap-expect", "3"];
      const d = await fleet.one({ id: "d", args, ...(seat === undefined ? {} : { seat }) });
      await untilLed([...nodes, d]);
      // The agents know it before the database has taken it in: between the two the lists differ otherwise.
      expect([...new Set(await told())]).toEqual(["MEMBERSHIP_DRIFT"]);
      nodes.push(d);
      writeClusters(file, { [ID]: listed() });
      await until(async () => (await coordinator.cluster(ID)).view.counts.discovered === 4, {
        deadlineMs: 30_000,
        what: "the inventory to be read",
      });
      expect(await told()).toEqual([
        "CLUSTER_CHANGED",
        "AGENT_NEW d",
        "NODE_NEW d",
        "SHARD_ALLOCATION_NEW d/rqlite secondary",
        "MEMBERSHIP_DRIFT over",
      ]);
    },
  );

  it("has told nothing but that, and all of it makes what is shown", async () => {
    expect(await told()).toEqual([]);
    const facts = replay(ID, await coordinator.events(ID));
    const { view } = await coordinator.cluster(ID);
    const nodesOfLog = facts?.nodes.map(({ identity, shards, ...node }) => ({
      ...node,
      ...identity,
      shards: shards.map(({ id, role }) => ({ id, role })),
    }));
    expect(view).toMatchObject({
      health: "green",
      genesis_id: facts?.genesis_id,
      conditions: facts?.conditions,
    });
    expect(view.nodes).toMatchObject(sortedById(nodesOfLog ?? []));
    const [asked] = await coordinator.reports(ID);
    expect(asked).toMatchObject({ outcome: "done", polled: 4, failed: 0, events: 0 });
  });
});

function sortedById<T extends { readonly node_id?: string }>(nodes: readonly T[]): T[] {
  return [...nodes].sort((a, b) => ((a.node_id ?? "") < (b.node_id ?? "") ? -1 : 1));
}
