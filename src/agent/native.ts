/**
 * What databases say of their clusters where nobody's agent can: the one that a leader record names which a
 * database wrote itself, those of an adopted cluster, and the one beside this agent.
 */
import {
  type Cluster,
  clusterOf,
  type ForeignLeader,
  listsNode,
  namedLeader,
  standing,
} from "../core/genesis-adoption.ts";
import type { GenesisRecord } from "../core/model.ts";
import type { NodeReport } from "../core/node-report.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/loop.ts";

/** How long a database may take for one answer. */
export const DATABASE_LIMIT_MS = 2_000;
/** Databases of an adopted cluster that are asked in one round. */
const MOST_ASKED = 9;

/** The agent's ways to a database. */
export type Looks = {
  /** One look at the database beside this agent; null: it does not answer, or does not run. */
  readonly look: (signal: AbortSignal) => Promise<NodeReport | null>;
  /** One look at another one, at its address for clients; null: it does not answer, or is none of this kind. */
  readonly ask: (apiAddr: string, signal: AbortSignal) => Promise<NodeReport | null>;
};

/** `looks`: null where the agent has no database to ask. */
export function openNative(looks: Looks | null, clock: Clock) {
  let silence: { readonly leader: string; readonly since: number } | null = null;

  const cluster = (signal: AbortSignal, ask: (signal: AbortSignal) => Promise<NodeReport | null>) =>
    withDeadline(clock, signal, DATABASE_LIMIT_MS, "ask a database", ask).then(clusterOf, () => null);

  const at = (apiAddr: string, signal: AbortSignal): Promise<Cluster | null> =>
    looks === null || apiAddr === "" ? Promise.resolve(null) : cluster(signal, (s) => looks.ask(apiAddr, s));

  return {
    /** The leader record, where a database wrote it itself and it forbids something; and whether that database answers. */
    async leader(
      value: string | undefined,
      record: GenesisRecord | null,
      signal: AbortSignal,
    ): Promise<ForeignLeader | null> {
      const named = standing(namedLeader(value), record);
      const answer = named && (await at(named.api_addr, signal));
      const found = named && answer && listsNode(answer, named.id) ? answer : null;
      if (named === null || found !== null) silence = null;
      else if (silence?.leader !== named.value) silence = { leader: named.value, since: clock.now() };
      if (named === null) return null;
      const silentMs = silence === null || looks === null ? null : clock.now() - silence.since;
      return { ...named, cluster: found, silentMs };
    },
    /** What those databases say that answer, of the adopted cluster in the record and of whoever leads it now. */
    async clusters(
      value: string | undefined,
      record: GenesisRecord | null,
      signal: AbortSignal,
    ): Promise<readonly Cluster[]> {
      if (record?.state !== "sealed" || record.adopted === undefined) return [];
      const { leader, nodes } = record.adopted;
      const addresses = [namedLeader(value), leader, ...nodes].map((one) => one?.api_addr ?? "");
      const asked = [...new Set(addresses)].slice(0, MOST_ASKED);
      const said = await Promise.all(asked.map((address) => at(address, signal)));
      return said.filter((one) => one !== null);
    },
    /** The cluster of the database beside this agent; null: it cannot be asked, or is in none. */
    own: (signal: AbortSignal): Promise<Cluster | null> =>
      looks === null ? Promise.resolve(null) : cluster(signal, looks.look),
  };
}
export type Native = ReturnType<typeof openNative>;
