import { describe, expect, it } from "vitest";
import { line, readShards, readState } from "../../src/coordinator/agent-answer.ts";
import { stateOf } from "./strange-server.ts";

const read = (more: Record<string, unknown>) => readState(JSON.stringify(stateOf(more)));
const agent = stateOf().agent as object;
const node = stateOf().node as object;

describe("an agent's state", () => {
  it.each([
    [{ v: undefined }, "its state has no version"],
    [{ v: "1" }, "its state has no version"],
    [{ v: 0 }, "its state has no version"],
    [{ v: 3 }, "its state has v 3; this rollcall reads v 1"],
    [{ boot_id: "" }, "its state has no usable boot_id"],
    [{ boot_id: "a\u001bb" }, "its state has no usable boot_id"],
    [{ seq: -1 }, "its state has no usable seq"],
    [{ seq: 1.5 }, "its state has no usable seq"],
    [{ seq: 2 ** 60 }, "its state has no usable seq"],
    [{ agent: null }, "its state has no usable agent.key"],
    [{ agent: { ...agent, key: 7 } }, "its state has no usable agent.key"],
    [{ node: [] }, "its state has no usable node.node_id"],
    [{ node: { ...node, node_id: "x".repeat(513) } }, "its state has no usable node.node_id"],
    [{ node: { ...node, incarnation: "a\u202eb" } }, "its state has no usable node.incarnation"],
  ])("must name itself: %j", (more, problem) => {
    expect(() => read(more)).toThrow(expect.objectContaining({ code: "not_an_agent", message: problem }));
  });

  it("may hold what is not known, and lack what it need not have", () => {
    const bare = {
      node_id: "n1",
      incarnation: "i1",
      status: "dreaming",
      role: 7,
      members: "all",
      leader: {},
    };
    expect(
      read({ agent: { key: "c1" }, node: bare, outcome: null, peers: null, transitions: {}, more: 1 }),
    ).toEqual({
      kind: "state",
      boot_id: "boot-1",
      seq: 7,
      key: "c1",
      node_id: "n1",
      incarnation: "i1",
      version: "",
      voter: false,
      api_addr: "",
      addr: "",
      genesis_id: null,
      report: {
        kind: "",
        version: null,
        status: "unknown",
        problem: null,
        role: "unknown",
        term: null,
        leader: null,
        members: null,
      },
      peers: [],
      transitions: [],
    });
  });

  it("has the genesis of its outcome, or else that of its own row", () => {
    const peers = [
      { id: "n2", genesis_id: "other" },
      { id: "n1", self: true, genesis_id: "g9" },
    ];
    expect(read({ peers }).genesis_id).toBe("g1");
    expect(read({ peers, outcome: null }).genesis_id).toBe("g9");
    expect(read({ peers: [], outcome: null }).genesis_id).toBeNull();
  });

  it("has lists of a bounded length, without what is no entry", () => {
    const peers = [
      null,
      7,
      {},
      { id: "a\nb" },
      ...Array.from({ length: 2_000 }, (_, i) => ({ id: `n${i}` })),
    ];
    expect(read({ peers }).peers).toHaveLength(1_020);
    const transitions = [
      null,
      { seq: "1", kind: "role" },
      { seq: 1 },
      { seq: 2, kind: "role", before: { a: ["\u0007x"] } },
    ];
    expect(read({ transitions }).transitions).toEqual([
      { seq: 2, kind: "role", before: { a: [" x"] }, after: null },
    ]);
  });

  it("takes no prototype from its author", () => {
    const text = JSON.stringify(stateOf()).replace(
      '"before":"replica"',
      '"before":{"__proto__":{"polluted":1}}',
    );
    readState(text);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe("an agent's shards", () => {
  it("are those with a name; a role that is not known is another", () => {
    const lag = { unit: "ms", value: 3 };
    const shards = [
      { id: "a", role: "primary", lag, commit_offset: { unit: "index", value: "7" } },
      { id: "b", role: "witness" },
      { role: "primary" },
    ];
    expect(readShards(JSON.stringify({ shards }))).toEqual([
      { id: "a", role: "primary", lag, commit_offset: null },
      { id: "b", role: "other", lag: null, commit_offset: null },
    ]);
    expect(() => readShards("{}")).toThrow("its shards are no list");
    expect(() => readShards("7")).toThrow("its answer is no object");
  });
});

describe("a line", () => {
  it("is short, and has nothing that a terminal obeys", () => {
    expect(line("a\u001b[31mb\r\nc\u0085d\u2028e")).toBe("a [31mb  c d e");
    expect(line("x".repeat(20), 4)).toBe("xxxx…");
    expect(line("xxx😀", 4)).toBe("xxx\ufffd…");
    expect(line(7)).toBeNull();
  });
});
