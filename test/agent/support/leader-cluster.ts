/**
 * Reporters of one cluster over one register, beside a simulated database: leadership moves at the test's word,
 * and each node learns of it when it is told. Agents are killed, paused as by SIGSTOP, and cut off.
 */
import { openReporter, type Reporter } from "../../../src/agent/reporter.ts";
import { blankReport } from "../../../src/core/node-report.ts";
import type { Register, Versioned } from "../../../src/core/provider.ts";
import { type Clock, clockOf } from "../../../src/lib/clock.ts";
import type { Log } from "../../../src/lib/log.ts";
import type { Pacing } from "../../../src/lib/loop.ts";
import type { History } from "../../support/leader-history.ts";
import { silentLog } from "./log.ts";
import { refTo } from "./records.ts";

export type ClusterOptions = {
  readonly ids: readonly string[];
  /** The database has terms. */
  readonly terms: boolean;
  readonly pacing: Pacing;
  readonly history: History;
  readonly registerOf: (id: string) => Register;
  readonly log?: Log;
};

export type ClusterNode = {
  readonly id: string;
  /** Whether its database leads, and in which term, as its agent last saw. */
  belief(): { readonly leads: boolean; readonly term: number };
  reporter(): Reporter;
  /** Its agent looks at the database. */
  learn(): void;
  /** The store's watch shows the key. */
  see(raw: Versioned | null): void;
  /** SIGKILL; whatever it has sent is on its way. */
  kill(): Promise<void>;
  start(): void;
  isUp(): boolean;
  pause(): void;
  resume(): void;
  isPaused(): boolean;
  /** Nothing it sends arrives. */
  cut(off: boolean): void;
};

/** A cluster whose first node leads in term 1; nobody knows it yet, and no agent runs. */
export function leaderCluster(options: ClusterOptions) {
  const truth = { leader: options.ids[0] ?? "", term: 1 };
  const nodes: ClusterNode[] = options.ids.map((id) => openNode(options, truth, nodesBy, id));
  function nodesBy(id: string): ClusterNode | undefined {
    return nodes.find((node) => node.id === id);
  }
  return {
    nodes,
    truth: () => truth,
    elect(id: string): void {
      truth.leader = id;
      truth.term += 1;
    },
    async stop(): Promise<void> {
      for (const node of nodes) node.resume();
      await Promise.all(nodes.map((node) => node.kill()));
    },
  };
}
export type LeaderCluster = ReturnType<typeof leaderCluster>;

function openNode(
  { terms, pacing, history, registerOf, log = silentLog }: ClusterOptions,
  truth: { readonly leader: string; readonly term: number },
  nodesBy: (id: string) => ClusterNode | undefined,
  id: string,
): ClusterNode {
  const clock = pausable(pacing.clock);
  let belief = { leads: false, term: 0 };
  let off = false;
  let shown: Versioned | null | undefined;
  let life: { reporter: Reporter; stop: AbortController; running: Promise<void> } | null = null;
  const said = () => (belief.leads ? { term: terms ? belief.term : null } : null);
  const own = history.noted(registerOf(id), id, said);
  const register: Register = {
    async read(signal) {
      if (off) throw new Error("connection refused");
      try {
        return await own.read(signal);
      } finally {
        await clock.resumed();
      }
    },
    async swap(expected, value, signal) {
      if (off) return { kind: "unknown", cause: new Error("connection refused") };
      const ended = await own.swap(expected, value, signal);
      await clock.resumed();
      return off ? { kind: "unknown", cause: new Error("connection reset") } : ended;
    },
  };
  const make = () =>
    openReporter({
      pacing: { clock, random: pacing.random },
      log,
      self: () => refTo(id),
      clientAddress: (address) => `http://${address}`,
      report: () => ({
        ...blankReport("simulated", "healthy", null),
        role: belief.leads ? "leader" : "replica",
        term: terms ? belief.term : null,
        members: null,
      }),
      genesis: () => "g",
      registered: (other) => nodesBy(other)?.isUp() ?? false,
      async askLeader({ id: other }) {
        const node = nodesBy(other);
        if (off || node === undefined || !node.isUp() || node.isPaused()) return "silent";
        return node.belief().leads ? "leader" : "not_leader";
      },
      changed: () => {},
    });
  const idle = make();
  return {
    id,
    belief: () => belief,
    reporter: () => life?.reporter ?? idle,
    learn() {
      if (clock.isPaused()) return;
      belief = { leads: truth.leader === id, term: truth.term };
      life?.reporter.wake();
    },
    see(raw) {
      if (off) return;
      shown = raw;
      if (!clock.isPaused()) life?.reporter.saw(raw);
    },
    async kill() {
      clock.resume();
      life?.stop.abort();
      const ended = life?.running;
      life = null;
      await ended;
    },
    start() {
      if (life !== null) return;
      const [reporter, stop] = [make(), new AbortController()];
      life = { reporter, stop, running: reporter.run(register, stop.signal) };
      if (shown !== undefined) reporter.saw(shown);
    },
    isUp: () => life !== null,
    pause: clock.pause,
    resume() {
      clock.resume();
      if (shown !== undefined) life?.reporter.saw(shown);
    },
    isPaused: clock.isPaused,
    cut(now) {
      off = now;
    },
  };
}

/** A clock that a paused process has: what is due while it is paused happens when it goes on. */
function pausable(inner: Clock) {
  let due: (() => void)[] | null = null;
  const after = (ms: number, then: () => void) => {
    let gone = false;
    const cancel = inner.after(ms, () => {
      const call = () => {
        if (!gone) then();
      };
      if (due === null) call();
      else due.push(call);
    });
    return () => {
      gone = true;
      cancel();
    };
  };
  const clock = clockOf({ now: inner.now, wall: inner.wall, after });
  return {
    ...clock,
    pause() {
      due ??= [];
    },
    resume() {
      const calls = due ?? [];
      due = null;
      for (const call of calls) call();
    },
    isPaused: () => due !== null,
    /** Resolves when the process runs. */
    resumed: () => (due === null ? Promise.resolve() : new Promise<void>((resolve) => due?.push(resolve))),
  };
}

/** Numbers in [0, 1) that one seed always gives in the same order (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
