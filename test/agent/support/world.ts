/** Nodes around one store in memory, without a network: their hellos are handed over directly. Time is the test's. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { type Genesis, openGenesis } from "../../../src/agent/genesis.ts";
import type { HookResult } from "../../../src/agent/hooks.ts";
import { type DataDir, openDataDir } from "../../../src/agent/identity.ts";
import type { Looks } from "../../../src/agent/native.ts";
import { openPeers } from "../../../src/agent/peers.ts";
import { type Rules, type Settled, testimony } from "../../../src/core/genesis-state.ts";
import type { Hello, Member } from "../../../src/core/model.ts";
import type { Provider, Register } from "../../../src/core/provider.ts";
import { RollcallError } from "../../../src/lib/errors.ts";
import { type ManualClock, manualClock } from "../../lib/manual-clock.ts";
import { createMemory, type Memory } from "../../support/memory.ts";
import { tempDir } from "../../support/temp.ts";
import { until } from "../../support/wait.ts";
import { rememberingLog } from "./log.ts";
import { helloOf, memberOf, refTo } from "./records.ts";

export type World = {
  readonly clock: ManualClock;
  readonly memory: Memory;
  /** Who answers, by address. */
  readonly hellos: Map<string, () => Hello>;
  /**
   * Moves both clocks in small steps until the condition holds. In the smallest they are no faster than the real disk,
   * so that nothing lapses that a node keeps up. Throws after ten seconds of real time.
   */
  passUntil<T>(condition: () => T, what: string, stepMs?: number): Promise<void>;
  /** Moves both clocks by `ms` in small steps, letting what is ready run in between. */
  pass(ms: number, stepMs?: number): Promise<void>;
  node(id: string, options?: NodeOptions): Promise<WorldNode>;
};

export type NodeOptions = {
  readonly rules?: Partial<Rules>;
  readonly dir?: string;
  readonly dbDataDir?: string | null;
  readonly onInit?: (signal: AbortSignal) => Promise<HookResult>;
  /** The store as this node sees it. */
  readonly provider?: (provider: Provider) => Provider;
  /** The ways to databases; none where left out. */
  readonly database?: Looks;
};

export type WorldNode = {
  readonly id: string;
  readonly dir: string;
  readonly genesis: Genesis;
  readonly dataDir: DataDir;
  readonly settled: readonly Settled[];
  readonly lines: () => readonly Record<string, unknown>[];
  /** Makes its entry in the directory, as its registration would. */
  announce(more?: Partial<Member>): Promise<void>;
  /** Starts its protocol. */
  run(): void;
  /** Ends it: `kill` leaves its entry in the directory and its lock on disk is freed. Gives what `run` threw. */
  kill(): Promise<unknown>;
};

/** An empty store at time 0. */
export function world(): World {
  const clock = manualClock();
  const memory = createMemory();
  const hellos = new Map<string, () => Hello>();
  const made: World = {
    clock,
    memory,
    hellos,
    async passUntil(condition, what, stepMs = 2) {
      const look = () => {
        const seen = condition();
        if (!seen) {
          clock.advance(stepMs);
          memory.advance(stepMs);
        }
        return seen;
      };
      await until(look, { deadlineMs: 10_000, what, everyMs: 1 });
    },
    async pass(ms, stepMs = 50) {
      const end = clock.now() + ms;
      await made.passUntil(() => clock.now() >= end, `${ms} ms to pass`, stepMs);
    },
    node: (id, options = {}) => openNode(made, id, options),
  };
  return made;
}

async function openNode(all: World, id: string, options: NodeOptions): Promise<WorldNode> {
  const { clock, memory, hellos } = all;
  const dir = options.dir ?? tempDir(id);
  const dataDir = await openDataDir(
    join(dir, "data"),
    { key: "rollcall", nodeId: id, hostName: "host" },
    randomUUID,
  );
  const rules: Rules = {
    key: "rollcall",
    nodeId: id,
    voter: true,
    expect: 1,
    genesis: "auto",
    formation: "single",
    initialises: options.onInit !== undefined,
    ...options.rules,
  };
  const { log, lines } = rememberingLog();
  const self = () => refTo(id, { incarnation: genesis.state().kept.incarnation });
  const peers = openPeers({
    path: dataDir.path("peers.json"),
    clock,
    log,
    self,
    client: {
      async hello(address) {
        const answer = hellos.get(address);
        if (answer === undefined) throw new RollcallError("unreachable", "connect ECONNREFUSED");
        return answer();
      },
    },
  });
  const settled: Settled[] = [];
  const genesis: Genesis = await openGenesis({
    rules,
    dataDir,
    dbDataDir: options.dbDataDir ?? null,
    peers,
    pacing: { clock, random: () => 0.5 },
    uuid: randomUUID,
    log,
    self,
    registered: () => true,
    database: options.database ?? null,
    onInit: (_, signal) => options.onInit?.(signal) ?? Promise.resolve({ ok: true }),
    settled: (one) => void settled.push(one),
    changed: () => {},
  });
  const inner = memory.open();
  const provider = options.provider?.(inner) ?? inner;
  const stop = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  const { agent_addr } = refTo(id);
  return {
    id,
    dir,
    genesis,
    dataDir,
    settled,
    lines,
    async announce(more = {}) {
      const entry: Member = memberOf(id, { ...self(), voter: rules.voter, expect: rules.expect, ...more });
      await provider.members?.announce(entry, stop.signal);
    },
    run() {
      const about = { key: rules.key, voter: rules.voter, expect: rules.expect };
      hellos.set(agent_addr, () => helloOf(id, { ...self(), ...about, ...testimony(genesis.state()) }));
      running = genesis
        .run({ provider, register: provider.genesis as Register }, stop.signal)
        .catch((error: unknown) => error);
    },
    async kill() {
      stop.abort();
      const threw = await running;
      if (hellos.get(agent_addr) !== undefined) hellos.delete(agent_addr);
      await inner.close();
      await dataDir.close();
      return threw;
    },
  };
}
