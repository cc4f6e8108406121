/** The numbered steps by which a database gets from any earlier version to this one. */
import type { SchemaModule } from "kysely";
import { RollcallError } from "../lib/errors.ts";
import * as tables from "./migrations/001-tables.ts";
import type { Db, Words } from "./schema.ts";

type Migration = { readonly up: (schema: SchemaModule, words: Words) => Promise<void> };

/** In order: the first makes version 1 of an empty database. One that was released is never changed. */
export const migrations: readonly Migration[] = [tables];

/**
 * Brings a database to the last version, or to `target`, in one transaction of the caller's. Gives the versions before
 * and after. Throws `store_version` where the database is newer, or holds another program's tables.
 */
export async function migrate(
  db: Db,
  words: Words,
  target = migrations.length,
): Promise<{ readonly from: number; readonly to: number }> {
  const from = await versionOf(db);
  if (from > target)
    throw new RollcallError(
      "store_version",
      `its tables have version ${from}, and this rollcall knows them up to ${target}`,
      { hint: "use a newer rollcall, or another file", facts: { version: from, known: target } },
    );
  if (from === target) return { from, to: from };
  if (from === 0) await begin(db);
  for (const migration of migrations.slice(from, target)) await migration.up(db.schema, words);
  if (from === 0) await db.insertInto("log").values({ newest: 0, removed: 0 }).execute();
  await db.updateTable("schema_version").set({ version: target }).execute();
  return { from, to: target };
}

/** The error of a database with these tables, none of which says that it is ours; null where it may be used. */
export function anotherProgram(tables: readonly string[]): RollcallError | null {
  if (tables.length === 0 || tables.includes("schema_version")) return null;
  return new RollcallError("store_version", "it holds the tables of another program", {
    hint: "give rollcall a file of its own",
    facts: { tables: tables.slice(0, 10) },
  });
}

async function versionOf(db: Db): Promise<number> {
  const there = (await db.introspection.getTables()).map(({ name }) => name);
  const foreign = anotherProgram(there);
  if (foreign !== null) throw foreign;
  if (there.length === 0) return 0;
  return (await db.selectFrom("schema_version").select("version").executeTakeFirst())?.version ?? 0;
}

async function begin(db: Db): Promise<void> {
  await db.schema
    .createTable("schema_version")
    .addColumn("version", "integer", (one) => one.notNull())
    .execute();
  await db.insertInto("schema_version").values({ version: 0 }).execute();
}
