import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSchedule, nextAfter, phaseOf } from "../../src/core/schedule.ts";

const name = fc.string({ minLength: 1, maxLength: 12 });
const interval = fc.integer({ min: 1, max: 3_600_000 });

describe("a schedule", () => {
  it("gives what is past its time, once, and sets the next time", () => {
    const schedule = createSchedule();
    schedule.set({ name: "a", intervalMs: 1_000, nextAt: 100 });
    schedule.set({ name: "b", intervalMs: 1_000, nextAt: 300 });
    expect(schedule.nextAt()).toBe(100);
    expect(schedule.due(99, 10)).toEqual([]);
    expect(schedule.due(100, 10)).toEqual([{ name: "a", expectedAt: 100 }]);
    expect(schedule.due(100, 10)).toEqual([]);
    expect(schedule.nextAt()).toBe(300);
  });

  it("makes one run of all that were missed", () => {
    const schedule = createSchedule();
    schedule.set({ name: "a", intervalMs: 1_000, nextAt: 0 });
    expect(schedule.due(3_600_000, 10)).toEqual([{ name: "a", expectedAt: 0 }]);
    expect(schedule.due(3_600_000, 10)).toEqual([]);
    const next = schedule.nextAt() ?? 0;
    expect(next).toBeGreaterThan(3_600_000);
    expect(next).toBeLessThanOrEqual(3_601_000);
  });

  it("takes the last word on an entry, and forgets one that is removed", () => {
    const schedule = createSchedule();
    schedule.set({ name: "a", intervalMs: 1_000, nextAt: 10 });
    schedule.set({ name: "a", intervalMs: 1_000, nextAt: 500 });
    schedule.set({ name: "b", intervalMs: 1_000, nextAt: 20 });
    schedule.remove("b");
    expect(schedule.due(100, 10)).toEqual([]);
    expect(schedule.due(500, 10).map((due) => due.name)).toEqual(["a"]);
  });

  it("keeps each run in its place of the interval, without drift", () => {
    fc.assert(
      fc.property(name, interval, fc.nat(1e9), fc.nat(50), (of, intervalMs, start, late) => {
        const first = nextAfter(start, intervalMs, of);
        expect(first).toBeGreaterThan(start);
        expect(first - start).toBeLessThanOrEqual(intervalMs + 1e-3);
        if (late < intervalMs / 2)
          expect(nextAfter(first + late, intervalMs, of) - first).toBeCloseTo(intervalMs, 3);
      }),
    );
  });

  it("gives everything due in order of time, whatever was set, replaced and removed before", () => {
    const step = fc.oneof(
      fc.record({ set: name, intervalMs: interval, nextAt: fc.nat(10_000) }),
      fc.record({ remove: name }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat(10_000), (steps, now) => {
        const schedule = createSchedule();
        const model = new Map<string, number>();
        for (const one of steps)
          if ("set" in one) {
            schedule.set({ name: one.set, intervalMs: one.intervalMs, nextAt: one.nextAt });
            model.set(one.set, one.nextAt);
          } else {
            schedule.remove(one.remove);
            model.delete(one.remove);
          }
        const due = schedule.due(now, 1_000);
        const expected = [...model].filter(([, at]) => at <= now);
        expect(new Map(due.map((d) => [d.name, d.expectedAt]))).toEqual(new Map(expected));
        expect(due.map((d) => d.expectedAt)).toEqual(due.map((d) => d.expectedAt).sort((a, b) => a - b));
        expect(schedule.size()).toBe(model.size);
      }),
    );
  });

  it("spreads a thousand names evenly enough that no tenth of an interval has twice its share", () => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 1_000; i++) {
      const tenth = Math.floor(phaseOf(`prod/cluster-${i}`) * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    expect(Math.max(...tenths)).toBeLessThan(200);
  });
});
