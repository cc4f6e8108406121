/** What of an agent's view goes into DNS: the leader as `/v1/leader` shows it, the nodes as `/v1/peers` does. */
import type { AgentConfig } from "../config.ts";
import { type Address, isWildcard, parseAddress } from "../core/address.ts";
import type { DnsFacts } from "../core/dns-answer.ts";
import type { LeaderView } from "../core/leader-view.ts";
import type { NodeReport } from "../core/node-report.ts";
import type { PeerRow } from "./pages.ts";

/**
 * A leader that nobody has confirmed for so long is not named, in milliseconds: an answer of DNS cannot say how
 * old it is. Agents ask each other once a minute, so a node without a database of its own hears in time.
 */
export const LEADER_STALE_MS = 90_000;

type Leader = Omit<LeaderView, "trouble">;

export type DnsView = {
  readonly leader: () => Leader;
  readonly peers: () => readonly PeerRow[];
  /** The last look at this node's database. */
  readonly report: () => NodeReport;
};

/** The facts of this moment. */
export function dnsFacts(zone: string, server: string | null, view: DnsView): DnsFacts {
  const rows = view.peers();
  const own = rows.find((row) => row.self)?.genesis_id ?? null;
  // Of two lives of a node id, this agent's own, then the one in the directory.
  const ranked = [...rows].sort((a, b) => rank(a) - rank(b));
  const report = view.report();
  const nodes = ranked
    .filter((row, at) => ranked.findIndex(({ id }) => id === row.id) === at)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((row) => ({
      id: row.id,
      address: clientAddress(row.api_addr),
      follows: own !== null && row.genesis_id === own && isThere(row, report),
    }));
  return { zone, server, leader: leaderOf(view.leader(), nodes), nodes };
}

/** The address at which this agent answers, as others may use it; null: it is known by a name, or not at all. */
export function serverOf(bound: string, { httpAdvAddr }: Pick<AgentConfig, "httpAdvAddr">): string | null {
  if (!isWildcard(bound)) return bound;
  const { host } = httpAdvAddr;
  return host.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(host) ? host : null;
}

/**
 * Whether clients may be sent to a member, as far as is known here: its agent, which is asked once a minute, and
 * this node's database, which is asked all the time, say nothing against it.
 */
function isThere({ id, self, reachable }: PeerRow, { kind, status, members }: NodeReport): boolean {
  if (self) return kind === "none" || status === "healthy";
  if (reachable === false) return false;
  const listed = members?.find((member) => member.id === id);
  return members === null || (listed !== undefined && listed.reachable !== false);
}

function rank({ self, registered }: PeerRow): number {
  return self ? 0 : registered ? 1 : 2;
}

function leaderOf(view: Leader, nodes: DnsFacts["nodes"]): DnsFacts["leader"] {
  const { record, stale_for } = view;
  if (record === null || stale_for === null || stale_for > LEADER_STALE_MS) return null;
  const address = clientAddress(record.api_addr) ?? nodes.find(({ id }) => id === record.id)?.address;
  return { id: record.id, address: address ?? null };
}

/** Where clients find a database: `host:port`, or the URL that rqlite writes. Null: neither, or nowhere to connect to. */
function clientAddress(text: string): Address | null {
  const parsed = parseAddress(text.replace(/^https?:\/\//, "").replace(/\/$/, ""));
  return parsed.ok && !isWildcard(parsed.value.host) ? parsed.value : null;
}
