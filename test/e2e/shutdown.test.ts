/** SIGTERM ends an agent within 5 s in every state it can be in, and leaves no entry behind. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import type { Agent } from "../support/agents.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { until } from "../support/wait.ts";
import { freshKey, onBothStores, openFleet } from "./stores.ts";

onBothStores("SIGTERM", (store) => {
  const fleet = openFleet();
  afterEach(() => fleet.end());
  const ends = async (agent: Agent) => {
    agent.process().signal("SIGTERM");
    await until(() => agent.process().exit(), {
      deadlineMs: 5_000,
      what: `${agent.id} to end after SIGTERM`,
    });
    expect(agent.process().exit()).toEqual({ code: 0, signal: null });
  };

  it("ends agents that wait for voters, for the operator, for their turn to join, and that are settled", async () => {
    const key = freshKey();
    const waiting = await fleet.one("a", [...store().flags(key), "-bootstrap-expect", "2"]);
    await waiting.waitsFor("voters");
    const reader = await fleet.one("b", [...store().flags(key), "-non-voter"]);
    await reader.waitsFor("others");
    const strict = await fleet.one("c", [...store().flags(freshKey()), "-genesis", "strict"]);
    await strict.waitsFor("no_record");
    const alone = await fleet.one("d", store().flags(freshKey()));
    await alone.settled();
    await Promise.all([waiting, reader, strict, alone].map(ends));
    const after = await fleet.one("e", [...store().flags(key), "-bootstrap-expect", "2"]);
    // Its own entry, and nobody else's: those that ended have taken theirs along.
    await after.waitsFor("voters");
    await until(async () => (await after.explain()).seen === 1, { deadlineMs: 5_000, what: "one entry" });
  });

  it("ends agents whose store refuses, hangs, or hangs in the middle", async () => {
    const proxy = await startFaultProxy(store().at);
    try {
      const settled = await fleet.one("a", store().flags(freshKey(), proxy));
      await settled.settled();
      await proxy.blackhole();
      const hanging = await fleet.one("b", store().flags(freshKey(), proxy));
      await until(() => hanging.get("/livez"), { deadlineMs: 30_000, what: "b to listen" });
      await Promise.all([settled, hanging].map(ends));
      await proxy.refuse();
      const refused = await fleet.one("c", store().flags(freshKey(), proxy));
      await refused.waitsFor("store");
      await ends(refused);
    } finally {
      await proxy.stop();
    }
  });

  it("ends an agent whose -on-init hangs, with its hook, and one that refuses", async () => {
    const a = await fleet.one("a", []);
    await a.kill();
    const hook = join(a.dir, "hang.sh");
    writeFileSync(hook, `#!/bin/sh\necho $$ >${a.dir}/hook.pid\nexec sleep 60\n`);
    chmodSync(hook, 0o755);
    await a.restart({ args: [...store().flags(freshKey()), "-on-init", hook] });
    await until(async () => (await a.explain()).phase === "initialising", {
      deadlineMs: 30_000,
      what: "the hook",
    });
    await ends(a);
    const b = await fleet.one("b", []);
    await b.kill();
    mkdirSync(join(b.dir, "db"));
    writeFileSync(join(b.dir, "db", "data"), "x");
    await b.restart({ args: [...store().flags(freshKey()), "-db-data-dir", join(b.dir, "db")] });
    await b.waitsFor("foreign_data");
    expect((await b.get("/v1/outcome")).status).toBe(409);
    await ends(b);
  });

  it("ends agents that wait for a claimer, under a node id that is taken, with another expect, and that claimed", async () => {
    const key = freshKey();
    const args = [...store().flags(key), "-bootstrap-expect", "2"];
    const a = await fleet.one("a", []);
    await a.kill();
    const hook = join(a.dir, "hang.sh");
    writeFileSync(hook, "#!/bin/sh\nexec sleep 60\n");
    chmodSync(hook, 0o755);
    await a.restart({ args: [...args, "-on-init", hook] });
    await a.waitsFor("voters");
    const b = await fleet.one("b", args);
    await b.waitsFor("claimer");
    const twin = await fleet.one("b", args);
    await twin.waitsFor("duplicate_node_id");
    const odd = await fleet.one("c", [...store().flags(key), "-bootstrap-expect", "3"]);
    await odd.waitsFor("expect_mismatch");
    await Promise.all([a, b, twin, odd].map(ends));
  });
});
