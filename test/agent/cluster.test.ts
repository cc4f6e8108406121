import { describe, expect, it } from "vitest";
import { openCluster } from "../../src/agent/cluster.ts";
import { openOutcome } from "../../src/agent/outcome.ts";
import type { Peers } from "../../src/agent/peers.ts";
import type { Settled } from "../../src/core/genesis-state.ts";
import type { Member, Sealed } from "../../src/core/model.ts";
import { memberOf, refTo, sealedBy } from "./support/records.ts";

/** A node `a` that has settled on a record, and the directory as the test has it. */
function make(record: Sealed | null, id = "a") {
  const directory: Member[] = [];
  const kept = {
    incarnation: `${id}-1`,
    claim: null,
    stamp: null,
    marker: record,
    opened: true,
    votes: null,
  };
  const settled: Settled | null = record === null ? null : { kind: "join", record };
  const outcome = openOutcome();
  const cluster = openCluster({
    settled: () => ({ kept, settled }),
    peers: { members: () => directory, left: () => [] } as unknown as Peers,
    outcome,
    self: () => refTo(id, { addr: `${id}.now:4002` }),
  });
  const showing = (value: Sealed | null) => ({
    kind: "complete" as const,
    addresses: [],
    genesis: value === null ? null : { value: JSON.stringify(value), revision: "1" },
  });
  return { cluster, outcome, directory, settled, showing };
}

const record = sealedBy("a", "g1", ["a", "b"]);
const native = (id: string) => ({ id, addr: "", api_addr: "", voter: true });
const adopted = { by: "b", leader: { id: "x", addr: "", api_addr: "" }, nodes: [native("x"), native("a")] };

describe("what a node knows of its cluster", () => {
  it("is nothing before it has settled", () => {
    const { cluster } = make(null);
    expect([
      cluster.record(),
      cluster.genesis(),
      cluster.first(),
      cluster.members(),
      cluster.listed(),
    ]).toEqual([null, null, null, [], null]);
  });

  it("is its genesis only while the store shows the same one", () => {
    const { cluster, settled, showing } = make(record);
    if (settled !== null) cluster.settled(settled);
    expect(cluster.genesis()).toBe("g1");
    cluster.saw(showing(sealedBy("b", "g2")));
    expect(cluster.genesis()).toBeNull();
    cluster.saw(showing(null));
    expect(cluster.genesis()).toBeNull();
    cluster.saw(showing(record));
    expect(cluster.genesis()).toBe("g1");
    expect(cluster.record()?.genesis_id).toBe("g1");
  });

  it("is who belongs to it, this node where it is now, once the directory was seen", () => {
    const { cluster, directory, showing } = make(record);
    expect(cluster.listed()).toBeNull();
    directory.push(memberOf("c", { genesis_id: "g1" }), memberOf("d", { genesis_id: "g2" }));
    cluster.saw(showing(record));
    expect(cluster.listed()?.map((m) => [m.id, m.addr])).toEqual([
      ["a", "a.now:4002"],
      ["b", "b.test:4002"],
      ["c", "c.test:4002"],
    ]);
  });

  it("is who leads, which the outcome carries", () => {
    const { cluster, outcome, settled } = make(record);
    if (settled !== null) cluster.settled(settled);
    expect(outcome.current()?.leader).toBeNull();
    cluster.leads({ id: "b", api_addr: "http://b:4001", addr: "b:4002" });
    expect(outcome.current()).toMatchObject({ leader: { id: "b" }, revision: 2 });
  });

  it.each<[string, Sealed, string, "bootstrap" | "join" | null]>([
    ["created it", record, "a", "bootstrap"],
    ["joined it", record, "b", "join"],
    ["joined a native cluster", { ...record, incarnation: "nobody", adopted }, "c", "join"],
    [
      "was in a native cluster before it was adopted",
      { ...record, incarnation: "nobody", adopted },
      "a",
      null,
    ],
  ])("tells that this node %s", (_name, sealed, id, first) => {
    expect(make(sealed, id).cluster.first()).toBe(first);
  });
});
