/** Applying and deleting settings: all documents of a text or none, one commit, and an event where something changed. */
import { withdrawn } from "../core/listing.ts";
import { syntheticSettings } from "../core/settings.ts";
import type { Clock } from "../lib/clock.ts";
import type { Commit } from "../store/store.ts";
import { commitListed, factsOf, idsOf, recordsOf } from "./discover.ts";
import { type InventoryCheck, parseDocuments, type Understood } from "./documents.ts";
import { discoveryTurn } from "./doubts.ts";
import { blank, type Known } from "./known.ts";
import type { Locks } from "./locks.ts";
import type { Applied, ApplyAnswer } from "./pages.ts";
import { shownDocument } from "./secrets.ts";

export type ApplyDeps = {
  readonly known: Known;
  readonly locks: Locks;
  readonly clock: Clock;
  /** What a mode's own schema says of a configuration. */
  readonly checkInventory: InventoryCheck;
  /** Something of a discovery's or a cluster's settings is not as before. */
  readonly rescheduled: (kind: "discovery" | "cluster", name: string) => void;
};

export async function apply(text: string, deps: ApplyDeps): Promise<ApplyAnswer> {
  const parsed = await parseDocuments(text, deps.checkInventory);
  if (!parsed.ok) return parsed;
  const scopesOf = (kind: Understood["kind"]) =>
    parsed.documents.filter((one) => one.kind === kind).map(scopeOf);
  const [discoveries, clusters] = [scopesOf("DiscoverySettings"), scopesOf("ClusterSettings")];
  const work = async (): Promise<ApplyAnswer> => {
    await deps.known.doubts.sure([...discoveries, ...clusters]);
    const applied = parsed.documents.map((one) => ({ ...one, changed: isNews(one, deps.known) }));
    const commits = applied.filter(({ changed }) => changed).map((one) => commitOf(one, deps));
    if (commits.length > 0) await deps.known.commit(new Map(), commits);
    for (const one of applied) if (one.changed) take(one, deps);
    return {
      ok: true,
      applied: applied.map(({ kind, name, changed }): Applied => ({ kind, name, changed })),
    };
  };
  return deps.locks.inTurn(discoveries, () => deps.locks.inTurn(clusters, work));
}

function scopeOf({ kind, name }: Pick<Understood, "kind" | "name">): string {
  return kind === "DiscoverySettings" ? discoveryTurn(name) : name;
}

function isNews({ kind, name, document }: Understood, { discoveries, clusters }: Known): boolean {
  const there = kind === "DiscoverySettings" ? discoveries.get(name) : clusters.get(name);
  return there?.document !== document;
}

function commitOf(one: Understood, { known, clock }: ApplyDeps): Commit {
  const { name, document } = one;
  if (one.kind === "ClusterSettings") {
    const stored = { settings: one.settings, synthetic: false, document };
    return { kind: "settings", clusterId: name, stored };
  }
  const before = known.discoveries.get(name)?.document ?? null;
  return {
    ...{ kind: "discovery", name, stored: { settings: one.settings, document }, at: clock.wall() },
    changes: [
      {
        ...{ type: "DISCOVERY_SETTINGS_APPLY", subject: name },
        ...{ before: before === null ? null : shownDocument(before), after: shownDocument(document) },
      },
    ],
  };
}

function take(one: Understood, { known, rescheduled }: ApplyDeps): void {
  const { name, document } = one;
  if (one.kind === "ClusterSettings") {
    const cluster = known.clusterOf(name);
    cluster.settings = one.settings;
    cluster.document = document;
    rescheduled("cluster", name);
    return;
  }
  const there = known.discoveries.get(name);
  if (there === undefined) known.discoveries.set(name, blank(one.settings, document, null));
  else {
    there.settings = one.settings;
    there.document = document;
  }
  rescheduled("discovery", name);
}

/** False: there was none. A deleted discovery takes its clusters with it, but those that another one lists. */
export async function remove(
  kind: "DiscoverySettings" | "ClusterSettings",
  name: string,
  deps: ApplyDeps,
): Promise<boolean> {
  const { known, locks } = deps;
  const scope = scopeOf({ kind, name });
  return locks.inTurn([scope], async () => {
    await known.doubts.sure([scope]);
    if (kind === "DiscoverySettings") return removeDiscovery(name, deps);
    return removeSettings(name, deps);
  });
}

async function removeSettings(id: string, { known, rescheduled }: ApplyDeps): Promise<boolean> {
  const cluster = known.clusters.get(id);
  if (cluster === undefined || cluster.document === null) return false;
  const settings = syntheticSettings(id);
  const stored = cluster.cluster === null ? null : { settings, synthetic: true, document: null };
  await known.commit(new Map(), [{ kind: "settings", clusterId: id, stored }]);
  Object.assign(cluster, { settings, document: null });
  known.forget(id);
  rescheduled("cluster", id);
  return true;
}

async function removeDiscovery(name: string, deps: ApplyDeps): Promise<boolean> {
  const { known, locks, clock } = deps;
  const there = known.discoveries.get(name);
  if (there === undefined) return false;
  const ids = [...idsOf(name, known)];
  const work = async () => {
    await known.doubts.sure(ids);
    const { clusters } = withdrawn(name, { records: recordsOf(known), facts: factsOf(known) });
    const change = { type: "DISCOVERY_SETTINGS_DELETE", subject: name, after: null } as const;
    const commit: Commit = {
      ...{ kind: "discovery", name, stored: null, at: clock.wall() },
      changes: [{ ...change, before: shownDocument(there.document) }],
    };
    await commitListed(name, { clusters }, [commit], deps);
    known.discoveries.delete(name);
    for (const id of ids) known.forget(id);
  };
  await locks.inTurn(ids, work);
  deps.rescheduled("discovery", name);
  for (const id of ids) deps.rescheduled("cluster", id);
  return true;
}
