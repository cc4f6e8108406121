/**
 * Everything beside the genesis that concerns the node's database: asking it, starting it, telling it and the
 * operator's programs what was agreed, and writing the leader key for it. Wired here; nothing runs yet.
 */
import type { AgentConfig } from "../config.ts";
import type { MemberRef } from "../core/model.ts";
import type { NodeReport } from "../core/node-report.ts";
import type { Register, Versioned } from "../core/provider.ts";
import type { Database } from "../databases/database.ts";
import type { Log } from "../lib/log.ts";
import type { Cluster } from "./cluster.ts";
import type { NodeDeps } from "./deps.ts";
import { openFormed } from "./formed.ts";
import { hookCommands, openHooks } from "./hook-queue.ts";
import type { DataDir } from "./identity.ts";
import { openLeading } from "./leading.ts";
import { leave } from "./leave.ts";
import type { openOutcome } from "./outcome.ts";
import { openOutputs } from "./outputs.ts";
import type { Peers } from "./peers.ts";
import { openProbe } from "./probe.ts";
import { openStarting } from "./starting.ts";
import { openSupervisor } from "./supervise.ts";

export type BesideOptions = {
  readonly config: AgentConfig;
  readonly deps: NodeDeps;
  readonly dataDir: DataDir;
  readonly database: Database;
  readonly self: () => MemberRef;
  readonly peers: Peers;
  readonly outcome: ReturnType<typeof openOutcome>;
  readonly cluster: Cluster;
  /** The node ids whose agents are there now, where their members' addresses say. */
  readonly present: () => readonly string[];
  readonly part: (name: string) => Log;
  /** Something that is shown may have changed. */
  readonly changed: () => void;
};

export async function openBeside(options: BesideOptions) {
  const { deps, dataDir, database } = options;
  const { formed, supervisor, probe, leading, hooks, outputs, told } = await openParts(options);
  const asked = database.kind !== "none";
  let leaving = false;
  let under: ReturnType<typeof leave> | null = null;
  const setLeaving = (is: boolean) => {
    leaving = is;
    options.changed();
  };
  return {
    told,
    report: (): NodeReport => (leaving ? { ...probe.report(), status: "leaving" } : probe.report()),
    /** One look now, for a decision; null where there is no database, or it does not answer. */
    look: probe.look,
    leader: leading.page,
    leads: leading.leader,
    leaderTrouble: leading.trouble,
    process: () => supervisor?.state() ?? null,
    hooks: hooks.results,
    failing: hooks.failing,
    outputProblems: outputs.problems,
    /** The leader key as the store's watch shows it. */
    sawLeader: (raw: Versioned | null) => leading.reporter.saw(raw),
    forward: (signal: NodeJS.Signals) => supervisor?.forward(signal),
    /** Ends the database at once, for an agent that waits for nothing more. */
    kill: () => supervisor?.kill(),
    /** Takes the node out of its cluster; null: done, else why it stays. Whoever asks meanwhile gets the same answer. */
    leave(signal: AbortSignal) {
      const { nodeId } = dataDir.identity;
      under ??= leave(
        { pacing: deps.pacing, nodeId, database, probe, hooks, leaving: setLeaving },
        signal,
      ).finally(() => {
        under = null;
      });
      return under;
    },
    /** Before anything runs: what an earlier life left is read, or taken away where it would mislead. */
    async prepare(): Promise<void> {
      await outputs.prepare();
      await hooks.load();
    },
    /** What runs until abort; the supervised database's end gives the code that the agent should end with. */
    tasks(leaderKey: Register | undefined, ended: (code: number | null) => void) {
      return [
        formed.run,
        hooks.run,
        outputs.run,
        ...(asked ? [probe.run] : []),
        ...(asked && leaderKey ? [(s: AbortSignal) => leading.reporter.run(leaderKey, s)] : []),
        ...(supervisor ? [(s: AbortSignal) => supervisor.run(s).then(ended)] : []),
      ];
    },
  };
}
export type Beside = Awaited<ReturnType<typeof openBeside>>;

/** The parts, wired to each other. */
async function openParts(options: BesideOptions) {
  const { config, deps, dataDir, database, self, peers, cluster, part, changed } = options;
  const { pacing } = deps;
  const { nodeId } = dataDir.identity;

  const formed = await openFormed({
    path: dataDir.path("database.json"),
    nodeId,
    incarnation: () => self().incarnation,
    clock: pacing.clock,
    log: part("database"),
    disk: dataDir.disk,
  });
  const starting = openStarting({
    ...options,
    formed,
    clock: pacing.clock,
    role: () => probe.report().role,
  });
  const supervisor =
    config.supervision &&
    openSupervisor({
      ...config.supervision,
      pacing,
      log: part("supervise"),
      uuid: deps.uuid,
      env: deps.hookEnv,
      path: dataDir.path("supervised.json"),
      plan: starting.plan,
      changed() {
        probe.soon();
        changed();
      },
    });
  const probe = openProbe({
    database,
    intervalMs: config.db.probeIntervalMs,
    pacing,
    log: part("database"),
    running: () => supervisor === null || supervisor.state().at === "running",
    changed(report) {
      formed.saw(report);
      told();
    },
  });
  const report = () => (database.kind === "none" ? null : probe.report());
  const log = part("leader");
  const leading = openLeading({ pacing, log, database, report, self, peers, cluster, changed: told });
  const hooks = openHooks({
    commands: hookCommands(config.hooks),
    path: dataDir.path("hooks.json"),
    pacing,
    log: part("hooks"),
    env: deps.hookEnv,
    facts: starting.hookFacts,
    changed,
  });
  const outputs = openOutputs({
    files: config.outputs,
    pacing,
    log: part("outputs"),
    facts: starting.outputFacts,
    changed,
  });

  /** The outcome, the leader or the report is another: whoever is kept up to date by this node looks again. */
  function told(): void {
    leading.reporter.wake();
    cluster.leads(leading.leader());
    changed();
    supervisor?.wake();
    hooks.wake();
    outputs.changed();
  }

  return { formed, supervisor, probe, leading, hooks, outputs, told };
}
