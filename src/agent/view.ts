/** What an agent shows of itself: the pages of its HTTP, its hello, its entry in the directory, its metrics. */

import type { AgentConfig } from "../config.ts";
import { formatAddress, isLoopback, parseAddress } from "../core/address.ts";
import { type Explanation, explain } from "../core/explain.ts";
import { type Rules, testimony } from "../core/genesis-state.ts";
import { type Hello, type Member, type MemberRef, VERSION } from "../core/model.ts";
import type { Clock } from "../lib/clock.ts";
import type { Genesis } from "./genesis.ts";
import type { PeerRow, View } from "./http.ts";
import { metricsPage } from "./metrics.ts";
import type { openOutcome } from "./outcome.ts";
import type { Peers } from "./peers.ts";
import type { Registration } from "./registration.ts";
import type { StoreWatch } from "./watch.ts";

export type ViewOptions = {
  readonly config: AgentConfig;
  readonly rules: Rules;
  readonly bootId: string;
  readonly version: string;
  readonly genesis: Genesis;
  readonly peers: Peers;
  readonly outcome: ReturnType<typeof openOutcome>;
  readonly registration: Registration;
  readonly store: StoreWatch;
  readonly self: () => MemberRef;
  /** Resident memory in bytes. */
  readonly memory: () => number;
  readonly clock: Clock;
};

type Pages = Omit<View, "bootId" | "access" | "secret" | "newer" | "met" | "failed" | "stopping">;

export function openView(options: ViewOptions) {
  const { config, rules, bootId, genesis, peers, outcome, registration, store, self } = options;
  const startedAt = options.clock.wall();
  let overdue = false;
  let seq = 1;
  let essence = "";
  let refused: string | null = null;

  const explanation = (): Explanation => {
    const rows = others();
    const taken = registration.state();
    return explain({
      rules,
      state: genesis.shown(),
      seen: peers.members().length,
      reachable: rows.filter((r) => r.reachable === true).length + 1,
      idTaken:
        taken.at === "duplicate" || taken.at === "lapsing"
          ? { by: taken.by.agent_addr, alive: taken.at === "duplicate" }
          : null,
      initFailure: genesis.initFailure(),
      loopbackAmongOthers:
        isLoopback(config.httpAdvAddr.host) && peers.members().some((m) => !isLoopback(hostOf(m.agent_addr))),
      registrationProblem: taken.at === "failing" ? taken.problem : null,
      overdue,
      nextTryMs: genesis.nextTryMs(),
    });
  };

  const status = (): string => {
    const { phase, settled } = genesis.shown();
    return settled !== null ? "settled" : phase.at === "refused" ? "refused" : "waiting";
  };

  const entry = (): Member => ({
    v: VERSION,
    ...self(),
    boot_id: bootId,
    voter: rules.voter,
    expect: rules.voter ? rules.expect : 0,
    status: status(),
    genesis_id: genesis.state().settled?.record.genesis_id ?? null,
  });

  const others = (): PeerRow[] => {
    const rowOf = (ref: MemberRefLike, member: Member | null): PeerRow => {
      const contact = peers.contact(ref.agent_addr);
      return {
        id: ref.id,
        incarnation: ref.incarnation,
        agent_addr: ref.agent_addr,
        api_addr: member?.api_addr ?? "",
        addr: member?.addr ?? "",
        voter: member?.voter ?? null,
        status: member?.status ?? null,
        genesis_id: member?.genesis_id ?? null,
        registered: member !== null,
        reachable: contact?.ok ?? null,
        problem: contact?.problem ?? null,
        self: false,
      };
    };
    const mine = self().incarnation;
    const registered = peers
      .members()
      .filter((m) => m.incarnation !== mine)
      .map((m) => rowOf(m, m));
    return [...registered, ...peers.others().map((ref) => rowOf(ref, null))];
  };

  const allPeers = (): PeerRow[] => {
    const mine = entry();
    const own: PeerRow = {
      id: mine.id,
      incarnation: mine.incarnation,
      agent_addr: mine.agent_addr,
      api_addr: mine.api_addr,
      addr: mine.addr,
      voter: mine.voter,
      status: mine.status,
      genesis_id: mine.genesis_id,
      registered: registration.state().at === "held",
      reachable: true,
      problem: null,
      self: true,
    };
    return [own, ...others()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  };

  const refusal = () => {
    const { settled, phase } = genesis.shown();
    const duplicate = registration.state().at === "duplicate";
    if (settled !== null || (phase.at !== "refused" && !duplicate)) return null;
    const { code, summary, unblock } = explanation();
    return { code, message: summary, hint: unblock.join(" ") };
  };

  const agent = () => {
    const { node_id, ...addresses } = {
      node_id: rules.nodeId,
      http_addr: formatAddress(config.httpAddr),
      ...self(),
    };
    const { id: _, ...rest } = addresses;
    return {
      v: VERSION,
      node_id,
      ...rest,
      boot_id: bootId,
      key: rules.key,
      version: options.version,
      started_at: new Date(startedAt).toISOString(),
      voter: rules.voter,
      expect: rules.expect,
      genesis: rules.genesis,
      formation: rules.formation,
      mode: config.disco.mode,
    };
  };

  const hello = (): Hello => ({
    v: VERSION,
    ...testimony(genesis.state()),
    key: rules.key,
    node_id: rules.nodeId,
    boot_id: bootId,
    voter: rules.voter,
    expect: rules.expect,
    agent_addr: self().agent_addr,
    api_addr: self().api_addr,
    addr: self().addr,
    peers: allPeers()
      .filter((p) => !p.self && p.reachable !== false)
      .slice(0, 64)
      .map(({ id, incarnation, agent_addr }) => ({ id, incarnation, agent_addr })),
  });

  const state = () => {
    const { phase, code, summary, settled, overdue: late } = explanation();
    return {
      v: VERSION,
      boot_id: bootId,
      seq,
      agent: agent(),
      phase,
      code,
      summary,
      settled,
      overdue: late,
      outcome: outcome.current(),
      registration: registration.state().at,
      store: { mode: config.disco.mode, ...store.health() },
      peers: allPeers(),
    };
  };

  const metrics = (): string => {
    const { code, counted, seen, reachable, overdue: late } = explanation();
    const gauge = (name: string, help: string, value: number, labels?: Record<string, string>) =>
      ({
        name: `rollcall_${name}`,
        help,
        type: "gauge",
        values: [labels === undefined ? { value } : { value, labels }],
      }) as const;
    return metricsPage([
      gauge("info", "The agent, its node and cluster; always 1.", 1, {
        version: options.version,
        node_id: rules.nodeId,
        key: rules.key,
        mode: config.disco.mode,
      }),
      gauge("settled", "1 once the agent has an outcome.", outcome.current() === null ? 0 : 1),
      gauge("waiting", "1 with the code that /v1/explain gives.", 1, { code }),
      gauge("overdue", "1 when no outcome came within -bootstrap-expect-timeout.", late ? 1 : 0),
      gauge("expected_voters", "Voters that must be there before a cluster is created.", rules.expect),
      gauge("counted_voters", "Voters that counted when this agent last asked.", counted.length),
      gauge("registered_members", "Entries in the members directory.", seen),
      gauge("reachable_agents", "Agents that answered when last asked, this one included.", reachable),
      gauge("store_up", "1 when the last look at the store succeeded.", store.health().ok === true ? 1 : 0),
      gauge(
        "outcome_revision",
        "Revision of the outcome; 0 before there is one.",
        outcome.current()?.revision ?? 0,
      ),
      gauge("state_seq", "Transitions of /v1/state since the agent started.", seq),
      gauge("process_resident_memory_bytes", "Resident memory.", options.memory()),
    ]);
  };

  const pages: Pages = {
    seq: () => seq,
    state,
    agent,
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

  /** Something may have changed: counts a transition when it did, and passes it on to those who wait. */
  function touch(): void {
    const { code, settled } = explanation();
    const next = JSON.stringify([
      settled ? code : [code, overdue],
      outcome.current()?.revision,
      registration.state().at,
      store.health().ok,
      self(),
      peers.members(),
    ]);
    if (next === essence) return;
    essence = next;
    seq += 1;
    const now = refusal()?.code ?? null;
    if (now !== refused && now !== null) outcome.release();
    refused = now;
    registration.refresh();
  }
}

type MemberRefLike = { readonly id: string; readonly incarnation: string; readonly agent_addr: string };

function hostOf(address: string): string {
  const parsed = parseAddress(address, 4100);
  return parsed.ok ? parsed.value.host : address;
}
