/**
 * What the store was told, kept beside it by a simpler rule, and what every commit must keep: I1 to I7 of the
 * coordinator. Whoever commits is checked at the moment at which the store did it, whether or not he lives to hear of it.
 */
import type { Cluster, Facts, Marks } from "../../src/core/cluster.ts";
import { diff } from "../../src/core/diff.ts";
import { equal } from "../../src/core/equal.ts";
import type { ClusterRecord } from "../../src/core/inventory.ts";
import type { Observation } from "../../src/core/observation.ts";
import { changesOf, observe } from "../../src/core/observe.ts";
import { replayed } from "../../src/core/replay.ts";
import type { ClusterSettings, DiscoverySettings } from "../../src/core/settings.ts";
import { codeOf, reason } from "../../src/lib/errors.ts";
import type { ClusterCommit, Commit, DiscoveryCommit, StoredEvent } from "../../src/store/store.ts";
import type { Tally } from "./faults.ts";
import type { Fleet } from "./fleet.ts";
import type { Incarnation } from "./incarnation.ts";
import type { Source } from "./inventories.ts";

/** A cluster as the commits so far have made it. */
export type Kept = Cluster & {
  /** The runs of agents that were stored, of each node by its id, and of each address: for as long as it is kept. */
  readonly boots: ReadonlyMap<string, ReadonlySet<string>>;
};

export type Ledger = ReturnType<typeof openLedger>;

export type LedgerOptions = {
  readonly fleet: Fleet;
  readonly tally: Tally;
  readonly violate: (what: string) => void;
  /** What the last refresh of a cluster saw. */
  readonly seen: (life: Incarnation, clusterId: string) => readonly Observation[];
  readonly said: (observed: Observed) => boolean;
  /** An operator accepts what this discovery lists. */
  readonly accepting: (discovery: string) => boolean;
  readonly source: (discovery: string) => Source | null;
  /** A discovery lists this cluster without any node. */
  readonly emptied: (clusterId: string) => void;
};

/** A report that stands in the facts, and the place at which its agent said so. */
export type Observed = {
  readonly address: string;
  readonly boot: string;
  readonly seq: number;
  readonly node: Facts["nodes"][number];
};

export function openLedger(options: LedgerOptions) {
  const { tally, violate } = options;
  const clusters = new Map<string, Kept>();
  const records = new Map<string, readonly ClusterRecord[]>();
  const discoveries = new Map<string, DiscoverySettings>();
  const settings = new Map<string, ClusterSettings>();
  const fences = new Map<string, number>();
  const seqs = new Map<string, number>();
  /** Of every cluster: the greatest place of each node that was stored. */
  const places = new Map<string, Map<string, readonly [number, number]>>();
  /** Clusters that a paused coordinator wrote to since its successor last did. */
  const foreign = new Set<string>();
  let position = 0;

  function committed(
    life: Incarnation,
    commits: readonly Commit[],
    before: Before,
    events: readonly StoredEvent[],
  ) {
    sequences(events);
    // Settings that nobody applied come with a cluster's first commit.
    const isAlone =
      commits
        .map(({ kind }) => kind)
        .filter((kind) => kind !== "settings")
        .join() === "cluster";
    for (const commit of commits) {
      if (commit.kind === "cluster")
        cluster(life, commit, { memory: before.get(commit.clusterId) ?? null, isAlone });
      if (commit.kind === "discovery") discovery(commit);
      if (commit.kind === "settings" && commit.stored === null) settings.delete(commit.clusterId);
      else if (commit.kind === "settings" && commit.stored !== null)
        settings.set(commit.clusterId, commit.stored.settings);
    }
  }

  /** I2. */
  function sequences(events: readonly StoredEvent[]): void {
    for (const { position: at, event } of events) {
      if (at !== ++position) violate(`I2: position ${at} follows ${position - 1}`);
      const cut = event.id.lastIndexOf(":");
      const [scope, seq] = [event.id.slice(0, cut), Number(event.id.slice(cut + 1))];
      const last = seqs.get(scope) ?? 0;
      if (seq !== last + 1) violate(`I2: ${event.id} follows ${last}`);
      seqs.set(scope, seq);
    }
  }

  function cluster(life: Incarnation, commit: ClusterCommit, { memory, isAlone }: Asked): void {
    const { clusterId: id, version, fence, facts, marks, changes } = commit;
    const old = clusters.get(id) ?? null;
    if (version !== (old?.version ?? 0) + 1)
      violate(`I3: ${id} version ${version} after ${old?.version ?? 0}`);
    if (fence < (fences.get(id) ?? 0)) violate(`I4: ${id} fence ${fence} below ${fences.get(id)}`);
    if (life.replaced) foreign.add(id);
    else foreign.delete(id);
    if (!equal(memory?.facts ?? null, old?.facts ?? null))
      violate(`I7: ${id} version ${version} is made from facts that are not those stored`);
    const told = changes.reduce(replayed, old?.facts ?? null);
    if (!equal(told, facts)) violate(`I1: the events of ${id} version ${version} do not make its facts`);
    if (facts === null) {
      clusters.delete(id);
      places.delete(id);
      return;
    }
    observed(life, commit, { memory, isAlone });
    backwards(id, facts, marks);
    for (const node of facts.nodes) {
      const mark = marks.nodes[node.agent_addr];
      if (node.report === null || mark?.boot_id == null) continue;
      const place = { address: node.agent_addr, boot: mark.boot_id, seq: mark.seq, node };
      if (!options.said(place))
        violate(
          `I6: ${id}/${node.identity?.node_id} never said at ${place.boot}:${place.seq} what is told of it`,
        );
    }
    const boots = bootsOf(facts, marks, old?.boots ?? new Map());
    clusters.set(id, { facts, marks, version, seq: seqs.get(id) ?? 0, boots });
  }

  /** I7: a refresh tells exactly what the pure functions make of what it saw; everything else tells its difference. */
  function observed(life: Incarnation, commit: ClusterCommit, { memory, isAlone }: Asked): void {
    const { clusterId: id, facts, marks, changes, version } = commit;
    const before = { facts: memory?.facts ?? null, marks: memory?.marks ?? NO_MARKS };
    if (facts === null) return;
    const isReport = changes.some(({ type }) => type === "ORCHESTRATE_REPORT");
    const isOver = marks.refreshes === before.marks.refreshes + 1;
    if (!isOver || !isAlone) {
      const expected = isReport ? changes : diff(before.facts, facts);
      const isDifference = equal(changes, expected) && equal(marks, before.marks);
      const isPart = isAlone && !isReport && isMadeOf(life, commit, before, true);
      if (!isDifference && !isPart)
        violate(`I7: ${id} version ${version} is neither what changed nor a part of a refresh`);
      return;
    }
    if (!isMadeOf(life, commit, before, false))
      violate(`I7: ${id} version ${version} is not, or does not tell, what its refresh saw`);
    const { discovery: owner } = facts;
    const listed = records.get(owner)?.find((one) => one.cluster_id === id);
    if (!life.replaced && !equal(listed?.nodes ?? null, facts.inventory))
      violate(`I7: ${id} version ${version} has an inventory that ${owner} does not list`);
  }

  /**
   * Whether a refresh makes this of what its agents have said so far: in the middle of what came first, at its end of
   * all, or of what came after that.
   */
  function isMadeOf(
    life: Incarnation,
    { clusterId: id, facts, marks, changes }: ClusterCommit,
    before: { readonly facts: Facts | null; readonly marks: Marks },
    partial: boolean,
  ): boolean {
    const seen = options.seen(life, id);
    const known = facts ?? before.facts;
    if (known === null) return false;
    const { suspect, conflict } = (before.facts ?? known).conditions;
    const record = { cluster_id: id, display_name: known.display_name, nodes: known.inventory };
    return Array.from({ length: seen.length + 1 }, (_, at) => at).some((at) => {
      const expected = observe(before, {
        ...{ record, discovery: known.discovery, suspect, conflict: conflict ?? [], partial },
        observations: partial ? seen.slice(0, at) : seen.slice(at),
      });
      const isSame = equal(expected.facts, facts) && equal(expected.marks, marks);
      return isSame && equal(changesOf(before.facts, expected), changes);
    });
  }

  /** I5. A node that went, with its tombstone, is another one when it is listed again. */
  function backwards(id: string, facts: Facts, marks: Marks): void {
    const here = new Set(facts.nodes.map(({ identity }) => identity?.node_id));
    const known = new Map([...(places.get(id) ?? [])].filter(([node]) => here.has(node)));
    places.set(id, known);
    for (const { agent_addr, identity } of facts.nodes) {
      const mark = marks.nodes[agent_addr];
      if (identity === null || mark?.boot_id == null) continue;
      const boot = options.fleet.boots.get(mark.boot_id) ?? -1;
      const [lastBoot, lastSeq] = known.get(identity.node_id) ?? [-1, -1];
      if (boot < lastBoot || (boot === lastBoot && mark.seq < lastSeq))
        violate(`I5: ${id}/${identity.node_id} goes back from ${lastBoot}:${lastSeq} to ${boot}:${mark.seq}`);
      known.set(identity.node_id, [boot, mark.seq]);
    }
  }

  function discovery({ name, stored, records: now }: DiscoveryCommit): void {
    if (stored === null) {
      discoveries.delete(name);
      records.delete(name);
      return;
    }
    if (stored !== undefined) discoveries.set(name, stored.settings);
    if (now === undefined) return;
    for (const record of records.get(name) ?? []) {
      const left = now.find((one) => one.cluster_id === record.cluster_id);
      const isOwn = clusters.get(record.cluster_id)?.facts.discovery === name;
      const isFew = left === undefined || 2 * left.nodes.length < record.nodes.length;
      const source = options.source(name);
      if (source?.leased === true && left !== undefined) {
        const lost = lostOf(record, left, source);
        if (lost !== null && !options.accepting(name))
          violate(`leases: ${name} does not list ${lost} just now, and it is taken for gone`);
      } else if (isOwn && isFew && !options.accepting(name))
        violate(
          `suspicion: ${name} lists ${left?.nodes.length ?? "none"} of ${record.cluster_id}, and is believed`,
        );
    }
    records.set(name, now);
    for (const { cluster_id, nodes } of now) if (nodes.length === 0) options.emptied(cluster_id);
  }

  return {
    ...{ clusters, records, discoveries, settings, foreign },
    /** Before a commit: what whoever asks for it has in memory. */
    asked: (life: Incarnation, commits: readonly Commit[]): Before =>
      new Map(
        commits.flatMap((commit) =>
          commit.kind === "cluster"
            ? [[commit.clusterId, life.view?.cluster(commit.clusterId)?.cluster ?? null] as const]
            : [],
        ),
      ),
    committed,
    refused(life: Incarnation, commits: readonly Commit[], error: unknown): void {
      if (life.replaced) {
        if (codeOf(error) === "fenced") tally.hit("its commit was refused by the fence");
        return;
      }
      const ids = commits.flatMap((commit) => (commit.kind === "cluster" ? [commit.clusterId] : []));
      const isAfterAnother = ids.some((id) => foreign.has(id));
      if (!isAfterAnother) violate(`alone, and refused: ${reason(error)}`);
    },
    granted(id: string, fence: number): void {
      if (fence <= (fences.get(id) ?? 0)) violate(`I4: fence ${fence} of ${id} was granted twice`);
      fences.set(id, fence);
    },
  };
}

/** A node that is kept no more though its entry may only have ended with its lease; null: there is none. */
function lostOf(before: ClusterRecord, now: ClusterRecord, { retired }: Source): string | null {
  const ids = new Set(now.nodes.flatMap(({ node_id, agent_addr }) => [node_id, agent_addr]));
  const lost = before.nodes.find(
    ({ node_id, agent_addr, incarnation }) =>
      !ids.has(node_id) && !ids.has(agent_addr) && (incarnation === null || !retired.has(incarnation)),
  );
  return lost?.node_id ?? null;
}

/** Who took the place of a node knows nothing of where that one was before, nor does anybody else. */
function bootsOf({ nodes }: Facts, marks: Marks, before: Kept["boots"]): Kept["boots"] {
  const boots = new Map<string, ReadonlySet<string>>();
  for (const { agent_addr, identity } of nodes)
    for (const key of [agent_addr, identity?.node_id]) {
      const now = marks.nodes[agent_addr]?.boot_id ?? null;
      if (key !== undefined)
        boots.set(key, new Set([...(before.get(key) ?? []), ...(now === null ? [] : [now])]));
    }
  return boots;
}

type Before = ReadonlyMap<string, Cluster | null>;
type Asked = { readonly memory: Cluster | null; readonly isAlone: boolean };
const NO_MARKS: Marks = { nodes: {}, pending: {}, refreshes: 0 };
