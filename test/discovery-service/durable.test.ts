/** What the service keeps in its file: all that was answered, and no more after a disk that failed. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it } from "vitest";
import { type Durable, openDurable } from "../../src/discovery-service/durable.ts";
import { openFile } from "../../src/discovery-service/file.ts";
import { createApp } from "../../src/discovery-service/http.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { type ManualClock, manualClock } from "../lib/manual-clock.ts";
import { openFor } from "../store/facts.ts";
import { tempDir } from "../support/temp.ts";

const opened: Durable[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

// https://www.sqlite.org/rescode.html
const [IO_ERROR, FULL] = [10, 13];

const said: string[] = [];
const say = (...told: readonly unknown[]) => void said.push(String(told[1]));
const log = { error: say, info: say };
const freshPath = () => join(tempDir("discovery"), "discovery.db");
async function openAt(
  path: string,
  clock: Pick<ManualClock, "now" | "after"> = systemClock,
  open = openFile,
): Promise<Durable> {
  const durable = await openDurable(path, { clock, log, uuid: randomUUID, open });
  opened.push(durable);
  return durable;
}

/** A file whose commits fail as SQLite's do while `fault` has one of its codes. */
const failing =
  (fault: { errcode: number | null }): typeof openFile =>
  async (...given) => {
    const file = await openFile(...given);
    const faulty = (write: () => void) => () => {
      if (fault.errcode !== null) throw Object.assign(new Error("it failed"), { errcode: fault.errcode });
      write();
    };
    return { ...file, commit: faulty(file.commit), probe: faulty(file.probe) };
  };

const row = { id: "a", nodeId: "n1", incarnation: "i", record: '{"id":"n1"}', ttlMs: 5_000 };
const put = (value: string) => ({ id: "a", name: "genesis", value, expected: null });

describe("contents in a file", () => {
  it("are there again with their revisions, leases, ids and positions", async () => {
    const path = freshPath();
    const clock = manualClock();
    const first = await openAt(path, clock);
    const written = first.registers.put(put("é\n"));
    const held = first.registers.announce(row, clock.now());
    if (written.kind !== "won" || held.kind !== "held") return expect.unreachable("an empty store refuses");
    first.lists.create("list", { size: 3, tokenHash: "h" }, 1_000);
    for (const addr of ["x:1", "y:1", "z:1"]) first.lists.register("list", addr);
    first.lists.remove("list", "y:1");
    const index = first.registers.index("a");
    first.close();
    const again = await openAt(path, clock);
    expect(again.registers.read("a", "genesis")).toEqual({ value: "é\n", revision: written.revision });
    expect(again.registers.index("a")).not.toBe(index);
    expect(again.registers.renew({ id: "a", nodeId: "n1", lease: held.lease }, clock.now())).toBe(true);
    expect(again.registers.size()).toMatchObject({ ids: 1, bytes: 7 + 3 + 2 + 11 });
    expect(again.lists.get("list")).toEqual({
      ...{ createdMs: 1_000, usedMs: 1_000, size: 3, tokenHash: "h", arrivals: 3 },
      nodes: new Map([...[["x:1", 1] as const, ["z:1", 3] as const]]),
    });
    expect(again.lists.register("list", "y:1")).toBe(4);
  });

  it("keep a member for its whole time after a restart, and no longer", async () => {
    const path = freshPath();
    const clock = manualClock();
    const first = await openAt(path, clock);
    first.registers.announce(row, clock.now());
    first.close();
    clock.advance(60_000);
    const again = await openAt(path, clock);
    const from = clock.now();
    again.registers.expire(from + 4_999);
    expect(again.registers.view("a").members).toHaveLength(1);
    again.registers.expire(from + 5_000);
    expect(again.registers.view("a").members).toEqual([]);
    again.close();
    expect((await openAt(path, clock)).registers.view("a").members).toEqual([]);
  });

  it("answer nobody before what they show is in the file", async () => {
    const path = freshPath();
    const clock = manualClock();
    const durable = await openAt(path, clock);
    const { app } = createApp(
      { ...durable, token: null },
      { clock, uuid: randomUUID, log: { error: () => {} } },
    );
    let answered = 0;
    const ask = async (path: string, init: RequestInit) => {
      const { status } = await app.request(path, init);
      answered += 1;
      return status;
    };
    const writing = ask("/a/registers/genesis", {
      method: "PUT",
      headers: { "if-none-match": "*" },
      body: "x",
    });
    const losing = ask("/a/registers/genesis", {
      method: "PUT",
      headers: { "if-none-match": "*" },
      body: "y",
    });
    const reading = ask("/a/view", {});
    await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(0);
    clock.advance(0);
    expect(await Promise.all([writing, losing, reading])).toEqual([201, 412, 200]);
    expect(await ask("/a/view", {})).toBe(200);
    expect(clock.pending()).toBe(0);
  });

  it("sync what comes together once", async () => {
    const clock = manualClock();
    const { lists, synced } = await openAt(freshPath(), clock);
    lists.create("list", { size: null, tokenHash: null }, 0);
    const all = Array.from({ length: 200 }, (_, at) => {
      lists.register("list", `n:${at}`);
      return synced();
    });
    expect(clock.pending()).toBe(1);
    clock.advance(0);
    await Promise.all(all);
    expect(clock.pending()).toBe(0);
  });

  it("are as before when the disk is full, and take more once it is not", async () => {
    const path = freshPath();
    const clock = manualClock();
    const fault: { errcode: number | null } = { errcode: null };
    const durable = await openAt(path, clock, failing(fault));
    durable.registers.put(put("1"));
    clock.advance(100);
    fault.errcode = FULL;
    durable.registers.put({ ...put("x".repeat(60_000)), name: "big" });
    durable.lists.create("list", { size: null, tokenHash: null }, 0);
    let woken = 0;
    durable.registers.onChange("a", () => void woken++);
    const lost = durable.synced();
    clock.advance(100);
    await expect(lost).rejects.toMatchObject({ code: "store" });
    expect([durable.registers.read("a", "big"), durable.lists.find("list"), woken]).toEqual([null, null, 1]);
    expect(durable.registers.read("a", "genesis")?.value).toBe("1");
    await durable.synced();
    fault.errcode = null;
    durable.registers.put({ ...put("2"), name: "small" });
    const kept = durable.synced();
    clock.advance(100);
    await kept;
    expect(durable.broken.aborted).toBe(false);
    durable.close();
    expect([...(await openAt(path)).registers.view("a").registers.keys()]).toEqual(["genesis", "small"]);
  });

  it("are not ready while they cannot be written, and say so once, and once when they can again", async () => {
    const clock = manualClock();
    const fault: { errcode: number | null } = { errcode: null };
    const durable = await openAt(freshPath(), clock, failing(fault));
    const { app } = createApp({ ...durable, token: null }, { clock, uuid: randomUUID, log });
    said.splice(0);
    const ready = async () => {
      const answer = await app.request("/readyz");
      return [answer.status, await answer.text()];
    };
    const write = async (name: string) => {
      const headers = { "if-none-match": "*" };
      const pending = app.request(`/a/registers/${name}`, { method: "PUT", headers, body: "x" });
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(100);
      return (await pending).status;
    };
    expect([await write("one"), await ready()]).toEqual([201, [200, "ok"]]);
    fault.errcode = FULL;
    expect([await write("two"), await write("three"), await ready()]).toEqual([503, 503, [503, "store"]]);
    // Nobody need write for it to be found out.
    clock.advance(1_000);
    expect(await ready()).toEqual([503, "store"]);
    expect(said).toEqual(["cannot write to the store"]);
    fault.errcode = null;
    expect(await ready()).toEqual([503, "store"]);
    clock.advance(1_000);
    expect(await ready()).toEqual([200, "ok"]);
    expect(said).toEqual(["cannot write to the store", "writes to the store again"]);
    // Or by a write.
    fault.errcode = FULL;
    expect(await write("four")).toBe(503);
    fault.errcode = null;
    clock.advance(1_000);
    expect([await write("four"), await ready(), said.length]).toEqual([201, [200, "ok"], 4]);
    expect([durable.broken.aborted, durable.registers.read("a", "two")]).toEqual([false, null]);
  });

  it("are not vouched for any more after a sync that failed", async () => {
    const path = freshPath();
    const clock = manualClock();
    const fault: { errcode: number | null } = { errcode: IO_ERROR };
    const durable = await openAt(path, clock, failing(fault));
    durable.registers.put(put("1"));
    const lost = durable.synced();
    clock.advance(0);
    await expect(lost).rejects.toMatchObject({ code: "store_unknown" });
    fault.errcode = null;
    await expect(durable.synced()).rejects.toMatchObject({ code: "store_unknown" });
    expect(durable.broken.reason).toMatchObject({ message: "write to the store: it failed" });
  });
});

describe("a file", () => {
  it("is the same after a probe, and one that was cut short hinders nobody", async () => {
    const path = freshPath();
    const tables = () => {
      const database = new DatabaseSync(path);
      const names = database.prepare("select name from sqlite_schema").all();
      database.close();
      return names;
    };
    (await openAt(path)).close();
    const before = tables();
    const half = new DatabaseSync(path);
    half.exec("create table probe (filler blob) strict");
    half.close();
    const file = await openFile(path, () => {});
    file.probe();
    expect(file.waits()).toBe(false);
    file.close();
    expect(tables()).toEqual(before);
  });

  it("is one service's at a time", async () => {
    const path = freshPath();
    await openAt(path);
    await expect(openAt(path)).rejects.toMatchObject({
      code: "locked",
      message: `open the store sqlite:${path}: it is in use by another Discovery Service`,
    });
  });

  it("is refused to and by a coordinator", async () => {
    const own = freshPath();
    (await openAt(own)).close();
    await expect(openFor(`sqlite:${own}`)).rejects.toMatchObject({ code: "store_version" });
    const theirs = freshPath();
    await (await openFor(`sqlite:${theirs}`)).close();
    await expect(openAt(theirs)).rejects.toMatchObject({ code: "store_version" });
  });

  it("is refused when its tables have another version", async () => {
    const path = freshPath();
    (await openAt(path)).close();
    const database = new DatabaseSync(path);
    database.exec("update discovery_version set version = 7");
    database.close();
    await expect(openAt(path)).rejects.toMatchObject({
      code: "store_version",
      message: `open the store sqlite:${path}: its tables have version 7, and this rollcall knows 1`,
    });
  });

  it("is refused when it does not say which version its tables have", async () => {
    const path = freshPath();
    (await openAt(path)).close();
    const database = new DatabaseSync(path);
    database.exec("delete from discovery_version");
    database.close();
    await expect(openAt(path)).rejects.toMatchObject({
      code: "store_version",
      message: `open the store sqlite:${path}: it does not say which version its tables have`,
    });
  });
});
