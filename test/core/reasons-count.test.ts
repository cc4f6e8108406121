/** What `explain` says where voters without a store wait for each other: who comes first, and who is not counted, and why. */
import { describe, expect, it } from "vitest";
import { explain } from "../../src/core/explain.ts";
import { initial, type Wait } from "../../src/core/genesis-state.ts";
import type { NotCounted } from "../../src/core/quorum.ts";
import { type Discovery, databaseAddresses } from "../../src/core/reasons-voters.ts";
import { noVotes } from "../../src/core/votes.ts";
import { discoveryOf } from "./discovery.ts";

const ref = (id: string) => ({ id, incarnation: `${id}-1`, agent_addr: "", api_addr: "", addr: "" });

/** n3, which counts itself and these. */
function waits(
  wait: Wait,
  counted: readonly string[],
  promised: string | null,
  more: NotCounted[] = [],
  found: Partial<Discovery> = {},
) {
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
    ...{ loopbackAmongOthers: false, overdue: false, nextTryMs: 300, discovery: discoveryOf(found) },
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

describe("a voter that finds too few others", () => {
  const hints = (found: Partial<Discovery>, more: NotCounted[] = []) =>
    waits({ on: "voters" }, ["n3"], null, more, found).unblock.join("\n");
  const dns = { mode: "dns", foundSelf: false };
  const databases = [
    { address: "10.0.0.3:4001", flag: "-db-adv-addr" },
    { address: "10.0.0.3:4002", flag: "-db-peer-addr" },
  ];

  it("names its own database where that was found in the place of agents", () => {
    const found = ["10.0.0.2:4001", "10.0.0.3:4001"];
    const problem = (address: string) => ({ address, problem: `connect ECONNREFUSED ${address}` });
    const text = hints({ ...dns, found, databases, silent: found.map(problem) });
    expect(text).toContain(
      "10.0.0.3:4001 is this node's own database (-db-adv-addr), not an agent: set agent_port in -disco-config to the agents' port (4100 by default).",
    );
    expect(text).not.toContain("publishNotReadyAddresses");
    expect(text).not.toContain("No agent answers: connect ECONNREFUSED 10.0.0.3:4001");
    expect(text).toContain(
      "No agent answers: connect ECONNREFUSED 10.0.0.2:4001. Port 4001 is that of this node's database (-db-adv-addr): give the agents' addresses (port 4100 by default).",
    );
    const listed = hints({ mode: "static", found, databases });
    expect(listed).toContain("not an agent: give the agents' addresses (port 4100 by default).");
    expect(hints({ ...dns, found: ["10.0.0.2:4100"], databases })).toContain("publishNotReadyAddresses");
  });

  it("knows its own database by every address that its flags give", () => {
    const flags = [
      ["-db-addr", "http://127.0.0.1:4001"],
      ["-db-adv-addr", "10.0.0.3:4001"],
      ["-db-peer-addr", null],
    ] as const;
    expect(databaseAddresses(flags, "10.0.0.3:4100")).toEqual([
      { address: "127.0.0.1:4001", flag: "-db-addr" },
      { address: "10.0.0.3:4001", flag: "-db-addr" },
    ]);
    expect(databaseAddresses([["-db-addr", "none"]], "10.0.0.3:4100")).toEqual([]);
  });

  it("tells an agent that refuses from one that is not there", () => {
    const refused = (problem: string) => hints({ silent: [{ address: "10.0.0.2:4100", problem }] });
    const secret = refused("10.0.0.2:4100 refuses: the call is signed with another cluster secret");
    expect(secret).toContain(
      "10.0.0.2:4100 refuses: the call is signed with another cluster secret. Give every agent the same -cluster-secret-file.",
    );
    expect(refused("10.0.0.2:4100 answers without our cluster secret")).toContain("-cluster-secret-file");
    const later = refused("10.0.0.2:4100 is a later rollcall: its hello v is of a later version");
    expect(later).toContain("Start the same version everywhere.");
    for (const text of [secret, later]) expect(text).not.toContain("No agent answers");
  });

  it("names who calls it with another key, and the key that it has itself", () => {
    const callers = [{ id: "n1", key: "prod/other", address: "10.0.0.1:4100" }];
    expect(hints({ callers })).toContain(
      "n1 at 10.0.0.1:4100 calls this agent with another -disco-key, prod/other: give both the same (this one has prod/orders).",
    );
    const notCounted = [
      { id: "n1", incarnation: "n1-1", why: "other_key" as const, detail: "prod/other" },
      { id: "n2", incarnation: "n2-1", why: "other_key" as const, detail: "prod/other" },
    ];
    const both = hints({ callers }, notCounted);
    expect(both).toContain("Not counted: n1 belongs to another cluster, prod/other.");
    expect(
      both.match(/Give every agent of one cluster the same -disco-key: this one has prod\/orders\./g),
    ).toHaveLength(1);
    // Once is enough.
    expect(both).not.toContain("calls this agent");
  });

  it("says where the others are that have its node id", () => {
    const twin = (incarnation: string, detail: string): NotCounted => ({
      ...{ id: "n3", incarnation, why: "duplicate_node_id", detail },
    });
    const twins = [twin("n3-1", "10.0.0.3:4100"), twin("n3-2", "10.0.0.9:4100")];
    const { code, summary, not_counted } = waits({ on: "voters" }, [], null, twins);
    expect(code).toBe("duplicate_node_id");
    expect(summary).toBe("Another live agent at 10.0.0.9:4100 uses the node id n3; neither is counted.");
    expect(new Set(not_counted.map(({ text }) => text)).size).toBe(2);
  });
});
