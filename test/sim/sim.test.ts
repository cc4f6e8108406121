/** The shipped agent in the simulator, and the simulator itself: it repeats itself, and finds agents that are wrong. */
import { describe, expect, it } from "vitest";
import { chanceOf } from "./chance.ts";
import { virtualDisk } from "./disk.ts";
import { kinds } from "./faults.ts";
import { mutants } from "./mutants.ts";
import { replay, type Summary } from "./report.ts";
import { runSchedule } from "./schedule.ts";
import { runThreads } from "./threads.ts";

const SCHEDULES = 2_000;
/** In which every mutant is found; most take the first few. */
const MUTANT_SCHEDULES = 2_000;
const MINUTES = 60_000;

const told = ({ violations }: Summary) => violations.map(({ seed, what }) => `${what} (${replay(seed)})`);

describe("the shipped agent in the simulator", () => {
  it(
    `does nothing that it must not in ${SCHEDULES} schedules, and forms where it must`,
    async () => {
      const sum = await runThreads({ first: 1, schedules: SCHEDULES });
      expect(told(sum)).toEqual([]);
      expect(kinds.filter((kind) => (sum.hit[kind] ?? 0) < 10)).toEqual([]);
      // Schedules in which nothing forms, or nothing is demanded, prove little.
      expect(sum.formed / sum.schedules).toBeGreaterThan(0.6);
      expect(sum.demanded / sum.schedules).toBeGreaterThan(0.4);
      expect(sum.settled).toBe(sum.demanded);
    },
    10 * MINUTES,
  );
});

describe("the simulator", () => {
  it("does the same with the same seed, and something else with another", async () => {
    const hashes: string[] = [];
    for (const seed of [7, 8, 7]) hashes.push((await runSchedule({ seed })).hash);
    expect(hashes[2]).toBe(hashes[0]);
    expect(hashes[1]).not.toBe(hashes[0]);
  });

  it("has a disk that forgets what was not synced, and keeps what was", async () => {
    const outcomes = new Set<string | null>();
    for (let seed = 1; seed <= 60; seed++) {
      const disk = virtualDisk(chanceOf(seed), ["data"], () => {});
      const files = disk.open(async (_, effect) => effect());
      await files.write("/data/kept", "whole");
      await files.write("/data/lost", "text");
      await files.sync("/data/kept");
      if (seed % 2 === 0) await files.sync("/data");
      disk.fail();
      outcomes.add(disk.text("/data/lost"));
      if (seed % 2 === 0) expect(disk.text("/data/kept")).toBe("whole");
    }
    expect([...outcomes]).toEqual(expect.arrayContaining([null, "", "text", "te"]));
  });

  for (const [name, { mode = null, caughtAs }] of Object.entries(mutants))
    it(
      `finds out that ${name}`,
      async () => {
        const sum = await runThreads({
          first: 1,
          schedules: MUTANT_SCHEDULES,
          mode,
          mutant: name,
          done: ({ violations }) => violations.some(({ what }) => caughtAs.test(what)),
        });
        expect(sum.violations.filter(({ what }) => caughtAs.test(what))).not.toEqual([]);
      },
      10 * MINUTES,
    );
});
