/** The story that the demo tells, in five acts. Whatever a sentence says is checked before it is shown. */
import { strict as assert } from "node:assert";
import type { Outcome } from "../../src/core/model.ts";
import { type Coordinator, isOf, type ListedCluster, leads } from "./coordinator.ts";
import type { DemoNode, NodePorts } from "./node.ts";
import type { Screen } from "./screen.ts";
import type { Store } from "./store.ts";
import type { Wait } from "./wait.ts";

/** Who and what the story is about. */
export type Cast = {
  readonly screen: Screen;
  readonly wait: Wait;
  readonly store: Store;
  /** In the order of their names; the last is the late one. */
  readonly nodes: readonly [DemoNode, DemoNode, DemoNode];
  /** Where the last node's replacement runs. */
  readonly spare: NodePorts;
  readonly coordinator: Coordinator;
  /** The cluster's id, which is the agents' key. */
  readonly cluster: string;
};

/** One life of an agent, and the outcome it gave its database. */
type Life = { readonly node: DemoNode; readonly incarnation: string; readonly outcome: Outcome };

/** How long the viewer may read a sentence, in milliseconds. */
const READ_MS = 800;
/** How long a node that is replaced has to stop. */
const STOP_MS = 3_000;

/** Plays it all. Throws what the waits throw, or an AssertionError when something is not as it is told. */
export async function play(cast: Cast): Promise<void> {
  await twoOfThree(cast);
  const lives = await theThird(cast);
  const [creator, ...others] = await roles(cast, lives);
  lives.push(await crash(cast, creator, others));
  lives.push(await replacement(cast, creator.node, lives));
  await whatThereIs(cast, lives);
}

async function twoOfThree({ screen, wait, store, nodes, coordinator, cluster }: Cast): Promise<void> {
  const [first, second] = nodes;
  screen.act(1, "Two of three are there");
  screen.event("register", `is ${store.what}`);
  await coordinator.start();
  coordinator.list([listed({ nodes, cluster })]);
  screen.event(
    "coordinator",
    "is told of three agents by a file, and asks each of them every second. It takes no part in what " +
      "they do; what changes, it tells as an event:",
  );
  await coordinator.event("that there is a cluster", isOf("CLUSTER_NEW", cluster));
  screen.event(first.name, "starts: a database, and beside it the agent that it waits for");
  const listening = [first.start(), second.start()];
  screen.event(second.name, "starts in the same way");
  await Promise.all(listening);
  const [why] = await Promise.all([first.explains("voters", 2), second.explains("voters", 2)]);
  screen.event(first.name, "lets its database wait. Asked why (`GET /v1/explain`), the agent says:");
  screen.quote(why.summary);
  screen.more("and what helps:");
  for (const text of why.unblock) screen.quote(text);
  await wait.pause(2 * READ_MS);
  screen.event(second.name, "says the same. However long it takes, no node begins alone.");
  const shownAt = wait.now();
  for (const { name } of [first, second])
    await coordinator.event(`of ${name}`, isOf("NODE_NEW", `${cluster}/${name}`));
  await wait.pause(READ_MS, shownAt);
}

async function theThird({ screen, wait, store, nodes }: Cast): Promise<Life[]> {
  const late = nodes[2];
  screen.act(2, "The third arrives");
  screen.event(late.name, "starts");
  const upAt = await late.start();
  const outcomes = await Promise.all(nodes.map((node) => node.outcome()));
  const tookMs = Math.round(wait.now() - upAt);
  const record = await store.record();
  assert(record.state === "sealed", "the genesis record is sealed");
  const isFirst = record.node === nodes[0].name;
  const why = isFirst
    ? "of the three it is the first by name, and the others wait for it"
    : "who is before it by name took too long";
  screen.event(
    record.node,
    `claims the creation: ${why}. The register takes one claim only; it is sealed, and from now on ` +
      "the cluster exists.",
  );
  screen.event("all", `settled \`${tookMs} ms\` after the agent of ${late.name} was up`);
  return Promise.all(
    nodes.map(async (node, at) => {
      const outcome = outcomes[at];
      assert(outcome?.genesis_id === record.genesis_id, `${node.name} is part of the genesis`);
      return { node, outcome, incarnation: await node.incarnation() };
    }),
  );
}

/** Shows what each database became. Gives the one that creates, then the others. */
async function roles(
  { screen, wait, coordinator, cluster }: Cast,
  lives: readonly Life[],
): Promise<[Life, Life, Life]> {
  const [creator, ...more] = lives.filter((life) => life.outcome.kind === "bootstrap");
  const [one, two, ...rest] = lives.filter((life) => life.outcome.kind === "join");
  assert(creator && one && two && more.length + rest.length === 0, "one creates, two join");
  const { node, outcome } = creator;
  await node.database((d) => d.role === "primary" && d.genesis_id === outcome.genesis_id);
  screen.event(node.name, "outcome `bootstrap`: its database creates the data and is the primary");
  for (const other of [one, two]) {
    await other.node.database((d) => d.role === "replica" && d.genesis_id === outcome.genesis_id);
    screen.event(other.node.name, `outcome \`join\`: its database joins ${node.name} as a replica`);
  }
  const shownAt = wait.now();
  await coordinator.event("who leads", leads(cluster, node.name));
  await wait.pause(2 * READ_MS, shownAt);
  return [creator, one, two];
}

async function crash(cast: Cast, creator: Life, others: readonly Life[]): Promise<Life> {
  const { screen, wait, coordinator, cluster } = cast;
  const { node, incarnation } = creator;
  const genesis = creator.outcome.genesis_id;
  screen.act(3, "A crash");
  const since = coordinator.told();
  await node.kill();
  screen.event(node.name, "loses its power: agent and database are killed (SIGKILL)");
  const killedAt = wait.now();
  await coordinator.event(`of ${node.name}`, isOf("AGENT_DOWN", `${cluster}/${node.name}`), since);
  await coordinator.event("that nobody leads", leads(cluster, null), since);
  await wait.pause(READ_MS, killedAt);
  for (const other of others) {
    const now = await other.node.outcome();
    assert(now.genesis_id === genesis && now.kind === other.outcome.kind, "nothing new is created");
    await other.node.database((d) => d.role === "replica");
  }
  const [first = "", second = ""] = others.map((other) => other.node.name);
  screen.event(first, `and ${second} keep what they have. Nobody creates anything in its place.`);
  await wait.pause(READ_MS);
  screen.event(node.name, "is back, with its disk");
  const upAt = await node.start();
  const outcome = await node.outcome();
  const tookMs = Math.round(wait.now() - upAt);
  assert(outcome.kind === "existing" && outcome.genesis_id === genesis, "the outcome is existing");
  assert.equal(await node.incarnation(), incarnation, "the incarnation is the same");
  await node.database((d) => d.role === "primary" && d.genesis_id === genesis);
  screen.event(
    node.name,
    `outcome \`existing\`, ${tookMs} ms after its agent was up: the same incarnation ` +
      `(${short(incarnation)}), the same genesis. Its database goes on as the primary; nothing is created twice.`,
  );
  const shownAt = wait.now();
  await coordinator.event("who leads again", leads(cluster, node.name), since);
  await wait.pause(2 * READ_MS, shownAt);
  return { node, incarnation, outcome };
}

async function replacement(cast: Cast, creator: DemoNode, lives: readonly Life[]): Promise<Life> {
  const { screen, wait, nodes, spare, coordinator, cluster } = cast;
  const node = nodes[2];
  const old = lives.find((life) => life.node === node);
  assert(old !== undefined, `${node.name} has lived before`);
  const oldAddr = node.databaseAddr();
  screen.act(4, "A replacement");
  await node.stop(STOP_MS);
  node.replace(spare);
  const since = coordinator.told();
  coordinator.list([listed(cast)]);
  screen.event(node.name, "is gone for good. A new machine takes its name: empty disk, another address");
  const shownAt = wait.now();
  await node.start();
  const outcome = await node.outcome();
  const incarnation = await node.incarnation();
  assert(outcome.kind === "join" && outcome.genesis_id === old.outcome.genesis_id, "the outcome is join");
  assert.notEqual(incarnation, old.incarnation, "the incarnation is a new one");
  await node.database((d) => d.role === "replica");
  await wait.pause(READ_MS, shownAt);
  screen.event(
    node.name,
    `outcome \`join\`: an empty disk is a new incarnation, ${short(incarnation)} after ${short(old.incarnation)}. ` +
      "It joins what there is, whatever it was before.",
  );
  await wait.pause(READ_MS);
  const knows = (ids: readonly string[]) => ids.includes(incarnation) && !ids.includes(old.incarnation);
  const told = await creator.outcome((o) => knows(o.members.map((m) => m.incarnation)));
  await creator.database((d) => d.peers.includes(node.databaseAddr()) && !d.peers.includes(oldAddr));
  screen.event(
    creator.name,
    `has a newer outcome (revision ${told.revision}), and its database follows it: ${node.name} is at ` +
      `${node.databaseAddr()}, no longer at ${oldAddr}`,
  );
  await Promise.all(nodes.map((one) => one.peers((ids) => ids.length === 3 && knows(ids))));
  screen.event(
    "register",
    `lists three members. ${short(old.incarnation)} is none of them; it never counts again.`,
  );
  const toldAt = wait.now();
  const replaced = isOf("NODE_REPLACED", `${cluster}/${node.name}`);
  await coordinator.event(`that ${node.name} was replaced`, replaced, since);
  await wait.pause(2 * READ_MS, toldAt);
  return { node, incarnation, outcome };
}

async function whatThereIs(cast: Cast, lives: readonly Life[]): Promise<void> {
  const { screen, store, nodes, coordinator, cluster } = cast;
  screen.act(5, "What there is now");
  const verdict = await coordinator.verdict(cluster, lives[0]?.outcome.genesis_id ?? "");
  const rows = await Promise.all(nodes.map(rowOf));
  screen.table([["NODE", "INCARNATION", "AGENT", "DATABASE", "ROLE", "OUTCOME"], ...rows]);
  const record = await store.record();
  assert(record.state === "sealed" && record.birth === 1 && record.gen === 1, "one birth, one claim");
  const now = await Promise.all(nodes.map((node) => node.outcome()));
  const named = [...now, ...lives.map((life) => life.outcome)].map((outcome) => outcome.genesis_id);
  assert.deepEqual([...new Set(named)], [record.genesis_id], "everybody names the one genesis");
  screen.fact("Genesis record", record.genesis_id);
  screen.fact(
    "",
    `${record.state}; claimed by ${record.node}, ${short(record.incarnation)}; birth 1, claim 1`,
  );
  const kinds = lives.map((life) => life.outcome.kind);
  const count = (kind: Outcome["kind"]) => `${kinds.filter((k) => k === kind).length} ${kind}`;
  screen.fact("Outcomes so far", `${count("bootstrap")}, ${count("join")}, ${count("existing")}`);
  screen.fact("Asked just now", `${nodes.map((node) => node.name).join(", ")} all name this genesis`);
  const { first, last } = await coordinator.complete(cluster);
  screen.fact("Coordinator", verdict);
  screen.fact("Events", `${first} to ${last}, told as they are stored, without a gap`);
  screen.gap();
  screen.plain("`Exactly one genesis.`");
}

/** The cluster as the file lists it. */
function listed({ nodes, cluster }: Pick<Cast, "nodes" | "cluster">): ListedCluster {
  return { cluster_id: cluster, nodes: nodes.map((node) => node.agentAddr()) };
}

async function rowOf(node: DemoNode): Promise<string[]> {
  const [incarnation, { role }, { kind }] = await Promise.all([
    node.incarnation(),
    node.database(),
    node.outcome(),
  ]);
  return [node.name, short(incarnation), node.agentAddr(), node.databaseAddr(), role, kind];
}

function short(uuid: string): string {
  return uuid.slice(0, 8);
}
