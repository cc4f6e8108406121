/** What becomes of an inventory's answer: by cases, and by what must hold of any answers in any order. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Facts, NO_CONDITIONS, type NodeFacts } from "../../src/core/cluster.ts";
import { byText } from "../../src/core/equal.ts";
import {
  type ClusterRecord,
  type InventoryNode,
  type Listing,
  normalised,
} from "../../src/core/inventory.ts";
import { type Known, type Listed, type Taken, taken, withdrawn } from "../../src/core/listing.ts";

const node = (name: string, more: Partial<InventoryNode> = {}): InventoryNode => ({
  agent_addr: `${name}:4100`,
  secure: false,
  node_id: null,
  incarnation: null,
  ...more,
});
/** A leased node: `n1/i1` at its own address, or at another one. */
const leased = (id: string, incarnation = `${id}-1`, at = id) => node(at, { node_id: id, incarnation });
const record = (id: string, ...nodes: readonly (string | InventoryNode)[]): ClusterRecord => ({
  cluster_id: id,
  display_name: null,
  nodes: nodes.map((one) => (typeof one === "string" ? node(one) : one)),
});
const listing = (clusters: readonly ClusterRecord[], more: Partial<Listing> = {}): Listing => ({
  kind: "complete",
  clusters,
  lacking: [],
  leased: false,
  retired: [],
  foreign: [],
  problems: [],
  ...more,
});

/** Facts of a cluster that `discovery` owns. */
function factsOf(discovery: string, of: ClusterRecord, conditions: Partial<Facts["conditions"]> = {}): Facts {
  return {
    cluster_id: of.cluster_id,
    display_name: of.display_name,
    discovery,
    inventory: of.nodes,
    genesis_id: null,
    nodes: [],
    conditions: { ...NO_CONDITIONS, ...conditions },
  };
}

function known(
  records: Readonly<Record<string, readonly ClusterRecord[]>>,
  facts: readonly Facts[] = [],
): Known {
  const all = Object.entries(records).flatMap(([discovery, list]) =>
    list.map((one): Listed => ({ discovery, record: one })),
  );
  return { records: all, facts: new Map(facts.map((one) => [one.cluster_id, one])) };
}

const take = (before: Known, of: Listing, { discovery = "a", accept = false } = {}) =>
  taken({ ...before, discovery, listing: of, accept });

const addresses = (nodes: readonly InventoryNode[] = []) =>
  nodes.map((one) => one.agent_addr.replace(":4100", ""));
const keptIn = (result: Taken, id = "c") =>
  addresses(result.records.find((one) => one.cluster_id === id)?.nodes);

const THREE = record("c", "n1", "n2", "n3");
const owned = known({ a: [THREE] }, [factsOf("a", THREE)]);

describe("a complete answer", () => {
  it("is kept", () => {
    const result = take(known({}), listing([record("d", "m1"), record("c", "n2", "n1")]));
    expect(result).toEqual({
      records: [record("c", "n1", "n2"), record("d", "m1")],
      clusters: new Map(),
    });
  });

  it("that says the same in another order changes nothing", () => {
    const result = take(owned, listing([record("c", "n3", "n1", "n2", "n1")]));
    expect(result.clusters.size).toBe(0);
    expect(result.records).toEqual([THREE]);
  });

  it.each([
    ["more nodes", ["n1", "n2", "n3", "n4"]],
    ["a node fewer", ["n1", "n2"]],
    ["other nodes altogether", ["m1", "m2", "m3"]],
  ])("with %s is the new inventory", (_what, names) => {
    const result = take(owned, listing([record("c", ...names)]));
    expect(result.clusters.get("c")).toEqual(factsOf("a", record("c", ...names)));
    expect(keptIn(result)).toEqual(names);
  });

  it("changes the name that is shown", () => {
    const named = { ...THREE, display_name: "Orders" };
    expect(take(owned, listing([named])).clusters.get("c")?.display_name).toBe("Orders");
  });

  it.each([
    ["one of three", 3, 1, true],
    ["two of three", 3, 2, false],
    ["half", 4, 2, false],
    ["fewer than half", 5, 2, true],
    ["none of one", 1, 0, true],
    ["one of two", 2, 1, false],
    ["nothing where nothing was", 0, 0, false],
  ])("with %s is suspect or not", (_what, before, now, suspect) => {
    const names = (many: number) => Array.from({ length: many }, (_, at) => `n${at}`);
    const old = record("c", ...names(before));
    const result = take(known({ a: [old] }, [factsOf("a", old)]), listing([record("c", ...names(now))]));
    expect(keptIn(result)).toEqual(names(suspect ? before : now));
    const condition = suspect ? { discovery: "a", listed: before, found: now } : undefined;
    expect(result.clusters.get("c")?.conditions.suspect ?? undefined).toEqual(condition);
    if (suspect) expect(result.clusters.get("c")?.inventory).toEqual(old.nodes);
  });

  it("that does not list a cluster leaves it suspect, even one without nodes", () => {
    expect(take(owned, listing([])).clusters.get("c")).toEqual(
      factsOf("a", THREE, { suspect: { discovery: "a", listed: 3, found: 0 } }),
    );
    const empty = record("c");
    const result = take(known({ a: [empty] }, [factsOf("a", empty)]), listing([]));
    expect(result.clusters.get("c")?.conditions.suspect).toEqual({ discovery: "a", listed: 0, found: 0 });
    expect(result.records).toEqual([empty]);
  });

  it("leaves other discoveries' clusters alone", () => {
    const other = record("x", "m1");
    const before = known({ a: [THREE], b: [other] }, [factsOf("a", THREE), factsOf("b", other)]);
    expect([...take(before, listing([])).clusters.keys()]).toEqual(["c"]);
  });
});

describe("a suspect cluster", () => {
  const suspect = { discovery: "a", listed: 3, found: 0 };
  const before = known({ a: [THREE] }, [factsOf("a", THREE, { suspect })]);

  it("stays so while the answer does, without a change", () => {
    expect(take(before, listing([])).clusters.size).toBe(0);
  });

  it("heals with a later answer", () => {
    expect(take(before, listing([record("c", "n1", "n2")])).clusters.get("c")).toEqual(
      factsOf("a", record("c", "n1", "n2")),
    );
  });

  it("goes when an operator accepts it", () => {
    const result = take(before, listing([]), { accept: true });
    expect(result).toEqual({ records: [], clusters: new Map([["c", null]]) });
  });

  it("shrinks when an operator accepts that", () => {
    const result = take(before, listing([record("c", "n1")]), { accept: true });
    expect(result.clusters.get("c")).toEqual(factsOf("a", record("c", "n1")));
  });

  it("goes to another discovery that lists it when an operator accepts that the owner does not", () => {
    const others = record("c", "m1");
    const two = known({ a: [THREE], z: [others], b: [others] }, [
      factsOf("a", THREE, { suspect, conflict: ["b", "z"] }),
    ]);
    const result = take(two, listing([]), { accept: true });
    expect(result.records).toEqual([]);
    expect(result.clusters.get("c")).toEqual(factsOf("b", others, { conflict: ["z"] }));
  });

  it("is judged by its facts where its record was lost", () => {
    const result = take(known({}, [factsOf("a", THREE)]), listing([]));
    expect(result.records).toEqual([THREE]);
    expect(result.clusters.get("c")?.conditions.suspect).toEqual({ discovery: "a", listed: 3, found: 0 });
  });
});

describe("a partial answer", () => {
  /** Of `c` something could not be read, and some entry names no cluster. */
  const partial = (clusters: readonly ClusterRecord[]) =>
    listing(clusters, { kind: "partial", lacking: ["c"] });

  it("drops nothing and is not suspect", () => {
    const result = take(owned, partial([record("c", "n1")]));
    expect(result.clusters.size).toBe(0);
    expect(result.records).toEqual([THREE]);
    expect(take(owned, partial([])).records).toEqual([THREE]);
  });

  it("is whole for a cluster of which all could be read, and takes no other one for gone", () => {
    const other = record("d", "m1");
    const before = known({ a: [THREE, other] }, [factsOf("a", THREE), factsOf("a", other)]);
    const unnamed = listing([record("c", "n1", "n2")], { kind: "partial" });
    expect(take(before, unnamed).records).toEqual([record("c", "n1", "n2"), other]);
    expect([...take(before, unnamed).clusters.keys()]).toEqual(["c"]);
    const lacks = listing([record("c", "n1")], { lacking: ["c"] });
    expect(take(before, lacks).records).toEqual([THREE, other]);
    expect(take(before, lacks).clusters.get("d")?.conditions.suspect?.found).toBe(0);
  });

  it("adds what it has", () => {
    const result = take(owned, partial([record("c", "n4")]));
    expect(addresses(result.clusters.get("c")?.inventory)).toEqual(["n1", "n2", "n3", "n4"]);
  });

  it("is the truth when an operator accepts it", () => {
    const suspect = { discovery: "a", listed: 3, found: 0 };
    const before = known({ a: [THREE] }, [factsOf("a", THREE, { suspect })]);
    expect(take(before, partial([record("c", "n1")]), { accept: true }).records).toEqual([record("c", "n1")]);
    expect(take(before, partial([]), { accept: true }).records).toEqual([]);
  });

  it("heals only with half of what was known", () => {
    const suspect = { discovery: "a", listed: 3, found: 0 };
    const before = known({ a: [THREE] }, [factsOf("a", THREE, { suspect })]);
    expect(take(before, partial([record("c", "n1")])).clusters.size).toBe(0);
    expect(take(before, partial([record("c", "n1", "n2")])).clusters.get("c")).toEqual(factsOf("a", THREE));
  });
});

describe("a leased answer", () => {
  const of = (nodes: readonly InventoryNode[], retired: readonly string[] = []) =>
    listing([record("c", ...nodes)], { leased: true, retired });
  const nodes = [leased("n1"), leased("n2"), leased("n3")];
  const old = record("c", ...nodes);
  const before = known({ a: [old] }, [factsOf("a", old)]);

  it("keeps the nodes whose agents are away, all of them even", () => {
    expect(take(before, of([leased("n1")]))).toMatchObject({ records: [old], clusters: new Map() });
    expect(take(before, of([]))).toMatchObject({ records: [old], clusters: new Map() });
  });

  it("is the truth when an operator accepts it", () => {
    const result = take(before, of([leased("n1")]), { accept: true });
    expect(result.records).toEqual([record("c", leased("n1"))]);
    expect(addresses(result.clusters.get("c")?.inventory)).toEqual(["n1"]);
  });

  it("lets those go that are retired", () => {
    expect(keptIn(take(before, of([leased("n1")], ["n3-1", "other"])))).toEqual(["n1", "n2"]);
  });

  it("lets an entry go whose node is back, elsewhere or with a new disk", () => {
    const moved = take(before, of([leased("n1"), leased("n2"), leased("n3", "n3-1", "m9")]));
    expect(keptIn(moved)).toEqual(["m9", "n1", "n2"]);
    const replaced = take(before, of([leased("n3", "n3-2")]));
    expect(replaced.clusters.get("c")?.inventory.map((one) => one.incarnation)).toEqual([
      "n1-1",
      "n2-1",
      "n3-2",
    ]);
  });

  it("lets an entry go at whose address another node is now", () => {
    const result = take(before, of([leased("n0", "n0-1", "n3")]));
    expect(result.clusters.get("c")?.inventory.map((one) => one.node_id)).toEqual(["n1", "n2", "n0"]);
  });

  it("is suspect where the whole cluster is gone", () => {
    const result = take(before, listing([], { leased: true }));
    expect(result.clusters.get("c")?.conditions.suspect).toEqual({ discovery: "a", listed: 3, found: 0 });
  });
});

describe("the nodes of a cluster", () => {
  const unknown = (name: string): NodeFacts => ({
    ...{ agent_addr: `${name}:4100`, agent: { status: "down", code: "unreachable" }, info: null },
    ...{ identity: null, report: null, shards: [] },
  });
  const known1 = (name: string, incarnation = `${name}-1`): NodeFacts => ({
    ...unknown(name),
    identity: { node_id: name, incarnation },
  });
  const with3 = (third: NodeFacts, of = THREE): Known =>
    known({ a: [of] }, [{ ...factsOf("a", of), nodes: [known1("n1"), known1("n2"), third] }]);
  const left = (result: Taken) => result.clusters.get("c")?.nodes.map((one) => one.agent_addr);

  it("that never answered go with their address; those that did stay until they are retired", () => {
    const two = listing([record("c", "n1", "n2")]);
    expect(left(take(with3(unknown("n3")), two))).toEqual(["n1:4100", "n2:4100"]);
    expect(left(take(with3(known1("n3")), two))).toEqual(["n1:4100", "n2:4100", "n3:4100"]);
  });

  it("stay where the answer takes nothing away", () => {
    for (const answer of [
      listing([record("c", "n1")]),
      listing([record("c", "n1", "n2")], { lacking: ["c"] }),
      listing([], { kind: "partial" }),
    ])
      expect(left(take(with3(unknown("n3")), answer)) ?? "as they were").not.toEqual(["n1:4100", "n2:4100"]);
    const other = take(with3(unknown("n3")), listing([record("c", "n1")]), { discovery: "b" });
    expect(other.clusters.get("c")?.nodes).toHaveLength(3);
  });

  it("go when they left in order, and their incarnation has its tombstone", () => {
    const nodes = [leased("n1"), leased("n2"), leased("n3")];
    const of = record("c", ...nodes);
    const gone = listing([record("c", leased("n1"), leased("n2"))], { leased: true, retired: ["n3-1"] });
    const result = take(with3(known1("n3"), of), gone);
    expect(left(result)).toEqual(["n1:4100", "n2:4100"]);
    expect(addresses(result.clusters.get("c")?.inventory)).toEqual(["n1", "n2"]);
    // It is there again: its entry counts more than the tombstone.
    const back = listing([of], { leased: true, retired: ["n3-1"] });
    expect(take(with3(known1("n3"), of), back).clusters.size).toBe(0);
  });
});

describe("ownership", () => {
  it("is the first one's; another is a conflict, and its list is not polled", () => {
    const result = take(owned, listing([record("c", "m1")]), { discovery: "b" });
    expect(result.records).toEqual([record("c", "m1")]);
    expect(result.clusters.get("c")).toEqual(factsOf("a", THREE, { conflict: ["b"] }));
  });

  it("names all others, sorted", () => {
    const other = record("c", "m1");
    const before = known({ z: [THREE], b: [other] }, [factsOf("z", THREE, { conflict: ["b"] })]);
    const result = take(before, listing([other]), { discovery: "a" });
    expect(result.clusters.get("c")?.conditions.conflict).toEqual(["a", "b"]);
  });

  it("is no conflict any more when the other one lists it no more", () => {
    const before = known({ a: [THREE], b: [record("c", "m1", "m2", "m3")] }, [
      factsOf("a", THREE, { conflict: ["b"] }),
    ]);
    const result = take(before, listing([]), { discovery: "b" });
    expect(result.records).toEqual([]);
    expect(result.clusters.get("c")).toEqual(factsOf("a", THREE));
  });
});

describe("a discovery that is deleted", () => {
  it("takes its clusters with it", () => {
    expect(withdrawn("a", owned)).toEqual({ records: [], clusters: new Map([["c", null]]) });
  });

  it("hands over what others list, and ends their conflict", () => {
    const other = record("c", "m1");
    const before = known({ a: [THREE], b: [other] }, [
      factsOf("a", THREE, { conflict: ["b"], suspect: { discovery: "a", listed: 3, found: 1 } }),
    ]);
    expect(withdrawn("a", before).clusters.get("c")).toEqual(factsOf("b", other));
    expect(withdrawn("b", before).clusters.get("c")).toEqual(
      factsOf("a", THREE, { suspect: { discovery: "a", listed: 3, found: 1 } }),
    );
  });

  it("that never listed anything changes nothing", () => {
    expect(withdrawn("x", owned).clusters.size).toBe(0);
  });
});

const names = ["a", "b"] as const;
const ids = ["c", "d"] as const;

const someNode = fc
  .record({ at: fc.integer({ min: 0, max: 5 }), id: fc.option(fc.integer({ min: 0, max: 5 })) })
  .map(({ at, id }) => (id === null ? node(`n${at}`) : leased(`i${id}`, `i${id}-1`, `n${at}`)));
const someRecord = fc
  .record({ id: fc.constantFrom(...ids), nodes: fc.array(someNode, { maxLength: 6 }) })
  .map(({ id, nodes }) => record(id, ...nodes));
const someListing = fc
  .record({
    kind: fc.constantFrom("complete" as const, "partial" as const),
    leased: fc.boolean(),
    lacking: fc.subarray([...ids]),
    clusters: fc.uniqueArray(someRecord, { maxLength: 2, selector: (one) => one.cluster_id }),
    retired: fc.subarray(["i1-1", "i2-1"]),
  })
  .map(({ clusters, ...more }) => listing(clusters, more));
const someAnswer = fc.record({
  discovery: fc.constantFrom(...names),
  listing: someListing,
  /** Most answers are not accepted by anybody. */
  accept: fc.integer({ min: 0, max: 5 }).map((one) => one === 0),
});
type SomeAnswer = { discovery: string; listing: Listing; accept: boolean };

/** What the coordinator does with an answer: stores it, and refreshes what is new. */
function followed(before: Known, answer: SomeAnswer): Known {
  const result = taken({ ...before, ...answer });
  const records = [
    ...before.records.filter((one) => one.discovery !== answer.discovery),
    ...result.records.map((one) => ({ discovery: answer.discovery, record: one })),
  ];
  const facts = new Map(before.facts);
  for (const [id, now] of result.clusters) {
    if (now === null) facts.delete(id);
    else facts.set(id, now);
  }
  for (const { cluster_id: id } of result.records) {
    if (facts.has(id)) continue;
    const [first] = records
      .filter((one) => one.record.cluster_id === id)
      .sort((a, b) => byText(a.discovery, b.discovery));
    if (first !== undefined) facts.set(id, factsOf(first.discovery, first.record, { conflict: null }));
  }
  return { records, facts };
}

const EMPTY: Known = { records: [], facts: new Map() };
const someHistory = fc.array(someAnswer, { maxLength: 12 });
const reached = (history: readonly SomeAnswer[]) => history.reduce(followed, EMPTY);

describe("any answers", () => {
  it("give the same whatever the order of nodes, clusters and records", () => {
    fc.assert(
      fc.property(someHistory, someAnswer, fc.infiniteStream(fc.nat()), (history, answer, stream) => {
        const shuffled = <T>(list: readonly T[]): T[] =>
          list
            .map((one) => ({ one, at: stream.next().value }))
            .sort((a, b) => a.at - b.at)
            .map(({ one }) => one);
        const before = reached(history);
        const clusters = shuffled(answer.listing.clusters).map((one) => ({
          ...one,
          nodes: shuffled(one.nodes),
        }));
        const other = { ...answer, listing: { ...answer.listing, clusters } };
        expect(taken({ ...before, records: shuffled(before.records), ...other })).toEqual(
          taken({ ...before, ...answer }),
        );
      }),
    );
  });

  it("change nothing when they come twice", () => {
    fc.assert(
      fc.property(someHistory, someAnswer, (history, answer) => {
        const once = followed(reached(history), { ...answer, accept: false });
        const twice = taken({ ...once, ...answer, accept: false });
        expect(twice.clusters.size).toBe(0);
      }),
    );
  });

  it("drop no node when they are partial, and few when nobody accepts it", () => {
    fc.assert(
      fc.property(someHistory, someAnswer, (history, answer) => {
        const before = reached(history);
        const now = followed(before, { ...answer, accept: false });
        for (const [id, facts] of before.facts) {
          const left = now.facts.get(id)?.inventory ?? [];
          expect(now.facts.has(id)).toBe(true);
          // Retired or seen elsewhere is no loss; the listing says so itself.
          const { kind, leased: isLeased, lacking, clusters } = answer.listing;
          const isListed = clusters.some((one) => one.cluster_id === id);
          if (isLeased || lacking.includes(id) || (kind === "partial" && !isListed)) {
            const said = new Set(
              answer.listing.clusters.flatMap((one) => one.nodes.map((each) => each.node_id)),
            );
            const gone = facts.inventory.filter(
              (one) =>
                !left.some((other) => other.agent_addr === one.agent_addr) &&
                !said.has(one.node_id) &&
                !answer.listing.retired.includes(one.incarnation ?? ""),
            );
            expect(gone).toEqual([]);
          } else expect(2 * left.length).toBeGreaterThanOrEqual(facts.inventory.length);
        }
      }),
    );
  });

  it("leave facts that agree with the records: the owner's nodes, and the others as conflict", () => {
    fc.assert(
      fc.property(someHistory, (history) => {
        const { records, facts } = reached(history);
        expect(new Set(facts.keys())).toEqual(new Set(records.map((one) => one.record.cluster_id)));
        for (const [id, one] of facts) {
          const listing = records.filter((each) => each.record.cluster_id === id);
          const own = listing.find((each) => each.discovery === one.discovery);
          expect(own?.record.nodes).toEqual(one.inventory);
          expect(own?.record).toEqual(normalised(own?.record ?? record("none")));
          const others = listing.map((each) => each.discovery).filter((each) => each !== one.discovery);
          expect(one.conditions.conflict ?? []).toEqual(others.sort());
          if (one.conditions.suspect !== null) expect(one.conditions.suspect.discovery).toBe(one.discovery);
        }
      }),
    );
  });

  it("are all gone when their discoveries are", () => {
    fc.assert(
      fc.property(someHistory, (history) => {
        const before = reached(history);
        const first = withdrawn("a", before);
        const facts = new Map(before.facts);
        for (const [id, one] of first.clusters) {
          if (one === null) facts.delete(id);
          else facts.set(id, one);
        }
        const records = before.records.filter((one) => one.discovery !== "a");
        expect([...facts.values()].every((one) => one.discovery === "b")).toBe(true);
        const second = withdrawn("b", { records, facts });
        expect([...second.clusters.values()].every((one) => one === null)).toBe(true);
        expect(second.clusters.size).toBe(facts.size);
      }),
    );
  });
});
