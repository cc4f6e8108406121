import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "../../src/lib/duration.ts";

describe("durations", () => {
  it.each([
    ["0", 0],
    ["250ms", 250],
    ["1.5s", 1500],
    ["1h30m", 5_400_000],
    ["500us", 0.5],
    ["500µs", 0.5],
    ["1m0.5s", 60_500],
  ])("reads %s", (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(["", "5", "s", "5 s", "-5s", "5x", "1.s", "Infinitys"])("refuses %j", (text) =>
    expect(parseDuration(text)).toBeNull(),
  );

  it("reads what it writes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e12 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBeCloseTo(ms, 3);
      }),
    );
  });
});
