import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Breaker,
  type Came,
  CLOSED,
  next,
  OPENS_AFTER,
  type Turn,
  told,
} from "../../src/core/breaker.ts";

/** The turns of an agent that is polled in order, and answers as listed; what comes of a poll is asked only where one is made. */
function turnsOf(came: (at: number) => Came, polls: number, from: Breaker = CLOSED): Turn[] {
  let breaker = from;
  return Array.from({ length: polls }, (_, at) => {
    const taken = next(breaker);
    breaker = taken.turn === "skip" ? taken.breaker : told(taken.breaker, came(at));
    return taken.turn;
  });
}

describe("the breaker of an agent", () => {
  const cases: readonly { name: string; came: (at: number) => Came; turns: readonly Turn[] }[] = [
    { name: "never opens while it answers", came: () => "answered", turns: ["poll", "poll", "poll", "poll"] },
    {
      name: "opens after three failures, and then asks every other time",
      came: () => "failed",
      turns: ["poll", "poll", "poll", "skip", "probe", "skip", "probe", "skip"],
    },
    {
      name: "counts failures in a row only",
      came: (at) => (at === 2 ? "answered" : "failed"),
      turns: ["poll", "poll", "poll", "poll", "poll", "poll", "skip", "probe"],
    },
    {
      name: "closes with the first answer",
      came: (at) => (at < 4 ? "failed" : "answered"),
      turns: ["poll", "poll", "poll", "skip", "probe", "poll", "poll"],
    },
    {
      name: "asks again at once after a probe that was given up",
      came: (at) => (at === 4 ? "unknown" : "failed"),
      turns: ["poll", "poll", "poll", "skip", "probe", "probe", "skip", "probe"],
    },
    {
      name: "takes no poll that was given up for a failure",
      came: () => "unknown",
      turns: ["poll", "poll", "poll", "poll", "poll"],
    },
  ];
  it.each(cases)("$name", ({ came, turns }) => {
    expect(turnsOf(came, turns.length)).toEqual(turns);
  });

  it("lets one probe run at a time", () => {
    const probing = next({ at: "open", rested: true });
    expect(probing.turn).toBe("probe");
    expect(next(probing.breaker)).toEqual({ breaker: probing.breaker, turn: "skip" });
  });

  it("is not opened twice by polls that began together", () => {
    let breaker: Breaker = CLOSED;
    for (let i = 0; i < OPENS_AFTER + 2; i++) breaker = told(breaker, "failed");
    expect(breaker).toEqual({ at: "open", rested: false });
    expect(told(breaker, "answered")).toEqual(CLOSED);
  });

  it("asks an agent that is back by the second poll at the latest, whatever was before", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom<Came>("answered", "failed", "unknown")), (before) => {
        let breaker: Breaker = CLOSED;
        for (const came of before) {
          const taken = next(breaker);
          breaker = taken.turn === "skip" ? taken.breaker : told(taken.breaker, came);
        }
        return turnsOf(() => "answered", 2, breaker).some((turn) => turn !== "skip");
      }),
    );
  });
});
