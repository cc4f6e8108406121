/**
 * A crash at every step, lost acknowledgements, and a claimer that sleeps: the first of the agents reaches the
 * store through a proxy that knows the step from the bytes that pass, and kills the agent right there.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import type { Agent } from "../support/agents.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { until } from "../support/wait.ts";
import { freshKey, onBothStores, oneGenesis, openFleet, type Store } from "./stores.ts";

/** What an agent sends, with the values that Consul takes in base64 readable. */
function textOf(request: Buffer): string {
  const text = request.toString("latin1");
  return (
    text +
    [...text.matchAll(/"Value":"([A-Za-z0-9+/=]+)"/g)]
      .map(([, value]) => Buffer.from(value ?? "", "base64").toString("latin1"))
      .join("\n")
  );
}

const writes = (state: "unborn" | "claimed" | "sealed") => (request: Buffer) =>
  textOf(request).includes(`"state":"${state}"`);

onBothStores("crashes", (store) => {
  const fleet = openFleet();
  const proxies: FaultProxy[] = [];
  afterEach(async () => {
    await fleet.end();
    await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
  });

  const throughProxy = async (at: Store["at"]) => {
    const proxy = await startFaultProxy(at);
    proxies.push(proxy);
    return proxy;
  };

  /**
   * Agent `a` behind a proxy, and flags of those beside it. It is the lowest in the order, and goes first where it is
   * quick enough; so that it also does on a busy machine, some never go instead.
   */
  const three = async (key: string, more: readonly string[] = []) => {
    const proxy = await throughProxy(store().at);
    const expectTwo = ["-bootstrap-expect", "2", ...more];
    return {
      proxy,
      args: [...store().flags(key, proxy), ...expectTwo],
      others: [...store().flags(key), ...expectTwo],
      followers: [...store().flags(key), ...expectTwo, "-genesis", "never"],
    };
  };

  /** Kills the agent when it sends what matches, before or after the answer. */
  const killAt = (
    proxy: FaultProxy,
    agent: () => Agent,
    when: { matching: (request: Buffer) => boolean; answered: boolean },
  ) => {
    let reached = false;
    const matching = (request: Buffer): boolean => {
      if (reached || !when.matching(request)) return false;
      reached = true;
      if (!when.answered) void agent().kill();
      return when.answered;
    };
    const order = proxy.dropResponses({ matching, times: 1 });
    return async () => {
      await until(() => (when.answered ? order.dropped() > 0 : reached), {
        deadlineMs: 30_000,
        what: "the step to be reached",
      });
      await agent().kill();
    };
  };

  const steps = [
    { name: "the unborn record is sent", matching: writes("unborn"), answered: false },
    { name: "the unborn record is written", matching: writes("unborn"), answered: true },
    { name: "the claim is sent", matching: writes("claimed"), answered: false },
    { name: "the claim is written", matching: writes("claimed"), answered: true },
    { name: "the seal is sent", matching: writes("sealed"), answered: false },
    { name: "the seal is written", matching: writes("sealed"), answered: true },
  ];
  for (const { name, matching, answered } of steps)
    it(`makes one cluster when the first agent is killed as ${name}`, async () => {
      const key = freshKey();
      const { proxy, args, others, followers } = await three(key);
      const a = await fleet.one("a", args);
      const killed = killAt(proxy, () => a, { matching, answered });
      // The record is made by whoever is first, the rest by the first in the order: a is both.
      const early = name.includes("unborn");
      if (early) await killed();
      else await a.waitsFor("voters");
      const b = await fleet.one("b", followers);
      if (!early) await killed();
      // From now on another one may go on in its place.
      const c = await fleet.one("c", others);
      await a.restart();
      await oneGenesis([a, b, c]);
      expect((await store().genesis(key))?.state).toBe("sealed");
    });

  it("reads back when the acknowledgement of any write is lost, and never writes twice", async () => {
    const key = freshKey();
    const { proxy, args, followers } = await three(key);
    const lost = (["unborn", "claimed", "sealed"] as const).map((state) =>
      proxy.dropResponses({ matching: writes(state), times: 1 }),
    );
    const a = await fleet.one("a", args);
    await a.waitsFor("voters");
    const b = await fleet.one("b", followers);
    const genesis = await oneGenesis([a, b]);
    expect(await store().genesis(key)).toMatchObject({
      state: "sealed",
      gen: 1,
      genesis_id: genesis,
      node: "a",
    });
    expect(lost.map((order) => order.dropped())).toEqual([1, 1, 1]);
  });

  it("comes back to its genesis when killed with the marker on disk and the database not yet allowed to open", async () => {
    const key = freshKey();
    const { proxy, args, followers } = await three(key);
    let sealed = false;
    const a = await fleet.one("a", args);
    // The next request after the seal is the one that reads the record again, with the marker synced.
    const killed = killAt(proxy, () => a, {
      matching(request) {
        if (sealed) return textOf(request).includes("genesis");
        sealed = writes("sealed")(request);
        return false;
      },
      answered: true,
    });
    await a.waitsFor("voters");
    const b = await fleet.one("b", followers);
    await killed();
    await a.restart();
    expect(await oneGenesis([a, b])).toBe((await b.settled()).genesis_id);
    expect((await a.settled()).kind).toBe("bootstrap");
  });

  it("sets a half-initialised database aside and initialises it again", async () => {
    const key = freshKey();
    const { args, followers } = await three(key);
    const a = await fleet.one("a", []);
    await a.kill();
    const db = join(a.dir, "db");
    const hook = join(a.dir, "init.sh");
    mkdirSync(db);
    // The first run leaves half a database and hangs; every later one succeeds.
    writeFileSync(
      hook,
      `#!/bin/sh\necho half >${db}/data\nif [ -e ${a.dir}/again ]; then exit 0; fi\ntouch ${a.dir}/again\nexec sleep 60\n`,
    );
    chmodSync(hook, 0o755);
    await a.restart({ args: [...args, "-db-data-dir", db, "-on-init", hook] });
    await a.waitsFor("voters");
    const b = await fleet.one("b", followers);
    await until(() => existsSync(join(a.dir, "again")), { deadlineMs: 30_000, what: "the hook to run" });
    expect((await a.explain()).phase).toBe("initialising");
    await a.kill();
    await a.restart();
    await oneGenesis([a, b]);
    const parked = readdirSync(a.dir).filter((name) => name.startsWith("db.discarded-"));
    expect(parked).toHaveLength(1);
    expect((await a.settled()).kind).toBe("bootstrap");
  });

  it("runs a failing -on-init again on an empty directory, and says so until it succeeds", async () => {
    const key = freshKey();
    const { args, followers } = await three(key);
    const a = await fleet.one("a", []);
    await a.kill();
    const db = join(a.dir, "db");
    const hook = join(a.dir, "init.sh");
    mkdirSync(db);
    // As initdb does: it refuses a directory that is not empty.
    writeFileSync(
      hook,
      `#!/bin/sh\n[ -z "$(ls ${db})" ] || { echo "not empty" >&2; exit 1; }\necho half >${db}/data\n[ -e ${a.dir}/good ] || { echo "no memory" >&2; exit 1; }\n`,
    );
    chmodSync(hook, 0o755);
    await a.restart({ args: [...args, "-db-data-dir", db, "-on-init", hook] });
    await a.waitsFor("voters");
    const b = await fleet.one("b", followers);
    expect((await a.waitsFor("on_init_failing")).summary).toContain("no memory");
    writeFileSync(join(a.dir, "good"), "");
    await oneGenesis([a, b]);
    expect((await a.settled()).kind).toBe("bootstrap");
  });

  it("takes over from a claimer that sleeps, which then parks what it initialised and joins", async () => {
    const key = freshKey();
    const { args, others, followers } = await three(key);
    const a = await fleet.one("a", []);
    await a.kill();
    const db = join(a.dir, "db");
    const hook = join(a.dir, "init.sh");
    mkdirSync(db);
    writeFileSync(
      hook,
      `#!/bin/sh\necho mine >${db}/data\ntouch ${a.dir}/initialising\nwhile [ ! -e ${a.dir}/go ]; do sleep 0.05; done\n`,
    );
    chmodSync(hook, 0o755);
    await a.restart({ args: [...args, "-db-data-dir", db, "-on-init", hook] });
    await a.waitsFor("voters");
    const b = await fleet.one("b", followers);
    await until(() => existsSync(join(a.dir, "initialising")), { deadlineMs: 30_000, what: "the claim" });
    await a.pause();
    const genesis = await oneGenesis([b, await fleet.one("c", others)], 60_000);
    expect(await store().genesis(key)).toMatchObject({ state: "sealed", gen: 2, genesis_id: genesis });
    writeFileSync(join(a.dir, "go"), "");
    a.resume();
    expect(await a.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
    expect(readdirSync(a.dir).some((name) => name.startsWith("db.discarded-"))).toBe(true);
    expect(readdirSync(db)).toEqual([]);
  }, 120_000);
});
