/** The store is down, goes away, is wiped or loses its leader: agents wait, say so, and go on. */
import { afterEach, expect, it } from "vitest";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { describeWith, startConsulCluster, startEtcdCluster } from "../support/servers/index.ts";
import { until } from "../support/wait.ts";
import { freshKey, onBothStores, oneGenesis, openFleet } from "./stores.ts";

onBothStores("store faults", (store) => {
  const fleet = openFleet();
  const proxies: FaultProxy[] = [];
  afterEach(async () => {
    await fleet.end();
    await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
  });
  const behindProxy = async () => {
    const proxy = await startFaultProxy(store().at);
    proxies.push(proxy);
    return proxy;
  };

  it("waits for a store that is down at the start, says so, and forms once it is there", async () => {
    const key = freshKey();
    const proxy = await behindProxy();
    await proxy.refuse();
    const agents = await fleet.start(["a", "b"], [...store().flags(key, proxy), "-bootstrap-expect", "2"]);
    const waiting = await agents[0]?.waitsFor("store");
    expect(waiting?.summary).toMatch(/refused/);
    expect((await agents[0]?.get("/livez"))?.status).toBe(200);
    expect((await agents[0]?.get("/startupz"))?.status).toBe(503);
    await proxy.pass();
    await oneGenesis(agents);
  });

  it("stays settled while the store is away, opens again without it, and a blank node waits", async () => {
    const key = freshKey();
    const proxy = await behindProxy();
    const args = [...store().flags(key, proxy), "-bootstrap-expect", "2"];
    const agents = await fleet.start(["a", "b"], args);
    const genesis = await oneGenesis(agents);
    const [a, b] = agents;
    if (a === undefined || b === undefined) throw new Error("two agents");
    await proxy.blackhole();
    await until(async () => (await a.get("/metrics")).body.includes("rollcall_store_up 0"), {
      deadlineMs: 60_000,
      what: "a to notice",
    });
    expect((await a.outcome())?.genesis_id).toBe(genesis);
    expect((await a.get("/readyz")).status).toBe(200);
    await b.kill();
    await b.restart();
    expect(await b.settled()).toMatchObject({ kind: "existing", genesis_id: genesis });
    const blank = await fleet.one("c", args);
    await blank.waitsFor("store");
    await proxy.pass();
    expect(await blank.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
    await until(async () => (await a.explain()).code === "settled", {
      deadlineMs: 30_000,
      what: "a to be at ease again",
    });
  }, 120_000);

  it("restores the record of a living cluster after a wipe, and a newcomer joins it", async () => {
    const key = freshKey();
    const args = [...store().flags(key), "-bootstrap-expect", "3"];
    const agents = await fleet.start(["a", "b", "c"], args);
    const genesis = await oneGenesis(agents);
    await store().wipe(key);
    const newcomer = await fleet.one("d", args);
    expect(await newcomer.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
    expect(await store().genesis(key)).toMatchObject({ state: "sealed", genesis_id: genesis });
    await until(
      async () =>
        JSON.parse((await newcomer.get("/v1/peers")).body).peers.filter(
          (peer: { registered: boolean }) => peer.registered,
        ).length === 4,
      {
        deadlineMs: 30_000,
        what: "everybody to be registered again",
      },
    );
  });
});

for (const { name, program, start, flags } of [
  {
    name: "Consul",
    program: "consul" as const,
    start: startConsulCluster,
    flags: (node: { address: string; ports: Readonly<Record<string, number>> }) => [
      "-disco-mode",
      "consul-kv",
      "-disco-config",
      JSON.stringify({ address: `${node.address}:${node.ports.http}` }),
    ],
  },
  {
    name: "etcd",
    program: "etcd" as const,
    start: startEtcdCluster,
    flags: (node: { address: string; ports: Readonly<Record<string, number>> }) => [
      "-disco-mode",
      "etcd-kv",
      "-disco-config",
      JSON.stringify({ endpoints: [`${node.address}:${node.ports.client}`] }),
    ],
  },
])
  describeWith(program, `the leader of a ${name} cluster dies`, () => {
    const fleet = openFleet();
    afterEach(() => fleet.end());
    it("waits for the next leader and goes on", async () => {
      const cluster = await start();
      try {
        const leader = await cluster.leader();
        const [near] = await cluster.followers();
        if (near === undefined) throw new Error("a follower");
        const args = [...flags(near), "-disco-key", freshKey(), "-bootstrap-expect", "2"];
        const a = await fleet.one("a", args);
        await a.waitsFor("voters");
        await leader.kill();
        const b = await fleet.one("b", args);
        const genesis = await oneGenesis([a, b], 40_000);
        const late = await fleet.one("c", args);
        expect((await late.settled()).genesis_id).toBe(genesis);
      } finally {
        await cluster.stop();
      }
    }, 90_000);
  });
