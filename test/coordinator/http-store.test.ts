/** The log and the stream over a real store. */
import { afterEach, describe, expect, it } from "vitest";
import type { EventType } from "../../src/core/events.ts";
import { replayed } from "../../src/core/replay.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { openStore } from "../../src/store/open.ts";
import type { Store, StoredEvent } from "../../src/store/store.ts";
import { silentLog } from "../agent/support/log.ts";
import { soon, until } from "../support/wait.ts";
import { make } from "./support/view.ts";

type Page = { readonly items: readonly { readonly id: string }[]; readonly next: string | null };

const opened: Store[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

/** The routes over a store in memory. `tell` commits events of a discovery's settings, and wakes who follows. */
async function stored() {
  const source = "/rollcall/test";
  const store = await openStore("memory:", { source, clock: systemClock, log: silentLog, replayed });
  opened.push(store);
  const followers = new Set<(events: readonly StoredEvent[]) => void>();
  const follow = (wake: (events: readonly StoredEvent[]) => void) => {
    followers.add(wake);
    return () => void followers.delete(wake);
  };
  const made = make({ view: { store, follow } });
  let at = 0;
  const tell = async (name: string, ...types: EventType[]) => {
    const changes = types.map((type) => ({ type, subject: name, before: null, after: { at: ++at } }));
    const events = await store.commit([{ kind: "discovery", name, changes, at: 1_000 * at }]);
    for (const wake of followers) wake(events);
  };
  const page = async (query: string): Promise<Page> =>
    JSON.parse((await made.ask(`/v1/events?${query}`)).body) as Page;
  return { ...made, store, tell, page };
}

describe("the log over a real store", () => {
  it("is paged both ways, by scope and by type, and resumed from an event", async () => {
    const { tell, page } = await stored();
    for (let count = 0; count < 3; count++) {
      await tell("one", "DISCOVERY_SETTINGS_APPLY", "DISCOVERY_SUSPECT");
      await tell("two", "DISCOVERY_SETTINGS_APPLY");
    }
    const walk = async (query: string) => {
      const ids: string[] = [];
      for (let after: string | null = ""; after !== null; ) {
        const { items, next }: Page = await page(`limit=2&${query}${after}`);
        ids.push(...items.map(({ id }) => id));
        after = next === null ? null : `&after=${next}`;
      }
      return ids;
    };
    const one = [1, 2, 3, 4, 5, 6].map((seq) => `discovery:one:${seq}`);
    expect(await walk("cluster=discovery:one")).toEqual(one);
    expect(await walk("cluster=discovery:one&order=desc")).toEqual(one.toReversed());
    expect(await walk("type=DISCOVERY_SUSPECT")).toEqual([one[1], one[3], one[5]]);
    expect(await walk("")).toHaveLength(9);
    const rest = await page("after=discovery:one:5&cluster=discovery:one");
    expect(rest.items.map(({ id }) => id)).toEqual([one[5]]);
  });

  it("is gone before what is kept, and streamed from there without a gap", async () => {
    const { ask, app, store, tell, stop } = await stored();
    for (let count = 0; count < 30; count++) await tell("one", "DISCOVERY_SUSPECT");
    while ((await store.retain({ olderThan: 0, most: 10 })) > 0);
    const { oldest, newest } = await store.extent();
    expect([oldest, newest]).toEqual([21, 30]);
    for (const path of [
      "/v1/events?after=3",
      "/v1/events?after=discovery:one:3",
      "/v1/events/stream?after=3",
    ])
      expect([path, (await ask(path)).status]).toEqual([path, 410]);
    const answer = await app.request("/v1/events/stream?after=0");
    let text = "";
    const reading = (async () => {
      for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) text += chunk;
      return true;
    })();
    // Some while the store is read, some live.
    for (let count = 0; count < 20; count++) await tell("one", "DISCOVERY_SUSPECT");
    await until(() => text.includes("id: 50\n"), { deadlineMs: 5_000, what: "the last event" });
    const positions = [...text.matchAll(/^id: (\d+)\nevent:/gm)].map(([, id]) => Number(id));
    expect(positions).toEqual(Array.from({ length: 30 }, (_, at) => at + 21));
    stop.abort();
    await soon(reading);
  });
});
