/** Pages of the log. */
import { RollcallError } from "../lib/errors.ts";
import type { EventRow, Queries } from "./queries.ts";
import { asEvent } from "./rows.ts";
import type { Db } from "./schema.ts";
import type { EventQuery, StoredEvent } from "./store.ts";

/**
 * One page. However rare what it asks for is, it reads no more than a page of each type from one index. Throws `gone`,
 * with `oldest` in its facts, when events after `after` were removed.
 */
export async function readPage(db: Db, queries: Queries, query: EventQuery): Promise<readonly StoredEvent[]> {
  const { cluster, after, newestFirst = false } = query;
  const scope = cluster === null ? null : ((await queries.scope(db, { name: cluster }))[0]?.id ?? NO_SCOPE);
  const rows = await pageQuery(db, query, scope).execute();
  // Asked for after the page was read: what went in between is then known to have gone.
  const [ends] = await queries.ends(db, {});
  const removed = ends?.removed ?? 0;
  if (after !== null && !newestFirst && after < removed)
    throw new RollcallError("gone", `read events after ${after}: the oldest that is kept is ${removed + 1}`, {
      hint: "start anew from what the clusters are now",
      facts: { oldest: removed + 1 },
    });
  return rows.map((row) => asEvent(row));
}

/** The number of no scope. */
const NO_SCOPE = 0;

function pageQuery(db: Db, query: EventQuery, scope: number | null) {
  const { after, limit, types, newestFirst = false } = query;
  const order = newestFirst ? "desc" : "asc";
  let page = db
    .selectFrom("events")
    .innerJoin("scopes", "scopes.id", "events.scope")
    .innerJoin("sources", "sources.id", "events.source")
    .select(["events.position", "scopes.name as scope", "events.seq", "events.type", "events.subject"])
    .select(["events.at", "sources.name as source", "events.before", "events.after"])
    .orderBy("events.position", order)
    .limit(limit)
    .$castTo<EventRow>();
  if (types !== null) return page.where("events.position", "in", placesOf(db, { ...query, types }, scope));
  if (after !== null) page = page.where("events.position", newestFirst ? "<" : ">", after);
  return scope === null ? page : page.where("events.scope", "=", scope);
}

/** The places of a page of each type, of which the page is the first: asked for all types at once, the log is searched. */
function placesOf(
  db: Db,
  query: EventQuery & { types: NonNullable<EventQuery["types"]> },
  scope: number | null,
) {
  const { after, limit, types, newestFirst = false } = query;
  const ofType = (type: (typeof types)[number]) => {
    let places = db.selectFrom("events").select("position").where("type", "=", type);
    if (scope !== null) places = places.where("scope", "=", scope);
    if (after !== null) places = places.where("position", newestFirst ? "<" : ">", after);
    return db
      .selectFrom(
        places
          .orderBy("position", newestFirst ? "desc" : "asc")
          .limit(limit)
          .as("places"),
      )
      .select("position");
  };
  const none = db.selectFrom("events").select("position").where("position", "<", 0);
  return [...new Set(types)].map(ofType).reduce((all, one) => all.unionAll(one), none);
}
