import { describe, expect, it } from "vitest";
import { startPlan } from "../../src/databases/rqlite-start.ts";
import { factsOf, listed, member, ready, sealed } from "./facts.ts";

const [n1, n2, n3, n4] = ["n1", "n2", "n3", "n4"].map((id) => member(id)) as [
  ReturnType<typeof member>,
  ReturnType<typeof member>,
  ReturnType<typeof member>,
  ReturnType<typeof member>,
];
const three = [n1, n2, n3];
const moved = (m: typeof n1) => ({ ...m, addr: m.addr.replace("10.0.0", "10.9.9") });
/** A command that says everything about the node itself, so that only the cluster's arguments are added. */
const command = ["rqlited", "-node-id=x", "-http-adv-addr=h:1", "-raft-adv-addr=h:2", "/data"];
const symmetric = { record: sealed("symmetric", three), command };
const single = { record: sealed("single", three), command };
const FOR_EVER = ["-join-attempts=1000000000", "-join-interval=500ms"];
const args = (told: Parameters<typeof factsOf>[0]) => ready(startPlan(factsOf(told))).args;

describe("the first start", () => {
  it("gives the founders of a symmetric cluster the identical list, and no time limit", () => {
    const list = [
      "-bootstrap-expect=3",
      "-join=10.0.0.1:4002,10.0.0.2:4002,10.0.0.3:4002",
      "-bootstrap-expect-timeout=87600h",
    ];
    for (const self of three) expect(args({ ...symmetric, self })).toEqual(list);
  });

  it("names founders at their present addresses, and nobody else", () => {
    const members = [n1, moved(n2), n3, n4];
    expect(args({ ...symmetric, self: n1, members })).toContain(
      "-join=10.0.0.1:4002,10.9.9.2:4002,10.0.0.3:4002",
    );
  });

  it("gives nothing to a symmetric cluster of one, nor to the founder of a single one", () => {
    expect(args({ record: sealed("symmetric", [n1]), command, self: n1 })).toEqual([]);
    expect(args({ ...single, self: n1 })).toEqual([]);
  });

  it("lets everybody else join", () => {
    expect(args({ ...single, self: n2 })).toEqual(["-join=10.0.0.1:4002,10.0.0.3:4002", ...FOR_EVER]);
    expect(args({ ...symmetric, self: n4, members: [...three, n4] })).toEqual([
      "-join=10.0.0.1:4002,10.0.0.2:4002,10.0.0.3:4002",
      ...FOR_EVER,
    ]);
  });

  it("lets a node join an adopted cluster, most of whose nodes have no agent, through those its database listed", () => {
    const native = (id: string, addr: string) => ({ id, addr, api_addr: "", voter: true });
    const nodes = [
      native("x1", "10.1.0.1:4002"),
      native("n4", "10.1.0.9:4002"),
      native("x2", "10.1.0.2:4002"),
    ];
    const leader = { id: "x1", addr: "10.1.0.1:4002", api_addr: "" };
    const record = { ...sealed("single", []), incarnation: "nobody", adopted: { by: "n4", leader, nodes } };
    expect(args({ record, command, self: n4, members: [n4] })).toEqual([
      "-join=10.1.0.1:4002,10.1.0.2:4002",
      ...FOR_EVER,
    ]);
  });

  it("lets a founder that came back with an empty disk join", () => {
    const self = { ...n1, incarnation: "another" };
    expect(args({ ...single, self, members: [self, n2, n3] })).toEqual([
      "-join=10.0.0.2:4002,10.0.0.3:4002",
      ...FOR_EVER,
    ]);
  });

  it("puts the leader first, also one that only a native node wrote down, but no stale address of ours", () => {
    const leader = { id: "n3", api_addr: "", addr: n3.addr, genesis_id: "g1" };
    expect(args({ ...single, self: n2, leader })).toContain("-join=10.0.0.3:4002,10.0.0.1:4002");
    const native = { id: "x", api_addr: "", addr: "10.7.7.7:4002" };
    expect(args({ ...single, self: n2, leader: native })).toContain(
      "-join=10.7.7.7:4002,10.0.0.1:4002,10.0.0.3:4002",
    );
    const stale = { ...leader, addr: "10.8.8.8:4002" };
    expect(args({ ...single, self: n2, leader: stale })).toContain("-join=10.0.0.1:4002,10.0.0.3:4002");
  });

  it("never starts a node without arguments that is to join, and waits for an address instead", () => {
    const plan = startPlan(factsOf({ ...single, self: n2, members: [n2, { ...n1, addr: "" }] }));
    expect(plan).toEqual({ wait: "no peer address of another member is known yet" });
  });

  it("waits when a founder has no peer address", () => {
    const record = sealed("symmetric", [n1, { ...n2, addr: "" }, n3]);
    expect(startPlan(factsOf({ record, command, self: n1 }))).toEqual({
      wait: "a founding member has no peer address (-db-peer-addr)",
    });
  });
});

describe("what the command does not say of the node", () => {
  it("is added: its id, and addresses that rqlited would not take itself", () => {
    const record = sealed("symmetric", [n1]);
    expect(args({ record, self: n1, command: ["rqlited", "/data"] })).toEqual([
      "-node-id=n1",
      "-http-adv-addr=10.0.0.1:4001",
      "-raft-adv-addr=10.0.0.1:4002",
    ]);
    const listens = ["rqlited", "-http-addr=10.0.0.1:4001", "-raft-addr", "10.0.0.1:4002", "/data"];
    expect(args({ record, self: n1, command: listens })).toEqual(["-node-id=n1"]);
    const self = { ...n1, api_addr: "https://out:4001", addr: "" };
    expect(args({ record, self, command: ["rqlited", "/data"] })).toEqual([
      "-node-id=n1",
      "-http-adv-addr=out:4001",
    ]);
  });

  it("is that it has no vote", () => {
    const told = { ...single, self: n4, members: [n1, n4], voter: false };
    expect(args(told)).toEqual(["-raft-non-voter", "-join=10.0.0.1:4002", ...FOR_EVER]);
    const said = [...command.slice(0, -1), "-raft-non-voter", "/data"];
    expect(args({ ...told, command: said })).not.toContain("-raft-non-voter");
  });

  it("has no white space", () => {
    for (const self of three) for (const arg of args({ ...symmetric, self })) expect(arg).not.toMatch(/\s/);
  });
});

describe("a later start", () => {
  const formed = three.map((m) => listed(m));

  it("joins the others where they are now", () => {
    expect(args({ ...symmetric, self: n1, formed, members: [n1, moved(n2), n3] })).toEqual([
      "-join=10.9.9.2:4002,10.0.0.3:4002",
      ...FOR_EVER,
    ]);
  });

  it("also knows members that only the database listed, and such as came later", () => {
    const native = { id: "x", addr: "10.7.7.7:4002", api_addr: "", voter: true, reachable: null };
    expect(args({ ...symmetric, self: n1, formed: [...formed, native], members: [...three, n4] })).toContain(
      "-join=10.0.0.2:4002,10.0.0.3:4002,10.7.7.7:4002,10.0.0.4:4002",
    );
  });

  it("gives nothing to a node that was alone, whoever else is there", () => {
    expect(args({ ...single, self: n1, formed: [listed(n1)], members: three })).toEqual([]);
  });

  it("joins when this node alone has moved and somebody leads", () => {
    const self = moved(n1);
    const told = { ...symmetric, self, formed, members: [self, n2, n3] };
    expect(ready(startPlan(factsOf({ ...told, led: true })))).toEqual({
      args: ["-join=10.0.0.2:4002,10.0.0.3:4002", ...FOR_EVER],
      files: [],
    });
    expect(ready(startPlan(factsOf(told))).files).toEqual([]);
  });

  it("writes the whole list anew when fewer than a quorum can be found and nobody leads", () => {
    const members = [moved(n1), moved(n2), n3];
    const nonVoter = { ...listed(n4), voter: false };
    const plan = ready(
      startPlan(factsOf({ ...symmetric, self: moved(n1), formed: [...formed, nonVoter], members })),
    );
    expect(plan.files).toEqual([
      {
        path: "/data/raft/peers.json",
        text: `${JSON.stringify([
          { id: "n1", address: "10.9.9.1:4002", non_voter: false },
          { id: "n2", address: "10.9.9.2:4002", non_voter: false },
          { id: "n3", address: "10.0.0.3:4002", non_voter: false },
          { id: "n4", address: "10.0.0.4:4002", non_voter: true },
        ])}\n`,
      },
    ]);
    expect(plan.args).toEqual(["-join=10.9.9.2:4002,10.0.0.3:4002,10.0.0.4:4002", ...FOR_EVER]);
    const others = three.map((m) => ({ ...m, ...members.find(({ id }) => id === m.id) }));
    for (const self of others) {
      const theirs = ready(
        startPlan(factsOf({ ...symmetric, self, formed: [...formed, nonVoter], members })),
      );
      expect(theirs.files).toEqual(plan.files);
    }
  });

  it("waits until a quorum is there to be sure of the addresses", () => {
    const told = { ...symmetric, self: moved(n1), formed, members: [moved(n1), n2, n3] };
    expect(startPlan(factsOf({ ...told, present: ["n1"] }))).toEqual({
      wait: "addresses have changed and no leader is known: 1 of 3 voters are here, 2 are needed (missing: n2, n3)",
    });
    // One that is there at its old address, and one that may be anywhere, are no quorum that finds itself.
    expect(ready(startPlan(factsOf({ ...told, present: ["n1", "n2"] }))).files).toHaveLength(1);
    expect(ready(startPlan(factsOf({ ...told, present: ["n1", "n2", "n3"] }))).files).toEqual([]);
    // Nobody moved, as far as is known: nothing to wait for.
    expect(args({ ...symmetric, self: n1, formed, present: ["n1"] })).toHaveLength(3);
  });

  it("never writes the list while somebody leads, or where the agent does not start rqlited", () => {
    const members = three.map(moved);
    const told = { ...symmetric, self: moved(n1), formed, members };
    expect(ready(startPlan(factsOf({ ...told, led: true }))).files).toEqual([]);
    expect(ready(startPlan(factsOf({ ...told, command: [] }))).files).toEqual([]);
    expect(ready(startPlan(factsOf({ ...told, dataDir: null }))).files).toEqual([]);
  });

  it("does not count non-voters", () => {
    const readers = [listed(n1), listed(n2, false), listed(n3, false)];
    const self = moved(n1);
    const plan = ready(startPlan(factsOf({ ...single, self, formed: readers, members: [self, n2, n3] })));
    expect(plan.files).toHaveLength(1);
  });

  it("gives a lone node that moved the list of itself, and nobody to join", () => {
    const self = moved(n1);
    const plan = ready(startPlan(factsOf({ ...single, self, formed: [listed(n1)], members: [self, n2] })));
    expect(plan.args).toEqual([]);
    expect(plan.files[0]?.text).toBe('[{"id":"n1","address":"10.9.9.1:4002","non_voter":false}]\n');
  });
});
