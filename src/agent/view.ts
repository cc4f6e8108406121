/** What an agent shows of itself: the pages of its HTTP, its hello, its entry in the directory, its metrics. */

import type { AgentConfig } from "../config.ts";
import { formatAddress, isLoopback, parseAddress } from "../core/address.ts";
import { type Explanation, explain } from "../core/explain.ts";
import { type Rules, type State, testimony } from "../core/genesis-state.ts";
import { type Hello, type Member, type MemberRef, VERSION } from "../core/model.ts";
import { leadIn } from "../core/node-report.ts";
import type { DatabaseFacts } from "../core/reasons-database.ts";
import type { Discovery } from "../core/reasons-voters.ts";
import type { Clock } from "../lib/clock.ts";
import type { Beside } from "./beside.ts";
import { eventStream } from "./events.ts";
import { agentMetrics } from "./metrics.ts";
import type { openOutcome } from "./outcome.ts";
import type { View } from "./pages.ts";
import { otherRows, peerRows } from "./peer-rows.ts";
import { MOST_NAMED, type Peers } from "./peers.ts";
import type { RegistrationState } from "./registration.ts";
import { openTransitions } from "./transitions.ts";
import type { Way } from "./way.ts";

export type ViewOptions = {
  readonly config: AgentConfig;
  readonly rules: Rules;
  readonly bootId: string;
  readonly version: string;
  readonly peers: Peers;
  readonly outcome: ReturnType<typeof openOutcome>;
  readonly way: Way;
  readonly beside: Beside;
  readonly self: () => MemberRef;
  /** Resident memory in bytes. */
  readonly memory: () => number;
  readonly clock: Clock;
};

const SAME_TEXT_MS = 20;

type Pages = Omit<
  View,
  | "bootId"
  | "access"
  | "secret"
  | "newer"
  | "met"
  | "strayed"
  | "leave"
  | "failed"
  | "stopping"
  | "vote"
  | "assumeLost"
>;

export function openView(options: ViewOptions) {
  const { config, rules, bootId, way, peers, outcome, beside, self } = options;
  const { genesis } = way;
  const startedAt = options.clock.wall();
  const transitions = openTransitions(options.clock);
  let overdue = false;
  let refused: string | null = null;

  const explanation = (): Explanation => explanationOf(options, overdue);

  const entry = (): Member => ({
    v: VERSION,
    ...self(),
    boot_id: bootId,
    voter: rules.voter,
    expect: rules.voter ? rules.expect : 0,
    status: statusOf(genesis.shown()),
    genesis_id: genesis.state().settled?.record.genesis_id ?? null,
  });

  const allPeers = () => peerRows(entry(), way.registration().at === "held", peers);

  const refusal = () => {
    const { settled, phase } = genesis.shown();
    const duplicate = way.registration().at === "duplicate";
    if (settled !== null || (phase.at !== "refused" && !duplicate)) return null;
    const { code, summary, unblock } = explanation();
    return { code, message: summary, hint: unblock.join(" ") };
  };

  const agent = () => agentPage(options, startedAt);

  const hello = (): Hello => {
    const { id: node_id, agent_addr, api_addr, addr } = self();
    return {
      v: VERSION,
      ...testimony(genesis.state()),
      ...{ key: rules.key, node_id, boot_id: bootId, voter: hasVote(rules, way), expect: rules.expect },
      ...{ agent_addr, api_addr, addr },
      leader: leadIn(beside.report(), node_id),
      peers: allPeers()
        .filter((p) => !p.self && p.reachable !== false)
        .slice(0, MOST_NAMED)
        .map(({ id, incarnation, agent_addr }) => ({ id, incarnation, agent_addr })),
    };
  };

  const state = () => {
    const { phase, code, summary, settled, overdue: late } = explanation();
    return {
      ...{ v: VERSION, boot_id: bootId, seq: transitions.seq(), agent: agent(), node: node() },
      ...{ phase, code, summary, settled, overdue: late, outcome: outcome.current() },
      registration: way.registration().at,
      store: { mode: config.disco.mode, ...way.health() },
      ...besidePage(beside),
      peers: allPeers(),
      transitions: transitions.recent(),
    };
  };

  let written = { seq: 0, at: 0, text: "" };
  /** Many who ask at once get one text: within a moment only gauges can differ. */
  const stateText = (): string => {
    const [seq, at] = [transitions.seq(), options.clock.now()];
    if (written.seq !== seq || at - written.at >= SAME_TEXT_MS)
      written = { seq, at, text: JSON.stringify(state()) };
    return written.text;
  };

  const node = () => {
    const { shards: _, ...report } = beside.report();
    return { v: VERSION, node_id: rules.nodeId, incarnation: self().incarnation, ...report };
  };

  const metrics = (): string =>
    agentMetrics({
      ...{ version: options.version, nodeId: rules.nodeId, key: rules.key, mode: config.disco.mode },
      expect: rules.expect,
      explanation: explanation(),
      revision: outcome.current()?.revision ?? 0,
      seq: transitions.seq(),
      storeUp: way.health().ok === true,
      memory: options.memory(),
      report: beside.report(),
      leader: beside.leads()?.id ?? null,
      restarts: beside.process()?.restarts ?? null,
      failingHooks: beside.failing(),
    });

  const pages: Pages = {
    seq: transitions.seq,
    stateText,
    agent,
    report: beside.report,
    node,
    leader: beside.leader,
    events: (last, signal) => eventStream({ bootId, clock: options.clock, transitions, state }, last, signal),
    peers: allPeers,
    explanation,
    outcome: outcome.current,
    refusal,
    hello,
    metrics,
  };
  return {
    pages,
    entry,
    /** The time for forming a cluster is over: true, and said from now on, when there is none. */
    overdue(): boolean {
      overdue = genesis.state().settled === null;
      touch();
      return overdue;
    },
    touch,
  };

  /** Something may have changed: counts the transitions, and passes the change on to those who wait. */
  function touch(): void {
    const { code, settled } = explanation();
    const changed = transitions.update({
      phase: { code, overdue: !settled && overdue },
      outcome: outcome.current()?.revision ?? 0,
      members: peers.members(),
      address: self(),
      registration: way.registration().at,
      store: way.health().ok,
      ...besideFacets(beside),
    });
    if (!changed) return;
    const now = refusal()?.code ?? null;
    if (now !== refused && now !== null) outcome.release();
    refused = now;
    way.refresh();
  }
}

/** Where the agents vote, one that only joins has no vote; where a store decides, it is a voter that never claims. */
function hasVote({ voter, genesis }: Rules, { vote }: Way): boolean {
  return voter && (vote === null || genesis !== "never");
}

function statusOf({ phase, settled }: State): string {
  return settled !== null ? "settled" : phase.at === "refused" ? "refused" : "waiting";
}

/** Why the node is where it is, from everything that is known of it. */
function explanationOf(
  { config, rules, way, peers, beside, self }: ViewOptions,
  overdue: boolean,
): Explanation {
  const { genesis } = way;
  const rows = otherRows(self(), peers);
  const discovery = way.discovery();
  const facts = {
    rules,
    state: genesis.shown(),
    seen: discovery === null ? peers.members().length : rows.length + 1,
    reachable: rows.filter((r) => r.reachable === true).length + 1,
    ...registrationFacts(way.registration()),
    initFailure: genesis.initFailure(),
    loopbackAmongOthers: isLoopback(config.httpAdvAddr.host) && areElsewhere(peers, discovery),
    overdue,
    discovery,
    nextTryMs: genesis.nextTryMs(),
  };
  return explain(facts, databaseFacts(beside));
}

/** `/v1/agent`: the node, its addresses, and the flags that matter to others. */
function agentPage({ config, rules, bootId, version, self }: ViewOptions, startedAt: number) {
  const { id: node_id, ...addresses } = self();
  return {
    v: VERSION,
    node_id,
    http_addr: formatAddress(config.httpAddr),
    ...addresses,
    boot_id: bootId,
    key: rules.key,
    version,
    started_at: new Date(startedAt).toISOString(),
    voter: rules.voter,
    expect: rules.expect,
    genesis: rules.genesis,
    formation: rules.formation,
    mode: config.disco.mode,
    database: config.db.kind,
  };
}

/** What this node's own entry in the directory means for an explanation. */
function registrationFacts(taken: RegistrationState) {
  const other = taken.at === "duplicate" || taken.at === "lapsing" ? taken.by.agent_addr : null;
  return {
    idTaken: other === null ? null : { by: other, alive: taken.at === "duplicate" },
    registrationProblem: taken.at === "failing" ? taken : null,
  };
}

/** The database as an explanation needs it; null where none is asked. */
function databaseFacts(beside: Beside): DatabaseFacts | null {
  const { kind, status, problem } = beside.report();
  return kind === "none" ? null : { kind, status, problem, process: beside.process()?.problem ?? null };
}

function besidePage(beside: Beside) {
  return {
    leader: beside.leader(),
    process: beside.process(),
    hooks: beside.hooks(),
    outputs: beside.outputProblems(),
  };
}

/** What of the database and of what is kept for it counts as a change. */
function besideFacets(beside: Beside) {
  const { role, status, version, members } = beside.report();
  const listed = members?.map(({ id, addr, voter }) => ({ id, addr, voter })) ?? null;
  return {
    leader: beside.leads(),
    role,
    status,
    version,
    database_members: listed?.sort((a, b) => (a.id < b.id ? -1 : 1)) ?? null,
    process: beside.process()?.at ?? null,
    leader_key: beside.leaderTrouble()?.code ?? null,
    failing: beside.failing(),
  };
}

/** Some of the others, or of those that are listed as such, are not on this machine. */
function areElsewhere(peers: Peers, discovery: Discovery | null): boolean {
  const addresses = [...peers.members().map((m) => m.agent_addr), ...(discovery?.found ?? [])];
  return addresses.some((address) => !isLoopback(hostOf(address)));
}

function hostOf(address: string): string {
  const parsed = parseAddress(address, 4100);
  return parsed.ok ? parsed.value.host : address;
}
