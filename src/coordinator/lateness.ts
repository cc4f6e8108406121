/** How late runs begin: the last minute's, bounded. */

const MOST_SAMPLES = 8_192;
const KEPT_MS = 60_000;

export function openLateness() {
  const samples: { at: number; ms: number }[] = [];
  let next = 0;
  return {
    add(at: number, ms: number): void {
      samples[next] = { at, ms };
      next = (next + 1) % MOST_SAMPLES;
    },
    /** Of the minute before `now`; zeros when nothing began in it. */
    read(now: number): { p50: number; p99: number; most: number } {
      const recent = samples.filter(({ at }) => now - at <= KEPT_MS).map(({ ms }) => ms);
      recent.sort((a, b) => a - b);
      const quantile = (q: number) => recent[Math.min(recent.length - 1, Math.floor(recent.length * q))] ?? 0;
      return { p50: quantile(0.5), p99: quantile(0.99), most: recent.at(-1) ?? 0 };
    },
  };
}
