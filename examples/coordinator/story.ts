/** What happens to the agents, and what the coordinator must tell of it before the story goes on. */
import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";
import { Facts } from "../../src/core/cluster.ts";
import type { Children } from "../demo/children.ts";
import { type Coordinator, isOf, leads } from "../demo/coordinator.ts";
import type { Screen } from "../demo/screen.ts";
import type { Wait } from "../demo/wait.ts";
import { type Agents, listed } from "./agents.ts";
import { lead, type SimulatedCluster, type SimulatedNode } from "./simulated.ts";

const ROLLCALL = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

export type Cast = {
  readonly screen: Screen;
  readonly wait: Wait;
  readonly agents: Agents;
  readonly clusters: readonly SimulatedCluster[];
  readonly coordinator: Coordinator;
  readonly children: Children;
};

/** How long the viewer may read a sentence, in milliseconds. */
const READ_MS = 700;
/** Clusters that are told one by one when they are found, and shown of the long table. */
const MOST_TOLD = 3;
const MOST_ROWS = 9;
/** The cluster that is looked at in the end. */
const SHOWN = "sim/cluster-005";

/** What to type to look around. */
export function commands(url: string): readonly string[] {
  return ["clusters", `cluster show ${SHOWN}`, "nodes", "events --follow"].map(
    (words) => `${words} -coordinator ${url}`,
  );
}

/** Plays it all. Throws what the waits throw, or an AssertionError when something is not as it is told. */
export async function play(cast: Cast): Promise<void> {
  await found(cast);
  await anotherLeader(cast);
  await downAndUp(cast);
  await silent(cast);
  await oneMore(cast);
  await emptyListing(cast);
  await lookAround(cast);
}

async function found({ screen, wait, clusters, coordinator }: Cast): Promise<void> {
  screen.act(1, "Two hundred agents");
  screen.event("agents", "listen. The coordinator starts, and its inventory, a file, lists them all:");
  await coordinator.start();
  const startedAt = wait.now();
  coordinator.quiet((told) => told >= MOST_TOLD);
  coordinator.list(clusters.map(listed));
  for (const cluster of clusters) await known(coordinator, cluster);
  coordinator.quiet(() => false);
  const tookMs = Math.round(wait.now() - startedAt);
  const nodes = clusters.flatMap((cluster) => cluster.nodes).length;
  const more = clusters.length - MOST_TOLD;
  screen.more(`and ${more} more. All ${nodes} agents have answered after ${tookMs} ms.`);
  await wait.pause(2 * READ_MS);
}

/** Waits until all is told of a cluster: what agents said too late to be told with it is told of each node. */
async function known(coordinator: Coordinator, { cluster_id, nodes }: SimulatedCluster): Promise<void> {
  const { data } = await coordinator.event(`that there is ${cluster_id}`, isOf("CLUSTER_NEW", cluster_id));
  const whole = Facts.parse(data.after).nodes.flatMap((n) => (n.shards.length > 0 ? [n.agent_addr] : []));
  for (const node of nodes.filter(({ address }) => !whole.includes(address))) {
    const [subject, holds] = [subjectOf(node), `${subjectOf(node)}/${cluster_id}`];
    await coordinator.event(`what ${subject} holds`, isOf("SHARD_ALLOCATION_NEW", holds));
  }
}

async function anotherLeader({ screen, wait, clusters, coordinator }: Cast): Promise<void> {
  const cluster = at(clusters, 3);
  const next = nodeOf(cluster, 5);
  screen.act(2, "Another leader");
  const since = coordinator.told();
  lead(cluster, next);
  screen.event("agents", `${cluster.cluster_id} elects ${next.node_id}`);
  await coordinator.event("the new leader", leads(cluster.cluster_id, next.node_id), since);
  await wait.pause(READ_MS);
}

async function downAndUp({ screen, wait, agents, clusters, coordinator }: Cast): Promise<void> {
  const node = nodeOf(at(clusters, 7), 3);
  const subject = subjectOf(node);
  screen.act(3, "A node goes down");
  const since = coordinator.told();
  agents.turn(node, "unavailable");
  screen.event("agents", `${named(node)}: its agent lives, its database does not answer it`);
  await coordinator.event(`that ${subject} is down`, isOf("NODE_DOWN", subject), since);
  await wait.pause(READ_MS);
  agents.turn(node, "healthy");
  screen.event("agents", `${named(node)}: the database is back`);
  await coordinator.event(`that ${subject} is up`, isOf("NODE_UP", subject), since);
  await wait.pause(READ_MS);
}

async function silent({ screen, wait, clusters, coordinator }: Cast): Promise<void> {
  const node = nodeOf(at(clusters, 9), 4);
  const subject = subjectOf(node);
  screen.act(4, "An agent falls silent");
  const since = coordinator.told();
  node.silent = true;
  screen.event("agents", `${named(node)}: its agent takes connections and answers none`);
  await coordinator.event(`that ${subject} is silent`, isOf("AGENT_DOWN", subject), since);
  await coordinator.event(`that ${subject} is stale`, isOf("NODE_STALE", subject), since);
  await wait.pause(READ_MS);
  node.silent = false;
  screen.event("agents", `${named(node)}: answers again`);
  await coordinator.event(`that ${subject} answers`, isOf("AGENT_UP", subject), since);
  await wait.pause(READ_MS);
}

async function oneMore({ screen, wait, agents, clusters, coordinator }: Cast): Promise<void> {
  const cluster = at(clusters, 11);
  const { cluster_id } = cluster;
  screen.act(5, "One node more");
  const since = coordinator.told();
  const last = nodeOf(at(clusters, clusters.length), at(clusters, clusters.length).nodes.length);
  const node = await agents.join(
    cluster,
    last.address.replace(/\.(\d+):/, (_, n) => `.${Number(n) + 1}:`),
  );
  coordinator.list(clusters.map(listed));
  screen.event(
    "agents",
    `${cluster_id} has ${cluster.nodes.length} nodes now, and the file lists the new one`,
  );
  await coordinator.event("the change of the listing", isOf("CLUSTER_CHANGED", cluster_id), since);
  await coordinator.event("the new node", isOf("NODE_NEW", subjectOf(node)), since);
  await wait.pause(READ_MS);
}

async function emptyListing({ screen, wait, clusters, coordinator }: Cast): Promise<void> {
  const { cluster_id } = at(clusters, 13);
  screen.act(6, "A listing that cannot be true");
  const since = coordinator.told();
  const others = clusters.filter((cluster) => cluster.cluster_id !== cluster_id);
  coordinator.list([...others.map(listed), { cluster_id, nodes: [] }]);
  screen.event("agents", `the file lists no node of ${cluster_id}, and all ten go on answering`);
  const isSuspect = isOf("DISCOVERY_SUSPECT", cluster_id);
  await coordinator.event("the doubt", (event) => isSuspect(event) && event.data.after !== null, since);
  await wait.pause(READ_MS);
  coordinator.list(clusters.map(listed));
  screen.event("agents", "the file is whole again");
  await coordinator.event("its end", (event) => isSuspect(event) && event.data.after === null, since);
  await wait.pause(READ_MS);
}

async function lookAround(cast: Cast): Promise<void> {
  const { screen, wait, agents, clusters, coordinator } = cast;
  const node = nodeOf(at(clusters, 5), 2);
  const subject = subjectOf(node);
  screen.act(7, "A look around");
  const since = coordinator.told();
  agents.turn(node, "unavailable");
  screen.event("agents", `${named(node)}: goes down, and stays so to have something to see`);
  await coordinator.event(`that ${subject} is down`, isOf("NODE_DOWN", subject), since);
  await wait.pause(READ_MS);
  const [list = "", show = ""] = commands(coordinator.url);
  const rows = (await rollcall(cast, list)).split("\n");
  assert.equal(rows.length, clusters.length + 1, "a row for each cluster");
  screen.gap();
  screen.command(`rollcall ${list}`);
  screen.verbatim([...rows.slice(0, MOST_ROWS), `… and ${rows.length - MOST_ROWS} rows more`]);
  const shown = await rollcall(cast, show);
  assert.match(shown, /^health +yellow$/m, "a node less is yellow");
  screen.gap();
  screen.command(`rollcall ${show}`);
  screen.verbatim(shown.split("\n"));
  screen.gap();
  const { last } = await coordinator.complete(SHOWN);
  const told = coordinator.told();
  screen.plain(`${told} events came; those of ${SHOWN} end with ${last}, without a gap.`);
}

/** What a command prints; it ends by itself. */
async function rollcall({ children, wait }: Cast, words: string): Promise<string> {
  return wait.event(`rollcall ${words}`, children.output(process.execPath, [ROLLCALL, ...words.split(" ")]));
}

/** The n-th cluster, from 1. */
function at(clusters: readonly SimulatedCluster[], n: number): SimulatedCluster {
  const cluster = clusters[n - 1];
  assert(cluster !== undefined, `there are ${n} clusters`);
  return cluster;
}

function nodeOf({ nodes }: SimulatedCluster, n: number): SimulatedNode {
  const node = nodes[n - 1];
  assert(node !== undefined, `there are ${n} nodes`);
  return node;
}

/** As events name it. */
function named({ cluster, node_id }: SimulatedNode): string {
  return `${cluster.cluster_id} ${node_id}`;
}

function subjectOf({ cluster, node_id }: SimulatedNode): string {
  return `${cluster.cluster_id}/${node_id}`;
}
