/** Side by side with rqlite's own discovery: each joins what the other formed, and the key stays right. */
import { afterEach, expect, it } from "vitest";
import { rollcall } from "../support/commands.ts";
import { type Rqlite, startRqlite } from "../support/servers/rqlite.ts";
import { openNodes, untilLed } from "../support/supervised.ts";
import { until } from "../support/wait.ts";
import { freshKey, onBothStores, openFleet, type Store } from "./stores.ts";

const LONG = { timeout: 120_000 };

onBothStores("beside native rqlite", (store) => {
  const fleet = openNodes();
  const agents = openFleet();
  const natives: Rqlite[] = [];
  afterEach(async () => {
    await Promise.all([fleet.end(), agents.end(), ...natives.splice(0).map((one) => one.kill())]);
  });

  /** A node of rqlite's own KV mode. */
  const native = async (name: string, key: string, more: readonly string[] = []) => {
    const one = await startRqlite({ name, args: [...nativeFlags(store(), key), ...more] });
    natives.push(one);
    return one;
  };
  const voters = (key: string, n = 3) => [...store().flags(key), "-bootstrap-expect", String(n)];
  const keyOf = async (key: string) => JSON.parse((await store().leader(key)) ?? "{}");
  const untilKeyNames = (key: string, ids: readonly string[]) =>
    until(
      async () => {
        const { id } = await keyOf(key);
        return ids.includes(id) ? (id as string) : null;
      },
      { deadlineMs: 30_000, what: `the key to name one of ${ids}` },
    );
  /** Who leads, as a native node's own database says. */
  const leaderSeenBy = async (one: Rqlite) => {
    const nodes = JSON.parse((await one.request("/nodes?nonvoters")).body) as Record<
      string,
      { leader: boolean }
    >;
    return Object.entries(nodes).find(([, node]) => node.leader)?.[0];
  };

  it("lets a native node join what the agents formed, and either side lead", LONG, async () => {
    const key = freshKey();
    const nodes = await fleet.start(["a", "b"], voters(key, 2));
    const leader = await untilLed(nodes);
    await untilKeyNames(key, [leader.id]);
    const guest = await native("native", key);
    await untilLed(nodes);
    await until(async () => (await leaderSeenBy(guest)) === leader.id, {
      deadlineMs: 30_000,
      what: "the native node to see who leads",
    });
    // Two of three are left, and one of them is the native node.
    await leader.kill();
    const left = nodes.filter((node) => node !== leader);
    const next = await untilKeyNames(
      key,
      ["native", ...left.map((node) => node.id)].filter((id) => id !== leader.id),
    );
    await until(async () => (await leaderSeenBy(guest)) === next, { deadlineMs: 30_000, what: "one leader" });
    await until(
      async () => {
        const { record } = JSON.parse((await left[0]?.agent().get("/v1/leader"))?.body ?? "{}");
        return record?.id === next;
      },
      { deadlineMs: 30_000, what: "the agent to name it" },
    );
  });

  it(
    "joins what native nodes formed, and keeps the key right when they lose their leader",
    LONG,
    async () => {
      const key = freshKey();
      const first = await native("n1", key);
      await native("n2", key);
      const joined = await fleet.one({ id: "a", args: voters(key, 1) });
      await until(async () => (await joined.agent().get("/readyz")).status === 200, {
        deadlineMs: 40_000,
        what: "the agent's node to be in the cluster",
      });
      expect(await joined.agent().settled()).toMatchObject({ kind: "join" });
      const members = JSON.parse((await joined.agent().get("/v1/node")).body).members;
      expect(members.map((m: { id: string }) => m.id)).toEqual(["a", "n1", "n2"]);
      expect(await store().genesis(key)).toMatchObject({ state: "sealed" });
      await first.kill();
      const next = await untilKeyNames(key, ["a", "n2"]);
      await until(async () => (await leaderSeenBy(natives[1] as Rqlite)) === next, {
        deadlineMs: 30_000,
        what: "the cluster to have the leader that the key names",
      });
    },
  );

  it(
    "creates nothing beside a leader record whose database is gone, until told that it is",
    LONG,
    async () => {
      const key = freshKey();
      const stale = { id: "old-1", api_addr: "http://127.0.0.1:1", addr: "127.0.0.1:2" };
      await store().putLeader(key, JSON.stringify(stale));
      const nodes = await fleet.start(["a", "b", "c"], voters(key));
      const waits = await nodes[0]?.agent().waitsFor("foreign_leader");
      expect(waits?.summary).toContain("old-1");
      expect(waits?.unblock.join(" ")).toMatch(/rollcall genesis init .*-forget-leader/);
      expect((await nodes[0]?.state())?.process.at).toBe("waiting");
      const said = await rollcall([
        "genesis",
        "init",
        ...voters(key),
        "-forget-leader",
        "old-1",
        "-confirm",
        key,
      ]);
      expect(said).toMatchObject({ code: 0, err: "" });
      const leader = await untilLed(nodes);
      await untilKeyNames(key, [leader.id]);
    },
  );

  it(
    "creates nothing beside a sealed genesis whose nodes are all gone, until it is given up",
    LONG,
    async () => {
      const key = freshKey();
      const old = await fleet.start(["x", "y", "z"], voters(key));
      await untilLed(old);
      const genesis = await old[0]?.agent().settled();
      await Promise.all(old.map((node) => node.kill()));
      const fresh = await fleet.start(["a", "b", "c"], voters(key));
      const waits = await fresh[0]?.agent().waitsFor("members_gone");
      for (const { id } of old) expect(waits?.summary).toContain(id);
      expect(waits?.unblock.join(" ")).toContain(`rollcall genesis rebirth -genesis ${genesis?.genesis_id}`);
      expect((await fresh[0]?.state())?.process.at).toBe("waiting");
      const said = await rollcall([
        "genesis",
        "rebirth",
        ...voters(key),
        "-genesis",
        genesis?.genesis_id ?? "",
        "-confirm",
        key,
      ]);
      expect(said).toMatchObject({ code: 0, err: "" });
      const leader = await untilLed(fresh, 60_000);
      await untilKeyNames(key, [leader.id]);
    },
  );

  it("takes a running native cluster under its care without a restart", LONG, async () => {
    const key = freshKey();
    const nodes = [await native("n1", key), await native("n2", key), await native("n3", key)];
    const pids = nodes.map((one) => one.pid());
    const beside = await Promise.all(
      nodes.map((one) =>
        agents.one(one.name, [
          ...voters(key),
          ...["-db", "rqlite", "-db-data-dir", one.dataDir],
          ...["-db-addr", `${one.address}:${one.ports.http}`, "-db-peer-addr", one.raftAddress],
        ]),
      ),
    );
    const refused = await beside[0]?.waitsFor("foreign_data");
    expect(refused?.unblock.join(" ")).toContain("rollcall genesis adopt");
    await Promise.all(beside.map((agent) => agent.waitsFor("foreign_data")));
    const [one] = nodes as [Rqlite];
    const adopt = [
      ...["genesis", "adopt", ...store().flags(key), "-confirm", key],
      ...["-db", "rqlite", "-db-addr", `${one.address}:${one.ports.http}`, "-db-data-dir", one.dataDir],
    ];
    // On a busy machine the nodes may be between two leaders; then it says so, and changes nothing.
    const said = await until(
      async () => {
        const now = await rollcall(adopt);
        return now.err.includes("knows of no leader") ? null : now;
      },
      { deadlineMs: 30_000, what: "the nodes to have a leader" },
    );
    expect(said).toMatchObject({ code: 0, err: "" });
    for (const agent of beside) expect(await agent.settled()).toMatchObject({ kind: "existing" });
    await until(async () => (await keyOf(key)).genesis_id !== undefined, {
      deadlineMs: 30_000,
      what: "the key to be an agent's",
    });
    expect(nodes.map((one) => one.pid())).toEqual(pids);
  });
});

function nativeFlags({ name, at }: Store, key: string): string[] {
  const where = `${at.address}:${at.port}`;
  const config = name === "Consul" ? { address: where } : { endpoints: [where] };
  const mode = name === "Consul" ? "consul-kv" : "etcd-kv";
  return ["-disco-mode", mode, "-disco-config", JSON.stringify(config), "-disco-key", key];
}
