/**
 * What `rqlite-consul`, `rqlite-etcd` and `rqlite-static` have in common: starts a store, where there is one, and three
 * agents, each of which starts an rqlited, tells what they do, and leaves nothing behind. Ends with 0, with 1 when something failed, 2 when a
 * program is missing, 130 on Ctrl-C.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import { codeOf, RollcallError, reason } from "../../src/lib/errors.ts";
import { openChildren } from "../demo/children.ts";
import { freePorts } from "../demo/ports.ts";
import { childEnv, endingOf, screenSince, uuid } from "../demo/process.ts";
import type { Screen } from "../demo/screen.ts";
import { openStore, type Store } from "../demo/store.ts";
import { openWait } from "../demo/wait.ts";
import { type LeaderKey, openLeaderKey } from "./leader-key.ts";
import { openRqliteNode, type RqliteNode } from "./node.ts";
import { type Program, programsOf } from "./programs.ts";
import { play } from "./story.ts";

/** Where the agents meet; `static`: nowhere, they have a list of each other. */
type Meeting = "consul" | "etcd" | "static";

const TITLES: Record<Meeting, readonly [title: string, agreed: string]> = {
  consul: ["three rqlite nodes and Consul", "in Consul, follows its leader, and keeps the leader key true."],
  etcd: ["three rqlite nodes and etcd", "in etcd, follows its leader, and keeps the leader key true."],
  static: ["three rqlite nodes and no store", "among themselves, and follows its leader."],
};

/** Plays it there. Gives the exit code. */
export async function main(store: Meeting): Promise<number> {
  try {
    const [word] = process.argv.slice(2);
    if (word !== undefined) throw new RollcallError("usage", "takes no arguments");
    const names: readonly Program[] = store === "static" ? ["rqlited"] : [store, "rqlited"];
    return await perform(store, programsOf(names, process.env));
  } catch (error) {
    process.stderr.write(`rqlite-${store}: ${reason(error)}\n`);
    return codeOf(error) === "usage" ? 2 : 1;
  }
}

/** Sets the stage, plays, and clears up whatever happens. Gives the exit code. */
async function perform(kind: Meeting, programs: Partial<Record<Program, string>>): Promise<number> {
  const clock = systemClock;
  const began = clock.now();
  const ending = endingOf();
  const dir = mkdtempSync(join(tmpdir(), "rollcall-rqlite-"));
  const children = openChildren({ env: childEnv(), failed: (error) => ending.abort(error) }, clock);
  const clear = () => rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  let nodes: readonly RqliteNode[] = [];
  process.once("exit", () => {
    children.killAll();
    for (const node of nodes) node.killDatabase();
    clear();
  });
  const wait = openWait({ clock, signal: ending.signal, pace: 1 });
  const screen = screenSince(began);
  let store: Store | null = null;
  let key: LeaderKey | null = null;
  try {
    const [title, agreed] = TITLES[kind];
    screen.title(
      `rollcall: ${title}`,
      `Each of three agents starts the rqlited beside it, with the arguments that the three have agreed upon ${agreed}`,
    );
    const ports = await freePorts(process.pid);
    if (kind !== "static") {
      const deps = { children, ports, dir, wait, clock, uuid };
      store = await openStore(`${kind}-kv`, programs[kind] ?? null, deps);
      key = await openLeaderKey(store.flags, clock);
    }
    const list = [1, 2, 3].map((n) => `127.0.0.1:${ports(n)}`).join(",");
    const flags = store?.flags ?? ["-join", list, "-disco-key", "demo"];
    nodes = [1, 2, 3].map((n) =>
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
    await play({ screen, wait, store, key, nodes });
    await wait.event("everything to end", Promise.all(nodes.map((node) => node.stop())));
    screen.gap();
    screen.event("all", "ended in order: each agent its rqlited, then itself. Nothing is left behind.");
    return 0;
  } catch (error) {
    return tell(kind, ending.signal.aborted ? ending.signal.reason : error, screen);
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    for (const node of nodes) node.killDatabase();
    await key?.close();
    await children.endAll();
    await store?.close();
    clear();
  }
}

/** Says why it ended early, and gives the exit code. */
function tell(kind: string, error: unknown, screen: Screen): number {
  const facts = error instanceof RollcallError ? error.facts : {};
  if (typeof facts.exitCode === "number") {
    screen.event("all", "interrupted: everything ends now");
    return facts.exitCode;
  }
  const log = String(facts.log ?? "");
  const end = log === "" ? "" : `; the end of its log:\n${log}`;
  process.stderr.write(`rqlite-${kind}: ${reason(error)}${end}\n`);
  return 1;
}
