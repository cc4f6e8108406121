/** What a coordinator serves, as far as commands show it. Tolerant: what a release does not have is null. */
import * as z from "zod";
import type { ClientConfig } from "../config.ts";
import { decode } from "../core/model.ts";
import { RollcallError } from "../lib/errors.ts";
import { asText, at, entriesAt, listAt, numberAt, textAt } from "../lib/inside.ts";

/** A node as commands show it. */
export type ServedNode = {
  readonly nodeId: string | null;
  readonly agentAddr: string;
  /** Null: nobody has asked it yet. */
  readonly agent: { readonly up: boolean; readonly code: string } | null;
  /** The inventory lists it. */
  readonly listed: boolean;
  /** What the database last said; old where the agent is not up. */
  readonly status: string | null;
  readonly role: string | null;
  readonly version: string | null;
  readonly lag: string | null;
  readonly problem: string | null;
};

/** A cluster as commands show it. */
export type ServedCluster = {
  readonly id: string;
  readonly displayName: string | null;
  readonly health: string;
  readonly reasons: readonly string[];
  /** Null: not told. */
  readonly counts: Readonly<Record<"expected" | "discovered" | "reached" | "up", number | null>>;
  /** Who claims to lead. */
  readonly primaries: readonly string[];
  readonly discovery: string | null;
  readonly genesisId: string | null;
  readonly lastEvent: string | null;
  /** Of the databases, each once, the rarest last. */
  readonly versions: readonly string[];
  /** Null: they are asked for apart. */
  readonly nodes: readonly ServedNode[] | null;
};

/** One item of `/v1/clusters`, or `/v1/clusters/ID`. Throws one line that says whose answer makes no sense. */
export function clusterOf(item: unknown, config: ClientConfig): ServedCluster {
  const id = textAt(item, "cluster_id");
  if (id === null) throw senseless("has no cluster_id", config.name);
  // Beside its view a cluster has the state of its refreshes; before the first of them there is no view.
  const view = at(item, "view") ?? item;
  const nodes = at(view, "nodes");
  const counts = at(view, "counts") ?? nodes;
  const event = textAt(view, "last_event", "type")?.replace(/^rollcall\./, "") ?? null;
  const leader = idOf(at(view, "leader"));
  const claim = listAt(view, "primaries").flatMap((one) =>
    typeof one === "string" ? one : listAt(one, "nodes"),
  );
  const primaries = leader === null ? [...new Set(claim.map(asText))] : [leader];
  return {
    id,
    displayName: textAt(view, "display_name"),
    health: textAt(view, "health") ?? textAt(view, "health", "status") ?? "unknown",
    reasons: reasonsOf(item, view),
    counts: {
      expected: numberAt(counts, "expected"),
      discovered: numberAt(counts, "discovered"),
      reached: numberAt(counts, "reached"),
      up: numberAt(counts, "up"),
    },
    primaries,
    discovery: textAt(view, "discovery"),
    genesisId: textAt(view, "genesis_id"),
    lastEvent: event && [event, textAt(view, "last_event", "time")].filter(Boolean).join(" "),
    versions: versionsOf(view),
    nodes: Array.isArray(nodes) ? nodes.map((node) => nodeOf(node, config)) : null,
  };
}

/** Of what runs, each version once, the rarest last. */
function versionsOf(view: unknown): readonly string[] {
  const count = new Map<string, number>();
  const add = (version: string | null, times: number) => {
    if (version !== null) count.set(version, (count.get(version) ?? 0) + times);
  };
  const kinds = listAt(view, "kinds");
  for (const kind of kinds) add(textAt(kind, "version"), numberAt(kind, "nodes") ?? 1);
  // A list of clusters tells what runs in short; what has its nodes in it need not.
  if (kinds.length === 0)
    for (const node of listAt(view, "nodes"))
      add(textAt(node, "version") ?? textAt(node, "report", "version"), 1);
  return [...count]
    .sort(([a, most], [b, less]) => less - most || (a < b ? -1 : 1))
    .map(([version]) => version);
}

function reasonsOf(item: unknown, view: unknown): readonly string[] {
  const reasons = [...listAt(view, "reasons"), ...listAt(view, "health", "reasons")];
  const told = reasons.map((one) => textAt(one, "message") ?? textAt(one, "text") ?? asText(one));
  const unseen = at(view, "health") === null ? ["not polled yet"] : [];
  const idle = at(item, "enabled") === false ? ["its settings have enabled: false"] : [];
  return [...idle, ...unseen, ...told];
}

/** One node, as a view or as `/v1/clusters/ID/nodes` has it. Throws one line that says whose answer makes no sense. */
export function nodeOf(item: unknown, config: ClientConfig): ServedNode {
  const agentAddr = textAt(item, "agent_addr");
  if (agentAddr === null) throw senseless("has a node without agent_addr", config.name);
  const status = textAt(item, "agent", "status");
  const listed = at(item, "listed");
  const has = typeof item === "object" && item !== null && "listed" in item;
  const own = (key: string) => textAt(item, key) ?? textAt(item, "report", key);
  return {
    nodeId: textAt(item, "node_id") ?? textAt(item, "identity", "node_id"),
    agentAddr,
    agent: status === null ? null : { up: status === "up", code: textAt(item, "agent", "code") ?? status },
    listed: !has || (listed !== null && listed !== false),
    status: own("status"),
    role: own("role"),
    version: own("version"),
    lag: lagOf(item),
    problem: textAt(item, "problem") ?? textAt(item, "marks", "problem"),
  };
}

/** The lag of a node, else of its shard that lags most, with its unit. */
function lagOf(item: unknown): string | null {
  const marks = entriesAt(item, "marks", "shards").map(([, shard]) => shard);
  const shards = [...listAt(item, "shards"), ...marks].map((shard) => at(shard, "lag"));
  const gauges = [at(item, "lag"), ...shards].filter((lag) => lag !== null);
  const amount = (gauge: unknown) => numberAt(gauge, "value") ?? (typeof gauge === "number" ? gauge : 0);
  const [most] = gauges.sort((a, b) => amount(b) - amount(a));
  return most === undefined
    ? null
    : [amount(most), textAt(most, "unit")].filter((part) => part !== null).join(" ");
}

/** A node, as its id or as what has one. */
function idOf(value: unknown): string | null {
  return typeof value === "string" ? value : textAt(value, "node_id");
}

/** An event, of any type that there is or will be. */
export const ServedEvent = z.looseObject({
  id: z.string(),
  type: z.string(),
  subject: z.string().default(""),
  time: z.string().default(""),
  data: z.looseObject({ before: z.unknown(), after: z.unknown() }).default({ before: null, after: null }),
});
export type ServedEvent = z.infer<typeof ServedEvent>;

/** Settings of a discovery or a cluster, bare or beside the state of its runs. */
export const ServedObject = z.record(z.string(), z.unknown());
export type ServedObject = z.infer<typeof ServedObject>;

/** One page; `next` is what the next one comes after, null: there is none. */
export const Page = z.looseObject({
  items: z.array(z.unknown()),
  next: z
    .union([z.string(), z.number()])
    .nullish()
    .transform((value) => (value === undefined || value === null || value === "" ? null : String(value))),
});

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
  throw senseless(`${issue?.path.join(".")}: ${issue?.message}`, name);
}

function senseless(problem: string, name: string): RollcallError {
  return new RollcallError("ask", `ask ${name}: the answer ${problem}; is it a rollcall coordinator?`);
}
