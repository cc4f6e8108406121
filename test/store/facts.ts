/** Clusters for the tests of the store: small, and each different from the others. */
import { type Facts, type Marks, NO_CONDITIONS, NO_MARKS } from "../../src/core/cluster.ts";
import type { Change } from "../../src/core/events.ts";
import { type DiscoverySettings, syntheticSettings } from "../../src/core/settings.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { openLog } from "../../src/lib/log.ts";
import { openStore } from "../../src/store/open.ts";
import type { ClusterCommit, SettingsCommit, Store } from "../../src/store/store.ts";

/** Some time in 2026. */
export const AT = Date.UTC(2026, 5, 1);

export function factsOf(clusterId: string, name: string | null = null): Facts {
  return {
    ...{ cluster_id: clusterId, display_name: name, discovery: "d", inventory: [], genesis_id: null },
    ...{ nodes: [], conditions: NO_CONDITIONS },
  };
}

export function marksOf(refreshes: number): Marks {
  return { ...NO_MARKS, refreshes };
}

export function discoverySettings(name: string, intervalMs = 5_000): DiscoverySettings {
  return {
    ...{ name, enabled: true, interval_ms: intervalMs, mode: "static", config: { join: "a:1" } },
    ...{ cluster_id: "c", allow: { cidrs: ["10.0.0.0/8"], ports: [4100] }, tls: null, token_file: null },
  };
}

export function settingsCommit(clusterId: string): SettingsCommit {
  const stored = { settings: syntheticSettings(clusterId), synthetic: true, document: null };
  return { kind: "settings", clusterId, stored };
}

/** A cluster as a test follows it: what it is now, and the commit that makes it another. */
export type Followed = { readonly version: number; readonly facts: Facts | null };

/** The commit of a new cluster, or one that only names it anew; `more` stands above all of it. */
export function commitOf(
  clusterId: string,
  now: Followed = { version: 0, facts: null },
  more: Partial<ClusterCommit> = {},
): ClusterCommit {
  const version = now.version + 1;
  const facts = factsOf(clusterId, now.facts === null ? null : `version ${version}`);
  const change: Change =
    now.facts === null
      ? { type: "CLUSTER_NEW", subject: clusterId, before: null, after: facts }
      : {
          ...{ type: "CLUSTER_CHANGED", subject: clusterId },
          ...{
            before: { display_name: now.facts.display_name },
            after: { display_name: facts.display_name },
          },
        };
  return {
    ...{
      kind: "cluster",
      clusterId,
      version,
      fence: 0,
      facts,
      marks: marksOf(version),
      changes: [change],
      at: AT,
    },
    ...more,
  };
}

/** The commit with which a cluster goes. */
export function removalOf(
  clusterId: string,
  now: Followed,
  more: Partial<ClusterCommit> = {},
): ClusterCommit {
  const changes: Change[] = [{ type: "CLUSTER_REMOVED", subject: clusterId, before: now.facts, after: null }];
  return commitOf(clusterId, now, { facts: null, changes, ...more });
}

/** What the changes of these clusters make of facts. */
export function replayed(facts: Facts | null, { type, after }: Change): Facts | null {
  if (type === "CLUSTER_NEW") return after as Facts;
  if (type === "CLUSTER_REMOVED" || facts === null) return null;
  return { ...facts, ...(after as Partial<Facts>) };
}

/** Opens a store as tests do. */
export function openFor(location: string, clock: Clock = systemClock): Promise<Store> {
  const log = openLog({ level: "error", format: "text", write: () => {}, color: false });
  return openStore(location, { source: "/rollcall/test", clock, log, replayed });
}

/** Commits of versions from 1 up, one after the other. */
export function commitsOf(clusterId: string, count: number): readonly ClusterCommit[] {
  return Array.from({ length: count }, (_, version) =>
    commitOf(clusterId, { version, facts: version === 0 ? null : factsOf(clusterId) }),
  );
}

/** Gives an empty store each time. */
export type OpenEmpty = () => Promise<Store>;
