/** The SQLite file of the service: its tables, how a change is written, and how everything is read again. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { RollcallError } from "../lib/errors.ts";
import { openDatabase } from "../lib/sqlite.ts";
import type { Keep, Kept } from "./keep.ts";

/** The version of the tables. Another one is refused until there is a way from one to the other. */
const VERSION = 1;

const TABLES = `
  create table discovery_version (version integer not null) strict;
  insert into discovery_version values (${VERSION});
  create table registers (
    id text not null, name text not null, value text not null, revision text not null, primary key (id, name)
  ) strict, without rowid;
  create table members (
    id text not null, node_id text not null, incarnation text not null, record text not null,
    ttl_ms integer not null, lease text not null, primary key (id, node_id)
  ) strict, without rowid;
  create table lists (
    id text not null primary key, created_ms integer not null, used_ms integer not null,
    size integer, token_hash text, arrivals integer not null
  ) strict, without rowid;
  create table nodes (
    id text not null, addr text not null, position integer not null,
    primary key (id, addr)
  ) strict, without rowid;
`;

/** Twice the longest value: a disk that is full for others may still have room for a page. */
const PROBE = `create table if not exists probe (filler blob) strict; insert into probe values (zeroblob(${128 * 1024}))`;

/** An open file. What `keep` is told waits for `commit`, which is synced when it returns. */
export type File = {
  readonly keep: Keep;
  /** Whether something waits. */
  waits(): boolean;
  /** Writes what waits, all of it or nothing. Throws SQLite's errors; then it waits still. */
  commit(): void;
  /** Writes more than any one change does, and takes it back; nothing of what waits. Throws SQLite's errors. */
  probe(): void;
  /** Nothing waits any more. */
  discard(): void;
  load(): Kept;
  close(): void;
};

/** Opens the file and makes its tables. `changed` is called with every change. Throws as `openDatabase`, and `store_version`. */
export async function openFile(path: string, changed: () => void): Promise<File> {
  const database = await openDatabase(path, { name: "Discovery Service", foreign, long: [] });
  try {
    makeTables(database);
    return fileOf(database, changed);
  } catch (error) {
    database.close();
    throw error;
  }
}

function foreign(tables: readonly string[]): RollcallError | null {
  if (tables.length === 0 || tables.includes("discovery_version")) return null;
  return new RollcallError("store_version", "it holds the tables of another program", {
    hint: "give the Discovery Service a file of its own",
  });
}

function makeTables(database: DatabaseSync): void {
  const there = database.prepare("select 1 from sqlite_schema where name = 'discovery_version'").get();
  if (there === undefined) database.exec(`begin immediate; ${TABLES} commit`);
  const { version } = database.prepare("select version from discovery_version").get() ?? {};
  if (version === VERSION) return;
  const said =
    version === undefined
      ? "it does not say which version its tables have"
      : `its tables have version ${version}, and this rollcall knows ${VERSION}`;
  throw new RollcallError("store_version", said, { hint: "use a newer rollcall, or another file" });
}

function fileOf(database: DatabaseSync, changed: () => void): File {
  const { keep, waiting } = writing(database, changed);
  const transaction = (writes: () => void) => {
    database.exec("begin immediate");
    try {
      writes();
      database.exec("commit");
    } catch (error) {
      // A database that has taken it all back by itself has no transaction any more.
      if (database.isTransaction) database.exec("rollback");
      throw error;
    }
  };
  return {
    keep,
    waits: () => waiting.size > 0,
    commit() {
      transaction(() => {
        for (const write of waiting.values()) write();
      });
      waiting.clear();
    },
    probe() {
      transaction(() => database.exec(PROBE));
      transaction(() => database.exec("drop table probe"));
    },
    discard: () => waiting.clear(),
    load: () => loaded(database),
    close: () => database.close(),
  };
}

/** One write a row, however often it changed: only how it is at last counts. */
function writing(database: DatabaseSync, changed: () => void) {
  const waiting = new Map<string, () => void>();
  const row = (table: string, columns: readonly string[], keys: number) => {
    const names = columns.map((column) => `"${column}"`);
    const [key, rest] = [names.slice(0, keys), names.slice(keys)];
    const put = database.prepare(
      `insert into "${table}" (${names}) values (${names.map(() => "?")})
       on conflict (${key}) do update set ${rest.map((name) => `${name} = excluded.${name}`)}`,
    );
    const remove = database.prepare(
      `delete from "${table}" where ${key.map((name) => `${name} = ?`).join(" and ")}`,
    );
    return (at: readonly string[], values: readonly SQLInputValue[] | null) => {
      const place = JSON.stringify([table, ...at]);
      waiting.set(place, () => void (values === null ? remove.run(...at) : put.run(...at, ...values)));
      changed();
    };
  };
  const register = row("registers", ["id", "name", "value", "revision"], 2);
  const member = row("members", ["id", "node_id", "incarnation", "record", "ttl_ms", "lease"], 2);
  const list = row("lists", ["id", "created_ms", "used_ms", "size", "token_hash", "arrivals"], 1);
  const node = row("nodes", ["id", "addr", "position"], 2);
  const keep: Keep = {
    register: (id, name, entry) => register([id, name], entry && [entry.value, entry.revision]),
    member: (id, nodeId, one) =>
      member([id, nodeId], one && [one.incarnation, one.record, one.ttlMs, one.lease]),
    list: (id, one) => list([id], one && [one.createdMs, one.usedMs, one.size, one.tokenHash, one.arrivals]),
    node: (id, addr, position) => node([id, addr], position === null ? null : [position]),
  };
  return { keep, waiting };
}

function loaded(database: DatabaseSync): Kept {
  const rows = <T>(sql: string) => database.prepare(sql).all() as T[];
  return {
    registers: rows("select id, name, value, revision from registers"),
    members: rows('select id, node_id "nodeId", incarnation, record, ttl_ms "ttlMs", lease from members'),
    lists: rows(
      'select id, created_ms "createdMs", used_ms "usedMs", size, token_hash "tokenHash", arrivals from lists',
    ),
    nodes: rows("select id, addr, position from nodes order by id, position"),
  };
}
