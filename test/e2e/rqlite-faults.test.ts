/** What goes wrong beside a real rqlited: frozen, killed, locked out, and hooks that fail, hang and fork. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { type Node, openNodes, untilLed } from "../support/supervised.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { freshKey, onBothStores } from "./stores.ts";

const LONG = { timeout: 90_000 };

onBothStores("rqlite under faults", (store) => {
  const fleet = openNodes();
  afterEach(() => fleet.end());
  const voters = (key: string, n: number) => [...store().flags(key), "-bootstrap-expect", String(n)];
  const isAlive = (pid: number) => {
    try {
      process.kill(pid, 0);
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return false;
    }
  };
  const status = async (node: Node) => JSON.parse((await node.agent().get("/v1/node")).body).status;
  const script = (name: string, lines: readonly string[]) => {
    const path = join(tempDir("hook"), name);
    writeFileSync(path, `#!/bin/sh\n${lines.join("\n")}\n`);
    chmodSync(path, 0o755);
    return path;
  };

  it("follows the leader while one database is frozen, which is told, and after it thaws", LONG, async () => {
    const nodes = await fleet.start(["a", "b", "c"], voters(freshKey(), 3));
    const leader = await untilLed(nodes);
    await leader.signal("SIGSTOP");
    try {
      await until(async () => (await status(leader)) === "unavailable", {
        deadlineMs: 30_000,
        what: "the frozen database to be told",
      });
      expect((await leader.agent().get("/leader")).status).toBe(503);
      expect((await leader.agent().get("/livez")).status).toBe(200);
      await untilLed(nodes.filter((node) => node !== leader));
    } finally {
      await leader.signal("SIGCONT");
    }
    await untilLed(nodes);
    const roles = await Promise.all(nodes.map(async (node) => (await node.agent().get("/leader")).status));
    expect(roles.sort()).toEqual([200, 503, 503]);
  });

  it("starts a killed database again, with the data it has", LONG, async () => {
    const nodes = await fleet.start(["a", "b", "c"], voters(freshKey(), 3));
    const leader = await untilLed(nodes);
    await leader.sql("CREATE TABLE t (n INTEGER)");
    const [victim = leader] = nodes.filter((node) => node !== leader);
    const before = await victim.pid();
    process.kill(before, "SIGKILL");
    await until(async () => (await victim.pid()) !== before, { deadlineMs: 30_000, what: "another process" });
    await untilLed(nodes);
    expect((await victim.state()).process.restarts).toBe(1);
    await leader.sql("INSERT INTO t VALUES (1)");
  });

  it("leaves the database running when the agent is killed, and takes it back", LONG, async () => {
    const nodes = await fleet.start(["a", "b", "c"], voters(freshKey(), 3));
    await untilLed(nodes);
    const pids = await Promise.all(nodes.map((node) => node.pid()));
    // Its output outlives it: only the process is waited for.
    for (const node of nodes) node.agent().process().signal("SIGKILL");
    await Promise.all(
      nodes.map((node) =>
        until(() => node.agent().process().exit(), { deadlineMs: 5_000, what: `${node.id}'s end` }),
      ),
    );
    expect(pids.map(isAlive)).toEqual([true, true, true]);
    await Promise.all(nodes.map((node) => node.restart()));
    await untilLed(nodes);
    expect(await Promise.all(nodes.map((node) => node.pid()))).toEqual(pids);
    const exits = await Promise.all(nodes.map((node) => node.stop()));
    expect(exits.map((exit) => exit.code)).toEqual([0, 0, 0]);
    expect(pids.map(isAlive)).toEqual([false, false, false]);
  });

  it("ends the database before the agent on SIGTERM, in every state", LONG, async () => {
    const key = freshKey();
    const waiting = await fleet.one({ id: "w", args: voters(freshKey(), 2) });
    await waiting.agent().waitsFor("voters");
    expect((await waiting.state()).process.at).toBe("waiting");
    expect(await waiting.stop()).toEqual({ code: 0, signal: null });
    const nodes = await fleet.start(["a", "b"], voters(key, 2));
    await untilLed(nodes);
    const [first, second] = nodes as [Node, Node];
    const pid = await first.pid();
    expect(await first.stop()).toEqual({ code: 0, signal: null });
    expect(isAlive(pid)).toBe(false);
    // Without its peer this one has no leader.
    await until(async () => (await status(second)) === "unhealthy", {
      deadlineMs: 30_000,
      what: "no leader",
    });
    // Its own code: rqlited ends with 1 while it still takes itself for one that is being formed.
    expect([0, 1]).toContain((await second.stop()).code);
    const after = await fleet.one({ id: "r", args: [...store().flags(key), "-non-voter"] });
    await until(async () => (await after.agent().explain()).seen === 1, {
      deadlineMs: 5_000,
      what: "one entry",
    });
  });

  it("says that the database refuses the password, and finds it once it is right", LONG, async () => {
    const auth = join(tempDir("auth"), "auth.json");
    writeFileSync(auth, JSON.stringify([{ username: "bob", password: "right", perms: ["all"] }]));
    chmodSync(auth, 0o644);
    chmodSync(join(auth, ".."), 0o755);
    const key = freshKey();
    const password = join(tempDir("password"), "password");
    writeFileSync(password, "wrong");
    const config = JSON.stringify({ username: "bob", password_file: password });
    const node = await fleet.one({
      id: "a",
      args: [...voters(key, 1), "-db-config", config],
      database: ["-auth", auth],
    });
    await node.agent().settled();
    const refused = await until(
      async () => {
        const { status: code, problem } = JSON.parse((await node.agent().get("/v1/node")).body);
        return /password|credential|401/.test(problem ?? "") ? { code, problem } : null;
      },
      { deadlineMs: 30_000, what: "the refusal to be told" },
    );
    expect(refused.code).not.toBe("healthy");
    expect(JSON.stringify([refused, await node.state()])).not.toContain("wrong");
    writeFileSync(password, "right");
    await until(async () => (await node.agent().get("/leader")).status === 200, {
      deadlineMs: 30_000,
      what: "the node to lead",
    });
    expect(node.agent().process().stderr()).not.toMatch(/"(?:wrong|right)"/);
  });

  it("goes on whatever its hooks do, runs them in turn, and tells what became of them", LONG, async () => {
    const notes = join(tempDir("notes"), "notes");
    const fails = script("fails.sh", [`cat >>${notes}`, "echo 'no such host' >&2", "exit 3"]);
    const forks = script("forks.sh", [
      "cat >/dev/null",
      `(trap '' TERM HUP; echo $$ >>${notes}.pid; exec sleep 300) &`,
    ]);
    const node = await fleet.one({
      id: "a",
      args: [...voters(freshKey(), 1), "-on-leader-change", fails, "-on-bootstrap", forks],
    });
    await untilLed([node]);
    const results = await until(
      async () => {
        const { hooks } = (await node.state()) as unknown as {
          hooks: Record<string, { ok: boolean; problem: string }>;
        };
        return hooks["leader-change"]?.ok === false && hooks.bootstrap?.ok === true ? hooks : null;
      },
      { deadlineMs: 30_000, what: "both hooks to have run" },
    );
    expect(results["leader-change"]?.problem).toContain("no such host");
    const said = JSON.parse(readFileSync(notes, "utf8").split("\n")[0] ?? "");
    expect(said).toMatchObject({ event: "leader-change", outcome: { leader: { id: "a" } } });
    // What a hook leaves behind in its group ends with it.
    if (existsSync(`${notes}.pid`)) {
      const left = Number(readFileSync(`${notes}.pid`, "utf8").trim());
      await until(() => !isAlive(left), { deadlineMs: 5_000, what: "the forked process to end" });
    }
    expect((await node.agent().get("/leader")).status).toBe(200);
    expect(await node.stop()).toEqual({ code: 0, signal: null });
  });

  it("stops at once while a hook hangs", LONG, async () => {
    const hangs = script("hangs.sh", ["cat >/dev/null", "trap '' TERM", "sleep 300 & wait"]);
    const node = await fleet.one({ id: "a", args: [...voters(freshKey(), 1), "-on-members-change", hangs] });
    await untilLed([node]);
    expect(await node.stop()).toEqual({ code: 0, signal: null });
  });
});
