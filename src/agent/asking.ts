/**
 * One round of asking for the genesis protocol: the directory and the database's directory are looked at, and
 * whoever can tell what the question is about is asked. It gathers, and decides nothing.
 */
import { mayInit, onlyWaits } from "../core/genesis-answers.ts";
import type { Question, Rules, State } from "../core/genesis-state.ts";
import type { Hello, Member, MemberRef } from "../core/model.ts";
import type { Lookup } from "../core/provider.ts";
import { type Answers, presume, type Tally } from "../core/quorum.ts";
import type { Clock } from "../lib/clock.ts";
import type { Disk } from "../lib/files.ts";
import { lookAt } from "./database.ts";
import { type Looks, openNative } from "./native.ts";
import type { Peers } from "./peers.ts";

/** How long a claimer must be silent and unregistered before its claim is taken over: politeness, not safety. */
export const TAKE_OVER_MS = 15_000;
/** Agents whose entries name the genesis that are asked first, before everybody is. */
const FIRST_HOLDERS = 3;

export type AskingOptions = {
  readonly rules: Rules;
  readonly dbDataDir: string | null;
  readonly disk: Disk;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly self: () => MemberRef;
  readonly database: Looks | null;
};

/** What one round is about. `impatient`: this node has waited for those before it long enough. */
export type Round = { readonly state: State; readonly about: Question; readonly impatient: boolean };

export function openAsking({ rules, dbDataDir, disk, peers, clock, self, database }: AskingOptions) {
  const native = openNative(database, clock);
  let claimerSilentSince: { claim: string; at: number } | null = null;

  /** Whether the claimer's registration is gone and its agent has been silent long enough. */
  const isSilent = ({ seen }: State, heard: readonly { readonly incarnation: string }[]): boolean => {
    const record = seen?.record;
    if (record?.state !== "claimed") return false;
    const alive = heard.some((h) => h.incarnation === record.incarnation);
    if (alive || claimerSilentSince?.claim !== record.claim_id)
      claimerSilentSince = { claim: record.claim_id, at: clock.now() };
    return !alive && clock.now() - claimerSilentSince.at >= TAKE_OVER_MS;
  };

  /** Everybody; but one holder who answers is enough for a node that only joins, and a large fleet is spared the rest. */
  const holders = async (
    { seen }: State,
    members: readonly Member[],
    signal: AbortSignal,
  ): Promise<readonly Hello[]> => {
    const id = seen?.record.state === "sealed" ? seen.record.genesis_id : null;
    const named = members.filter((m) => m.genesis_id === id && m.incarnation !== self().incarnation);
    const first = named.slice(0, FIRST_HOLDERS).map((m) => peers.ask(m.agent_addr, signal));
    const heard = (await Promise.all(first)).filter((hello) => hello !== null);
    return heard.some((h) => h.marker?.genesis_id === id) ? heard : peers.askAll(signal);
  };

  return async (
    { state, about, impatient }: Round,
    lookup: (signal: AbortSignal) => Promise<Lookup>,
    signal: AbortSignal,
  ): Promise<Answers> => {
    const { seen } = state;
    const record = seen?.record ?? null;
    const { members = [], leader } = await lookup(signal);
    peers.see(members);
    const creating = about === "init" || about === "claim";
    const foreign = creating ? await native.leader(leader?.value, record, signal) : null;
    // Beside a cluster that runs nobody claims, but anybody may have to know whether there is a holder.
    const may = seen ? onlyWaits(rules, seen.record) === null : mayInit(rules);
    const presumed: Tally | null =
      about === "claim" && seen && !foreign?.cluster
        ? presume(seen, members, self(), { may, impatient })
        : null;
    const needless = about === "adopted" || (about === "init" && !may && !foreign?.cluster);
    const [hellos, clusters, own] = await Promise.all([
      presumed !== null || needless
        ? []
        : about === "join"
          ? holders(state, members, signal)
          : peers.askAll(signal),
      about === "join" ? native.clusters(leader?.value, record, signal) : [],
      about === "adopted" ? native.own(signal) : null,
    ]);
    return {
      self: self(),
      data: await lookAt(dbDataDir, disk),
      registered: members.map(({ id, incarnation }) => ({ id, incarnation })),
      hellos,
      problems: peers.problems(),
      foreign,
      clusters,
      own,
      claimerSilent: isSilent(state, [...members, ...hellos]),
      impatient,
      ...(presumed === null ? {} : { presumed }),
    };
  };
}
