/** Who leads: the leader key as this node keeps it, its own database, and what other agents say, as one view. */
import { type Confirmed, type LeaderView, leaderView, outcomeLeader } from "../core/leader-view.ts";
import type { LeaderRecord, MemberRef } from "../core/model.ts";
import type { NodeReport } from "../core/node-report.ts";
import type { LeaderAnswer, LeaderTrouble } from "../core/reporter.ts";
import type { Database } from "../databases/database.ts";
import type { Log } from "../lib/log.ts";
import type { Pacing } from "../lib/loop.ts";
import type { Cluster } from "./cluster.ts";
import type { Peers } from "./peers.ts";
import { openReporter } from "./reporter.ts";

export type LeadingOptions = {
  readonly pacing: Pacing;
  readonly log: Log;
  readonly database: Database;
  /** The last look at the database; null where there is none. */
  readonly report: () => NodeReport | null;
  readonly self: () => MemberRef;
  readonly peers: Peers;
  readonly cluster: Cluster;
  readonly changed: () => void;
};

export function openLeading(options: LeadingOptions) {
  const { pacing, database, report, self, peers, cluster, log } = options;
  const reporter = openReporter({
    pacing,
    log,
    self,
    clientAddress: database.clientAddress,
    report,
    genesis: cluster.genesis,
    registered: (id) => peers.members().some((m) => m.id === id),
    askLeader: (record, signal) => askLeader(peers, record, signal),
    changed: options.changed,
  });
  let confirmed: Confirmed | null = null;
  let told: string | null = null;
  const view = (): LeaderView => {
    const now = leaderView(
      {
        record: reporter.state().record,
        genesis: cluster.record()?.genesis_id ?? null,
        report: report(),
        claims: peers.claims(),
        known: peers.led(),
        self: self(),
        members: cluster.members(),
        clientAddress: database.clientAddress,
        now: pacing.clock.now(),
      },
      confirmed,
    );
    confirmed = now.confirmed;
    const { record, trouble } = now.view;
    if (record !== null && record.genesis_id !== undefined) peers.leads(record);
    if (trouble !== null && trouble.message !== told)
      log.warn({ code: trouble.code, problem: trouble.message }, "nobody is named as the leader");
    told = trouble?.message ?? null;
    return now.view;
  };
  /** What is wrong with the leader key, or with what is said where there is none. */
  const troubleOf = (now: LeaderView): LeaderTrouble | null => reporter.state().trouble ?? now.trouble;
  return {
    reporter,
    /** What `/v1/leader` gives. */
    page() {
      const now = view();
      return { ...now, trouble: troubleOf(now) };
    },
    trouble: () => troubleOf(view()),
    /** The leader as an outcome carries it; null: nobody is known to lead. */
    leader: () => outcomeLeader(view()),
  };
}

/** What the agent beside the node that a record names says of that node's lead. */
async function askLeader(peers: Peers, record: LeaderRecord, signal: AbortSignal): Promise<LeaderAnswer> {
  const known = [...peers.members(), ...peers.others()].find((m) => m.id === record.id);
  if (known === undefined) return "silent";
  const hello = await peers.ask(known.agent_addr, signal);
  if (hello === null) return "silent";
  // The node has lost its disk since: whoever led is gone.
  if ((record.incarnation ?? hello.incarnation) !== hello.incarnation) return "not_leader";
  return hello.leader?.id === record.id ? "leader" : "not_leader";
}
