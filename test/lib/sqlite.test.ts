import { readdirSync, statSync } from "node:fs";
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
