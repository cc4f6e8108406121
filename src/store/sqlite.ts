/** SQLite (src/lib/sqlite.ts) behind Kysely. */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { Kysely, SqliteDialect } from "kysely";
import { openDatabase } from "../lib/sqlite.ts";
import { anotherProgram } from "./migrations.ts";
import type { Db, Tables, Words } from "./schema.ts";

export { problemOf, surelyFailed } from "../lib/sqlite.ts";

/** SQLite's words: only `integer` makes a key that is the row's own number. */
export const words: Words = { whole: "integer", counted: (column) => column.primaryKey().autoIncrement() };

/** Statements kept ready. All queries but the filtered pages have fixed texts. */
const MOST_STATEMENTS = 200;

/** Opens the database in a file, or, with `null`, one in memory. Throws as `openDatabase` does. */
export async function openSqlite(path: string | null): Promise<Db> {
  const database = await openDatabase(path, {
    name: "coordinator",
    foreign: anotherProgram,
    long: ["events"],
  });
  return new Kysely<Tables>({ dialect: new SqliteDialect({ database: forKysely(database) }) });
}

/** The part of better-sqlite3's interface that Kysely's dialect uses. */
function forKysely(database: DatabaseSync) {
  const ready = new Map<string, Statement>();
  return {
    prepare(sql: string): Statement {
      const old = ready.get(sql);
      if (old !== undefined) return old;
      const statement = asStatement(database.prepare(sql));
      const oldest = ready.size < MOST_STATEMENTS ? undefined : ready.keys().next().value;
      if (oldest !== undefined) ready.delete(oldest);
      ready.set(sql, statement);
      return statement;
    },
    close: () => database.close(),
  };
}

type Statement = ReturnType<typeof asStatement>;

function asStatement(statement: StatementSync) {
  const valuesOf = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
  return {
    reader: statement.columns().length > 0,
    all: (parameters: readonly unknown[]): unknown[] => statement.all(...valuesOf(parameters)),
    run: (parameters: readonly unknown[]) => statement.run(...valuesOf(parameters)),
    iterate: (parameters: readonly unknown[]) => statement.iterate(...valuesOf(parameters)),
  };
}
