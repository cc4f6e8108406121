/**
 * What `rqlite-consul` and `rqlite-etcd` have in common: starts a store and three agents, each of which starts an
 * rqlited, tells what they do, and leaves nothing behind. Ends with 0, with 1 when something failed, 2 when a
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
import { programsOf } from "./programs.ts";
import { play } from "./story.ts";

const NAMES = { consul: "Consul", etcd: "etcd" } as const;

/** Plays it on that store. Gives the exit code. */
export async function main(store: "consul" | "etcd"): Promise<number> {
  try {
    const [word] = process.argv.slice(2);
    if (word !== undefined) throw new RollcallError("usage", "takes no arguments");
    return await perform(store, programsOf([store, "rqlited"], process.env));
  } catch (error) {
    process.stderr.write(`rqlite-${store}: ${reason(error)}\n`);
    return codeOf(error) === "usage" ? 2 : 1;
  }
}

/** Sets the stage, plays, and clears up whatever happens. Gives the exit code. */
async function perform(kind: "consul" | "etcd", programs: Readonly<Record<string, string>>): Promise<number> {
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
    screen.title(
      `rollcall: three rqlite nodes and ${NAMES[kind]}`,
      `Each of three agents starts the rqlited beside it, with the arguments that the three have agreed ` +
        `upon in ${NAMES[kind]}, follows its leader, and keeps the leader key true.`,
    );
    const ports = await freePorts(process.pid);
    store = await openStore(`${kind}-kv`, programs[kind] ?? null, {
      children,
      ports,
      dir,
      wait,
      clock,
      uuid,
    });
    const { flags } = store;
    key = await openLeaderKey(flags, clock);
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
