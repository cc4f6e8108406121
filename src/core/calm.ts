/**
 * A calm refresh: every agent that is listed says that nothing changed since what is kept. After another one that
 * changed nothing it changes nothing either, so that nobody judges it anew. Most refreshes of a fleet are calm.
 */
import type { Facts, Marks } from "./cluster.ts";
import type { ClusterRecord } from "./inventory.ts";
import type { Observation, Unchanged } from "./observation.ts";
import type { Decision } from "./report.ts";

/** What a calm refresh that changed nothing went by, the very objects, and what it decided. */
export type Calm = {
  readonly facts: Facts;
  readonly record: ClusterRecord;
  readonly discovery: string;
  readonly decisions: readonly Decision[];
};

/** Whether everybody was asked, and says so; nobody was silent before, and nothing waits for the next refresh. */
export function isCalm(
  marks: Marks,
  record: ClusterRecord,
  observations: readonly Observation[],
): observations is readonly (Observation & Unchanged)[] {
  if (observations.length !== record.nodes.length) return false;
  for (const _ in marks.pending) return false;
  return observations.every((one) => {
    const known = marks.nodes[one.agent_addr];
    if (one.kind !== "unchanged" || known === undefined || known.unlooked) return false;
    return known.misses === 0 && known.boot_id === one.boot_id && known.seq === one.seq;
  });
}

/** Whether it goes by what the one before it went by, and nobody was asked for more than whether anything changed. */
export function isAsCalm(
  before: Calm,
  { facts, record, discovery }: Omit<Calm, "decisions">,
  observations: readonly (Observation & Unchanged)[],
): boolean {
  const isSame = before.facts === facts && before.record === record && before.discovery === discovery;
  return isSame && observations.every(({ shards }) => shards === null);
}

/** The marks after it. */
export function seenAgain(marks: Marks, observations: readonly Observation[]): Marks {
  const nodes = { ...marks.nodes };
  for (const { agent_addr, at } of observations) {
    const known = nodes[agent_addr];
    if (known !== undefined) nodes[agent_addr] = { ...known, seen_at: at };
  }
  return { ...marks, nodes, refreshes: marks.refreshes + 1 };
}
