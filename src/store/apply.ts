/** What each kind of commit writes. Runs inside a transaction of the caller's, which takes all of it back on an error. */
import { type Change, envelope } from "../core/events.ts";
import type { ClusterRecord } from "../core/inventory.ts";
import { RollcallError } from "../lib/errors.ts";
import type { Queries } from "./queries.ts";
import type { Db } from "./schema.ts";
import type {
  ClusterCommit,
  Commit,
  DiscoveryCommit,
  RunCommit,
  SettingsCommit,
  StoredEvent,
} from "./store.ts";

/** The name under which events are written, and its row. */
export type Source = { readonly id: number; readonly name: string };

export type Applying = { readonly on: Db; readonly queries: Queries; readonly source: Source };

/** The scope of what is told of a discovery's settings. */
export function discoveryScope(name: string): string {
  return `discovery:${name}`;
}

/** Writes all of them, in order. Gives the events, with their places. Throws `fenced` when one may not be written. */
export async function apply(to: Applying, commits: readonly Commit[]): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (const commit of commits) {
    switch (commit.kind) {
      case "cluster":
        events.push(...(await applyCluster(to, commit)));
        break;
      case "discovery":
        events.push(...(await applyDiscovery(to, commit)));
        break;
      case "settings":
        await applySettings(to, commit);
        break;
      case "run":
        await applyRun(to, commit);
        break;
      default:
        commit satisfies never;
    }
  }
  return events;
}

/** The update that counts also checks the fence, and holds the scope's row until the transaction is over. */
async function applyCluster(to: Applying, commit: ClusterCommit): Promise<readonly StoredEvent[]> {
  const { on, queries } = to;
  const { clusterId: name, fence, version, facts, changes, at } = commit;
  const by = changes.length;
  let [scope] = await queries.countOn(on, { name, fence, by });
  if (scope === undefined) {
    await queries.addScope(on, { name });
    [scope] = await queries.countOn(on, { name, fence, by });
  }
  if (scope === undefined) throw await fenced(to, commit, `fence ${fence} is below the greatest granted`);
  const was = version - 1;
  const key = { scope: scope.id, was, version };
  const texts = { facts: JSON.stringify(facts), marks: JSON.stringify(commit.marks) };
  const done =
    facts === null
      ? await queries.removeCluster(on, key)
      : was === 0
        ? await queries.addCluster(on, { ...key, ...texts })
        : await queries.setCluster(on, { ...key, ...texts });
  if (done.length === 0) throw await fenced(to, commit, `version ${version} does not follow what is stored`);
  return append(to, { id: scope.id, name, from: scope.seq - by }, changes, at);
}

async function fenced({ on, queries }: Applying, { clusterId: name }: ClusterCommit, why: string) {
  const [scope] = await queries.scope(on, { name });
  const [cluster] = await queries.cluster(on, { name });
  return new RollcallError("fenced", `commit cluster ${name}: ${why}`, {
    facts: { cluster: name, fence: scope?.fence ?? 0, version: cluster?.version ?? 0 },
  });
}

type Scope = { readonly id: number; readonly name: string; readonly from: number };

async function append(
  { on, queries, source }: Applying,
  scope: Scope,
  changes: readonly Change[],
  at: number,
): Promise<readonly StoredEvent[]> {
  if (changes.length === 0) return [];
  const [log] = await queries.takePlaces(on, { count: changes.length });
  const first = (log?.newest ?? 0) - changes.length + 1;
  const events: StoredEvent[] = [];
  for (const [index, change] of changes.entries()) {
    const position = first + index;
    const seq = scope.from + index + 1;
    const { type, subject } = change;
    const [before, after] = [asText(change.before), asText(change.after)];
    await queries.addEvent(on, {
      ...{ position, scope: scope.id, seq, type, subject, at, source: source.id },
      ...{ before, after },
    });
    events.push({
      position,
      event: envelope(change, { scope: scope.name, seq, source: source.name, time: at }),
    });
  }
  return events;
}

function asText(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

async function applyDiscovery(to: Applying, commit: DiscoveryCommit): Promise<readonly StoredEvent[]> {
  const { on, queries } = to;
  const { name, stored, records, changes, at } = commit;
  if (stored === null) await queries.removeDiscovery(on, { name });
  else if (stored !== undefined)
    await queries.putDiscovery(on, {
      name,
      settings: JSON.stringify(stored.settings),
      document: stored.document,
    });
  if (stored !== null && records !== undefined) await replaceRecords(to, name, records);
  if (changes.length === 0) return [];
  const scope = discoveryScope(name);
  await queries.addScope(on, { name: scope });
  const [row] = await queries.countOn(on, { name: scope, fence: 0, by: changes.length });
  if (row === undefined) throw new RollcallError("store", `commit discovery ${name}: no row for its events`);
  return append(to, { id: row.id, name: scope, from: row.seq - changes.length }, changes, at);
}

/** Only what is another than before is written: most of a long list stays as it is. */
async function replaceRecords(
  { on, queries }: Applying,
  discovery: string,
  records: readonly ClusterRecord[],
) {
  if ((await queries.discovery(on, { name: discovery })).length === 0)
    throw new RollcallError("fenced", `commit discovery ${discovery}: it was deleted`, {
      facts: { discovery },
    });
  const old = new Map(
    (await queries.recordsOf(on, { discovery })).map(({ cluster_id, record }) => [cluster_id, record]),
  );
  for (const one of records) {
    const { cluster_id } = one;
    const record = JSON.stringify(one);
    if (old.get(cluster_id) !== record) await queries.putRecord(on, { discovery, cluster_id, record });
    old.delete(cluster_id);
  }
  for (const cluster_id of old.keys()) await queries.removeRecord(on, { discovery, cluster_id });
}

async function applySettings({ on, queries }: Applying, { clusterId: cluster_id, stored }: SettingsCommit) {
  if (stored === null) await queries.removeSettings(on, { cluster_id });
  else
    await queries.putSettings(on, {
      cluster_id,
      settings: JSON.stringify(stored.settings),
      synthetic: stored.synthetic ? 1 : 0,
      document: stored.document,
    });
}

/** What was deleted meanwhile runs no more: then nothing is written. */
async function applyRun({ on, queries }: Applying, { of, name, run }: RunCommit) {
  const { next_at, started_at, ended_at, error } = run;
  const columns = { name, next_at, started_at, ended_at, error };
  if (of === "discovery") await queries.runDiscovery(on, columns);
  else await queries.runCluster(on, columns);
}
