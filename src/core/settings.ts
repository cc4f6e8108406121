/**
 * The objects that a coordinator is told: which inventories to look at, and how to treat a cluster. In files and in
 * /v1/apply they stand as `{apiVersion, kind, metadata, spec}`; durations there are texts as in `5s`, here milliseconds.
 */
import * as z from "zod";
import { InventoryMode } from "./inventory.ts";

/** How agents of one discovery are reached over TLS: paths of PEM files. */
export const AgentTls = z.strictObject({
  ca_file: z.string().nullable(),
  cert_file: z.string().nullable(),
  key_file: z.string().nullable(),
});
export type AgentTls = z.infer<typeof AgentTls>;

/** Where connections may go. Link-local addresses are refused whatever it says. */
export const Allow = z.strictObject({
  /** As in `10.0.0.0/8`. */
  cidrs: z.array(z.string()),
  ports: z.array(z.int()),
});
export type Allow = z.infer<typeof Allow>;

/** One inventory to look at. */
export const DiscoverySettings = z.strictObject({
  name: z.string(),
  enabled: z.boolean(),
  interval_ms: z.number(),
  mode: InventoryMode,
  /** Checked by the mode's own schema. May hold secrets: never shown. */
  config: z.record(z.string(), z.unknown()),
  /** The agents' key; required where the source names no clusters. */
  cluster_id: z.string().nullable(),
  allow: Allow,
  /** Null: plain HTTP, but for addresses that the inventory gives as https. */
  tls: AgentTls.nullable(),
  /** A bearer token for the agents. */
  token_file: z.string().nullable(),
});
export type DiscoverySettings = z.infer<typeof DiscoverySettings>;

/** How one cluster is treated. */
export const ClusterSettings = z.strictObject({
  cluster_id: z.string(),
  enabled: z.boolean(),
  interval_ms: z.number(),
  /** The whole of one poll of one agent. */
  node_timeout_ms: z.number(),
  /** Fewer nodes than this are a reason for yellow; null: what the inventory lists. */
  expected_nodes: z.int().nullable(),
  /** Kept for the retirement of nodes; null: never. */
  retire_after_ms: z.number().nullable(),
  /** Voters that must be up; null: the majority of the voters known. */
  quorum: z.int().nullable(),
});
export type ClusterSettings = z.infer<typeof ClusterSettings>;

/** What a cluster gets until somebody applies settings of its own. */
export function syntheticSettings(clusterId: string): ClusterSettings {
  return {
    cluster_id: clusterId,
    enabled: true,
    interval_ms: 60_000,
    node_timeout_ms: 5_000,
    expected_nodes: null,
    retire_after_ms: null,
    quorum: null,
  };
}
