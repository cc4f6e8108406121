/** What is read and written, each query once, in words that every SQL database has. Filtered pages are in events.ts. */
import type { EventType } from "../core/events.ts";
import { prepared } from "./prepared.ts";
import type { Db, RunColumns, Tables } from "./schema.ts";

/** The queries of one database, ready to run on it or on a connection of it. */
export function openQueries(db: Db) {
  return {
    ...{ ...scopeQueries(db), ...eventQueries(db), ...clusterQueries(db) },
    ...{ ...discoveryQueries(db), ...settingsQueries(db) },
  };
}
export type Queries = ReturnType<typeof openQueries>;

function scopeQueries(db: Db) {
  return {
    scope: prepared((v: { name: string }) =>
      db.selectFrom("scopes").select(["id", "seq", "fence"]).where("name", "=", v.name),
    ),
    addScope: prepared((v: { name: string }) =>
      db
        .insertInto("scopes")
        .values({ name: v.name, seq: 0, fence: 0 })
        .onConflict((conflict) => conflict.column("name").doNothing()),
    ),
    /** No row: there is no such scope, or the fence is below the greatest granted. Others wait for the row from here on. */
    countOn: prepared((v: { name: string; fence: number; by: number }) =>
      db
        .updateTable("scopes")
        .set((eb) => ({ seq: eb("seq", "+", v.by) }))
        .where("name", "=", v.name)
        .where("fence", "<=", v.fence)
        .returning(["id", "seq"]),
    ),
    grant: prepared((v: { name: string }) =>
      db
        .insertInto("scopes")
        .values({ name: v.name, seq: 0, fence: 1 })
        .onConflict((conflict) =>
          conflict.column("name").doUpdateSet((eb) => ({ fence: eb("scopes.fence", "+", 1) })),
        )
        .returning("fence"),
    ),
    addSource: prepared((v: { name: string }) =>
      db
        .insertInto("sources")
        .values({ name: v.name })
        .onConflict((conflict) => conflict.column("name").doNothing()),
    ),
    source: prepared((v: { name: string }) =>
      db.selectFrom("sources").select("id").where("name", "=", v.name),
    ),
    snapshot: prepared((v: { scope: number }) =>
      db.selectFrom("snapshots").select(["seq", "facts"]).where("scope", "=", v.scope),
    ),
    putSnapshot: prepared((v: Tables["snapshots"]) =>
      db
        .insertInto("snapshots")
        .values({ scope: v.scope, seq: v.seq, facts: v.facts })
        .onConflict((conflict) => conflict.column("scope").doUpdateSet({ seq: v.seq, facts: v.facts })),
    ),
  };
}

function eventQueries(db: Db) {
  return {
    ends: prepared((_: object) => db.selectFrom("log").select(["newest", "removed"])),
    /** Places are given in the order of commits: others wait for the row until this one is over. */
    takePlaces: prepared((v: { count: number }) =>
      db
        .updateTable("log")
        .set((eb) => ({ newest: eb("newest", "+", v.count) }))
        .returning("newest"),
    ),
    setRemoved: prepared((v: { removed: number }) => db.updateTable("log").set({ removed: v.removed })),
    addEvent: prepared((v: Tables["events"]) =>
      db.insertInto("events").values({
        position: v.position,
        scope: v.scope,
        seq: v.seq,
        type: v.type,
        subject: v.subject,
        at: v.at,
        source: v.source,
        before: v.before,
        after: v.after,
      }),
    ),
    position: prepared((v: { name: string; seq: number }) =>
      db
        .selectFrom("events")
        .innerJoin("scopes", "scopes.id", "events.scope")
        .select("position")
        .where("scopes.name", "=", v.name)
        .where("events.seq", "=", v.seq),
    ),
    oldest: prepared((v: { count: number }) =>
      db
        .selectFrom("events")
        .select(["position", "scope", "seq", "type", "subject", "at", "before", "after"])
        .orderBy("position")
        .limit(v.count),
    ),
    removeTo: prepared((v: { position: number }) =>
      db.deleteFrom("events").where("position", "<=", v.position),
    ),
  };
}

function clusterQueries(db: Db) {
  const joined = db
    .selectFrom("clusters")
    .innerJoin("scopes", "scopes.id", "clusters.scope")
    .select(["scopes.name", "scopes.seq", "clusters.version", "clusters.facts", "clusters.marks"]);
  return {
    clusters: prepared((_: object) => joined.orderBy("scopes.name")),
    cluster: prepared((v: { name: string }) => joined.where("scopes.name", "=", v.name)),
    /** Each of the three gives a row where the version was the one before, and none otherwise. */
    addCluster: prepared((v: { scope: number; version: number; facts: string; marks: string }) =>
      db
        .insertInto("clusters")
        .values({ scope: v.scope, version: v.version, facts: v.facts, marks: v.marks })
        .onConflict((conflict) => conflict.column("scope").doNothing())
        .returning("version"),
    ),
    setCluster: prepared((v: { scope: number; was: number; version: number; facts: string; marks: string }) =>
      db
        .updateTable("clusters")
        .set({ version: v.version, facts: v.facts, marks: v.marks })
        .where("scope", "=", v.scope)
        .where("version", "=", v.was)
        .returning("version"),
    ),
    removeCluster: prepared((v: { scope: number; was: number }) =>
      db
        .deleteFrom("clusters")
        .where("scope", "=", v.scope)
        .where("version", "=", v.was)
        .returning("version"),
    ),
  };
}

function discoveryQueries(db: Db) {
  return {
    discoveries: prepared((_: object) => db.selectFrom("discoveries").selectAll().orderBy("name")),
    discovery: prepared((v: { name: string }) =>
      db.selectFrom("discoveries").selectAll().where("name", "=", v.name),
    ),
    putDiscovery: prepared((v: { name: string; settings: string; document: string }) =>
      db
        .insertInto("discoveries")
        .values({ name: v.name, settings: v.settings, document: v.document })
        .onConflict((conflict) =>
          conflict.column("name").doUpdateSet({ settings: v.settings, document: v.document }),
        ),
    ),
    /** Its records go with it. */
    removeDiscovery: prepared((v: { name: string }) =>
      db.deleteFrom("discoveries").where("name", "=", v.name),
    ),
    runDiscovery: prepared((v: { name: string } & RunColumns) =>
      db
        .updateTable("discoveries")
        .set({ next_at: v.next_at, started_at: v.started_at, ended_at: v.ended_at, error: v.error })
        .where("name", "=", v.name),
    ),
    records: prepared((_: object) =>
      db.selectFrom("records").selectAll().orderBy("discovery").orderBy("cluster_id"),
    ),
    recordsOf: prepared((v: { discovery: string }) =>
      db.selectFrom("records").selectAll().where("discovery", "=", v.discovery).orderBy("cluster_id"),
    ),
    putRecord: prepared((v: Tables["records"]) =>
      db
        .insertInto("records")
        .values({ discovery: v.discovery, cluster_id: v.cluster_id, record: v.record })
        .onConflict((conflict) =>
          conflict.columns(["discovery", "cluster_id"]).doUpdateSet({ record: v.record }),
        ),
    ),
    removeRecord: prepared((v: { discovery: string; cluster_id: string }) =>
      db.deleteFrom("records").where("discovery", "=", v.discovery).where("cluster_id", "=", v.cluster_id),
    ),
  };
}

function settingsQueries(db: Db) {
  return {
    settings: prepared((_: object) => db.selectFrom("settings").selectAll().orderBy("cluster_id")),
    settingsOf: prepared((v: { cluster_id: string }) =>
      db.selectFrom("settings").selectAll().where("cluster_id", "=", v.cluster_id),
    ),
    putSettings: prepared(
      (v: { cluster_id: string; settings: string; synthetic: number; document: string | null }) =>
        db
          .insertInto("settings")
          .values({
            cluster_id: v.cluster_id,
            settings: v.settings,
            synthetic: v.synthetic,
            document: v.document,
          })
          .onConflict((conflict) =>
            conflict
              .column("cluster_id")
              .doUpdateSet({ settings: v.settings, synthetic: v.synthetic, document: v.document }),
          ),
    ),
    removeSettings: prepared((v: { cluster_id: string }) =>
      db.deleteFrom("settings").where("cluster_id", "=", v.cluster_id),
    ),
    runCluster: prepared((v: { name: string } & RunColumns) =>
      db
        .updateTable("settings")
        .set({ next_at: v.next_at, started_at: v.started_at, ended_at: v.ended_at, error: v.error })
        .where("cluster_id", "=", v.name),
    ),
  };
}

/** A row of the log as pages have it. */
export type EventRow = {
  readonly position: number;
  readonly scope: string;
  readonly seq: number;
  readonly type: EventType;
  readonly subject: string;
  readonly at: number;
  readonly source: string;
  readonly before: string | null;
  readonly after: string | null;
};
