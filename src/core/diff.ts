/**
 * What changed between two states of a cluster, as changes that carry all of it: applied to the first (`replayed`)
 * they give the second. What each type covers: src/DESIGN.md, "Events".
 */
import type { Conditions, Facts } from "./cluster.ts";
import { nodeChanges } from "./diff-node.ts";
import { equal } from "./equal.ts";
import type { Change, EventType } from "./events.ts";

/** Which event tells of which condition. */
export const CONDITION_EVENTS = {
  conflict: "DISCOVERY_CONFLICT",
  suspect: "DISCOVERY_SUSPECT",
  leader: "LEADER_CHANGED",
  primary_conflict: "PRIMARY_CONFLICT",
  primary_missing: "PRIMARY_MISSING",
  split: "CLUSTER_SPLIT",
  drift: "MEMBERSHIP_DRIFT",
} as const satisfies Record<keyof Conditions, EventType>;

/** What CLUSTER_CHANGED covers; it carries those that changed. */
const CLUSTER_FIELDS = ["display_name", "discovery", "inventory", "genesis_id"] as const;

/** The changes from `before` to `after`, of the same cluster, in the order of the log; null: there is none. Empty when they are equal. */
export function diff(before: Facts | null, after: Facts | null): Change[] {
  if (before === after) return [];
  if (before === null || after === null) {
    const type = before === null ? "CLUSTER_NEW" : "CLUSTER_REMOVED";
    return [{ type, subject: (before ?? after)?.cluster_id ?? "", before, after }];
  }
  return [
    ...clusterChanged(before, after),
    ...conditions(before, after, ["conflict", "suspect"]),
    ...nodeChanges(before, after),
    ...conditions(before, after, ["leader", "primary_conflict", "primary_missing", "split", "drift"]),
  ];
}

function clusterChanged(before: Facts, after: Facts): Change[] {
  const changed = CLUSTER_FIELDS.filter((field) => !equal(before[field], after[field]));
  if (changed.length === 0) return [];
  const of = (facts: Facts) => Object.fromEntries(changed.map((field) => [field, facts[field]]));
  return [{ type: "CLUSTER_CHANGED", subject: after.cluster_id, before: of(before), after: of(after) }];
}

function conditions(before: Facts, after: Facts, names: readonly (keyof Conditions)[]): Change[] {
  return names.flatMap((name) => {
    const [was, is] = [before.conditions[name], after.conditions[name]];
    if (equal(was, is)) return [];
    return [{ type: CONDITION_EVENTS[name], subject: after.cluster_id, before: was, after: is }];
  });
}
