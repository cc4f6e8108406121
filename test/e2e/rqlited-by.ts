/** Real rqlited nodes, started by agents that have no store: where they are is settled first, and then told by a list or by DNS. */
import { expect } from "vitest";
import type { Seat } from "../support/agents.ts";
import { freePort, loopbackAddress } from "../support/loopback.ts";
import { type Node, openNodes } from "../support/supervised.ts";
import { until } from "../support/wait.ts";

/** One place an id: an address of its own each, and one port for all, as records of addresses need it. */
export async function seats(ids: readonly string[]): Promise<ReadonlyMap<string, Seat>> {
  const addresses = await Promise.all(ids.map(() => loopbackAddress()));
  const port = await freePort(addresses[0] ?? "127.0.0.1");
  return new Map(ids.map((id, at) => [id, { address: addresses[at] ?? "127.0.0.1", port }]));
}

/** The flags of an agent that is told these places. */
export function listing(places: ReadonlyMap<string, Seat>, key: string, expectVoters: number): string[] {
  const list = [...places.values()].map(({ address, port }) => `${address}:${port}`).join(",");
  return ["-join", list, "-disco-key", key, "-bootstrap-expect", String(expectVoters)];
}

/** Nodes at their places, which end with the test that started them. */
export function openSeated() {
  const fleet = openNodes();
  return {
    ...fleet,
    seated: (places: ReadonlyMap<string, Seat>, args: readonly string[]): Promise<Node[]> =>
      Promise.all([...places].map(([id, seat]) => fleet.one({ id, seat, args }))),
  };
}

/** Writes a row on one node, and reads it on all from their own disks. */
export async function writeAndRead(leader: Node, nodes: readonly Node[]): Promise<void> {
  await leader.sql("CREATE TABLE IF NOT EXISTS t (n INTEGER)");
  await leader.sql("INSERT INTO t VALUES (42)");
  for (const node of nodes)
    await until(async () => JSON.stringify(await node.sql("SELECT n FROM t LIMIT 1", "none")) === "[42]", {
      deadlineMs: 30_000,
      what: `${node.id} to read the row`,
    });
}

/** Waits until the database of a node lists exactly these, in order; "reads" marks one without a vote. */
export async function untilListed(node: Node, ids: string): Promise<void> {
  const listed = async () => {
    const { members } = JSON.parse((await node.agent().get("/v1/node")).body);
    const all = (members ?? []) as { id: string; voter: boolean }[];
    return all.map((m) => `${m.id}${m.voter ? "" : " reads"}`).join();
  };
  await until(async () => (await listed()) === ids, {
    deadlineMs: 30_000,
    what: `${node.id} to list ${ids}`,
  });
}

/** All are of one genesis, whose id this gives. */
export async function genesisOf(nodes: readonly Node[]): Promise<string> {
  const outcomes = await Promise.all(nodes.map((node) => node.agent().settled()));
  const ids = new Set(outcomes.map((outcome) => outcome.genesis_id));
  expect(ids.size).toBe(1);
  return outcomes[0]?.genesis_id ?? "";
}
