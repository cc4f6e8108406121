/** What many schedules came to, as numbers that add up, and as lines for people. */
import { type Kind, kinds } from "./faults.ts";
import type { Result } from "./schedule.ts";

/** Plain data: it goes from worker to worker. */
export type Summary = {
  schedules: number;
  /** Of the world's clock, and of the coordinators' logs. */
  happened: number;
  committed: number;
  /** In how many schedules each kind of fault took effect, and how often in all. */
  hit: Partial<Record<Kind, number>>;
  times: Partial<Record<Kind, number>>;
  violations: { seed: number; what: string }[];
};

/** Nothing yet. */
export function noResults(): Summary {
  return { schedules: 0, happened: 0, committed: 0, hit: {}, times: {}, violations: [] };
}

export function addResult(sum: Summary, result: Result): void {
  sum.schedules += 1;
  sum.happened += result.happened;
  sum.committed += result.committed;
  for (const [kind, times] of result.counts) {
    sum.hit[kind] = (sum.hit[kind] ?? 0) + 1;
    sum.times[kind] = (sum.times[kind] ?? 0) + times;
  }
  for (const what of result.violations) sum.violations.push({ seed: result.seed, what });
}

export function addSummary(sum: Summary, other: Summary): void {
  for (const name of ["schedules", "happened", "committed"] as const) sum[name] += other[name];
  for (const row of ["hit", "times"] as const)
    for (const [kind, times] of Object.entries(other[row]) as [Kind, number][])
      sum[row][kind] = (sum[row][kind] ?? 0) + times;
  sum.violations.push(...other.violations);
}

/** The command that runs the schedule of one seed again. */
export function replay(seed: number, mutant: string | null = null): string {
  const which = mutant === null ? "" : ` --mutant ${JSON.stringify(mutant)}`;
  return `npm run sim:coordinator -- --seed ${seed} --schedules 1${which}`;
}

/** What people read. `seconds`: of the machine's time. */
export function report(sum: Summary, seconds: number): string[] {
  const each = (all: number) => Math.round(all / Math.max(1, sum.schedules));
  const pad = (times: number | undefined) => String(times ?? 0).padStart(9);
  return [
    `${sum.schedules} schedules in ${seconds.toFixed(0)} s, ${((60 * sum.schedules) / seconds).toFixed(0)} a minute; ` +
      `in each ${each(sum.happened)} moments and ${each(sum.committed)} events`,
    "faults: schedules hit, times in all",
    ...kinds.map((kind) => `  ${kind.padEnd(46)} ${pad(sum.hit[kind])} ${pad(sum.times[kind])}`),
    `${sum.violations.length} violations`,
  ];
}
