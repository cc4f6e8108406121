/** How the database would be started now, and what programs beside it are told: the same facts for all of them. */
import type { AgentConfig } from "../config.ts";
import type { HookFacts } from "../core/hooks.ts";
import { CLAIM_FRESH_MS, type LeaderClaim } from "../core/leader-view.ts";
import type { MemberRef } from "../core/model.ts";
import type { Role } from "../core/node-report.ts";
import { type OutcomeValues, outcomeValues } from "../core/outcome-values.ts";
import type { OutputFacts } from "../core/outputs.ts";
import type { Database } from "../databases/database.ts";
import type { Clock } from "../lib/clock.ts";
import type { Cluster } from "./cluster.ts";
import type { Formed } from "./formed.ts";
import type { openOutcome } from "./outcome.ts";
import type { Peers } from "./peers.ts";
import type { SupervisorPlan } from "./supervise.ts";

export type StartingOptions = {
  readonly config: AgentConfig;
  readonly database: Database;
  readonly self: () => MemberRef;
  readonly peers: Peers;
  readonly outcome: ReturnType<typeof openOutcome>;
  readonly cluster: Cluster;
  /** The node ids whose agents are there now, where their members' addresses say. */
  readonly present: () => readonly string[];
  readonly formed: Formed;
  readonly clock: Clock;
  /** Of the database, as last seen. */
  readonly role: () => Role;
};

export function openStarting(options: StartingOptions) {
  const { config, database, self, peers, outcome, cluster, formed, role, clock } = options;
  const isFresh = ({ at }: LeaderClaim) => clock.now() - at < CLAIM_FRESH_MS;

  /** Null: there is no outcome yet. `wait`: it must not be started yet, and why. */
  const plan = (): SupervisorPlan | { readonly wait: string } | null => {
    const now = outcome.current();
    const record = cluster.record();
    if (now === null || record === null) return null;
    const me = self();
    const start = database.start?.({
      outcome: now,
      record,
      self: me,
      voter: config.voter,
      members: cluster.members(),
      present: [...new Set([me.id, ...options.present()])],
      led: peers.claims().some((claim) => claim.id !== me.id && claim.leader !== null && isFresh(claim)),
      formed: formed.members(),
      dataDir: config.db.dataDir,
      command: config.supervision?.command ?? [],
    }) ?? { args: [], files: [] };
    if ("wait" in start) return start;
    return { values: outcomeValues(now, me, role(), start.args), files: start.files };
  };

  /** Null while the database must not be started, or only by the agent, which writes files before. */
  const values = (): OutcomeValues | null => {
    const now = plan();
    if (now === null || "wait" in now) return null;
    return now.files.length > 0 && config.supervision === null ? null : now.values;
  };

  return {
    plan,
    hookFacts: (): HookFacts => ({
      outcome: outcome.current(),
      first: cluster.first(),
      members: cluster.listed(),
      role: role(),
      node: self(),
      values: values(),
    }),
    outputFacts(): OutputFacts | null {
      const now = outcome.current();
      if (now === null) return null;
      return { outcome: now, members: cluster.listed(), node: self(), role: role(), values: values() };
    },
  };
}
