/**
 * The port to what a coordinator keeps. A commit is all or nothing and durable once it has resolved; a failure is
 * thrown as RollcallError `store` and has changed nothing, or as `store_unknown` where that cannot be told and the
 * caller must read back. Types only. PostgreSQL shall fit behind it as SQLite does.
 */
import type { Cluster, Facts, Marks } from "../core/cluster.ts";
import type { Change, Event, EventType } from "../core/events.ts";
import type { ClusterRecord } from "../core/inventory.ts";
import type { ClusterSettings, DiscoverySettings } from "../core/settings.ts";

/** When something ran and will run. Times are milliseconds since the epoch; null: never yet. */
export type Run = {
  /** The expected next time; what is past it is due. */
  readonly next_at: number;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  /** One line; null: the last run went well. */
  readonly error: string | null;
};

export type StoredDiscovery = {
  readonly settings: DiscoverySettings;
  readonly run: Run | null;
  /** The document as it was applied, for `get` and to see that nothing changed. Secrets are file paths only. */
  readonly document: string;
};

/** What one discovery last listed of one cluster; the inventory of the cluster when it owns it. */
export type StoredRecord = { readonly discovery: string; readonly record: ClusterRecord };

export type StoredSettings = {
  readonly settings: ClusterSettings;
  /** Made by discovery, and not applied by anybody. */
  readonly synthetic: boolean;
  readonly run: Run | null;
  readonly document: string | null;
};

/** One cluster's change. Refused with `fenced` when `fence` is below the greatest granted, or `version` is not that + 1. */
export type ClusterCommit = {
  readonly kind: "cluster";
  readonly clusterId: string;
  /** The version that the commit makes: that of the cluster as it was read, plus 1; 1 for a new one. */
  readonly version: number;
  readonly fence: number;
  /** Null: the cluster goes; its events stay, and its sequence and fence go on if it comes back, from version 1. */
  readonly facts: Facts | null;
  readonly marks: Marks;
  readonly changes: readonly Change[];
  readonly at: number;
};
/** What a look at an inventory, or an operator, changed beside the clusters themselves. */
export type DiscoveryCommit = {
  readonly kind: "discovery";
  /** `changes` are of the scope `discovery:<name>`. */
  readonly name: string;
  /** Null: it is deleted, with its records. Undefined: as it was. */
  readonly stored?: Omit<StoredDiscovery, "run"> | null;
  /** The whole of what it lists now; undefined: as it was. Refused with `fenced` when the discovery is not there. */
  readonly records?: readonly ClusterRecord[];
  readonly changes: readonly Change[];
  readonly at: number;
};
export type SettingsCommit = {
  readonly kind: "settings";
  readonly clusterId: string;
  /** Null: deleted. */
  readonly stored: Omit<StoredSettings, "run"> | null;
};
/** Nothing is written where what ran was deleted meanwhile. */
export type RunCommit = {
  readonly kind: "run";
  readonly of: "discovery" | "cluster";
  readonly name: string;
  readonly run: Run;
};
export type Commit = ClusterCommit | DiscoveryCommit | SettingsCommit | RunCommit;

export type EventQuery = {
  /** The place in the whole log after which to read, as `Page.next` gave it; null: from its oldest. */
  readonly after: number | null;
  readonly limit: number;
  readonly cluster: string | null;
  readonly types: readonly EventType[] | null;
  /** Newest first; `after` is then the place before which to read. */
  readonly newestFirst?: boolean;
};
/** `position`: the event's place in the whole log, rising by commit. */
export type StoredEvent = { readonly position: number; readonly event: Event };

/** The facts at an edge of retention: replaying the events after `seq` from here is exact. */
export type Snapshot = { readonly seq: number; readonly facts: Facts | null };

/** What is older (milliseconds since the epoch) goes, up to the first event that is not; and what is more than `most`. */
export type Retention = { readonly olderThan: number; readonly most: number };

export interface Store {
  /**
   * All of it in one transaction. Commits that are asked for in one turn of the loop share one; each still succeeds or
   * fails alone. Gives the events written, with their places.
   */
  commit(commits: readonly Commit[]): Promise<readonly StoredEvent[]>;
  /** These four are all there is of each, at start. */
  discoveries(): Promise<readonly StoredDiscovery[]>;
  records(): Promise<readonly StoredRecord[]>;
  settings(): Promise<readonly StoredSettings[]>;
  clusters(): Promise<readonly Cluster[]>;
  discovery(name: string): Promise<StoredDiscovery | null>;
  /** Of one discovery, sorted by cluster. */
  recordsOf(discovery: string): Promise<readonly ClusterRecord[]>;
  settingsOf(clusterId: string): Promise<StoredSettings | null>;
  cluster(clusterId: string): Promise<Cluster | null>;
  /** Grants a fence for a cluster: greater than every one before it. */
  fence(clusterId: string): Promise<number>;
  /**
   * One page in the log's order. Throws `gone` when events after `after` were removed, with the place of the `oldest`
   * that is kept in its facts; never newest first, where the log ends at its oldest.
   */
  events(query: EventQuery): Promise<readonly StoredEvent[]>;
  /** Places of the oldest kept and the newest event; both 0 where none is kept. */
  extent(): Promise<{ readonly oldest: number; readonly newest: number }>;
  /** The place of an event by its id; null: not kept, or never there. */
  position(eventId: string): Promise<number | null>;
  /** The edge from which a cluster's events can be replayed; null: from nothing. */
  snapshot(clusterId: string): Promise<Snapshot | null>;
  /** Removes what is older or more than told, in bounded batches, leaving snapshots; gives how many events went. */
  retain(retention: Retention): Promise<number>;
  /** Safe twice. */
  close(): Promise<void>;
}
