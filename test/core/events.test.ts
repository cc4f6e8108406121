import { describe, expect, it } from "vitest";
import { diff } from "../../src/core/diff.ts";
import { type Change, Event, envelope } from "../../src/core/events.ts";
import {
  CALM,
  DOWN,
  failed,
  KEY,
  LEADS,
  recordOf,
  refresh,
  run,
  seen,
  shard,
  step,
  unchanged,
} from "./clusters.ts";
import { expectGolden } from "./golden.ts";

/** What a small cluster lives through, refresh by refresh. */
function life(): Change[] {
  const told: Change[] = [];
  let last = run(CALM);
  const then = (...more: Parameters<typeof step>[1][]) => {
    told.push(...last.changes);
    for (const [at, next] of more.entries()) {
      last = step(last, next);
      if (at < more.length - 1) told.push(...last.changes);
    }
  };
  const down = [
    { seq: 6, kind: "status", before: "healthy", after: "unavailable" },
    { seq: 7, kind: "role", before: "leader", after: "unknown" },
  ];
  // The leader's database is killed; another node leads.
  then(
    refresh([
      seen("a", { seq: 7, report: DOWN, transitions: down }),
      seen("b", { seq: 6, report: { ...LEADS, term: 4 }, shards: [shard("primary")] }),
      unchanged("c"),
    ]),
  );
  // Its agent goes too; the third one's is restarted on a new disk, and lost count of its shards.
  then(refresh([failed("a"), seen("c", { boot_id: "boot-2", seq: 3, incarnation: "disk-2" })]));
  // A fourth is listed and answers; the third was asked too late.
  then(
    refresh(
      [seen("d", { genesis_id: null }), seen("c", { boot_id: "boot-2", seq: 9, incarnation: "disk-2" })],
      { record: recordOf("abcd") },
    ),
  );
  then();
  return [...told, ...diff(last.facts, null)];
}

describe("an event", () => {
  it("is as in golden/events.json", () => {
    const events = life().map((change, at) =>
      envelope(change, {
        scope: KEY,
        seq: at + 1,
        source: "/rollcall/main",
        time: Date.UTC(2026, 10, 21, 12),
      }),
    );
    for (const event of events) expect(Event.parse(event)).toEqual(event);
    expectGolden("events", events);
  });

  it("of settings has the discovery's scope", () => {
    const change: Change = { type: "DISCOVERY_SETTINGS_APPLY", subject: "consul", before: null, after: {} };
    const place = { scope: "discovery:consul", seq: 7, source: "/rollcall/main", time: 1 };
    expect(envelope(change, place)).toMatchObject({
      ...{
        id: "discovery:consul:7",
        type: "rollcall.DISCOVERY_SETTINGS_APPLY",
        time: "1970-01-01T00:00:00.001Z",
      },
      data: { before: null, after: {} },
    });
  });
});
