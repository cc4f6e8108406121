/** Real rqlited nodes, each started by its agent: they form, follow their leader, lose it, move and come back. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { rollcall } from "../support/commands.ts";
import { type Node, openNodes, untilLed } from "../support/supervised.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { freshKey, onBothStores } from "./stores.ts";

const LONG = { timeout: 90_000 };

onBothStores("rqlite", (store) => {
  const fleet = openNodes();
  afterEach(() => fleet.end());
  const voters = (key: string, expectVoters = 3) => [
    ...store().flags(key),
    "-bootstrap-expect",
    String(expectVoters),
  ];
  const three = async (key = freshKey(), more: readonly string[] = []) => {
    const nodes = await fleet.start(["a", "b", "c"], [...voters(key), ...more]);
    return { key, nodes, leader: await untilLed(nodes) };
  };

  /** The leader in the key, as a database's own client would read it. */
  const keyOf = async (key: string) => JSON.parse((await store().leader(key)) ?? "{}");

  const untilKeyNames = (key: string, id: string) =>
    until(async () => (await keyOf(key)).id === id, { deadlineMs: 30_000, what: `the key to name ${id}` });

  const write = async (leader: Node) => {
    await leader.sql("CREATE TABLE IF NOT EXISTS t (n INTEGER)");
    await leader.sql("INSERT INTO t VALUES (42)");
  };
  const readOn = async (nodes: readonly Node[]) => {
    for (const node of nodes)
      await until(async () => JSON.stringify(await node.sql("SELECT n FROM t", "none")) === "[42]", {
        deadlineMs: 30_000,
        what: `${node.id} to read the row`,
      });
  };
  /** By role, for load balancers: exactly one leader. */
  const roles = (nodes: readonly Node[]) =>
    Promise.all(nodes.map(async (node) => (await node.agent().get("/leader")).status));
  const others = (nodes: readonly Node[], one: Node) => nodes.filter((node) => node !== one);
  const votersOf = async (node: Node) => {
    const { members } = JSON.parse((await node.agent().get("/v1/node")).body);
    return (members as { id: string; voter: boolean }[]).map((m) => `${m.id}${m.voter ? "" : " reads"}`);
  };
  const untilListed = (node: Node, ids: string) =>
    until(async () => (await votersOf(node)).join() === ids, {
      deadlineMs: 30_000,
      what: `${node.id} to list ${ids}`,
    });

  it.each([
    ["all with the identical list", ["-formation", "symmetric"]],
    ["one after the other", ["-formation", "single"]],
  ])("makes one cluster of three, %s, and a row is read on all", LONG, async (_how, more) => {
    const { key, nodes, leader } = await three(freshKey(), more);
    await write(leader);
    await readOn(nodes);
    for (const node of nodes) await untilListed(node, "a,b,c");
    expect((await roles(nodes)).sort()).toEqual([200, 503, 503]);
    await untilKeyNames(key, leader.id);
    expect(await keyOf(key)).toMatchObject({
      id: leader.id,
      api_addr: `http://${leader.http()}`,
      addr: leader.raft(),
      v: 1,
    });
    const fourth = await fleet.one({ id: "d", args: voters(key) });
    await untilLed([...nodes, fourth]);
    await readOn([fourth]);
    const reader = await fleet.one({ id: "e", args: [...store().flags(key), "-non-voter"] });
    await untilLed([...nodes, fourth, reader]);
    await readOn([reader]);
    await untilListed(leader, "a,b,c,d,e reads");
  });

  it(
    "names the new leader everywhere when the old one dies, which comes back with an empty disk",
    LONG,
    async () => {
      const notes = join(tempDir("hook"), "notes");
      const hook = JSON.stringify(["sh", "-c", `cat >>${notes}`]);
      const { key, nodes, leader } = await three(freshKey(), ["-on-leader-change", hook]);
      await write(leader);
      await readOn(nodes);
      await leader.kill();
      const left = others(nodes, leader);
      const next = await untilLed(left);
      await untilKeyNames(key, next.id);
      const told = () =>
        readFileSync(notes, "utf8")
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line))
          .filter((said) => said.outcome.leader.id === next.id)
          .map((said) => `${said.node.id}: ${said.previous.leader.id}`);
      await until(() => told().length === 2, { deadlineMs: 30_000, what: "both hooks to be told" });
      expect(told().sort()).toEqual(left.map((node) => `${node.id}: ${leader.id}`));
      expect((await next.agent().get("/leader")).status).toBe(200);
      const outcomes = await Promise.all(left.map((node) => node.agent().outcome()));
      expect(outcomes.map((outcome) => outcome?.leader?.id)).toEqual([next.id, next.id]);
      await leader.restart({ wipe: true });
      await untilLed(nodes, 60_000);
      await readOn([leader]);
      expect((await leader.agent().settled()).kind).toBe("join");
    },
  );

  it("comes back when all restart with the same flags", LONG, async () => {
    const { key, nodes, leader } = await three();
    await write(leader);
    await readOn(nodes);
    const genesis = (await leader.agent().settled()).genesis_id;
    await Promise.all(nodes.map((node) => node.kill()));
    await Promise.all(nodes.map((node) => node.restart()));
    const again = await untilLed(nodes, 60_000);
    await readOn(nodes);
    await again.sql("INSERT INTO t VALUES (43)");
    expect((await again.agent().settled()).genesis_id).toBe(genesis);
    await untilKeyNames(key, again.id);
  });

  it("takes back a node at another address", LONG, async () => {
    const { nodes, leader } = await three();
    await write(leader);
    await readOn(nodes);
    const [moved = leader] = others(nodes, leader);
    await moved.stop();
    await moved.restart({ moved: true });
    const now = await untilLed(nodes, 60_000);
    await readOn([moved]);
    await until(
      async () => {
        const { members } = JSON.parse((await now.agent().get("/v1/node")).body);
        return members.find((m: { id: string }) => m.id === moved.id)?.addr === moved.raft();
      },
      { deadlineMs: 30_000, what: "the leader to know the new address" },
    );
  });

  it("comes back when all are at other addresses", LONG, async () => {
    const { key, nodes, leader } = await three();
    await write(leader);
    await readOn(nodes);
    // Everybody's list of the cluster is on disk.
    for (const node of nodes) await untilListed(node, "a,b,c");
    await Promise.all(nodes.map((node) => node.stop()));
    await Promise.all(nodes.map((node) => node.restart({ moved: true })));
    const again = await untilLed(nodes, 60_000);
    await again.sql("INSERT INTO t VALUES (43)");
    await readOn(nodes);
    await untilKeyNames(key, again.id);
    expect((await keyOf(key)).addr).toBe(again.raft());
  });

  it("makes one cluster of six fresh nodes with expect 3", LONG, async () => {
    const key = freshKey();
    const nodes = await fleet.start(["a", "b", "c", "d", "e", "f"], voters(key));
    const leader = await untilLed(nodes, 60_000);
    await write(leader);
    await readOn(nodes);
    await untilListed(leader, "a,b,c,d,e,f");
  });

  it("lets a node leave, and the cluster goes on without it", LONG, async () => {
    const { key, nodes, leader } = await three();
    const [leaver = leader] = others(nodes, leader);
    const left = others(nodes, leaver);
    const leave = (confirm: string) =>
      rollcall(["leave", "-addr", leaver.agent().addr(), "-disco-key", key, "-confirm", confirm]);
    expect((await leave("other")).code).toBe(2);
    expect(await leave(key)).toMatchObject({ code: 0, err: "" });
    expect(await leaver.agent().process().ended).toEqual({ code: 0, signal: null });
    await until(async () => (await votersOf(leader)).length === 2, {
      deadlineMs: 30_000,
      what: "two to be left",
    });
    await untilLed(left);
    await write(leader);
    await leaver.restart();
    await untilLed(nodes, 60_000);
    await readOn([leaver]);
  });
});
