/**
 * What `rqlite-consul`, `rqlite-etcd` and `rqlite-static` have in common: starts a store, where there is one, and three
 * agents, each of which starts an rqlited, tells what they do, and leaves nothing behind. Ends with 0, with 1 when something failed, 2 when a
 * program is missing, 130 on Ctrl-C.
 */
import { join } from "node:path";
import { RollcallError } from "../../src/lib/errors.ts";
import { uuid } from "../demo/process.ts";
import { exitCodeOf, perform, type Stage } from "../demo/stage.ts";
import { openStore, type Store } from "../demo/store.ts";
import { openLeaderKey } from "./leader-key.ts";
import { openRqliteNode } from "./node.ts";
import { type Program, programsOf } from "./programs.ts";
import { play } from "./story.ts";

/** Where the agents meet; `static`: nowhere, they have a list of each other. */
type Meeting = "consul" | "etcd" | "static";

const TITLES: Record<Meeting, readonly [title: string, agreed: string]> = {
  consul: ["three rqlite nodes and Consul", "in Consul, follows its leader, and keeps the leader key true."],
  etcd: ["three rqlite nodes and etcd", "in etcd, follows its leader, and keeps the leader key true."],
  static: ["three rqlite nodes and no store", "among themselves, and follows its leader."],
};

type Programs = Partial<Record<Program, string>>;

/** Plays it there. Gives the exit code. */
export function main(kind: Meeting): Promise<number> {
  const name = `rqlite-${kind}`;
  return exitCodeOf(name, async () => {
    const [word] = process.argv.slice(2);
    if (word !== undefined) throw new RollcallError("usage", "takes no arguments");
    const names: readonly Program[] = kind === "static" ? ["rqlited"] : [kind, "rqlited"];
    const programs = programsOf(names, process.env);
    const [what, agreed] = TITLES[kind];
    const title = `rollcall: ${what}`;
    const about = `Each of three agents starts the rqlited beside it, with the arguments that the three have agreed upon ${agreed}`;
    return await perform({ name, title, about, who: 8, pace: 1 }, async (stage) => {
      if (kind === "static") return await together(stage, programs, null);
      const store = await openStore(`${kind}-kv`, programs[kind] ?? null, { ...stage, uuid });
      stage.atEnd(() => store.close());
      return await together(stage, programs, store);
    });
  });
}

/** Three nodes that meet in the store; null: that have a list of each other. */
async function together(stage: Stage, programs: Programs, store: Store | null): Promise<void> {
  const { dir, ports, children, wait, clock, screen, atExit } = stage;
  const list = [1, 2, 3].map((n) => `127.0.0.1:${ports(n)}`).join(",");
  const flags = store?.flags ?? ["-join", list, "-disco-key", "demo"];
  const key = store === null ? null : await openLeaderKey(store.flags, clock);
  const nodes = [1, 2, 3].map((n) =>
    openRqliteNode({
      name: `node-${n}`,
      dir: join(dir, `node-${n}`),
      ports: { agent: ports(n), http: ports(10 + n), raft: ports(13 + n) },
      flags,
      rqlited: programs.rqlited ?? "rqlited",
      children,
      wait,
      clock,
    }),
  );
  // A database is its agent's child, which nobody ends when the agent is killed.
  const killDatabases = () => {
    for (const node of nodes) node.killDatabase();
  };
  atExit(killDatabases);
  try {
    await play({ screen, wait, store, key, nodes });
    await wait.event("everything to end", Promise.all(nodes.map((node) => node.stop())));
    screen.gap();
    screen.event("all", "ended in order: each agent its rqlited, then itself. Nothing is left behind.");
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    killDatabases();
    await key?.close();
  }
}
