/** How commits come together, and what becomes of them when the database fails. */
import { sql } from "kysely";
import { afterEach, describe, expect, it } from "vitest";
import { openWriter, type Writer } from "../../src/store/commits.ts";
import { migrate } from "../../src/store/migrations.ts";
import type { Db } from "../../src/store/schema.ts";
import { openSqlite, problemOf, surelyFailed, words } from "../../src/store/sqlite.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";

describe("commits", () => {
  const open: Writer[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  /** A writer to a database in memory whose clock is the test's, and the statements that were run. */
  async function writing(gapMs: number | null) {
    const clock = manualClock();
    const db = await openSqlite(null);
    await migrate(db, words);
    const writer = openWriter({ db, clock, gapMs, problemOf, surelyFailed });
    open.push(writer);
    let over = 0;
    const add = (name: string) =>
      writer
        .write((on) => on.insertInto("sources").values({ name }).execute())
        .finally(() => {
          over++;
        });
    const names = async () =>
      (await db.selectFrom("sources").select("name").orderBy("id").execute()).map(({ name }) => name);
    return { clock, db, writer, add, names, over: () => over };
  }

  it("wait for the turn of the loop, and then for the gap", async () => {
    const { clock, add, over } = await writing(5);
    const first = [add("a"), add("b")];
    await turns();
    expect([over(), clock.pending()]).toEqual([0, 1]);
    clock.advance(0);
    await Promise.all(first);
    const second = [add("c"), add("d")];
    await turns();
    clock.advance(4);
    await turns();
    expect(over()).toBe(2);
    clock.advance(1);
    await Promise.all(second);
    clock.advance(100);
    const third = add("e");
    await turns();
    clock.advance(0);
    await third;
    expect([over(), clock.pending()]).toEqual([5, 0]);
  });

  it("leave others as much time as a slow one took", async () => {
    const { clock, writer, add, over } = await writing(5);
    const slow = writer.write(async () => clock.advance(30));
    await turns();
    clock.advance(0);
    await slow;
    const next = add("a");
    await turns();
    clock.advance(29);
    await turns();
    expect(over()).toBe(0);
    clock.advance(1);
    await next;
  });

  it("are seen by nobody before all that share the transaction are over", async () => {
    const { writer, add, names } = await writing(null);
    let seen: Promise<readonly string[]> | null = null;
    const slow = writer.write(async (on) => {
      await on.insertInto("sources").values({ name: "slow" }).execute();
      seen = names();
      await turns();
    });
    await Promise.all([slow, add("b")]);
    expect(await seen).toEqual(["slow", "b"]);
  });

  it("fail alone where they fail themselves", async () => {
    const { add, names } = await writing(null);
    const ended = await Promise.allSettled([add("a"), add("a"), add("b")]);
    expect(ended.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(ended[1]).toMatchObject({
      reason: {
        code: "store",
        message: expect.stringMatching(/^write to the store: UNIQUE constraint failed/),
      },
    });
    expect(await names()).toEqual(["a", "b"]);
  });

  it("all fail where the transaction does, and nobody can tell what became of it", async () => {
    const { writer, add, names } = await writing(null);
    // Checked when the transaction ends: the one way to make a commit fail without a disk.
    const broken = writer.write(async (on) => {
      await sql`pragma defer_foreign_keys = on`.execute(on);
      await on.insertInto("snapshots").values({ scope: 99, seq: 1, facts: null }).execute();
    });
    const ended = await Promise.allSettled([add("a"), broken, add("b")]);
    expect(ended).toMatchObject(Array(3).fill({ status: "rejected", reason: { code: "store_unknown" } }));
    expect(await names()).toEqual([]);
    await add("c");
    expect(await names()).toEqual(["c"]);
  });

  it("all fail where the database takes the transaction back in the middle", async () => {
    const { writer, add, names } = await writing(null);
    const broken = writer.write((on: Db) => sql`insert or rollback into log select null, 0`.execute(on));
    const ended = await Promise.allSettled([add("a"), broken, add("b")]);
    expect(ended).toMatchObject(Array(3).fill({ status: "rejected", reason: { code: "store" } }));
    expect(await names()).toEqual([]);
    await add("c");
    expect(await names()).toEqual(["c"]);
  });

  it("have all their turn, however many they are", async () => {
    const { add, names } = await writing(null);
    const all = Array.from({ length: 450 }, (_, index) => `source ${index}`);
    await Promise.all(all.map(add));
    expect(await names()).toEqual(all);
  });
});
