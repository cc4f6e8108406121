/**
 * Clusters that were not created here: what a leader record says that a database wrote itself, what a running
 * cluster says of itself, and when two such accounts are of one cluster. Pure. Rules: src/DESIGN.md, "Adoption".
 */
import { type Adopted, type AdoptedNode, decode, type GenesisRecord, LeaderRecord } from "./model.ts";
import type { NodeReport } from "./node-report.ts";

/** A running cluster, as one of its databases lists it. */
export type Cluster = Pick<Adopted, "leader" | "nodes">;

/** Who a leader record names that a database wrote itself; all empty where the record cannot be read. */
export type NamedLeader = {
  /** The record as the store has it. */
  readonly value: string;
  readonly id: string;
  readonly addr: string;
  readonly api_addr: string;
};

/** The same, and whether the database that it names answers. */
export type ForeignLeader = NamedLeader & {
  /** The cluster that it is in; null: it does not answer, or is not the node that is named. */
  readonly cluster: Cluster | null;
  /** For how long it has not answered, as far as this agent saw; null: it answers, or cannot be asked. */
  readonly silentMs: number | null;
};

/** What a leader record says that a database wrote itself; null: there is none, or it is an agent's. */
export function namedLeader(value: string | undefined): NamedLeader | null {
  if (value === undefined) return null;
  const decoded = decode(LeaderRecord, value);
  if (!decoded.ok) return { value, id: "", addr: "", api_addr: "" };
  const { genesis_id, id, addr, api_addr } = decoded.value;
  return genesis_id === undefined ? { value, id, addr, api_addr } : null;
}

/** What a person calls it, in `explain` and with `-forget-leader`. */
export function leaderId({ id, api_addr, addr }: Omit<NamedLeader, "value">): string {
  return id || api_addr || addr || "unreadable";
}

/** The leader record, where it forbids creating a cluster under this genesis record (null: absent). */
export function standing<T extends NamedLeader>(leader: T | null, record: GenesisRecord | null): T | null {
  return leader !== null && leader.value === record?.forgets ? null : leader;
}

/** The cluster that a database says it is in; null where it knows of no leader, or lists nobody. */
export function clusterOf(report: NodeReport | null): Cluster | null {
  if (report === null || !report.leader?.id) return null;
  const nodes = (report.members ?? []).filter((m) => m.id !== "");
  if (nodes.length === 0) return null;
  const { id, addr, api_addr } = report.leader;
  return {
    leader: { id, addr, api_addr },
    nodes: nodes.map((m) => ({ id: m.id, addr: m.addr, api_addr: m.api_addr, voter: m.voter })),
  };
}

/** Whether a cluster counts the node `id` among its own. */
export function listsNode({ nodes }: Cluster, id: string): boolean {
  return nodes.some((node) => node.id === id);
}

/** Whether a majority of the nodes that were adopted are still in this cluster, which therefore is the same one. */
export function isSame({ nodes }: Adopted, cluster: Cluster): boolean {
  const still = nodes.filter((node) => cluster.nodes.some((other) => isOneNode(node, other)));
  return still.length > nodes.length / 2;
}

/** Ids alone may repeat from cluster to cluster, so one address must be the same too, where both are known. */
function isOneNode(a: AdoptedNode, b: AdoptedNode): boolean {
  if (a.id !== b.id) return false;
  const known = [
    [a.addr, b.addr],
    [a.api_addr, b.api_addr],
  ].filter(([one, other]) => one !== "" && other !== "");
  return known.length === 0 || known.some(([one, other]) => one === other);
}
