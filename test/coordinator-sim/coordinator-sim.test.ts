/** The shipped coordinator in the simulator, and the simulator itself: it repeats itself, and finds coordinators that are wrong. */
import { describe, expect, it } from "vitest";
import { kinds } from "./faults.ts";
import { mutants } from "./mutants.ts";
import { replay, type Summary } from "./report.ts";
import { runSchedule } from "./schedule.ts";
import { runThreads } from "./threads.ts";

/** About fifteen seconds of two quiet cores. */
const SCHEDULES = 800;
/** In which every mutant is found; most take the first few. */
const MUTANT_SCHEDULES = 600;
const MINUTES = 60_000;

const told = ({ violations }: Summary) => violations.map(({ seed, what }) => `${what} (${replay(seed)})`);

describe("the shipped coordinator in the simulator", () => {
  it(
    `keeps what it must in ${SCHEDULES} schedules`,
    async () => {
      const sum = await runThreads({ first: 1, schedules: SCHEDULES });
      expect(told(sum)).toEqual([]);
      expect(kinds.filter((kind) => (sum.hit[kind] ?? 0) < 10)).toEqual([]);
      // Schedules in which nothing is told prove little.
      expect(sum.committed / sum.schedules).toBeGreaterThan(20);
    },
    10 * MINUTES,
  );
});

describe("the simulator of coordinators", () => {
  it("does the same with the same seed, and something else with another", async () => {
    const hashes: string[] = [];
    for (const seed of [7, 8, 7]) hashes.push((await runSchedule({ seed })).hash);
    expect(hashes[2]).toBe(hashes[0]);
    expect(hashes[1]).not.toBe(hashes[0]);
  });

  for (const [name, { caughtAs }] of Object.entries(mutants))
    it(
      `finds out that ${name}`,
      async () => {
        const sum = await runThreads({
          ...{ first: 1, schedules: MUTANT_SCHEDULES, mutant: name },
          done: ({ violations }) => violations.some(({ what }) => caughtAs.test(what)),
        });
        expect(sum.violations.filter(({ what }) => caughtAs.test(what))).not.toEqual([]);
      },
      10 * MINUTES,
    );
});
