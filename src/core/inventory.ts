/**
 * What an inventory lists: the clusters there are, and where their agents answer. It alone says what is polled;
 * nodes cannot add themselves. Types, and the few pure functions on them.
 */
import * as z from "zod";
import { byText } from "./equal.ts";

/** Where this release can look for clusters: the values of `mode` in a DiscoverySettings. */
export const InventoryMode = z.enum([
  "http",
  "file",
  "consul-kv",
  "etcd-kv",
  "disco",
  "dns",
  "dns-srv",
  "consul-service",
  "static",
]);
export type InventoryMode = z.infer<typeof InventoryMode>;

/** Whether the source says which cluster it lists; where it does not, the settings have to. */
export function namesClusters(mode: InventoryMode): boolean {
  return mode === "http" || mode === "file" || mode === "consul-kv" || mode === "etcd-kv";
}

/** What an inventory is given beside its own configuration. */
export type InventoryContext = {
  /** What the settings call the one cluster; null where the source names clusters. */
  readonly clusterId: string | null;
  /** Milliseconds since the epoch, for gRPC deadlines only. */
  readonly now: () => number;
  /** The content of a small file, read again when it changed. Throws one clear line when it cannot be read. */
  readonly file: (path: string) => Promise<string>;
  /** A fresh UUID. */
  readonly uuid: () => string;
};

/** One agent's address as the inventory has it, and what it fixes of the node there; null: learned at first contact. */
export const InventoryNode = z.looseObject({
  /** `host:port` of the agent. */
  agent_addr: z.string(),
  /** Whether the inventory asks for TLS itself (`https://…`), whatever the discovery's settings say. */
  secure: z.boolean(),
  node_id: z.string().nullable(),
  incarnation: z.string().nullable(),
});
export type InventoryNode = z.infer<typeof InventoryNode>;

/** One cluster as an inventory lists it; nodes sorted by address, each once. */
export const ClusterRecord = z.looseObject({
  cluster_id: z.string(),
  display_name: z.string().nullable(),
  nodes: z.array(InventoryNode),
});
export type ClusterRecord = z.infer<typeof ClusterRecord>;

/**
 * One whole answer of an inventory. `lacking`: the clusters of which something could not be read, so that nothing of
 * them may be taken for gone. `partial`: something could not be read of nobody knows which cluster, so that no cluster
 * may be. `problems` says what. `leased`: entries end with their agents' leases, so that an absence says nothing of a node
 * but where `retired` names its incarnation. `foreign`: leader keys without a genesis; shown, never polled.
 */
export type Listing = {
  readonly kind: "complete" | "partial";
  readonly clusters: readonly ClusterRecord[];
  readonly lacking: readonly string[];
  readonly leased: boolean;
  readonly retired: readonly string[];
  readonly foreign: readonly string[];
  readonly problems: readonly string[];
};

/** One inventory: looks once. Throws when it cannot tell; never answers "none" for an error. No timers, no policy. */
export interface Inventory {
  look(signal: AbortSignal): Promise<Listing>;
  /** Frees every connection. Safe twice. */
  close(): Promise<void>;
}

/**
 * A record in its one form: nodes sorted by address and each once, so that order and repetition never matter. Of two
 * entries with one address that stays which says more.
 */
export function normalised(record: ClusterRecord): ClusterRecord {
  const known = ({ node_id, incarnation, secure }: InventoryNode) =>
    JSON.stringify([node_id ?? "", incarnation ?? "", secure]);
  const sorted = [...record.nodes].sort(
    (a, b) => byText(a.agent_addr, b.agent_addr) || byText(known(a), known(b)),
  );
  return { ...record, nodes: [...new Map(sorted.map((node) => [node.agent_addr, node])).values()] };
}
