/** What `explain` says where founders are missing, or were said to be gone for good: who was told, and what resolves it. */
import { describe, expect, it } from "vitest";
import { explain } from "../../src/core/explain.ts";
import { initial, type Wait } from "../../src/core/genesis-state.ts";
import type { Told } from "../../src/core/reasons-lost.ts";
import { type Founders, noVotes, type Votes } from "../../src/core/votes.ts";
import { discoveryOf } from "./discovery.ts";

const ref = (id: string) => ({ id, incarnation: `${id}-1`, agent_addr: "", api_addr: "", addr: "" });
const set = (...ids: string[]): Founders => ids.map(ref);
const accepted = (founders: Founders): Partial<Votes> => ({
  members: {
    promised: null,
    accepted: { ballot: { round: 1, incarnation: "n1-1" }, value: founders },
    decided: null,
  },
});

type Given = {
  readonly self?: string;
  readonly votes?: Partial<Votes>;
  readonly told?: readonly Told[];
  /** Who counts, this node included; and who answers and was ruled out here. */
  readonly counted?: readonly string[];
  readonly ruledOut?: readonly string[];
};

function waits(wait: Wait, { self = "n1", votes, told = [], counted = [], ruledOut = [] }: Given = {}) {
  const kept = { incarnation: `${self}-1`, claim: null, stamp: null, marker: null, opened: false };
  const notCounted = ruledOut.map((id) => ({ id, incarnation: `${id}-1`, why: "assumed_lost" as const }));
  const { summary, unblock } = explain({
    rules: {
      ...{ key: "prod/orders", nodeId: self, voter: true, expect: 3 },
      ...{ genesis: "auto", formation: "single", initialises: false },
    },
    state: {
      ...initial({ ...kept, votes: { ...noVotes, ...votes } }, "empty"),
      phase: { at: "waiting", wait },
      tally: { counted: set(...counted), notCounted, holders: [], claimants: [] },
    },
    ...{ seen: 3, reachable: 3, idTaken: null, registrationProblem: null, initFailure: null },
    ...{ loopbackAmongOthers: false, overdue: false, nextTryMs: 300 },
    discovery: discoveryOf({ told }),
  });
  const text = [summary, ...unblock].join("\n");
  expect(text).not.toMatch(/undefined|null|\[object| {2}/);
  return text;
}

const all = set("n1", "n2", "n3");
const command = (id: string) =>
  `\`rollcall genesis assume-lost ${id}-1 -disco-key prod/orders -confirm prod/orders\``;
const lost = (...missing: string[]): Wait => ({ on: "lost_voters", missing: set(...missing), of: all });
const refusedBy = (id: string): Wait => ({
  on: "votes",
  silent: [],
  refused: [{ id, why: "assumed_lost" }],
});
const told = (id: string, ...gone: string[]): Told => ({
  id,
  incarnation: `${id}-1`,
  lost: gone.map((one) => `${one}-1`),
});

describe("a founder that was said to be gone for good", () => {
  it("is waited for where nobody was told", () => {
    const text = waits(lost("n3"), { votes: accepted(all), counted: ["n1", "n2"] });
    expect(text).toContain("Start n3 again with its -data-dir.");
    expect(text).toContain(`run ${command("n3")} beside every other one of them.`);
  });

  it("beside one node only is not to be started again, and the others have yet to be told", () => {
    const text = waits(lost("n3"), { votes: { ...accepted(all), lost: ["n3-1"] }, counted: ["n1", "n2"] });
    expect(text).toContain("n3 (incarnation n3-1) was said to be gone for good beside n1 (this node)");
    expect(text).toContain(`Run ${command("n3")} beside n2.`);
    expect(text).not.toContain("Start n3 again");
    expect(text).not.toContain("does not vote");
    expect(text).not.toContain("beside every other one");
  });

  it("and that runs all the same has to begin anew first", () => {
    const given = { votes: { ...accepted(all), lost: ["n3-1"] }, counted: ["n1", "n2"], ruledOut: ["n3"] };
    expect(waits(lost("n3"), given)).toContain("n3 runs all the same");
  });

  it("is named by the others, with who was told and who was not", () => {
    const text = waits(refusedBy("n1"), {
      ...{ self: "n2", votes: accepted(all), told: [told("n1", "n3")] },
      counted: ["n1", "n2", "n3"],
    });
    expect(text).toContain("n3 (incarnation n3-1) was said to be gone for good beside n1;");
    expect(text).toContain("n3 runs all the same");
    expect(text).toContain(`Run ${command("n3")} beside n2 (this node).`);
    expect(text).not.toContain("Nothing to do");
  });

  it("is told itself that it has to begin anew", () => {
    const text = waits(refusedBy("n1"), {
      ...{ self: "n3", votes: accepted(all), told: [told("n1", "n3")] },
      counted: ["n1", "n2", "n3"],
    });
    expect(text).toMatch(/n3 \(this node\) was said to be gone.*beside n1;/);
    expect(text).toContain("stop it, move its -data-dir away");
    expect(text).toContain(`Run ${command("n3")} beside n2.`);
  });

  it("is named while voters are missing too, and not once all others were told", () => {
    const given = { votes: { ...accepted(all), lost: ["n3-1"] }, counted: ["n1", "n2"] };
    expect(waits({ on: "voters" }, given)).toContain(`Run ${command("n3")} beside n2.`);
    const turn = waits({ on: "turn" }, given);
    expect(turn).toContain(`Run ${command("n3")} beside n2.`);
    expect(turn).not.toContain("Nothing to do");
    const done = waits({ on: "voters" }, { ...given, told: [told("n2", "n3")] });
    expect(done).not.toContain("assume-lost");
    expect(waits(lost("n3"), { ...given, told: [told("n2", "n3")] })).toContain("Nothing to do");
  });

  it("by one that does not say which one it is, is named by that one", () => {
    const text = waits(refusedBy("n1"), { self: "n2", counted: ["n1", "n2", "n3"] });
    expect(text).toContain("`rollcall explain` beside n1");
    expect(text).not.toContain("Nothing to do");
  });

  it("is no matter where it is in no set that may be decided", () => {
    const given = { votes: { ...accepted(all), lost: ["x-1"] }, counted: ["n1", "n2"] };
    expect(waits({ on: "voters" }, given)).not.toContain("assume-lost");
  });
});

describe("founders that are decided, and of which too few are there", () => {
  const votes: Partial<Votes> = { members: { promised: null, accepted: null, decided: all } };
  const silent = (...ids: string[]): Wait => ({ on: "votes", silent: set(...ids), refused: [] });

  it("are named, with who is silent, and what helps where they are gone", () => {
    const text = waits(silent("n2", "n3"), { votes });
    expect(text).toContain("The founders are decided: n1, n2, n3.");
    expect(text).toContain("2 of them");
    expect(text).toContain("n2 does not answer, n3 does not answer");
    expect(text).toContain("Start n2, n3 again with their -data-dir.");
    expect(text).toMatch(/only another -disco-key helps.*-data-dir/);
    expect(text).not.toContain("Nothing to do");
  });

  it("come to an agreement by themselves while most of them are there", () => {
    expect(waits(silent("n3"), { votes })).toContain("Nothing to do while they come to an agreement");
  });

  it("whose owner is lost need another key, with new data directories", () => {
    expect(waits({ on: "owner", owner: ref("n2"), genesisId: "g-1" }, { votes })).toMatch(
      /another -disco-key.*-data-dir/,
    );
  });
});
