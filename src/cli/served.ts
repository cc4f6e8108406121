/**
 * What a coordinator serves, as far as commands show it: the shapes of src/coordinator/shapes.ts, open to whatever a
 * later release adds to them.
 */
import * as z from "zod";
import type { ClientConfig } from "../config.ts";
import { decode } from "../core/model.ts";
import { RollcallError } from "../lib/errors.ts";

/** A node of a cluster's view, or of `/v1/clusters/ID/nodes`. */
export const ServedNode = z.object({
  node_id: z.string().nullable(),
  agent_addr: z.string(),
  listed: z.boolean(),
  stale: z.boolean(),
  /** Null: nobody has asked it yet. */
  agent: z.object({ status: z.string(), code: z.string() }).nullable(),
  report: z.object({ status: z.string(), role: z.string(), version: z.string().nullable() }).nullable(),
  shards: z.array(z.object({ lag: z.object({ unit: z.string(), value: z.number() }).nullable() })),
  problem: z.string().nullable(),
});
export type ServedNode = z.infer<typeof ServedNode>;

const Summary = z.object({
  display_name: z.string().nullable(),
  discovery: z.string().nullable(),
  genesis_id: z.string().nullable(),
  health: z.string(),
  reasons: z.array(z.object({ message: z.string(), node: z.string().nullable() })),
  counts: z.object({ expected: z.number(), discovered: z.number(), reached: z.number(), up: z.number() }),
  kinds: z.array(z.object({ version: z.string().nullable(), nodes: z.number() })),
  leader: z.string().nullable(),
  conditions: z.object({ primary_conflict: z.array(z.string()).nullable() }),
});

/** One item of `/v1/clusters`. */
export const ServedCluster = z.object({
  cluster_id: z.string(),
  enabled: z.boolean(),
  late_ms: z.number(),
  /** When it was last refreshed by its schedule, in milliseconds since the epoch; null: it was not. */
  run: z.object({ ended_at: z.number().nullable(), error: z.string().nullable() }).nullable(),
  view: Summary,
});
export type ServedCluster = z.infer<typeof ServedCluster>;

/** `/v1/clusters/ID`: the same, with its nodes. */
export const ServedDetail = ServedCluster.extend({ view: Summary.extend({ nodes: z.array(ServedNode) }) });
export type ServedDetail = z.infer<typeof ServedDetail>;

/** Why a cluster is not green, and that nobody polls it, or cannot, where that is so. */
export function reasonsOf({ enabled, run, view }: ServedCluster): readonly string[] {
  const told = view.reasons.map(({ node, message }) => (node === null ? message : `${node}: ${message}`));
  const failed = (run?.error ?? null) === null ? [] : [`its last refresh failed: ${run?.error}`];
  return enabled ? [...failed, ...told] : ["its settings have enabled: false", ...told];
}

/** Who leads, and whoever claims it beside. */
export function primariesOf({ view: { leader, conditions } }: ServedCluster): readonly string[] {
  const claims = conditions.primary_conflict ?? [];
  return [...new Set(leader === null ? claims : [leader, ...claims])];
}

/** An event, of any type that there is or will be. */
export const ServedEvent = z.object({
  id: z.string(),
  type: z.string(),
  subject: z.string(),
  time: z.string(),
  data: z.object({ before: z.unknown(), after: z.unknown() }),
});
export type ServedEvent = z.infer<typeof ServedEvent>;

/** An object that is shown as it came, or read key by key. */
export const ServedObject = z.record(z.string(), z.unknown());
export type ServedObject = z.infer<typeof ServedObject>;

/** One page; `next` is what the next one comes after, null: there is none. */
export const Page = z.object({ items: z.array(z.unknown()), next: z.string().nullable() });

/** What one answer says, by its schema. Throws one line that says whose answer makes no sense. */
export function read<T>(schema: z.ZodType<T>, body: string, { name }: ClientConfig): T {
  const decoded = decode(schema, body);
  if (decoded.ok) return decoded.value;
  throw senseless(decoded.problem, name);
}

/** As `read`, of a value that was read already. */
export function readValue<T>(schema: z.ZodType<T>, value: unknown, { name }: ClientConfig): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw senseless([...(issue?.path ?? []), issue?.message].join(": "), name);
}

function senseless(problem: string, name: string): RollcallError {
  return new RollcallError("ask", `ask ${name}: the answer ${problem}; is it a rollcall coordinator?`);
}
