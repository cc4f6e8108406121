/** Rows as what they stand for. What was written is checked by its schema when it is read. Throws `store`. */

import * as z from "zod";
import { type Cluster, Facts, Marks } from "../core/cluster.ts";
import { envelope } from "../core/events.ts";
import { ClusterRecord } from "../core/inventory.ts";
import { ClusterSettings, DiscoverySettings } from "../core/settings.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import type { EventRow } from "./queries.ts";
import type { RunColumns, Tables } from "./schema.ts";
import type { Run, Snapshot, StoredDiscovery, StoredEvent, StoredRecord, StoredSettings } from "./store.ts";

export function asCluster(row: {
  readonly name: string;
  readonly seq: number;
  readonly version: number;
  readonly facts: string;
  readonly marks: string;
}): Cluster {
  const { name, seq, version } = row;
  return {
    facts: parsed(Facts, row.facts, `the facts of cluster ${name}`),
    marks: parsed(Marks, row.marks, `the marks of cluster ${name}`),
    version,
    seq,
  };
}

export function asDiscovery(row: Tables["discoveries"]): StoredDiscovery {
  const settings = parsed(DiscoverySettings, row.settings, `the settings of discovery ${row.name}`);
  return { settings, run: asRun(row), document: row.document };
}

export function asSettings(row: Tables["settings"]): StoredSettings {
  const settings = parsed(ClusterSettings, row.settings, `the settings of cluster ${row.cluster_id}`);
  return { settings, synthetic: row.synthetic === 1, run: asRun(row), document: row.document };
}

export function asRecord({ discovery, cluster_id, record }: Tables["records"]): StoredRecord {
  const what = `the record of cluster ${cluster_id} in discovery ${discovery}`;
  return { discovery, record: parsed(ClusterRecord, record, what) };
}

export function asSnapshot(
  name: string,
  row: { readonly seq: number; readonly facts: string | null },
): Snapshot {
  const { seq, facts } = row;
  return { seq, facts: facts === null ? null : parsed(Facts, facts, `the snapshot of ${name}`) };
}

export function asEvent({ position, scope, seq, source, at, ...row }: EventRow): StoredEvent {
  return { position, event: envelope(asChange(row), { scope, seq, source, time: at }) };
}

/** The change of a row of the log. */
export function asChange({
  type,
  subject,
  before,
  after,
}: Pick<EventRow, "type" | "subject" | "before" | "after">) {
  const value = (text: string | null) =>
    text === null ? null : parsed(z.unknown(), text, `an event of ${subject}`);
  return { type, subject, before: value(before), after: value(after) };
}

function asRun({ next_at, started_at, ended_at, error }: RunColumns): Run | null {
  return next_at === null ? null : { next_at, started_at, ended_at, error };
}

function parsed<T>(schema: z.ZodType<T>, text: string, what: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const issue = error instanceof z.ZodError ? error.issues[0] : undefined;
    const why = issue === undefined ? reason(error) : `${issue.path.join(".")}: ${issue.message}`;
    throw new RollcallError("store", `read ${what}: ${why}`, { cause: error });
  }
}
