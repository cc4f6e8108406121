/** The genesis commands as an operator types them, on real stores, with agents beside them. */
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { rollcall } from "../support/commands.ts";
import { freshKey, onBothStores, oneGenesis, openFleet } from "./stores.ts";

onBothStores("genesis commands", (store) => {
  const fleet = openFleet();
  afterEach(() => fleet.end());

  const voters = (key: string, expectVoters: number) => [
    ...store().flags(key),
    "-bootstrap-expect",
    String(expectVoters),
  ];
  const genesis = (command: string, key: string, ...more: string[]) =>
    rollcall(["genesis", command, ...store().flags(key), ...more]);
  const sealedId = async (key: string) => {
    const record = await store().genesis(key);
    return record?.state === "sealed" ? record.genesis_id : null;
  };

  it("shows nothing, creates the record for strict agents once, and shows what became of it", async () => {
    const key = freshKey();
    expect(await genesis("show", key)).toEqual({ code: 0, out: `${key}: absent\n`, err: "" });
    const agents = await fleet.start(["a", "b"], [...voters(key, 2), "-genesis", "strict"]);
    await Promise.all(agents.map((agent) => agent.waitsFor("no_record")));
    const init = () => genesis("init", key, "-bootstrap-expect", "2", "-confirm", key);
    expect(await init()).toMatchObject({ code: 0, out: "was: absent\nis: unborn (birth 1, expect 2)\n" });
    const id = await oneGenesis(agents);
    expect((await genesis("show", key)).out).toContain(`${key}: sealed, genesis ${id} (birth 1, expect 2`);
    expect(JSON.parse((await genesis("show", key, "-o=json")).out)).toMatchObject({
      key,
      genesis: { state: "sealed", genesis_id: id },
    });
    const again = await init();
    expect([again.code, again.out.endsWith("unchanged: the record exists\n")]).toEqual([0, true]);
    expect(await sealedId(key)).toBe(id);
  });

  it("writes nothing without the number of voters, or without the right confirmation", async () => {
    const key = freshKey();
    const { code, err } = await genesis("init", key, "-confirm", key);
    expect([code, err.startsWith("rollcall: -bootstrap-expect: is required")], err).toEqual([2, true]);
    expect((await genesis("init", key, "-bootstrap-expect=3")).err).toContain("-confirm: is required");
    expect(await genesis("init", key, "-bootstrap-expect=3", "-confirm=orders")).toEqual({
      code: 2,
      out: "",
      err: `rollcall: -confirm: is not the key, ${key}; nothing was written\n`,
    });
    expect(await store().genesis(key)).toBeNull();
  });

  it("changes what an unborn record expects, so that agents with that number form; later it refuses", async () => {
    const key = freshKey();
    expect((await genesis("init", key, "-bootstrap-expect=5", "-confirm", key)).code).toBe(0);
    const before = await store().genesis(key);
    const agents = await fleet.start(["a", "b"], [...voters(key, 2), "-genesis", "strict"]);
    for (const agent of agents) {
      const explained = await agent.waitsFor("expect_mismatch");
      expect(explained.unblock.join(" ")).toContain("rollcall genesis init");
    }
    const changed = await genesis("init", key, "-bootstrap-expect=2", "-confirm", key);
    expect(changed).toMatchObject({ code: 0, err: "" });
    expect(changed.out).toContain("was: unborn (birth 1, expect 5)\n");
    expect(changed.out).toContain("is: unborn (birth 1, expect 2)\n");
    const id = await oneGenesis(agents);
    expect(await store().genesis(key)).toMatchObject({
      init_id: before?.init_id,
      birth: 1,
      expect: 2,
      genesis_id: id,
    });
    const late = await genesis("init", key, "-bootstrap-expect=3", "-confirm", key);
    expect([late.code, late.err.includes("the record expects 2, not 3, and is sealed")], late.err).toEqual([
      1,
      true,
    ]);
    expect(await sealedId(key)).toBe(id);
  });

  it("gives up a cluster whose nodes still run: they say so and run on, and wiped ones make the next", async () => {
    const key = freshKey();
    const agents = await fleet.start(["a", "b", "c"], voters(key, 2));
    const [a, b, c] = agents;
    if (a === undefined || b === undefined || c === undefined) throw new Error("three agents");
    const old = await oneGenesis(agents);
    const wrong = await genesis("rebirth", key, "-genesis=another", "-confirm", key);
    expect([wrong.code, wrong.err.includes(`the sealed genesis is ${old}, not the given one`)]).toEqual([
      1,
      true,
    ]);
    expect((await genesis("rebirth", key, "-genesis=auto", "-confirm", key)).code).toBe(2);
    expect(await sealedId(key)).toBe(old);

    const reborn = await genesis("rebirth", key, "-genesis", old, "-confirm", key);
    expect(reborn).toMatchObject({ code: 0, err: "" });
    expect(reborn.out).toContain("note: still running in the old genesis: a, b, c;");
    expect(reborn.out).toContain("is: unborn (birth 2, expect 2)\n");
    for (const agent of agents) await agent.waitsFor("reborn");
    expect(agents.map((agent) => agent.process().exit())).toEqual([null, null, null]);
    expect(await store().genesis(key)).toMatchObject({ state: "unborn", birth: 2, expect: 2 });

    for (const agent of [a, b]) {
      await agent.stop();
      await agent.restart({ wipe: true });
    }
    const next = await oneGenesis([a, b]);
    expect(next).not.toBe(old);
    expect(await store().genesis(key)).toMatchObject({ state: "sealed", birth: 2, genesis_id: next });
    expect((await c.explain()).code).toBe("reborn");
    expect(c.process().exit()).toBeNull();
    await c.stop();
    await c.restart({ wipe: true });
    expect(await c.settled()).toMatchObject({ kind: "join", genesis_id: next });
  }, 60_000);

  it("expects another number after a rebirth only when told", async () => {
    const key = freshKey();
    const alone = await fleet.one("a", voters(key, 1));
    const { genesis_id: old } = await alone.settled();
    await alone.stop();
    const { code, out } = await genesis(
      "rebirth",
      key,
      "-genesis",
      old,
      "-bootstrap-expect=3",
      "-confirm",
      key,
    );
    expect([code, out.includes("is: unborn (birth 2, expect 3)\n")], out).toEqual([0, true]);
  });

  it("restores the record of a wiped store from a data directory, and the nodes come back to it", async () => {
    const key = freshKey();
    const agents = await fleet.start(["a", "b"], voters(key, 2));
    const id = await oneGenesis(agents);
    await Promise.all(agents.map((agent) => agent.stop()));
    await store().wipe(key);
    expect(await store().genesis(key)).toBeNull();
    const dataDir = join(agents[0]?.dir ?? "", "data");

    const blank = await genesis("restore", key, "-data-dir", join(dataDir, "none"), "-confirm", key);
    expect([blank.code, blank.err.includes("no marker in -data-dir")], blank.err).toEqual([1, true]);
    const wrong = await genesis("restore", key, "-data-dir", dataDir, "-confirm=orders");
    expect([wrong.code, await store().genesis(key)]).toEqual([2, null]);
    const restored = await genesis("restore", key, "-data-dir", dataDir, "-confirm", key);
    expect(restored).toMatchObject({ code: 0, err: "" });
    expect(restored.out).toContain(`is: sealed, genesis ${id} (birth 1, expect 2`);
    expect((await genesis("restore", key, "-data-dir", dataDir, "-confirm", key)).out).toContain("unchanged");

    await Promise.all(agents.map((agent) => agent.restart()));
    expect(await oneGenesis(agents)).toBe(id);
    const joined = await fleet.one("c", voters(key, 2));
    expect(await joined.settled()).toMatchObject({ kind: "join", genesis_id: id });
  });

  it("does not restore over another cluster", async () => {
    const key = freshKey();
    const first = await fleet.one("a", voters(key, 1));
    await first.settled();
    await first.stop();
    await store().wipe(key);
    const second = await fleet.one("b", voters(key, 1));
    const { genesis_id: other } = await second.settled();
    const { code, err } = await genesis(
      "restore",
      key,
      "-data-dir",
      join(first.dir, "data"),
      "-confirm",
      key,
    );
    expect([code, err.includes("the record is another's")], err).toEqual([1, true]);
    expect(await sealedId(key)).toBe(other);
  });
});
