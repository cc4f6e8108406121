/**
 * Agreeing without a store: addresses come from a list or from DNS, votes from the agents, and who belongs to the
 * cluster from what they say of themselves.
 */
import { type Hello, type HelloRequest, type Member, VERSION } from "../core/model.ts";
import type { Told } from "../core/reasons-lost.ts";
import type { Discovery } from "../core/reasons-voters.ts";
import { takeWord } from "./assume-lost.ts";
import type { PeerClient } from "./peer-client.ts";
import { MOST_NAMED } from "./peers.ts";
import { openRegister } from "./register.ts";
import { openSeeking } from "./seeking.ts";
import type { Way, WayOptions } from "./way.ts";

export type ByVotesOptions = WayOptions & {
  readonly client: PeerClient;
  /** The mode of the provider, and the address that others know this agent by. */
  readonly mode: string;
  readonly ownAddress: string;
  /** Where this node's database is, by its flags. */
  readonly databases: Discovery["databases"];
  /** This node as a member. */
  readonly entry: () => Member;
  /** Who leads as this node's database sees it. */
  readonly leader: () => NonNullable<Hello["leader"]> | null;
  /** The members, or who leads, may be others. */
  readonly heard: () => void;
};

/** Callers with another key that are remembered, and for how long: they call every second while they wait. */
const MOST_CALLERS = 16;
const CALLED_MS = 30_000;
const MOST_KEY = 256;
/** A peer that has not named this agent so often in its answers cannot reach it. */
const TIMES_UNNAMED = 2;

export async function openByVotes(options: ByVotesOptions): Promise<Way> {
  const { peers, client, self, mode, ownAddress, databases, part, changed } = options;
  const { clock } = options.pacing;
  let unnamed = new Map<string, { readonly id: string; readonly times: number }>();
  let last: readonly Hello[] = [];
  /** Whom an operator has said is gone for good, as each agent that answers last said. */
  let told: readonly Told[] = [];
  /** Who has answered this agent since it was started: of the others the addresses may be those of before. */
  let answered: ReadonlySet<string> = new Set();
  /** Who called with another key, by incarnation, and when. */
  const callers = new Map<string, Discovery["callers"][number] & { readonly at: number }>();
  /** In which term this node's database leads, as the others were told; null: it does not. */
  let lead: string | null = null;

  const isSelf = (address: string) => address === ownAddress || peers.contact(address)?.self === true;
  const record = () => register.state().settled?.record ?? null;
  const genesisId = () => record()?.genesis_id ?? null;

  const register = await openRegister({
    ...options,
    alone() {
      const { lookup, problems } = seeking.sought();
      const isWhole = lookup?.kind === "complete" && problems.length === 0;
      return isWhole && lookup.addresses.every(isSelf) && (mode === "static" || lookup.addresses.length > 0);
    },
    settled(settled) {
      // The outcome names the members from the first, this node among them.
      enrol(last);
      options.settled(settled);
      // The others hear at once that this node belongs to the cluster.
      register.wake();
    },
    heard(hellos) {
      last = hellos;
      countUnnamed(hellos);
      countTold(hellos);
      enrol(hellos);
      options.heard();
    },
  });
  const seeking = openSeeking({
    pacing: options.pacing,
    log: part("discovery"),
    forming: () => register.state().settled === null,
    found: peers.seek,
    changed() {
      register.wake();
      changed();
    },
  });

  /**
   * Once settled, this node, who answers under its genesis, and the founders that have not settled yet belong to the
   * cluster; who does not answer may still.
   */
  const enrol = (hellos: readonly Hello[]): void => {
    const { genesis_id, members: founders } = record() ?? {};
    if (genesis_id === undefined) return;
    const belongs = (incarnation: string, genesis: string | null) =>
      genesis === genesis_id || (genesis === null && founders?.some((f) => f.incarnation === incarnation));
    const answering = hellos
      .filter((h) => belongs(h.incarnation, h.marker?.genesis_id ?? null) && !peers.isLeaving(h))
      .map(memberOf);
    const here = [...answering, options.entry()];
    const settled = answering.flatMap((m) => (m.genesis_id === null ? [] : [m.incarnation]));
    const still = peers.claims().flatMap((c) => (answered.has(c.incarnation) ? [c.incarnation] : []));
    answered = new Set([...still, ...settled]);
    const others = peers
      .members()
      .filter((m) => belongs(m.incarnation, m.genesis_id) && !here.some((h) => h.id === m.id));
    peers.see([...others, ...here].sort((a, b) => (a.id < b.id ? -1 : 1)));
  };

  const countUnnamed = (hellos: readonly Hello[]): void => {
    const { incarnation } = self();
    // An answer that is full may have no room for this agent.
    const names = (hello: Hello) =>
      hello.peers.length >= MOST_NAMED || hello.peers.some((p) => p.incarnation === incarnation);
    unnamed = new Map(
      hellos
        .filter((hello) => !names(hello))
        .map((h) => [h.incarnation, { id: h.node_id, times: (unnamed.get(h.incarnation)?.times ?? 0) + 1 }]),
    );
  };

  /** A round may have ended before all had answered, so what was said before holds for as long as its agent answers. */
  const countTold = (hellos: readonly Hello[]): void => {
    const here = new Set(peers.claims().map((c) => c.incarnation));
    const before = told.filter(
      (t) => here.has(t.incarnation) && !hellos.some((h) => h.incarnation === t.incarnation),
    );
    const now = hellos.flatMap(({ node_id: id, incarnation, key, votes }) =>
      key === options.rules.key && votes?.lost ? [{ id, incarnation, lost: votes.lost }] : [],
    );
    told = [...before, ...now];
  };

  const strayed = ({ key, from }: HelloRequest): void => {
    if (key.length > MOST_KEY) return;
    callers.delete(from.incarnation);
    callers.set(from.incarnation, { id: from.id, key, address: from.agent_addr, at: clock.now() });
    for (const oldest of callers.keys()) if (callers.size > MOST_CALLERS) callers.delete(oldest);
  };

  const discovery = (): Discovery => {
    const { lookup, problems } = seeking.sought();
    const found = lookup?.addresses ?? null;
    const known = peers.others().map((ref) => ref.agent_addr);
    const silent = [...new Set([...(found ?? []), ...known])].flatMap((address) => {
      const problem = peers.contact(address)?.problem;
      return problem === undefined || problem === null ? [] : [{ address, problem }];
    });
    return {
      mode,
      found,
      problems,
      foundSelf: found?.some(isSelf) ?? false,
      ownAddress,
      silent,
      blind: [...unnamed.values()].filter(({ times }) => times >= TIMES_UNNAMED).map(({ id }) => id),
      unlisted: found === null ? [] : last.filter((h) => !found.includes(h.agent_addr)).map((h) => h.node_id),
      told,
      callers: [...callers.values()].filter(({ at }) => clock.now() - at <= CALLED_MS),
      databases,
    };
  };

  return {
    genesis: register,
    registration: () => ({ at: "held" }),
    health: seeking.health,
    discovery,
    present: () => peers.claims().flatMap((c) => (answered.has(c.incarnation) ? [c.id] : [])),
    refresh() {
      const now = options.leader();
      const before = lead;
      lead = now?.id === self().id ? `in ${now.term}` : null;
      // The others need not wait until they ask: a hello says who leads, or that this node does no more.
      if (lead !== before) register.wake();
    },
    met({ from, genesis_id = null, leader, leaving = false }) {
      const isOurs = genesis_id !== null && genesis_id === genesisId();
      // Of two nodes of one id only one is a member at a time, and the other one is no news for ever.
      const isMember =
        answered.has(from.incarnation) ||
        peers.members().some((m) => m.incarnation === from.incarnation && m.genesis_id === genesis_id);
      if (leaving && isOurs) {
        peers.leave(from);
        options.heard();
        return;
      }
      const isNews = peers.meet(from);
      // It is elsewhere now, and so is its database.
      if (isNews) answered = new Set([...answered].filter((incarnation) => incarnation !== from.incarnation));
      const forming = register.state().settled === null;
      // Who belongs to a cluster has the answer for a node that waits, and no founder tells those who are none.
      if (isNews || (!isMember && isOurs) || (forming && genesis_id !== null)) register.wake(forming);
      if (leader !== undefined && peers.claim(from, { leader, genesis: genesis_id })) options.heard();
    },
    strayed,
    vote: register.vote,
    assumeLost: (given, signal) =>
      takeWord(given, { peers, state: register.state, giveUp: register.assumeLost }, signal),
    tasks: (provider) => [(s) => seeking.run(provider, s), (s) => register.run(s)],
    farewell: async () => {},
    async leave(signal) {
      const { incarnation } = self();
      const others = peers.members().filter((m) => m.incarnation !== incarnation);
      const addresses = others.map((m) => m.agent_addr);
      await Promise.all(addresses.map((address) => client.hello(address, signal, true).catch(() => null)));
    },
  };
}

/** A member as it describes itself. */
function memberOf(hello: Hello): Member {
  const { node_id: id, incarnation, boot_id, agent_addr, api_addr, addr, voter, expect } = hello;
  const genesis_id = hello.marker?.genesis_id ?? null;
  const about = { v: VERSION, id, incarnation, boot_id, agent_addr, api_addr, addr, voter, expect } as const;
  return { ...about, status: genesis_id === null ? "waiting" : "settled", genesis_id };
}
