/** What every store must do with its log: pages, and removing the oldest. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Facts } from "../../src/core/cluster.ts";
import type { Change, EventType } from "../../src/core/events.ts";
import type { EventQuery, Store, StoredEvent } from "../../src/store/store.ts";
import { AT, commitOf, type Followed, type OpenEmpty, removalOf, replayed } from "./facts.ts";

const ALL = { after: null, limit: 10_000, cluster: null, types: null };
const IDS = ["a", "b", "c"];
const TYPES: readonly EventType[] = ["NODE_UP", "NODE_DOWN", "AGENT_NEW", "NODE_REMOVED"];

/** The suite over one database. */
export function pagingContract(name: string, openEmpty: OpenEmpty): void {
  describe(`${name}: a log`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await openEmpty();
    });
    afterEach(() => store.close());

    pages(() => store);
    edges(() => store);
    retention(openEmpty);
  });
}

/** Events of a few clusters and types, one for each number; the fourth type is never written. */
async function fill(store: Store, numbers: readonly number[]): Promise<void> {
  const versions = new Map<string, number>();
  for (const number of numbers) {
    const id = IDS[number % 3] ?? "a";
    const version = versions.get(id) ?? 0;
    versions.set(id, version + 1);
    const changes: Change[] = Array.from({ length: number % 4 }, (_, one) => ({
      ...{ type: TYPES[(number + one) % 3] ?? "NODE_UP", subject: id, before: null, after: number },
    }));
    await store.commit([commitOf(id, { version, facts: null }, { changes })]);
  }
}

/** All pages of a query, each asked for after the last event of the one before. */
async function every(store: Store, query: Omit<EventQuery, "after">): Promise<StoredEvent[]> {
  const found: StoredEvent[] = [];
  for (;;) {
    const page = await store.events({ ...query, after: found.at(-1)?.position ?? null });
    expect(page.length).toBeLessThanOrEqual(query.limit);
    if (page.length === 0) return found;
    found.push(...page);
  }
}

function pages(store: () => Store): void {
  it("gives everything that is asked for once, in order, in pages of any size", async () => {
    await fill(
      store(),
      Array.from({ length: 60 }, (_, index) => (index * 7 + (index % 5)) % 23),
    );
    const all = await store().events(ALL);
    expect(all.length).toBeGreaterThan(60);
    const query = fc.record({
      limit: fc.integer({ min: 1, max: 40 }),
      cluster: fc.option(fc.constantFrom(...IDS, "nobody")),
      types: fc.option(fc.uniqueArray(fc.constantFrom(...TYPES))),
      newestFirst: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(query, async ({ newestFirst, ...asked }) => {
        const wanted = all.filter(
          ({ event }) =>
            (asked.cluster === null || event.subject === asked.cluster) &&
            (asked.types === null || asked.types.some((type) => event.type === `rollcall.${type}`)),
        );
        expect(await every(store(), { ...asked, newestFirst })).toEqual(
          newestFirst ? wanted.toReversed() : wanted,
        );
      }),
      { numRuns: 60 },
    );
  });

  it("gives an empty page where there is nothing yet", async () => {
    await store().commit([commitOf("a")]);
    expect(await store().events({ ...ALL, after: 1 })).toEqual([]);
    expect(await store().events({ ...ALL, after: 1, newestFirst: true })).toEqual([]);
  });
}

function edges(store: () => Store): void {
  const keep = (most: number) => ({ olderThan: 0, most });

  it("says what is gone, and where the log begins", async () => {
    for (const id of IDS) await store().commit([commitOf(id)]);
    expect(await store().retain(keep(1))).toBe(2);
    expect(await store().extent()).toEqual({ oldest: 3, newest: 3 });
    expect([await store().position("a:1"), await store().position("c:1")]).toEqual([null, 3]);
    for (const query of [{ after: 0 }, { after: 1, cluster: "c" }, { after: 1, types: ["NODE_UP" as const] }])
      await expect(store().events({ ...ALL, ...query })).rejects.toMatchObject({
        ...{ code: "gone", facts: { oldest: 3 } },
      });
    expect((await store().events({ ...ALL, after: 2 })).map(({ position }) => position)).toEqual([3]);
    expect((await store().events(ALL)).map(({ position }) => position)).toEqual([3]);
    for (const after of [3, 2, 1])
      expect(await store().events({ ...ALL, after, newestFirst: true })).toEqual([]);
  });

  it("removes what is too old, up to the first event that is not", async () => {
    for (const [index, id] of IDS.entries())
      await store().commit([commitOf(id, undefined, { at: AT + index })]);
    expect(await store().retain({ olderThan: AT, most: 10 })).toBe(0);
    expect(await store().retain({ olderThan: AT + 2, most: 10 })).toBe(2);
    expect((await store().events(ALL)).map(({ event }) => event.id)).toEqual(["c:1"]);
  });

  it("may remove everything, and goes on where it was", async () => {
    for (const id of IDS) await store().commit([commitOf(id)]);
    expect(await store().retain(keep(0))).toBe(3);
    expect([await store().extent(), await store().events(ALL)]).toEqual([{ oldest: 0, newest: 0 }, []]);
    expect(await store().events({ ...ALL, after: 3 })).toEqual([]);
    const [written] = await store().commit([commitOf("a", { version: 1, facts: null })]);
    expect([written?.position, written?.event.id]).toEqual([4, "a:2"]);
    expect(await store().extent()).toEqual({ oldest: 4, newest: 4 });
  });

  it("removes many in several steps, between which commits have their turn", async () => {
    const changes = Array.from({ length: 400 }, () => ({
      type: "NODE_UP" as const,
      subject: "a",
      before: null,
      after: null,
    }));
    for (let version = 0; version < 5; version++)
      await store().commit([commitOf("a", { version, facts: null }, { changes })]);
    const order: string[] = [];
    await Promise.all([
      store()
        .retain(keep(10))
        .then((gone) => order.push(`removed ${gone}`)),
      store()
        .commit([commitOf("b", undefined, { changes: [] })])
        .then(() => order.push("committed")),
    ]);
    expect(order).toEqual(["committed", "removed 1990"]);
    expect(await store().extent()).toEqual({ oldest: 1_991, newest: 2_000 });
  });
}

/** What happens to three clusters, and how many events are kept in between. */
const story = fc.array(
  fc.oneof(
    fc.record({ id: fc.constantFrom(...IDS), does: fc.constantFrom("changes", "goes") }),
    fc.record({ most: fc.integer({ min: 0, max: 8 }) }),
  ),
  { maxLength: 40 },
);

function retention(openEmpty: OpenEmpty): void {
  it("keeps what replaying from the edge needs: it comes to the facts that are stored", async () => {
    await fc.assert(
      fc.asyncProperty(story, async (steps) => {
        const store = await openEmpty();
        const now = new Map<string, Followed & { readonly facts: Facts | null }>();
        for (const step of steps) {
          if ("most" in step) await store.retain({ olderThan: 0, most: step.most });
          else {
            const followed = now.get(step.id) ?? { version: 0, facts: null };
            const goes = step.does === "goes" && followed.facts !== null;
            const commit = goes ? removalOf(step.id, followed) : commitOf(step.id, followed);
            await store.commit([commit]);
            now.set(step.id, { version: goes ? 0 : commit.version, facts: commit.facts });
          }
        }
        for (const id of IDS) await expectReplay(store, id, now.get(id)?.facts ?? null);
        await store.close();
      }),
      { numRuns: 40 },
    );
  }, 60_000);
}

async function expectReplay(store: Store, id: string, stored: Facts | null): Promise<void> {
  const edge = (await store.snapshot(id)) ?? { seq: 0, facts: null };
  const events = await store.events({ ...ALL, cluster: id });
  expect(events.map(({ event }) => event.id)).toEqual(
    events.map((_, index) => `${id}:${edge.seq + index + 1}`),
  );
  const changes = events.map(({ event: { type, subject, data } }) => ({
    ...{ type: type.slice("rollcall.".length) as EventType, subject, before: data.before, after: data.after },
  }));
  expect(changes.reduce(replayed, edge.facts)).toEqual(stored);
  expect((await store.cluster(id))?.facts ?? null).toEqual(stored);
}
