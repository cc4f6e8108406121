/**
 * The documents that a coordinator is told its settings in: strict, and what the HTTP's OpenAPI shows. Their field names
 * are Replicante's where it has them. Parsing gives the form of core/settings.ts, durations in milliseconds.
 */
import * as z from "zod";
import { ClusterKey } from "../core/cluster-key.ts";
import { InventoryMode, namesClusters } from "../core/inventory.ts";
import { syntheticSettings } from "../core/settings.ts";
import { formatDuration, parseDuration } from "../lib/duration.ts";
import { cidrProblem } from "./cidr.ts";

const SECOND = 1_000;
const DAY = 86_400_000;
const usual = syntheticSettings("");

/** `"30s"`, or whole seconds as Replicante has them. Gives milliseconds. */
function duration(least: number, most: number) {
  const rule = `must be a duration from ${formatDuration(least)} to ${formatDuration(most)} such as "30s", or whole seconds`;
  return z.union([z.string(), z.int()], { error: rule }).transform((given, context) => {
    const ms = typeof given === "string" ? parseDuration(given) : given * SECOND;
    if (ms !== null && ms >= least && ms <= most) return Math.round(ms);
    context.addIssue({ code: "custom", message: rule });
    return z.NEVER;
  });
}

const count = (most: number) => z.int().min(1).max(most).nullable().default(null);
const path = z.string().min(1).nullable().default(null);

const Namespace = z.literal("default", { error: 'must be "default" in this version' }).default("default");

const Named = z.strictObject({
  namespace: Namespace,
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
      "must be 1 to 128 characters of [A-Za-z0-9._-], the first a letter or a digit",
    ),
});

/** Private ranges, and this machine, since agents listen there unless told otherwise. */
const CIDRS = ["10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"];

const Cidr = z.string().superRefine((text, context) => {
  const problem = cidrProblem(text);
  if (problem !== null) context.addIssue({ code: "custom", message: problem });
});

const Allow = z.strictObject({
  cidrs: z.array(Cidr).min(1).max(256).default(CIDRS).transform(sorted),
  ports: z.array(z.int().min(1).max(65535)).min(1).max(256).default([4100]).transform(sorted),
});

const Tls = z.strictObject({ ca_file: path, cert_file: path, key_file: path }).superRefine((tls, context) => {
  if ((tls.cert_file === null) === (tls.key_file === null)) return;
  const [given, lacking] = tls.cert_file === null ? ["key_file", "cert_file"] : ["cert_file", "key_file"];
  context.addIssue({ code: "custom", path: [given], message: `needs ${lacking}` });
});

/** What a discovery is told. */
export const DiscoverySpec = z
  .strictObject({
    enabled: z.boolean().default(true),
    interval: duration(SECOND, DAY).prefault(usual.interval_ms / SECOND),
    mode: InventoryMode,
    /** As the mode has it; checked by the mode's own schema. */
    config: z.record(z.string(), z.unknown()).default({}),
    cluster_id: ClusterKey.nullable().default(null),
    allow: Allow.prefault({}),
    tls: Tls.nullable().default(null),
    token_file: path,
  })
  .superRefine(({ mode, cluster_id, config }, context) => {
    const refuse = (message: string) => context.addIssue({ code: "custom", path: ["cluster_id"], message });
    if (namesClusters(mode) && cluster_id !== null)
      refuse(`is not for mode ${mode}, whose source names its clusters`);
    // An id at a Discovery Service is the agents' key unless they were given another one.
    const named = mode === "disco" && "id" in config;
    if (!namesClusters(mode) && cluster_id === null && !named)
      refuse(`must be the agents' key: nothing in mode ${mode} names the cluster`);
  });

/** One inventory to look at. */
export const DiscoveryDocument = z.strictObject({
  apiVersion: z.literal("rollcall/v1"),
  kind: z.literal("DiscoverySettings"),
  metadata: Named,
  spec: DiscoverySpec,
});
export type DiscoveryDocument = z.infer<typeof DiscoveryDocument>;

/** How one cluster is treated. */
const ClusterSpec = z.strictObject({
  cluster_id: ClusterKey.optional(),
  enabled: z.boolean().default(true),
  interval: duration(SECOND, DAY).prefault(usual.interval_ms / SECOND),
  node_timeout: duration(100, 300 * SECOND).prefault(usual.node_timeout_ms / SECOND),
  expected_nodes: count(100_000),
  retire_after: duration(SECOND, 3_650 * DAY)
    .nullable()
    .default(null),
  quorum: count(1_000),
});

/** The cluster is named by `metadata.name`, or by `spec.cluster_id`; by both only where they agree. */
export const ClusterDocument = z
  .strictObject({
    apiVersion: z.literal("rollcall/v1"),
    kind: z.literal("ClusterSettings"),
    metadata: z.strictObject({ namespace: Namespace, name: ClusterKey.optional() }).prefault({}),
    spec: ClusterSpec.prefault({}),
  })
  .superRefine(({ metadata: { name }, spec: { cluster_id: id } }, context) => {
    const refuse = (at: string[], message: string) => context.addIssue({ code: "custom", path: at, message });
    if (name === undefined && id === undefined)
      refuse(["metadata", "name"], "must be the cluster's id, as in prod/orders");
    if (name !== undefined && id !== undefined && name !== id)
      refuse(["spec", "cluster_id"], `must be metadata.name, ${name}, or left out`);
  });
export type ClusterDocument = z.infer<typeof ClusterDocument>;

/** Replicante 0.7's own, unchanged: the only backend it has is http, whose settings stand beside the common ones. */
export const ReplicanteDocument = z.strictObject({
  apiVersion: z.literal("replicante.io/v0"),
  kind: z.literal("DiscoverySettings"),
  metadata: Named,
  spec: z.strictObject({
    backend: z.literal("http"),
    enabled: z.boolean().default(true),
    interval: duration(SECOND, DAY),
    url: z.string(),
    method: z.unknown().optional(),
    body: z.unknown().optional(),
    headers: z.unknown().optional(),
    timeout: z.unknown().optional(),
    tls: z.unknown().optional(),
  }),
});
export type ReplicanteDocument = z.infer<typeof ReplicanteDocument>;

function sorted<T extends string | number>(list: readonly T[]): T[] {
  return [...new Set(list)].sort((a, b) => (a < b ? -1 : 1));
}
