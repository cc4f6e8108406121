/** The way from every earlier version of the tables to this one. */
import { readdirSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { migrate, migrations } from "../../src/store/migrations.ts";
import type { Db } from "../../src/store/schema.ts";
import { openSqlite, words } from "../../src/store/sqlite.ts";

describe("migrations", () => {
  const open: Db[] = [];
  const empty = async () => {
    const db = await openSqlite(null);
    open.push(db);
    return db;
  };
  afterEach(async () => {
    for (const db of open.splice(0)) await db.destroy();
  });

  /** Every table with its columns, but for their order. */
  const shape = async (db: Db) =>
    Object.fromEntries(
      (await db.introspection.getTables()).map(({ name, columns }) => [
        name,
        columns.map((one) => `${one.name} ${one.dataType}${one.isNullable ? "" : " not null"}`).sort(),
      ]),
    );

  it("are one file each, numbered from 1", () => {
    const numbers = readdirSync("src/store/migrations").map((name) =>
      Number(/^(\d{3})-[a-z-]+\.ts$/.exec(name)?.[1]),
    );
    expect(numbers.sort((a, b) => a - b)).toEqual(migrations.map((_, index) => index + 1));
  });

  it.each(migrations.map((_, version) => version))(
    "lead from version %i to the same tables",
    async (version) => {
      const [fresh, old] = [await empty(), await empty()];
      const last = migrations.length;
      expect(await migrate(fresh, words)).toEqual({ from: 0, to: last });
      await migrate(old, words, version);
      expect(await migrate(old, words)).toEqual({ from: version, to: last });
      expect(await shape(old)).toEqual(await shape(fresh));
      expect(Object.keys(await shape(fresh)).sort()).toEqual([
        ...["clusters", "discoveries", "events", "log", "records", "schema_version"],
        ...["scopes", "settings", "snapshots", "sources"],
      ]);
      expect(await migrate(old, words)).toEqual({ from: last, to: last });
    },
  );

  it("leave what is there untouched when one of them fails", async () => {
    const db = await empty();
    const broken = db.transaction().execute(async (on) => {
      await migrate(on, words);
      throw new Error("killed here");
    });
    await expect(broken).rejects.toThrow("killed here");
    expect(await shape(db)).toEqual({});
    expect(await migrate(db, words)).toEqual({ from: 0, to: migrations.length });
  });
});
