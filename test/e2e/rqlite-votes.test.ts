/** Real rqlited nodes whose agents have no store but a list: they form, lose their leader, grow, move, leave and come back. */
import { afterEach, expect, it } from "vitest";
import { rollcall } from "../support/commands.ts";
import { describeWith } from "../support/servers/index.ts";
import { type Node, untilLed } from "../support/supervised.ts";
import { until } from "../support/wait.ts";
import { genesisOf, listing, openSeated, seats, untilListed, writeAndRead } from "./rqlited-by.ts";
import { freshKey } from "./stores.ts";

const LONG = { timeout: 90_000 };

describeWith("rqlited", "rqlite by a list", () => {
  const fleet = openSeated();
  afterEach(() => fleet.end());

  const others = (nodes: readonly Node[], one: Node) => nodes.filter((node) => node !== one);
  const form = async (ids: readonly string[], expectVoters: number) => {
    const places = await seats(ids);
    const key = freshKey();
    const args = listing(places, key, expectVoters);
    const nodes = await fleet.seated(places, args);
    return { key, args, nodes, leader: await untilLed(nodes, 45_000) };
  };

  it(
    "makes one cluster of three, names the next leader, takes back an empty disk, and comes back whole",
    LONG,
    async () => {
      const { nodes, leader } = await form(["a", "b", "c"], 3);
      const genesis = await genesisOf(nodes);
      await writeAndRead(leader, nodes);
      await leader.kill();
      const left = others(nodes, leader);
      const next = await untilLed(left);
      const outcomes = await Promise.all(left.map((node) => node.agent().outcome()));
      expect(outcomes.map((outcome) => outcome?.leader?.id)).toEqual([next.id, next.id]);
      await leader.restart({ wipe: true });
      await writeAndRead(await untilLed(nodes, 60_000), nodes);
      expect(await leader.agent().settled()).toMatchObject({ kind: "join", genesis_id: genesis });
      await Promise.all(nodes.map((node) => node.kill()));
      await Promise.all(nodes.map((node) => node.restart()));
      await writeAndRead(await untilLed(nodes, 60_000), nodes);
      expect(await genesisOf(nodes)).toBe(genesis);
    },
  );

  it(
    "takes in a fourth and one that only reads, follows one that moves, and lets one leave",
    LONG,
    async () => {
      const { key, args, nodes, leader } = await form(["a", "b", "c"], 3);
      const fourth = await fleet.one({ id: "d", args });
      const reader = await fleet.one({ id: "e", args: [...args.slice(0, 4), "-non-voter"] });
      const all = [...nodes, fourth, reader];
      await untilLed(all, 45_000);
      await untilListed(leader, "a,b,c,d,e reads");
      await writeAndRead(leader, all);
      const [moved = leader, leaver = leader] = others(nodes, leader);
      await moved.stop();
      await moved.restart({ moved: true });
      const now = await untilLed(all, 60_000);
      await until(
        async () => {
          const { members } = JSON.parse((await now.agent().get("/v1/node")).body);
          return members.find((m: { id: string }) => m.id === moved.id)?.addr === moved.raft();
        },
        { deadlineMs: 30_000, what: "the leader to know the new address" },
      );
      const addr = leaver.agent().addr();
      const left = await rollcall(["leave", "-addr", addr, "-disco-key", key, "-confirm", key]);
      expect(left).toMatchObject({ code: 0, err: "" });
      const ids = all.filter((node) => node !== leaver).map(({ id }) => (id === "e" ? "e reads" : id));
      await untilListed(now, ids.sort().join());
      await writeAndRead(await untilLed(others(all, leaver)), others(all, leaver));
    },
  );

  it.each([
    ["five", 3, ["a", "b", "c", "d", "e"]],
    ["six", 4, ["a", "b", "c", "d", "e", "f"]],
  ])("makes one cluster of %s fresh nodes with expect %i", LONG, async (_many, expectVoters, ids) => {
    const { nodes, leader } = await form(ids, expectVoters);
    await untilListed(leader, ids.join());
    await writeAndRead(leader, nodes);
    await genesisOf(nodes);
  });
});
