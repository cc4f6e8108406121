import { chmodSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../src/lib/sqlite.ts";
import { tempDir } from "../support/temp.ts";

const owner = { name: "test", foreign: () => null, long: [] };
const from = process.cwd();
afterEach(() => process.chdir(from));

describe("a database's path", () => {
  it.each([":memory:", "file:x.db", "file:x.db?mode=memory", "x?mode=memory"])(
    "is a file's name, also when it is %s",
    async (name) => {
      const dir = tempDir("sqlite");
      process.chdir(dir);
      const database = await openDatabase(name, owner);
      database.exec("create table one (a integer)");
      database.close();
      expect(readdirSync(dir)).toEqual([name]);
      const { size, mode } = statSync(name);
      expect([size > 0, mode & 0o777]).toEqual([true, 0o600]);
    },
  );
});

describe("a file that may only be read", () => {
  const { getuid, geteuid, seteuid } = process;
  /** Does it as somebody whom no file of ours belongs to, where this is root, who may write to any. */
  const asAnother = async (work: () => Promise<void>) => {
    const root = getuid?.() === 0;
    if (root) seteuid?.(65_534);
    try {
      await work();
    } finally {
      if (root) seteuid?.(0);
    }
  };

  it("is refused as one that cannot be written", async () => {
    const dir = tempDir("sqlite");
    const path = join(dir, "x.db");
    (await openDatabase(path, owner)).close();
    for (const above of [dir, dirname(dir)]) chmodSync(above, 0o755);
    chmodSync(path, 0o444);
    await asAnother(async () => {
      await expect(openDatabase(path, owner)).rejects.toMatchObject({
        code: "store",
        message: "it cannot be written (no lock is to be had on it)",
      });
    });
    expect(geteuid?.()).toBe(getuid?.());
  });
});
