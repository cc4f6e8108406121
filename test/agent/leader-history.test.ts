/** Reporters of one cluster under kills, pauses, cuts, lost acknowledgements and late writes: the history must hold. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Config as ConsulConfig, open as openConsul } from "../../providers/consul-kv.ts";
import { Config as EtcdConfig, open as openEtcd } from "../../providers/etcd-kv.ts";
import { decode, LeaderRecord } from "../../src/core/model.ts";
import type { Provider, Register, Versioned } from "../../src/core/provider.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { type RealStore, realStage } from "../contract/real-stage.ts";
import { contextFor, type Stage } from "../contract/stage.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";
import { type History, openHistory } from "../support/leader-history.ts";
import { createMemory, type Memory } from "../support/memory.ts";
import { type Consul, describeWith, type Etcd, startConsul, startEtcd } from "../support/servers/index.ts";
import { until } from "../support/wait.ts";
import { type LeaderCluster, leaderCluster, seeded } from "./support/leader-cluster.ts";

const KEY = "rollcall";
const STEPS = 600;
const SEEDS = 60;
const placeInMemory = (revision: string) => Number(revision.split("-").at(-1));

type Play = {
  readonly memory: Memory;
  readonly history: History;
  readonly cluster: LeaderCluster;
  readonly random: () => number;
  readonly native: boolean;
};

function keyIn(memory: Memory): Versioned | null {
  return memory.registers.read(KEY, "leader");
}

/** One thing that happens, each about as often as its weight says. */
const events: readonly (readonly [weight: number, play: (p: Play) => unknown])[] = [
  [6, ({ cluster, random }) => cluster.elect(pick(cluster.nodes, random).id)],
  [60, ({ cluster, random }) => pick(cluster.nodes, random).learn()],
  [60, ({ cluster, random, memory }) => pick(cluster.nodes, random).see(keyIn(memory))],
  [3, ({ cluster, random }) => pick(cluster.nodes, random).kill()],
  [20, ({ cluster, random }) => pick(cluster.nodes, random).start()],
  [3, ({ cluster, random }) => pick(cluster.nodes, random).pause()],
  [20, ({ cluster, random }) => pick(cluster.nodes, random).resume()],
  [3, ({ cluster, random }) => pick(cluster.nodes, random).cut(true)],
  [20, ({ cluster, random }) => pick(cluster.nodes, random).cut(false)],
  [4, ({ memory, random }) => memory.inject("swap", pick(["lose", "late", "fail"] as const, random))],
  [2, ({ memory }) => memory.inject("read", "fail")],
  [3, ({ memory }) => memory.land()],
  [1, ({ memory }) => memory.down()],
  [2, ({ memory }) => memory.hang()],
  [24, ({ memory }) => memory.up()],
  [2, (p) => p.native && overwrite(p)],
];

/** A native node of the leader's database writes as it does: whatever is there. */
function overwrite({ memory, history, cluster }: Play): void {
  const id = cluster.truth().leader;
  const value = JSON.stringify({ id, api_addr: `http://${id}:4001`, addr: `${id}:4002` });
  history.foreign(value);
  const before = keyIn(memory);
  memory.registers.put({ id: KEY, name: "leader", value, expected: before && { ...before, sha256: null } });
  history.saw(keyIn(memory));
}

function eventAt(place: number): (p: Play) => unknown {
  let end = 0;
  for (const [weight, event] of events) {
    end += weight;
    if (place < end) return event;
  }
  throw new RangeError(`no event at ${place}`);
}

function pick<T>(from: readonly T[], random: () => number): T {
  return from[Math.floor(random() * from.length)] as T;
}

type SeedOptions = {
  readonly terms: boolean;
  readonly native?: boolean;
  readonly register?: (inner: Register) => Register;
};

/** Plays one seed to its end, heals everything, and gives what is wrong. */
async function playSeed(seed: number, { terms, native = false, register = (r) => r }: SeedOptions) {
  const random = seeded(seed);
  const [clock, memory, history] = [manualClock(), createMemory(), openHistory(placeInMemory)];
  const providers: Provider[] = [];
  const registerOf = () => {
    const provider = memory.open(KEY);
    providers.push(provider);
    return register(provider.leaderKey as Register);
  };
  const ids = ["n1", "n2", "n3"];
  const cluster = leaderCluster({ ids, terms, history, registerOf, pacing: { clock, random } });
  const play: Play = { memory, history, cluster, random, native };
  const total = events.reduce((sum, [weight]) => sum + weight, 0);
  for (const node of cluster.nodes) node.start();
  for (let step = 0; step < STEPS; step++) {
    // Not awaited: a kill that waits for a call that hangs must not hold up the rest.
    void eventAt(random() * total)(play);
    clock.advance(random() < 0.1 ? 6_000 * random() : 50 * random());
    await turns(2);
    history.saw(keyIn(memory));
  }
  await heal(play, clock);
  const { leader, term } = cluster.truth();
  const stored = keyIn(memory);
  const record = stored === null ? null : decode(LeaderRecord, stored.value);
  const troubles = cluster.nodes.map((node) => node.reporter().state().trouble);
  await cluster.stop();
  await Promise.all(providers.map((provider) => provider.close()));
  return {
    problems: history.problems(),
    counts: history.counts(),
    pending: clock.pending(),
    troubles: troubles.filter((one) => one !== null),
    // A database that has terms shows in which it leads; another one only who.
    key: record?.ok ? [record.value.id, terms ? record.value.term : null] : record,
    truth: [leader, terms ? term : null],
  };
}

/** Everything works again, everybody learns how things are, and half a minute passes. */
async function heal({ memory, cluster }: Play, clock: ReturnType<typeof manualClock>): Promise<void> {
  memory.up();
  memory.land();
  for (const node of cluster.nodes) {
    node.resume();
    node.cut(false);
    node.start();
    node.learn();
  }
  for (let i = 0; i < 300; i++) {
    clock.advance(100);
    await turns(1);
  }
}

describe("the leader key's history", () => {
  const scenarios: readonly (readonly [string, SeedOptions])[] = [
    ["with terms", { terms: true }],
    ["without terms", { terms: false }],
    ["beside a native node", { terms: true, native: true }],
  ];
  for (const [what, options] of scenarios)
    it(`holds ${what}, whatever happens`, { timeout: 120_000 }, async () => {
      const sum = { won: 0, lost: 0, unknown: 0 };
      for (let seed = 1; seed <= SEEDS; seed++) {
        const { counts, key, truth, problems, pending, troubles } = await playSeed(seed, options);
        expect({ seed, problems, pending, troubles, key }).toEqual({
          seed,
          problems: [],
          pending: 0,
          troubles: [],
          key: truth,
        });
        sum.won += counts.won;
        sum.lost += counts.lost;
        sum.unknown += counts.unknown;
      }
      // The scenarios are what they are meant to be.
      expect(sum.won).toBeGreaterThan(50);
      expect(sum.lost).toBeGreaterThan(0);
      expect(sum.unknown).toBeGreaterThan(20);
    });

  it("shows a register that takes every write", async () => {
    const blind = (inner: Register): Register => ({
      read: inner.read,
      async swap(_, value, signal) {
        const now = await inner.read(signal).catch(() => null);
        return inner.swap(now, value, signal);
      },
    });
    const found: string[] = [];
    for (let seed = 1; seed <= 6; seed++)
      found.push(...(await playSeed(seed, { terms: true, register: blind })).problems);
    expect(found.join("\n")).toMatch(/ expected /);
  });
});

/** Reporters over a real store, behind a proxy that misbehaves, while leadership moves. */
function overRealStore(make: () => Promise<RealStore>): void {
  it("holds over a real store behind a bad network", { timeout: 60_000 }, async () => {
    const stage = await realStage(await make());
    const random = seeded(7);
    const history = openHistory();
    const registers = new Map<string, Register>();
    const watched: Provider[] = [];
    const ids = ["n1", "n2", "n3"];
    for (const id of ids) {
      const provider = await stage.open();
      registers.set(id, provider.leaderKey as Register);
      watched.push(provider);
    }
    const cluster = leaderCluster({
      ids,
      terms: true,
      history,
      pacing: { clock: systemClock, random },
      registerOf: (id) => registers.get(id) as Register,
    });
    const stop = new AbortController();
    const watching = cluster.nodes.map((node, at) =>
      follow(watched[at] as Provider, stop.signal, (raw) => {
        history.saw(raw);
        node.see(raw);
      }),
    );
    try {
      for (const node of cluster.nodes) node.start();
      for (let round = 0; round < 40; round++) await disturb(stage, cluster, random);
      await stage.up();
      for (const node of cluster.nodes) {
        node.start();
        node.resume();
        node.learn();
      }
      await until(() => isTrue(cluster), { deadlineMs: 30_000, what: "the key to name the leader" });
    } finally {
      stop.abort();
      await cluster.stop();
      await Promise.all(watching);
      await stage.close();
    }
    expect(history.problems()).toEqual([]);
    expect(history.counts().won).toBeGreaterThan(10);
    expect(history.counts().unknown).toBeGreaterThan(0);
  });
}

/** Leadership moves, most nodes hear of it, and now and then something goes wrong. */
async function disturb(stage: Stage, cluster: LeaderCluster, random: () => number): Promise<void> {
  cluster.elect(pick(cluster.nodes, random).id);
  const what = random();
  const one = pick(cluster.nodes, random);
  if (what < 0.2) stage.loseAnswer();
  else if (what < 0.3) await stage.down();
  else if (what < 0.4) await stage.hang();
  else if (what < 0.5) one.pause();
  else if (what < 0.6) await one.kill();
  for (const node of cluster.nodes) if (random() < 0.8) node.learn();
  await systemClock.sleep(20 + 60 * random(), new AbortController().signal);
  await stage.up();
  one.resume();
  one.start();
}

function isTrue(cluster: LeaderCluster): boolean {
  const { leader, term } = cluster.truth();
  return cluster.nodes.every((node) => {
    const { record } = node.reporter().state();
    return record?.id === leader && record.term === term;
  });
}

/** Watches the key until it is aborted, through whatever breaks the watch. */
async function follow(provider: Provider, signal: AbortSignal, see: (raw: Versioned | null) => void) {
  while (!signal.aborted) {
    try {
      for await (const lookup of provider.watch?.(signal) ?? []) see(lookup.leader ?? null);
    } catch {
      await systemClock.sleep(50, signal);
    }
  }
}

describeWith("consul", "the leader key's history on Consul", () => {
  let consul: Consul;
  beforeAll(async () => {
    consul = await startConsul();
  });
  afterAll(() => consul.stop());
  overRealStore(async () => ({
    target: { address: consul.address, port: consul.ports.http },
    swaps: /^PUT \/v1\/txn/,
    open: (address, key) => openConsul(ConsulConfig.parse({ address }), contextFor(key)),
    empty: async () => {},
  }));
});

describeWith("etcd", "the leader key's history on etcd", () => {
  let etcd: Etcd;
  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd.stop());
  overRealStore(async () => ({
    target: { address: etcd.address, port: etcd.ports.client },
    swaps: /genesis_id/,
    open: (endpoint, key) => openEtcd(EtcdConfig.parse({ endpoints: [endpoint] }), contextFor(key)),
    empty: async () => {},
  }));
});
