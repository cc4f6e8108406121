/** Opens the store that a coordinator was given. */
import type { Clock } from "../lib/clock.ts";
import { RollcallError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { type Applying, apply, type Source } from "./apply.ts";
import { openWriter, type Writer } from "./commits.ts";
import { readPage } from "./events.ts";
import { migrate } from "./migrations.ts";
import { openQueries, type Queries } from "./queries.ts";
import { type Replayed, removeBatch } from "./retention.ts";
import { asCluster, asDiscovery, asRecord, asSettings, asSnapshot } from "./rows.ts";
import type { Db } from "./schema.ts";
import { openSqlite, problemOf, surelyFailed, words } from "./sqlite.ts";
import type { Store } from "./store.ts";

export type StoreOptions = {
  /** The source that the events get: `/rollcall/<coordinator name>`. */
  readonly source: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly replayed: Replayed;
};

/** Between two transactions on a disk: while one syncs, nothing else runs in this process. */
const GAP_MS = 5;

/**
 * Opens `sqlite:PATH` or `memory:`, and brings its tables to this version. Throws in one line that names the location:
 * `usage`, `locked`, `store`, or `store_version` for tables of a newer version or of another program.
 */
export async function openStore(location: string, options: StoreOptions): Promise<Store> {
  const { source, clock, log, replayed } = options;
  const path = pathOf(location);
  let db: Db | null = null;
  try {
    db = await openSqlite(path);
    const { from, to } = await prepare(db);
    if (from !== to) log.info({ store: location, from, to }, "made the tables of this version");
    const queries = openQueries(db);
    const writer = openWriter({ db, clock, gapMs: path === null ? null : GAP_MS, problemOf, surelyFailed });
    const row = await writer.write((on) => sourceOf(on, queries, source));
    return storeOf({ db, queries, writer, source: row, replayed });
  } catch (error) {
    await db?.destroy();
    throw named(location, error);
  }
}

function pathOf(location: string): string | null {
  if (location === "memory:") return null;
  const path = location.startsWith("sqlite:") ? location.slice("sqlite:".length) : "";
  if (path !== "" && !path.includes("\0")) return path;
  throw new RollcallError("usage", `-store: ${JSON.stringify(location)} is neither sqlite:PATH nor memory:`);
}

/** The migrations share one transaction: a coordinator that is killed meanwhile leaves the earlier version. */
function prepare(db: Db) {
  return db.transaction().execute((on) => migrate(on, words));
}

async function sourceOf(on: Db, queries: Queries, name: string): Promise<Source> {
  await queries.addSource(on, { name });
  const [row] = await queries.source(on, { name });
  if (row === undefined) throw new RollcallError("store", `no row for the source ${name}`);
  return { id: row.id, name };
}

function named(location: string, error: unknown): RollcallError {
  const { code, hint, facts, message } =
    error instanceof RollcallError ? error : new RollcallError("store", problemOf(error), { cause: error });
  return new RollcallError(code, `open the store ${location}: ${message}`, {
    hint,
    facts,
    cause: error instanceof RollcallError ? error.cause : error,
  });
}

type Parts = {
  readonly db: Db;
  readonly queries: Queries;
  readonly writer: Writer;
  readonly source: Source;
  readonly replayed: Replayed;
};

function storeOf({ db, queries, writer, source, replayed }: Parts): Store {
  return {
    commit: (commits) =>
      writer.write((on) => {
        const to: Applying = { on, queries, source };
        return apply(to, commits);
      }),
    fence: (clusterId) =>
      writer.write(async (on) => {
        const [row] = await queries.grant(on, { name: clusterId });
        if (row === undefined) throw new RollcallError("store", `no fence for cluster ${clusterId}`);
        return row.fence;
      }),
    async retain(retention) {
      let all = 0;
      for (;;) {
        const gone = await writer.write((on) => removeBatch({ on, queries, replayed }, retention));
        if (gone === 0) return all;
        all += gone;
      }
    },
    close: () => writer.close(),
    ...readingOf(db, queries, writer),
  };
}

/** Reading waits for a transaction under way, and so sees what is committed and nothing else. */
function readingOf(
  db: Db,
  queries: Queries,
  { closed }: Pick<Writer, "closed">,
): Omit<Store, "commit" | "fence" | "retain" | "close"> {
  const read = async <T>(work: () => Promise<T>): Promise<T> => {
    if (closed()) throw new RollcallError("closed", "the store is closed");
    try {
      return await work();
    } catch (error) {
      if (error instanceof RollcallError) throw error;
      throw new RollcallError("store", `read the store: ${problemOf(error)}`, { cause: error });
    }
  };
  return {
    discoveries: () => read(async () => (await queries.discoveries(db, {})).map(asDiscovery)),
    records: () => read(async () => (await queries.records(db, {})).map(asRecord)),
    settings: () => read(async () => (await queries.settings(db, {})).map(asSettings)),
    clusters: () => read(async () => (await queries.clusters(db, {})).map(asCluster)),
    discovery: (name) =>
      read(async () => {
        const [row] = await queries.discovery(db, { name });
        return row === undefined ? null : asDiscovery(row);
      }),
    recordsOf: (discovery) =>
      read(async () => (await queries.recordsOf(db, { discovery })).map((row) => asRecord(row).record)),
    settingsOf: (cluster_id) =>
      read(async () => {
        const [row] = await queries.settingsOf(db, { cluster_id });
        return row === undefined ? null : asSettings(row);
      }),
    cluster: (name) =>
      read(async () => {
        const [row] = await queries.cluster(db, { name });
        return row === undefined ? null : asCluster(row);
      }),
    events: (query) => read(() => readPage(db, queries, query)),
    extent: () =>
      read(async () => {
        const [ends] = await queries.ends(db, {});
        if (ends === undefined || ends.newest === ends.removed) return { oldest: 0, newest: 0 };
        return { oldest: ends.removed + 1, newest: ends.newest };
      }),
    position: (eventId) =>
      read(async () => {
        const cut = eventId.lastIndexOf(":");
        const seq = /^[1-9]\d{0,15}$/.test(eventId.slice(cut + 1)) ? Number(eventId.slice(cut + 1)) : 0;
        const [row] = await queries.position(db, { name: eventId.slice(0, Math.max(0, cut)), seq });
        return row?.position ?? null;
      }),
    snapshot: (name) =>
      read(async () => {
        const [scope] = await queries.scope(db, { name });
        const [row] = scope === undefined ? [] : await queries.snapshot(db, { scope: scope.id });
        return row === undefined ? null : asSnapshot(name, row);
      }),
  };
}
