/** Removing the oldest events, and keeping what they came to: replaying from the edge on stays exact. */
import type { Facts } from "../core/cluster.ts";
import type { Change } from "../core/events.ts";
import type { Queries } from "./queries.ts";
import { asChange, asSnapshot } from "./rows.ts";
import type { Db } from "./schema.ts";
import type { Retention } from "./store.ts";

/** What a change makes of the facts before it; null: no cluster. */
export type Replayed = (facts: Facts | null, change: Change) => Facts | null;

/** Events that one transaction removes at most: it holds the loop up for no longer than that. */
const BATCH = 500;

/**
 * Removes one batch from the old end of the log: what is older than `olderThan` (milliseconds since the epoch), or more
 * than `most`. The first event that may stay ends it, so that what is kept has no gaps. Gives how many went.
 */
export async function removeBatch(
  { on, queries, replayed }: { readonly on: Db; readonly queries: Queries; readonly replayed: Replayed },
  { olderThan, most }: Retention,
): Promise<number> {
  const [ends] = await queries.ends(on, {});
  if (ends === undefined) return 0;
  const spare = ends.newest - ends.removed - most;
  const oldest = await queries.oldest(on, { count: BATCH });
  const stays = oldest.findIndex(({ at }, index) => index >= spare && at >= olderThan);
  const going = stays === -1 ? oldest : oldest.slice(0, stays);
  const last = going.at(-1);
  if (last === undefined) return 0;
  for (const [scope, events] of Map.groupBy(going, (event) => event.scope)) {
    const [row] = await queries.snapshot(on, { scope });
    const before = row === undefined ? null : asSnapshot(`scope ${scope}`, row).facts;
    const facts = events.reduce((all, event) => replayed(all, asChange(event)), before);
    const seq = events.at(-1)?.seq ?? 0;
    await queries.putSnapshot(on, { scope, seq, facts: facts === null ? null : JSON.stringify(facts) });
  }
  await queries.removeTo(on, { position: last.position });
  await queries.setRemoved(on, { removed: last.position });
  return going.length;
}
