/** Files that a store cannot use, and disks that fail it. */
import { chmodSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sql } from "kysely";
import { afterEach, describe, expect, it } from "vitest";
import { openSqlite } from "../../src/store/sqlite.ts";
import { type Process, start } from "../support/processes.ts";
import { describeAsRoot } from "../support/root.ts";
import { openSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { COMMITTING, startCommitting, told } from "./durable.ts";
import { commitsOf, openFor } from "./facts.ts";

const fileIn = (dir: string) => join(dir, "rollcall.db");

/** A file with a store in it, closed. */
async function written(): Promise<string> {
  const path = fileIn(tempDir("store"));
  const store = await openFor(`sqlite:${path}`);
  for (const commit of commitsOf("c", 50)) await store.commit([commit]);
  await store.close();
  return path;
}

/** Overwrites the page on which a table begins. */
function damage(path: string, table: string): void {
  const database = new DatabaseSync(path, { readOnly: true });
  const { rootpage } = database.prepare("select rootpage from sqlite_schema where name = ?").get(table) ?? {};
  const { page_size } = database.prepare("pragma page_size").get() ?? {};
  database.close();
  const bytes = readFileSync(path);
  bytes.fill(0xa5, (Number(rootpage) - 1) * Number(page_size), Number(rootpage) * Number(page_size));
  writeFileSync(path, bytes);
}

describe("a file that is a store", () => {
  it("is this user's alone, synced with every commit, and held for one process", async () => {
    const path = fileIn(tempDir("store"));
    const db = await openSqlite(path);
    const setting = async (name: string) =>
      Object.values(
        (await sql<Record<string, unknown>>`${sql.raw(`pragma ${name}`)}`.execute(db)).rows[0] ?? {},
      )[0];
    expect(await setting("journal_mode")).toBe("wal");
    expect(await setting("locking_mode")).toBe("exclusive");
    // 2 is FULL: https://www.sqlite.org/pragma.html#pragma_synchronous
    expect([
      await setting("synchronous"),
      await setting("foreign_keys"),
      await setting("busy_timeout"),
    ]).toEqual([...[2, 1, 0]]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await db.destroy();
  });
});

describe("a file that is no store", () => {
  const refused = async (path: string, code: string, why: string | RegExp) => {
    const error = await openFor(`sqlite:${path}`).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    const message =
      typeof why === "string" ? `open the store sqlite:${path}: ${why}` : expect.stringMatching(why);
    expect(error).toMatchObject({ code, message });
    expect(String((error as Error).message)).toContain(path);
    expect((error as Error).message).not.toContain("\n");
  };

  it.each(["", "sqlite:", "rollcall.db", "postgres://x", "memory:x"])(
    "is not looked for at %j",
    async (location) => {
      await expect(openFor(location)).rejects.toMatchObject({
        code: "usage",
        message: `-store: ${JSON.stringify(location)} is neither sqlite:PATH nor memory:`,
      });
    },
  );

  it("may be a directory, or in none", async () => {
    const dir = tempDir("store");
    mkdirSync(fileIn(dir));
    await refused(fileIn(dir), "store", "it is a directory, not a file");
    await refused(join(dir, "no", "where.db"), "store", `there is no directory ${join(dir, "no")}`);
    writeFileSync(join(dir, "file"), "");
    await refused(join(dir, "file", "x.db"), "store", /it cannot be written \(.*ENOTDIR/);
  });

  it("is left as it is when it is damaged", async () => {
    const text = fileIn(tempDir("store"));
    writeFileSync(text, "These are my notes, and no database at all.\n".repeat(200));
    const cut = await written();
    truncateSync(cut, Math.floor(statSync(cut).size / 2));
    const overwritten = await written();
    damage(overwritten, "clusters");
    for (const path of [text, cut, overwritten]) {
      const before = readFileSync(path);
      await refused(path, "store", /the file is damaged \(/);
      expect(readFileSync(path).equals(before), path).toBe(true);
    }
  });

  it("shows a damaged page of the log when that is read, and keeps the rest", async () => {
    const path = await written();
    damage(path, "events");
    const store = await openFor(`sqlite:${path}`);
    const query = { after: null, limit: 100, cluster: null, types: null };
    await expect(store.events(query)).rejects.toMatchObject({
      ...{ code: "store", message: expect.stringContaining("the file is damaged") },
    });
    expect(await store.cluster("c")).toMatchObject({ version: 50 });
    await store.close();
  });

  it("may hold tables of a newer version, or of another program", async () => {
    const newer = await written();
    const other = fileIn(tempDir("store"));
    for (const [path, sql] of [
      [newer, "update schema_version set version = 99"],
      [other, "create table recipes (name text)"],
    ] as const) {
      const database = new DatabaseSync(path);
      database.exec(sql);
      database.close();
    }
    const before = [newer, other].map((path) => readFileSync(path));
    await refused(
      newer,
      "store_version",
      /its tables have version 99, and this rollcall knows them up to \d+$/,
    );
    await refused(other, "store_version", "it holds the tables of another program");
    for (const [index, path] of [newer, other].entries())
      expect(readFileSync(path).equals(before[index] ?? Buffer.alloc(0)), path).toBe(true);
  });

  it("says which row cannot be read", async () => {
    const path = await written();
    const database = new DatabaseSync(path);
    database.exec("update clusters set marks = '{}'");
    database.close();
    const store = await openFor(`sqlite:${path}`);
    await expect(store.cluster("c")).rejects.toMatchObject({
      ...{ code: "store", message: expect.stringMatching(/^read the marks of cluster c: nodes: /) },
    });
    await store.close();
  });

  it("may be where nothing can be written", async () => {
    const dir = tempDir("store");
    const old = await written();
    chmodSync(dir, 0o555);
    chmodSync(join(old, ".."), 0o555);
    for (const path of [fileIn(dir), old]) {
      const child = await withoutRights(path);
      expect(await child.ended).toEqual({ code: 1, signal: null });
      expect(child.stderr().trim()).toMatch(/^open the store sqlite:\S+: it cannot be written \(.*\)$/);
    }
    chmodSync(join(old, ".."), 0o700);
    const store = await openFor(`sqlite:${old}`);
    expect(await store.cluster("c")).toMatchObject({ version: 50 });
    await store.close();
  });
});

/** As somebody whom the rights of files bind, which root is not. */
function withoutRights(path: string): Promise<Process> {
  const own = [process.execPath, COMMITTING, `sqlite:${path}`];
  const bound =
    process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-all", "--inh-caps=-all", ...own] : own;
  const [program = "", ...args] = bound;
  return start({ name: "committing", program, args });
}

describeAsRoot(["mount"], "a store whose disk is full", () => {
  const disks: SmallDisk[] = [];
  const children: Process[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) await child.kill();
    await Promise.all(disks.splice(0).map((disk) => disk.end()));
  });

  it("fails commits, loses none that it has acknowledged, and goes on once there is room", async () => {
    const dir = tempDir("full");
    const disk = await openSmallDisk(dir, "16m");
    disks.push(disk);
    const open = async () => {
      const child = await startCommitting(`sqlite:${fileIn(dir)}`, { inside: disk.inside });
      children.push(child);
      return child;
    };
    const total = (child: Process) => [...told(child).values()].reduce((all, version) => all + version, 0);
    const failures = (child: Process) =>
      [...child.stdout().matchAll(/^failed (.*)$/gm)].map(([, what]) => what);
    const first = await open();
    const giveUp = () => first.exit() && first.stderr();
    await until(() => total(first) > 25, { deadlineMs: 15_000, what: "some commits", giveUp });
    disk.fill();
    await until(() => failures(first).length > 10, { deadlineMs: 15_000, what: "commits to fail", giveUp });
    expect(new Set(failures(first))).toEqual(new Set(["store write to the store: database or disk is full"]));
    const full = total(first);
    disk.free();
    await until(() => total(first) > full + 25, { deadlineMs: 15_000, what: "commits again", giveUp });
    disk.fill();
    await until(() => failures(first).length > 30, {
      deadlineMs: 15_000,
      what: "commits to fail again",
      giveUp,
    });
    await first.kill();
    const acknowledged = told(first);
    disk.free();
    // The next reads what is stored, and goes on from there: a version too few or too many would be refused.
    const second = await open();
    await until(() => total(second) > total(first) + 25, { deadlineMs: 15_000, what: "a second to go on" });
    expect(failures(second)).toEqual([]);
    for (const [id, version] of acknowledged) {
      const [, begun] = new RegExp(`^ok ${id} (\\d+)$`, "m").exec(second.stdout()) ?? [];
      expect(Number(begun)).toBe(version + 1);
    }
  }, 60_000);
});
