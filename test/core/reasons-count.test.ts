/** What `explain` says where voters without a store wait for each other: who comes first, and who is not counted, and why. */
import { describe, expect, it } from "vitest";
import { explain } from "../../src/core/explain.ts";
import { initial, type Wait } from "../../src/core/genesis-state.ts";
import type { NotCounted } from "../../src/core/quorum.ts";
import { noVotes } from "../../src/core/votes.ts";
import { discoveryOf } from "./discovery.ts";

const ref = (id: string) => ({ id, incarnation: `${id}-1`, agent_addr: "", api_addr: "", addr: "" });

/** n3, which counts itself and these. */
function waits(wait: Wait, counted: readonly string[], promised: string | null, more: NotCounted[] = []) {
  const ballot = promised === null ? null : { round: 4, incarnation: `${promised}-1` };
  const votes = { ...noVotes, members: { promised: ballot, accepted: null, decided: null } };
  const kept = { incarnation: "n3-1", claim: null, stamp: null, marker: null, opened: false, votes };
  const tally = { counted: counted.map(ref), notCounted: more, holders: [], claimants: [] };
  return explain({
    rules: {
      ...{ key: "prod/orders", nodeId: "n3", voter: true, expect: 3 },
      ...{ genesis: "auto", formation: "single", initialises: false },
    },
    state: { ...initial(kept, "empty"), phase: { at: "waiting", wait }, tally },
    ...{ seen: 3, reachable: 3, idTaken: null, registrationProblem: null, initFailure: null },
    ...{ loopbackAmongOthers: false, overdue: false, nextTryMs: 300, discovery: discoveryOf() },
  });
}

describe("a voter whose turn has not come", () => {
  it("names those before it, and where to look if that lasts", () => {
    const { summary, unblock } = waits({ on: "turn" }, ["n1", "n2", "n3"], null);
    expect(summary).toBe(
      "All voters are there; one before this node in the order creates the cluster: n1, n2.",
    );
    expect(unblock).toEqual([
      "Nothing to do for some seconds: if none of them asks for votes, this node will.",
      "If this lasts: look at what n1 waits for, `rollcall explain` beside it.",
    ]);
  });

  it("names who asked for its vote last, since each try of others is given its time", () => {
    const { summary, unblock } = waits({ on: "turn" }, ["n1", "n2", "n3"], "n2");
    expect(summary).toMatch(/ n2 asked for this node's vote last\.$/);
    expect(unblock[1]).toContain("look at what n2 waits for");
    expect(waits({ on: "turn" }, ["n1", "n3"], "n3").summary).not.toContain("asked");
  });
});
