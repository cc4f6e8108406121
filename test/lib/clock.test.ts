import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";

const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

describe("the machine's clock", () => {
  it("sleeps as long as it is told, at least", async () => {
    const began = systemClock.now();
    await systemClock.sleep(20, new AbortController().signal);
    expect(systemClock.now() - began).toBeGreaterThanOrEqual(19);
  });

  it("wakes on abort, does not sleep when it is aborted already, and leaves no timer", async () => {
    const before = timers();
    const stop = new AbortController();
    const sleeping = systemClock.sleep(60_000, stop.signal);
    stop.abort();
    await sleeping;
    await systemClock.sleep(60_000, stop.signal);
    expect(timers()).toBe(before);
  });

  it("calls once after a time, or never when it is cancelled", async () => {
    let calls = 0;
    const count = () => {
      calls += 1;
    };
    systemClock.after(60_000, count)();
    const before = timers();
    await new Promise<void>((resolve) => {
      systemClock.after(5, () => {
        count();
        resolve();
      });
    });
    expect(calls).toBe(1);
    expect(timers()).toBe(before);
  });

  it("knows the date", () => {
    expect(Math.abs(systemClock.wall() - Date.now())).toBeLessThan(1_000);
  });
});
