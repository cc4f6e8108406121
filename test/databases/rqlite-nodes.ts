/** Real rqlited nodes that are started as their agents would start them, by the adapter's own plans. */
import type { LeaderRecord, MemberRef, Sealed } from "../../src/core/model.ts";
import type { DatabaseMember, NodeReport } from "../../src/core/node-report.ts";
import type { Database } from "../../src/databases/database.ts";
import * as rqlite from "../../src/databases/rqlite.ts";
import { fileCache } from "../../src/lib/files.ts";
import { newRqlited, type Rqlited } from "../support/servers/index.ts";
import { until } from "../support/wait.ts";
import { factsOf, ready, sealed, type Told } from "./facts.ts";

export type Node = {
  readonly id: string;
  readonly server: Rqlited;
  /** The adapter beside it; another one after a move. */
  db(): Database;
  ref(): MemberRef;
  look(): Promise<NodeReport>;
  /** Starts it by the plan of its adapter, or gives why it has to wait. */
  launch(told?: Partial<Told>): Promise<string | null>;
  /** The members as the database listed them when it was last healthy; what the agent keeps. */
  formed(): readonly DatabaseMember[] | null;
};

export type Fleet = {
  readonly nodes: readonly Node[];
  readonly record: Sealed;
  /** Another node, which belongs to the same genesis. */
  add(id: string, voter?: boolean): Promise<Node>;
  launchAll(): Promise<void>;
  stopAll(): Promise<void>;
  killAll(): Promise<void>;
  /** Waits until these nodes are healthy, list `size` members and name one leader: that one, and the others. */
  settled(nodes?: readonly Node[], size?: number): Promise<{ leader: Node; followers: readonly Node[] }>;
};

/** Nodes `n1` and so on, none of them started; all of them, or the first only, are the genesis's members. */
export async function newFleet(size: number, formation: Sealed["formation"]): Promise<Fleet> {
  const nodes: Node[] = [];
  const make = async (id: string, voter: boolean) => {
    const node = nodeOf(await newRqlited(id), voter, () => ({ record, members: nodes.map((n) => n.ref()) }));
    nodes.push(node);
    return node;
  };
  for (let i = 1; i <= size; i += 1) await make(`n${i}`, true);
  const record = sealed(
    formation,
    nodes.map((n) => n.ref()),
  );
  return {
    nodes,
    record,
    add: (id, voter = true) => make(id, voter),
    async launchAll() {
      await Promise.all(nodes.map((n) => n.launch()));
    },
    async stopAll() {
      await Promise.all(nodes.map((n) => n.server.stop()));
    },
    async killAll() {
      for (const n of nodes) n.db().close();
      await Promise.all(nodes.map((n) => n.server.kill()));
    },
    settled: (asked = nodes, count = nodes.length) => settled(asked, count),
  };
}

/** An adapter at an address. */
export function adapter(
  addr: string,
  nodeId: string,
  config: object = {},
  now = () => performance.now(),
): Database {
  return rqlite.open(config, { addr, nodeId, now, file: fileCache() });
}

function nodeOf(server: Rqlited, voter: boolean, world: () => Pick<Told, "record" | "members">): Node {
  const id = server.name;
  let db: Database | null = null;
  let at = "";
  let formed: readonly DatabaseMember[] | null = null;
  const node: Node = {
    id,
    server,
    formed: () => formed,
    db() {
      if (db === null || at !== server.addr()) {
        db?.close();
        at = server.addr();
        db = adapter(at, id);
      }
      return db;
    },
    ref: () => ({
      id,
      incarnation: `incarnation-of-${id}`,
      agent_addr: "",
      api_addr: server.addr(),
      addr: server.peerAddr(),
    }),
    async look() {
      const report = await node.db().probe(AbortSignal.timeout(3_000));
      if (report.status === "healthy" && report.members?.some((m) => m.id === id)) formed = report.members;
      return report;
    },
    async launch(told = {}) {
      const command = server.command();
      const self = node.ref();
      const facts = factsOf({ self, voter, formed, dataDir: server.dataDir, command, ...world(), ...told });
      const plan = node.db().start?.(facts) ?? { wait: "no plan" };
      if ("wait" in plan) return plan.wait;
      const { args, files } = ready(plan);
      for (const { path, text } of files) await server.write(path, text);
      const place = rqlite.argumentsAt(command) ?? 1;
      await server.start([...command.slice(0, place), ...args, ...command.slice(place)]);
      return null;
    },
  };
  return node;
}

async function settled(nodes: readonly Node[], size: number) {
  const id = await until(
    async () => {
      const reports = await Promise.all(nodes.map((n) => n.look()));
      const leader = reports[0]?.leader?.id ?? null;
      const agree = reports.every(
        (r) => r.status === "healthy" && r.leader?.id === leader && r.members?.length === size,
      );
      return agree ? leader : null;
    },
    {
      deadlineMs: 15_000,
      what: "one leader that all name",
      everyMs: 20,
      giveUp: () =>
        nodes
          .map((n) => (n.server.exit() === null ? null : `${n.id} ended: ${n.server.output()}`))
          .find((e) => e !== null) ?? null,
    },
  );
  const leader = nodes.find((n) => n.id === id);
  if (leader === undefined) throw new Error(`${id} leads, which was not asked`);
  return { leader, followers: nodes.filter((n) => n !== leader) };
}

/** The leader record that a native node writes. */
export function nativeRecord(node: Node): LeaderRecord {
  return { id: node.id, api_addr: `http://${node.server.addr()}`, addr: node.server.peerAddr() };
}
