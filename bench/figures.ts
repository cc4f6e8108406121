/** Medians and tables for the benches. */

/** The middle of some numbers; NaN of none. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** The value that a share `q` of some numbers is not above; NaN of none. */
export function quantile(numbers: readonly number[], q: number): number {
  const at = Math.min(numbers.length - 1, Math.ceil(q * numbers.length) - 1);
  return [...numbers].sort((a, b) => a - b)[at] ?? Number.NaN;
}

/** `median (min-max)`, rounded. */
export function spread(numbers: readonly number[], digits = 0): string {
  if (numbers.length === 0) return "-";
  return `${median(numbers).toFixed(digits)} (${Math.min(...numbers).toFixed(digits)}-${Math.max(...numbers).toFixed(digits)})`;
}

/** Columns as wide as they need to be. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** What an aim comes to: the ratio, and by how much it is missed. */
export function aim(name: string, ratio: number, most: number): string {
  const verdict = ratio <= most ? "met" : `missed by ${((ratio / most - 1) * 100).toFixed(0)} %`;
  return `${name}: ${ratio.toFixed(4)} of the peer's (1/${(1 / ratio).toFixed(1)}), aim ${most.toFixed(4)} (1/${(1 / most).toFixed(0)}): ${verdict}`;
}
