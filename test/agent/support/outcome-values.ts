import type { OutcomeValues } from "../../../src/core/outcome-values.ts";

/** The values of a node that joins b. */
export function valuesOf(more: Partial<OutcomeValues> = {}): OutcomeValues {
  return {
    kind: "join",
    role: "unknown",
    join: "b:4002",
    members: "a:4002,b:4002",
    leader: "b:4001",
    args: [],
    ...more,
  };
}
