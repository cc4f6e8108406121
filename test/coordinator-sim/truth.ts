/** The end of a schedule: what is stored is what is so, and the log tells how it came to be. */
import { equal } from "../../src/core/equal.ts";
import { normalised } from "../../src/core/inventory.ts";
import { replayed } from "../../src/core/replay.ts";
import { syntheticSettings } from "../../src/core/settings.ts";
import type { Store } from "../../src/store/store.ts";
import { type SimAgent, stateOf } from "./fleet.ts";
import { recordsOf } from "./inventories.ts";
import type { Kept } from "./ledger.ts";
import type { World } from "./world.ts";

const PAGE = 500;

/** I1 over the whole log that is kept: from each cluster's snapshot on, its events make what is stored. */
export async function checkLog({ ledger, violate, life }: World, store: Store): Promise<void> {
  const stored = new Map((await store.clusters()).map((cluster) => [cluster.facts.cluster_id, cluster]));
  for (const [id, kept] of ledger.clusters) {
    const there = stored.get(id) ?? null;
    const { facts: now, marks, version } = kept;
    if (!equal(there, { facts: now, marks, version, seq: kept.seq }))
      violate(`I1: the store has another ${id} than was committed`);
    const memory = life?.view?.cluster(id)?.cluster ?? null;
    const isSame =
      equal(memory?.facts, kept.facts) && memory?.version === kept.version && memory.seq === kept.seq;
    // What its predecessor wrote, paused and beside it, shows when it next commits.
    if (!isSame && !ledger.foreign.has(id)) violate(`the coordinator knows another ${id} than is stored`);
    const edge = await store.snapshot(id);
    let facts = edge?.facts ?? null;
    let seq = edge?.seq ?? 0;
    for (const event of await eventsOf(store, id)) {
      const own = Number(event.id.slice(id.length + 1));
      if (own !== ++seq) violate(`I2: ${event.id} follows ${seq - 1}`);
      facts = replayed(facts, event);
    }
    if (!equal(facts, kept.facts)) violate(`I1: the log of ${id} does not make its facts`);
  }
  for (const id of stored.keys()) if (!ledger.clusters.has(id)) violate(`the store keeps ${id}, which went`);
}

/** What it knows is what is stored, and so what it acknowledged; what it was in doubt about it has read back, unasked. */
export function checkMemory({ ledger, violate, life, time }: World): void {
  const view = life?.view ?? null;
  // What is under way may have come to the store, and not to the coordinator yet.
  if (life === null || view === null || life.unsure > 0 || life.sureAt === time.now()) return;
  const discoveries = new Map(view.discoveries().map((one) => [one.settings.name, one]));
  for (const name of new Set([...discoveries.keys(), ...ledger.discoveries.keys()])) {
    const known = discoveries.get(name);
    const listed = ledger.records.get(name) ?? [];
    const isSame =
      equal(known?.settings, ledger.discoveries.get(name)) &&
      equal(
        known?.clusters,
        listed.map((record) => record.cluster_id),
      );
    if (!isSame) violate(`memory: the coordinator knows another ${name} than is stored`);
  }
  for (const { cluster_id: id, cluster } of view.clusters())
    if (cluster !== null && !ledger.clusters.has(id))
      violate(`memory: the coordinator knows ${id}, which went`);
  const listed = new Set([...ledger.records.values()].flat().map((record) => record.cluster_id));
  const settings = new Map(view.settings().map((one) => [one.settings.cluster_id, one.settings]));
  for (const id of new Set([...settings.keys(), ...ledger.settings.keys()])) {
    // A cluster that is listed, and was not seen yet, has none that are stored.
    const stored = ledger.settings.get(id) ?? (listed.has(id) ? syntheticSettings(id) : undefined);
    if (!equal(settings.get(id), stored))
      violate(`memory: the coordinator knows other settings of ${id} than are stored`);
  }
}

async function eventsOf(store: Store, cluster: string) {
  const all = [];
  let after: number | null = null;
  for (;;) {
    const page = await store.events({ after, limit: PAGE, cluster, types: null });
    all.push(...page.map(({ event }) => event));
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return all;
    after = last.position;
  }
}

/** Nothing has changed for some intervals: what is listed is kept, and nothing else; every agent is as it says. */
export function checkTruth(world: World): void {
  const { sources, fleet, ledger, violate } = world;
  const listings = [...sources.values()].map((source) => [source.name, recordsOf(source, fleet)] as const);
  const listed = new Map<string, string[]>();
  for (const [name, records] of listings) {
    const expected = records.map(normalised);
    if (!equal(ledger.records.get(name) ?? [], expected))
      violate(`truth: ${name} is kept with other records`);
    for (const { cluster_id } of records) listed.set(cluster_id, [...(listed.get(cluster_id) ?? []), name]);
  }
  for (const id of ledger.clusters.keys())
    if (!listed.has(id)) violate(`truth: ${id} is kept, and nobody lists it`);
  for (const [id, names] of listed) {
    const kept = ledger.clusters.get(id);
    if (kept === undefined) violate(`truth: ${id} is listed, and not kept`);
    else checkCluster(world, kept, names.sort());
  }
}

function checkCluster(
  { fleet, violate, sources }: World,
  { facts, marks }: Kept,
  names: readonly string[],
): void {
  const { cluster_id: id, discovery, inventory, conditions, nodes } = facts;
  const cluster = fleet.clusters.find((one) => one.id === id);
  if (cluster === undefined || !names.includes(discovery)) {
    violate(`truth: ${id} belongs to ${discovery}`);
    return;
  }
  const source = sources.get(discovery);
  const own = source && recordsOf(source, fleet).find((record) => record.cluster_id === id);
  if (!equal(inventory, own && normalised(own).nodes))
    violate(`truth: ${id} has another inventory than is listed`);
  const others = names.filter((name) => name !== discovery);
  if (!equal(conditions.conflict, others.length === 0 ? null : others)) violate(`truth: conflict of ${id}`);
  if (conditions.suspect !== null) violate(`truth: ${id} is suspect`);
  const here = cluster.agents.filter(({ listed }) => listed);
  const leads = here.some((agent) => agent.node_id === cluster.leader) ? cluster.leader : null;
  if (here.length > 0 && (conditions.leader?.node_id ?? null) !== leads)
    violate(`truth: the leader of ${id}`);
  if (here.length > 0 && facts.genesis_id !== cluster.genesis_id) violate(`truth: the genesis of ${id}`);
  for (const agent of here) {
    const node = nodes.find(({ agent_addr }) => agent_addr === agent.address);
    const mark = marks.nodes[agent.address];
    if (node === undefined || !isTold(agent, node))
      violate(`truth: ${id}/${agent.node_id} is kept otherwise`);
    if (mark?.boot_id !== agent.boot_id || mark.seq !== agent.seq)
      violate(`truth: the place of ${id}/${agent.node_id}`);
  }
}

function isTold(agent: SimAgent, node: Kept["facts"]["nodes"][number]): boolean {
  const {
    report,
    voter,
    api_addr,
    addr,
    genesis_id,
    boot_id,
    version: own,
    node_id,
    incarnation,
  } = stateOf(agent, null);
  const { kind, version, status, role } = report;
  return (
    equal(node.agent, { status: "up", code: "ok" }) &&
    equal(node.info, { version: own, boot_id }) &&
    equal(node.identity, { node_id, incarnation }) &&
    equal(node.report, { kind, version, status, role, voter, api_addr, addr, genesis_id })
  );
}
