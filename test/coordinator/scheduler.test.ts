import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { noCounts } from "../../src/coordinator/counts.ts";
import type { Known } from "../../src/coordinator/known.ts";
import type { Task } from "../../src/coordinator/queue.ts";
import { openScheduler } from "../../src/coordinator/scheduler.ts";
import { syntheticSettings } from "../../src/core/settings.ts";
import type { Commit, Run } from "../../src/store/store.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";

/** A scheduler over clusters that are run by `run`, on a clock of the test's own. */
function scheduling(names: readonly string[], runs: Readonly<Record<string, Run>> = {}) {
  const clock = manualClock();
  const begun: { name: string; at: number; lateMs: number }[] = [];
  const kept: Commit[] = [];
  const clusters = new Map(
    names.map((id) => [
      id,
      {
        ...{ id, cluster: null, document: null, fence: null, reports: [], lateMs: 0 },
        ...{ settings: { ...syntheticSettings(id), interval_ms: 10_000 }, run: runs[id] ?? null },
      },
    ]),
  );
  const known = { discoveries: new Map(), clusters, listers: () => ["all"] } as unknown as Known;
  const stop = new AbortController();
  const scheduler = openScheduler({
    ...{ known, clock, counts: noCounts(), log: pino({ enabled: false }) },
    store: {
      commit: async (commits) => {
        kept.push(...commits);
        return [];
      },
    },
    run: async (task: Task, lateMs: number) => {
      begun.push({ name: task.name, at: clock.now(), lateMs });
      return null;
    },
  });
  for (const id of clusters.keys()) scheduler.set("cluster", id, "kept");
  const loop = scheduler.loop(stop.signal);
  const pass = async (ms: number, stepMs = 50) => {
    for (let left = ms; left > 0; left -= stepMs) {
      clock.advance(Math.min(stepMs, left));
      await turns(2);
    }
  };
  const end = async () => {
    stop.abort();
    await loop;
  };
  return { clock, clusters, begun, kept, scheduler, pass, end };
}

const START = Date.UTC(2026, 0, 1);

describe("the scheduler", () => {
  it("runs what never ran at once, and then each at its place in the interval", async () => {
    const { begun, pass, end } = scheduling(["a", "b", "c"]);
    await turns();
    expect(begun.map(({ name, at }) => `${name} ${at}`).sort()).toEqual(["a 0", "b 0", "c 0"]);
    await pass(40_000);
    await end();
    for (const name of ["a", "b", "c"]) {
      const times = begun.filter((one) => one.name === name).map(({ at }) => at);
      expect(times.length, name).toBeGreaterThanOrEqual(5);
      for (const [at, time] of times.slice(2).entries())
        expect(Math.abs(time - (times[at + 1] ?? 0) - 10_000), name).toBeLessThanOrEqual(100);
    }
  });

  it("goes on where it left off after a restart, and makes one run of all that were missed", async () => {
    const ran = { started_at: null, ended_at: null, error: null };
    const { begun, pass, end } = scheduling(["missed", "soon"], {
      missed: { ...ran, next_at: START - 3_600_000 },
      soon: { ...ran, next_at: START + 4_000 },
    });
    await turns();
    expect(begun.map(({ name }) => name)).toEqual(["missed"]);
    await pass(3_900);
    expect(begun.map(({ name }) => name)).not.toContain("soon");
    await pass(200);
    await end();
    expect(begun.map(({ name }) => name)).toContain("soon");
  });

  it("does not let a clock that was put back put a run off for more than its interval", async () => {
    const far = { next_at: START + 3_600_000, started_at: null, ended_at: null, error: null };
    const { begun, pass, end } = scheduling(["a"], { a: far });
    await pass(10_100);
    await end();
    expect(begun.length).toBeGreaterThan(0);
  });

  it("keeps the next times in the store, the last ones at the end too", async () => {
    const { kept, pass, end, clusters } = scheduling(["a"]);
    await pass(2_000);
    const first = kept.findLast((commit) => commit.kind === "run");
    expect(first).toMatchObject({ of: "cluster", name: "a", run: { started_at: START, error: null } });
    const held = kept.length;
    await pass(10_000, 500);
    await end();
    expect(kept.length).toBeGreaterThan(held);
    expect(kept.at(-1)).toMatchObject({ run: { next_at: clusters.get("a")?.run?.next_at } });
  });

  it("takes off what is disabled, and runs at once what is enabled again", async () => {
    const { begun, scheduler, clusters, pass, end } = scheduling(["a"]);
    await turns();
    const a = clusters.get("a");
    if (a === undefined) throw new Error("no cluster");
    a.settings = { ...a.settings, enabled: false };
    scheduler.set("cluster", "a", "now");
    await pass(30_000, 500);
    expect(begun).toHaveLength(1);
    a.settings = { ...a.settings, enabled: true };
    scheduler.set("cluster", "a", "now");
    await pass(100);
    await end();
    expect(begun).toHaveLength(2);
  });

  it("tells how late runs begin", async () => {
    const { scheduler, clock, end } = scheduling(["a"]);
    await turns();
    clock.advance(0);
    expect(scheduler.lateness()).toEqual({ p50: 0, p99: 0, most: 0 });
    clock.advance(61_000);
    await turns();
    await end();
    expect(scheduler.lateness().most).toBeGreaterThan(0);
  });
});
