/** What many schedules came to, as numbers that add up, and as lines for people. */
import { type Kind, kinds } from "./faults.ts";
import type { Result } from "./schedule.ts";

/** Plain data: it goes from worker to worker. */
export type Summary = {
  schedules: number;
  events: number;
  /** Schedules in which a cluster formed. */
  formed: number;
  /** Schedules that ended at a limit of what can be promised. */
  limited: number;
  live: number;
  /** Of these, with a core that had to form one, and that did. */
  demanded: number;
  settled: number;
  /** From healing until all of the core had settled, in virtual milliseconds, each. */
  settledAfterMs: number[];
  /** In how many schedules each kind of fault took effect, and how often in all. */
  hit: Partial<Record<Kind, number>>;
  times: Partial<Record<Kind, number>>;
  violations: { seed: number; what: string }[];
};

/** Nothing yet. */
export function noResults(): Summary {
  return {
    ...{ schedules: 0, events: 0, formed: 0, limited: 0, live: 0, demanded: 0, settled: 0 },
    ...{ settledAfterMs: [], hit: {}, times: {}, violations: [] },
  };
}

export function addResult(sum: Summary, result: Result): void {
  sum.schedules += 1;
  sum.events += result.events;
  sum.formed += result.formed > 0 ? 1 : 0;
  sum.limited += result.limited ? 1 : 0;
  sum.live += result.demand === null ? 0 : 1;
  sum.demanded += result.demand?.sufficient ? 1 : 0;
  if (result.settledAfterMs !== null) {
    sum.settled += 1;
    sum.settledAfterMs.push(Math.round(result.settledAfterMs));
  }
  for (const [kind, times] of result.counts) {
    sum.hit[kind] = (sum.hit[kind] ?? 0) + 1;
    sum.times[kind] = (sum.times[kind] ?? 0) + times;
  }
  for (const what of result.violations) sum.violations.push({ seed: result.seed, what });
}

export function addSummary(sum: Summary, other: Summary): void {
  for (const name of ["schedules", "events", "formed", "limited", "live", "demanded", "settled"] as const)
    sum[name] += other[name];
  sum.settledAfterMs.push(...other.settledAfterMs);
  for (const row of ["hit", "times"] as const)
    for (const [kind, times] of Object.entries(other[row]) as [Kind, number][])
      sum[row][kind] = (sum[row][kind] ?? 0) + times;
  sum.violations.push(...other.violations);
}

/** The command that runs the schedule of one seed again. */
export function replay(seed: number): string {
  return `npm run sim -- --seed ${seed} --schedules 1`;
}

/** What people read. `seconds`: of the machine's time. */
export function report(sum: Summary, seconds: number): string[] {
  const share = (part: number, of: number) => (of === 0 ? "-" : `${((100 * part) / of).toFixed(1)} %`);
  const sorted = sum.settledAfterMs.toSorted((a, b) => a - b);
  const at = (part: number) => ((sorted[Math.ceil(part * sorted.length) - 1] ?? 0) / 1_000).toFixed(1);
  return [
    `${sum.schedules} schedules in ${seconds.toFixed(0)} s, ${(sum.schedules / seconds).toFixed(1)} a second, ` +
      `${Math.round(sum.events / Math.max(1, sum.schedules))} events each`,
    `a cluster formed in ${sum.formed} (${share(sum.formed, sum.schedules)}); ${sum.limited} ended at limit (c)`,
    `liveness: ${sum.live} healed, ${sum.demanded} with a sufficient core, ${sum.settled} of these settled; ` +
      `after ${at(0.5)} s (median), ${at(0.99)} s (99 %), ${at(1)} s at most`,
    "faults: schedules hit, times in all",
    ...kinds.map((kind) => `  ${kind.padEnd(34)} ${pad(sum.hit[kind])} ${pad(sum.times[kind])}`),
    ...sum.violations.map(({ seed, what }) => `VIOLATION: ${what}\n  ${replay(seed)}`),
    `${sum.violations.length} violations`,
  ];
}

function pad(times: number | undefined): string {
  return String(times ?? 0).padStart(8);
}
