/** The story of the rqlite examples, in four acts. Whatever a sentence says is checked before it is shown. */
import { strict as assert } from "node:assert";
import type { Screen } from "../demo/screen.ts";
import type { Store } from "../demo/store.ts";
import type { Wait } from "../demo/wait.ts";
import type { LeaderKey } from "./leader-key.ts";
import type { RqliteNode } from "./node.ts";

/** Who and what the story is about. */
export type Cast = {
  readonly screen: Screen;
  readonly wait: Wait;
  /** Null: there is none. */
  readonly store: Store | null;
  readonly key: LeaderKey | null;
  readonly nodes: readonly RqliteNode[];
};

const FIRST = "written on the first leader";
const SECOND = "written on the second";
const ROWS = "SELECT text FROM notes ORDER BY id";

/** Plays it all. Throws what the waits throw, or an AssertionError when something is not as it is told. */
export async function play(cast: Cast): Promise<void> {
  const leader = await formation(cast);
  await replication(cast, leader);
  const next = await failover(cast, leader);
  await comeback(cast, leader, next);
  await whatThereIs(cast, next);
}

async function formation(cast: Cast): Promise<RqliteNode> {
  const { screen, wait, store, nodes } = cast;
  screen.act(1, "Three agents, three rqlited");
  if (store !== null) screen.event("store", `is ${store.what}`);
  const [late, ...early] = [...nodes].reverse();
  assert(late !== undefined, "there is a last node");
  await Promise.all(early.map((node) => node.start()));
  const why = await Promise.all(early.map((node) => node.explains("voters", early.length)));
  for (const node of early) await node.state(({ process }) => process?.pid === null);
  screen.event(
    "all",
    `two agents listen, and have not started their rqlited. Asked why, ${nodes[0]?.name} says:`,
  );
  screen.quote(why.at(-1) ?? "");
  const began = wait.now();
  await late.start();
  screen.event(late.name, "is the third");
  await Promise.all(nodes.map((node) => node.ready()));
  const leader = await theLeader(cast, () => true);
  const tookMs = Math.round(wait.now() - began);
  const outcomes = await Promise.all(nodes.map((node) => node.state((state) => state.outcome !== null)));
  const named = new Set(outcomes.map(({ outcome }) => outcome?.genesis_id));
  assert.equal(named.size, 1, "everybody names the one genesis");
  screen.event(
    "all",
    `are one cluster, \`${tookMs} ms\` after ${late.name} was started; ${leader.name} leads`,
  );
  if (store !== null)
    screen.event("store", `has the leader key, and it names ${leader.name} at ${leader.databaseAddr}`);
  return leader;
}

async function replication({ screen, nodes }: Cast, leader: RqliteNode): Promise<void> {
  screen.act(2, "A row");
  await leader.execute("CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY, text TEXT)");
  await leader.execute(`INSERT INTO notes (text) VALUES ('${FIRST}')`);
  screen.event(leader.name, "takes a row");
  await Promise.all(nodes.map((node) => node.query(ROWS, (rows) => rows.flat().includes(FIRST))));
  screen.event("all", "have it: each was asked for what it has itself");
}

async function failover(cast: Cast, dead: RqliteNode): Promise<RqliteNode> {
  const { screen, wait, nodes } = cast;
  screen.act(3, "The leader is killed");
  const rest = nodes.filter((node) => node !== dead);
  const began = wait.now();
  await dead.kill();
  screen.event(dead.name, "loses its power: agent and rqlited are killed (SIGKILL)");
  const next = await theLeader({ ...cast, nodes: rest }, (id) => id !== dead.name);
  const tookMs = Math.round(wait.now() - began);
  screen.event(
    next.name,
    `is elected. \`${tookMs} ms\` after the kill both agents${cast.key === null ? "" : " and the leader key"} name it;`,
  );
  screen.more(`its /leader answers 200, and ${rest.find((node) => node !== next)?.name}'s does not.`);
  await next.execute(`INSERT INTO notes (text) VALUES ('${SECOND}')`);
  screen.event(next.name, "takes another row");
  return next;
}

async function comeback({ screen, nodes }: Cast, dead: RqliteNode, leader: RqliteNode): Promise<void> {
  screen.act(4, "It is back");
  await dead.start();
  await dead.ready();
  const { outcome } = await dead.state(({ node }) => node.role === "replica");
  assert.equal(outcome?.kind, "existing");
  screen.event(dead.name, `outcome \`existing\`: it follows ${leader.name} with the data it had`);
  await Promise.all(
    nodes.map((node) => node.query(ROWS, (rows) => rows.flat().join() === [FIRST, SECOND].join())),
  );
  screen.event("all", "have both rows");
}

async function whatThereIs({ screen, wait, store, key, nodes }: Cast, leader: RqliteNode): Promise<void> {
  const states = await Promise.all(
    nodes.map((node) => node.state(({ node: { status } }) => status === "healthy")),
  );
  const rows = nodes.map((node, at) => {
    const { node: database, outcome } = states[at] ?? {};
    return [node.name, node.agentAddr, node.databaseAddr, database?.role ?? "", outcome?.kind ?? ""];
  });
  screen.table([["NODE", "AGENT", "RQLITE", "ROLE", "OUTCOME"], ...rows]);
  const [genesis, ...more] = new Set(states.map(({ outcome }) => outcome?.genesis_id));
  assert(genesis !== undefined && more.length === 0, "everybody names the one genesis");
  if (store === null || key === null) screen.fact("Genesis", `${genesis}, says every agent`);
  else {
    const [record, named] = await Promise.all([store.record(), key.read(wait.signal)]);
    assert(record.state === "sealed" && record.genesis_id === genesis, "the record is of the genesis");
    assert(named?.genesis_id === genesis && named.id === leader.name, "the key is of the genesis");
    screen.fact("Genesis record", `${record.genesis_id}, sealed, claimed by ${record.node}`);
    screen.fact("Leader key", `${named.id} at ${named.api_addr}, term ${named.term}`);
  }
  screen.gap();
  screen.plain(`\`One cluster, one leader, and ${store === null ? "every agent" : "the key"} says so.\``);
}

/** The one that leads, once every agent, its own `/leader` and the key, where there is a store, say the same. */
async function theLeader({ wait, key, nodes }: Cast, wanted: (id: string) => boolean): Promise<RqliteNode> {
  return wait.for("all agents and the leader key to name one leader", async () => {
    const named = key === null ? await nodes[0]?.leader(wanted) : (await key.read(wait.signal))?.id;
    const leader = nodes.find((node) => node.name === named);
    if (leader === undefined || !wanted(leader.name)) return null;
    await Promise.all(nodes.map((node) => node.leader((id) => id === leader.name)));
    const leads = await Promise.all(nodes.map((node) => node.leads()));
    return leads.filter(Boolean).length === 1 && leads[nodes.indexOf(leader)] ? leader : null;
  });
}
