/** Durations the Go way: `250ms`, `1.5s`, `1h30m`. */

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds, possibly a fraction, or null when the text is not a duration. A number needs its unit; `0` alone does not. */
export function parseDuration(text: string): number | null {
  if (text === "0") return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return null;
  let ms = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    ms += Number(number) * (UNIT_MS[unit ?? ""] ?? 0);
  }
  return Number.isFinite(ms) ? ms : null;
}

/** The shortest text that `parseDuration` reads back: `1500` gives `1.5s`, `7200000` gives `2h`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  const unit = ms % 3_600_000 === 0 ? "h" : ms % 60_000 === 0 ? "m" : ms >= 1_000 ? "s" : "ms";
  return `${ms / (UNIT_MS[unit] ?? 1)}${unit}`;
}
