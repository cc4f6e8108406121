/** What every store must do. Run over each database. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Change, EventType } from "../../src/core/events.ts";
import { Event } from "../../src/core/events.ts";
import type { Commit, Store, StoredEvent } from "../../src/store/store.ts";
import {
  AT,
  commitOf,
  discoverySettings,
  type Followed,
  factsOf,
  marksOf,
  type OpenEmpty,
  removalOf,
  settingsCommit,
} from "./facts.ts";
import { pagingContract } from "./paging.ts";

const NOW: Followed = { version: 1, facts: factsOf("c") };
const ALL = { after: null, limit: 1_000, cluster: null, types: null };
const RUN = { next_at: AT + 1, started_at: AT, ended_at: AT, error: "d: no answer" };

/** The suite over one database. */
export function storeContract(name: string, openEmpty: OpenEmpty): void {
  describe(`${name}: a store`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await openEmpty();
    });
    afterEach(() => store.close());

    commits(() => store);
    fences(() => store);
    scopes(() => store);
    settings(() => store);
    endings(() => store);
  });
  pagingContract(name, openEmpty);
}

function commits(store: () => Store): void {
  it("gives back what was committed, and the events with their places", async () => {
    const commit = commitOf("c");
    const written = await store().commit([commit]);
    const event = {
      ...{ specversion: "1.0", id: "c:1", source: "/rollcall/test", type: "rollcall.CLUSTER_NEW" },
      ...{ subject: "c", time: "2026-06-01T00:00:00.000Z", datacontenttype: "application/json" },
      data: { before: null, after: commit.facts },
    };
    expect(written).toEqual([{ position: 1, event }]);
    expect(Event.parse(written[0]?.event)).toEqual(event);
    expect(await store().events(ALL)).toEqual(written);
    expect(await store().cluster("c")).toEqual({
      ...{ facts: commit.facts, marks: commit.marks, version: 1, seq: 1 },
    });
    expect(await store().clusters()).toEqual([await store().cluster("c")]);
    expect([await store().position("c:1"), await store().extent()]).toEqual([1, { oldest: 1, newest: 1 }]);
  });

  it("knows nothing of what is not there", async () => {
    expect([await store().clusters(), await store().cluster("c"), await store().snapshot("c")]).toEqual([
      ...[[], null, null],
    ]);
    expect([
      await store().discovery("d"),
      await store().recordsOf("d"),
      await store().settingsOf("c"),
    ]).toEqual([null, [], null]);
    expect([await store().events(ALL), await store().extent()]).toEqual([[], { oldest: 0, newest: 0 }]);
    for (const id of ["", "c", "c:1", "c:0", "c:-1", "c:1e3", ":", "c:99999999999999999999"])
      expect(await store().position(id), id).toBe(null);
  });

  it("writes all of a commit, or nothing", async () => {
    const wrong = commitOf("b", undefined, { version: 5 });
    const both = store().commit([commitOf("a"), settingsCommit("a"), wrong]);
    // Reading at the same time sees none of it either.
    const seen = store().clusters();
    await expect(both).rejects.toMatchObject({ code: "fenced" });
    expect([
      await seen,
      await store().clusters(),
      await store().settings(),
      await store().events(ALL),
    ]).toEqual([...[[], [], [], []]]);
    expect((await store().commit([commitOf("a")])).map(({ event }) => event.id)).toEqual(["a:1"]);
  });

  it("lets each of those that come together succeed or fail alone", async () => {
    const all = ["a", "b", "c", "d"].map((id) =>
      store().commit([commitOf(id, undefined, id === "b" ? { version: 2 } : {})]),
    );
    const ended = await Promise.allSettled(all);
    expect(ended.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect((await store().events(ALL)).map(({ position, event }) => [position, event.id])).toEqual([
      ...[
        [1, "a:1"],
        [2, "c:1"],
        [3, "d:1"],
      ],
    ]);
  });

  it("keeps marks that change without an event", async () => {
    await store().commit([commitOf("c")]);
    await store().commit([commitOf("c", NOW, { changes: [], facts: NOW.facts, marks: marksOf(7) })]);
    expect(await store().cluster("c")).toMatchObject({ version: 2, seq: 1, marks: { refreshes: 7 } });
  });
}

function fences(store: () => Store): void {
  it("grants fences that rise, of each cluster by itself", async () => {
    expect([await store().fence("c"), await store().fence("c"), await store().fence("d")]).toEqual([1, 2, 1]);
    await store().commit([commitOf("c", undefined, { fence: 2 })]);
    expect(await store().fence("c")).toBe(3);
  });

  it("refuses a commit below the greatest fence, and says which that is", async () => {
    for (let granted = 0; granted < 3; granted++) await store().fence("c");
    await expect(store().commit([commitOf("c", undefined, { fence: 2 })])).rejects.toMatchObject({
      ...{ code: "fenced", facts: { cluster: "c", fence: 3, version: 0 } },
    });
    expect(await store().cluster("c")).toBe(null);
    await store().commit([commitOf("c", undefined, { fence: 3 })]);
    await expect(store().commit([commitOf("c", NOW, { fence: 2 })])).rejects.toMatchObject({
      code: "fenced",
    });
  });

  it.each([
    ["a new cluster that is there", [0, 0]],
    ["a version that was left out", [0, 2]],
    ["a new cluster that does not begin with 1", [1]],
    ["a version twice", [0, 1, 1]],
    ["an earlier version", [0, 1, 2, 1]],
  ])("refuses %s", async (_, versions) => {
    const commitTo = (version: number) => store().commit([commitOf("c", { ...NOW, version })]);
    for (const version of versions.slice(0, -1)) await commitTo(version);
    const before = await store().cluster("c");
    await expect(commitTo(versions.at(-1) ?? 0)).rejects.toMatchObject({ code: "fenced" });
    expect(await store().cluster("c")).toEqual(before);
  });

  it("refuses to remove what is another version, or not there", async () => {
    await expect(store().commit([removalOf("c", { version: 0, facts: null })])).rejects.toMatchObject({
      code: "fenced",
    });
    await store().commit([commitOf("c")]);
    await expect(store().commit([removalOf("c", { ...NOW, version: 4 })])).rejects.toMatchObject({
      code: "fenced",
    });
    expect(await store().cluster("c")).not.toBe(null);
  });
}

/** Commits to a few clusters, some of them refused, in groups that are asked for at once. */
const groups = fc.array(
  fc.array(
    fc.record({
      id: fc.constantFrom("a", "b", "c:1", "discovery:d"),
      changes: fc.integer({ min: 0, max: 3 }),
      wrong: fc.boolean(),
    }),
    { maxLength: 6 },
  ),
  { minLength: 1, maxLength: 6 },
);

function scopes(store: () => Store): void {
  it("goes on with the sequence and the fence of a cluster that comes back", async () => {
    await store().fence("c");
    await store().commit([commitOf("c", undefined, { fence: 1 })]);
    await store().commit([removalOf("c", NOW, { fence: 1 })]);
    expect([await store().cluster("c"), (await store().events(ALL)).length]).toEqual([null, 2]);
    expect(await store().fence("c")).toBe(2);
    await expect(store().commit([commitOf("c", undefined, { fence: 1 })])).rejects.toMatchObject({
      code: "fenced",
    });
    const [written] = await store().commit([commitOf("c", undefined, { fence: 2 })]);
    expect([written?.event.id, await store().cluster("c")]).toMatchObject(["c:3", { version: 1, seq: 3 }]);
  });

  it("numbers each scope from 1 without a gap, whatever is refused in between", async () => {
    // Each run goes on with the same store: the sequences are one whole.
    const versions = new Map<string, number>();
    const told: StoredEvent[] = [];
    await fc.assert(
      fc.asyncProperty(groups, async (all) => {
        for (const group of all) {
          const asked = group.map(({ id, changes, wrong }) => {
            const version = versions.get(id) ?? 0;
            if (!wrong) versions.set(id, version + 1);
            const one: Change = { type: "NODE_UP", subject: id, before: null, after: version };
            return store().commit([
              {
                ...commitOf(id, { version: wrong ? version + 7 : version, facts: null }),
                changes: Array(changes).fill(one),
              },
            ]);
          });
          const ended = await Promise.allSettled(asked);
          expect(ended.map(({ status }) => status === "rejected")).toEqual(group.map(({ wrong }) => wrong));
          for (const one of ended) if (one.status === "fulfilled") told.push(...one.value);
        }
      }),
      { numRuns: 25 },
    );
    const log: StoredEvent[] = [];
    for (
      let page = await store().events(ALL);
      page.length > 0;
      page = await store().events({ ...ALL, after: log.length })
    )
      log.push(...page);
    expect(log).toEqual(told);
    expect(log.map(({ position }) => position)).toEqual(log.map((_, index) => index + 1));
    for (const events of Map.groupBy(log, ({ event }) => event.subject).values())
      expect(events.map(({ event }) => event.id)).toEqual(
        events.map((_, index) => `${events[0]?.event.subject}:${index + 1}`),
      );
    for (const { position, event } of log.slice(-50)) expect(await store().position(event.id)).toBe(position);
  });
}

function settings(store: () => Store): void {
  const told = (type: EventType): Change => ({ type, subject: "d", before: null, after: { mode: "static" } });
  const stored = { settings: discoverySettings("d"), document: "name: d" };
  const record = (cluster_id: string, nodes = 0) => ({
    ...{ cluster_id, display_name: null },
    nodes: Array.from({ length: nodes }, (_, node) => ({
      ...{ agent_addr: `n${node}:1`, secure: false, node_id: null, incarnation: null },
    })),
  });
  const discovery = (more: object): Commit => ({
    kind: "discovery",
    name: "d",
    changes: [],
    at: AT,
    ...more,
  });

  it("keeps a discovery with its run, which outlives that it is applied anew", async () => {
    const written = await store().commit([
      discovery({ stored, changes: [told("DISCOVERY_SETTINGS_APPLY")] }),
    ]);
    expect(written.map(({ event }) => event.id)).toEqual(["discovery:d:1"]);
    expect(await store().discoveries()).toEqual([{ ...stored, run: null }]);
    await store().commit([{ kind: "run", of: "discovery", name: "d", run: RUN }]);
    const anew = { settings: discoverySettings("d", 60_000), document: "name: d # anew" };
    await store().commit([discovery({ stored: anew })]);
    expect(await store().discoveries()).toEqual([{ ...anew, run: RUN }]);
    await store().commit([discovery({ name: "e", stored: { ...stored, settings: discoverySettings("e") } })]);
    expect(await store().discovery("d")).toEqual({ ...anew, run: RUN });
  });

  it("keeps what a discovery lists now, and drops it with the discovery", async () => {
    await store().commit([discovery({ stored, records: [record("a", 2), record("b")] })]);
    await store().commit([discovery({ records: [record("b", 1), record("c")] })]);
    expect(await store().records()).toEqual([
      { discovery: "d", record: record("b", 1) },
      { discovery: "d", record: record("c") },
    ]);
    await store().commit([discovery({ stored })]);
    expect((await store().records()).length).toBe(2);
    await store().commit([
      discovery({
        ...{ name: "e", records: [record("b")] },
        stored: { ...stored, settings: discoverySettings("e") },
      }),
    ]);
    expect(await store().recordsOf("d")).toEqual([record("b", 1), record("c")]);
    expect(await store().recordsOf("e")).toEqual([record("b")]);
    await store().commit([discovery({ name: "e", stored: null })]);
    await store().commit([discovery({ stored: null, changes: [told("DISCOVERY_SETTINGS_DELETE")] })]);
    expect([await store().discoveries(), await store().records()]).toEqual([[], []]);
    await expect(store().commit([discovery({ records: [record("a")] })])).rejects.toMatchObject({
      ...{ code: "fenced", facts: { discovery: "d" } },
    });
  });

  it("keeps settings of clusters with their runs", async () => {
    const synthetic = settingsCommit("c");
    await store().commit([synthetic, settingsCommit("b")]);
    await store().commit([{ kind: "run", of: "cluster", name: "c", run: RUN }]);
    const own = {
      settings: { ...(synthetic.stored?.settings ?? fail()), quorum: 2 },
      synthetic: false,
      document: "c",
    };
    await store().commit([{ kind: "settings", clusterId: "c", stored: own }]);
    expect(await store().settings()).toMatchObject([
      { synthetic: true, run: null },
      { ...own, run: RUN },
    ]);
    expect(await store().settingsOf("c")).toMatchObject({ ...own, run: RUN });
    await store().commit([{ kind: "settings", clusterId: "c", stored: null }]);
    expect((await store().settings()).map(({ settings: { cluster_id } }) => cluster_id)).toEqual(["b"]);
  });

  it("forgets the run of what is deleted", async () => {
    await store().commit([settingsCommit("c"), { kind: "run", of: "cluster", name: "c", run: RUN }]);
    await store().commit([{ kind: "settings", clusterId: "c", stored: null }]);
    await store().commit([{ kind: "run", of: "cluster", name: "c", run: RUN }]);
    await store().commit([{ kind: "run", of: "discovery", name: "c", run: RUN }]);
    await store().commit([settingsCommit("c")]);
    expect(await store().settings()).toMatchObject([{ run: null }]);
  });
}

function endings(store: () => Store): void {
  it("writes what was asked for before it closes, and takes no more", async () => {
    const asked: Promise<unknown>[] = [store().commit([commitOf("a")]), store().commit([commitOf("b")])];
    const closing = store().close();
    await expect(store().commit([commitOf("c")])).rejects.toMatchObject({ code: "closed" });
    expect(await Promise.all(asked)).toMatchObject([[{ position: 1 }], [{ position: 2 }]]);
    await closing;
    await store().close();
    await expect(store().clusters()).rejects.toMatchObject({ code: "closed" });
    await expect(store().fence("c")).rejects.toMatchObject({ code: "closed" });
  });
}

function fail(): never {
  throw new Error("not stored");
}
