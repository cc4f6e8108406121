/**
 * Agents in a list that somebody else keeps, a file or a URL: `["host:port"]` or `{addresses: […]}`; Prometheus's http_sd
 * `[{targets, labels}]` (https://prometheus.io/docs/prometheus/latest/http_sd/); and Replicante's `{clusters: […]}`.
 */
import * as z from "zod";
import { formatAddress } from "../src/core/address.ts";
import type { Lookup } from "../src/core/provider.ts";
import { RollcallError } from "../src/lib/errors.ts";
import { addressOf } from "./records.ts";

/** In one list, at most, as in `-join`. */
const MOST_AGENTS = 1_000;
const MOST_PROBLEMS = 20;
const MOST_ENTRIES = 20_000;

/** Which groups of an http_sd list count: those that have all these labels. */
export const Labels = z.record(z.string().min(1), z.string()).default({});

/** Whose agents are wanted; `doing` begins every error. */
export type Wanted = {
  readonly doing: string;
  /** The cluster's key, which chooses among Replicante's clusters. */
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
};

const Group = z.looseObject({
  targets: z.array(z.unknown()),
  labels: z.record(z.string(), z.string()).nullish(),
});
const Cluster = z.looseObject({
  cluster_id: z.string().optional(),
  cluster: z.string().optional(),
  nodes: z.array(z.unknown()),
});
const Agent = z.looseObject({ agent_address: z.string() });
const Whole = {
  addresses: z.looseObject({ addresses: z.array(z.unknown()) }),
  clusters: z.looseObject({ clusters: z.array(z.unknown()) }),
};

/**
 * A look-up of what was read, sorted. What cannot be understood is left out, and makes it partial. Throws `bad_record` for
 * another shape and where nothing can be understood, `not_listed` where the list is of others alone, `too_large` for too many.
 */
export function agentsOf(value: unknown, wanted: Wanted): Lookup {
  const { doing } = wanted;
  const entries = entriesIn(value, doing);
  const parts = entries.map((entry, at) => partOf(entry, `entry ${at + 1}`, wanted));
  const problems = parts.flatMap((part) => part.problems);
  const addresses = [...new Set(parts.flatMap((part) => part.addresses))].sort();
  if (entries.length > MOST_ENTRIES || addresses.length > MOST_AGENTS)
    throw new RollcallError("too_large", `${doing}: more than ${MOST_AGENTS} agents`);
  if (addresses.length === 0) {
    if (problems[0] !== undefined) throw new RollcallError("bad_record", `${doing}: ${problems[0]}`);
    const others = parts.find((part) => part.others !== null)?.others ?? null;
    if (others !== null && parts.every((part) => part.others !== null))
      throw new RollcallError("not_listed", `${doing}: ${others}`);
  }
  if (problems.length === 0) return { kind: "complete", addresses };
  const more = problems.length - MOST_PROBLEMS;
  const told = more > 0 ? [...problems.slice(0, MOST_PROBLEMS), `and ${more} more`] : problems;
  return { kind: "partial", addresses, problems: told };
}

function entriesIn(value: unknown, doing: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const addresses = Whole.addresses.safeParse(value);
  if (addresses.success) return addresses.data.addresses;
  const clusters = Whole.clusters.safeParse(value);
  if (clusters.success) return clusters.data.clusters;
  const shapes = `must be a list of agents' addresses, [{"targets": […]}] or {"clusters": […]}`;
  throw new RollcallError("bad_record", `${doing}: ${shapes}`);
}

type Part = {
  readonly addresses: readonly string[];
  readonly problems: readonly string[];
  /** Why this entry is not of the cluster that is wanted, or null. */
  readonly others: string | null;
};
const others = (why: string): Part => ({ addresses: [], problems: [], others: why });

/** One entry: a group, a cluster, or one agent. */
function partOf(entry: unknown, name: string, { key, labels }: Wanted): Part {
  const group = Group.safeParse(entry);
  if (group.success) {
    const has = Object.entries(labels).every(([label, text]) => group.data.labels?.[label] === text);
    return has ? agentsIn(group.data.targets, `${name}: target`) : others("no group has these labels");
  }
  const cluster = Cluster.safeParse(entry);
  if (cluster.success) {
    const isIt = (cluster.data.cluster_id ?? cluster.data.cluster) === key;
    return isIt ? agentsIn(cluster.data.nodes, `${name}: node`) : others(`the cluster ${key} is not listed`);
  }
  if (Object.keys(labels).length > 0)
    return { addresses: [], problems: [`${name}: has no labels`], others: null };
  return agentsIn([entry], null, name);
}

/** Their text is not repeated in problems, since URLs may hold credentials. */
function agentsIn(list: readonly unknown[], each: string | null, name = ""): Part {
  const addresses: string[] = [];
  const problems: string[] = [];
  for (const [at, entry] of list.entries()) {
    const agent = Agent.safeParse(typeof entry === "string" ? { agent_address: entry } : entry);
    const address = agent.success ? addressOf(agent.data.agent_address) : "must be an agent's address";
    if (typeof address === "string")
      problems.push(`${each === null ? name : `${each} ${at + 1}`}: ${address}`);
    else addresses.push(formatAddress(address));
  }
  return { addresses, problems, others: null };
}
