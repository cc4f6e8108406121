/** Near misses: what a person probably meant by a word that is not in the list. */

/**
 * The candidate nearest to `word`, or null when none is near. Near is: at most a third of the letters
 * changed (a swap of neighbours is one change), or one begins or ends with the other at a `-`, `_` or `.`.
 */
export function nearest(word: string, candidates: readonly string[]): string | null {
  if (word === "" || word.length > 64) return null;
  const wanted = fold(word);
  let best: string | null = null;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const cost = costOf(wanted, fold(candidate));
    if (cost < bestCost) [best, bestCost] = [candidate, cost];
  }
  return best;
}

function fold(text: string): string {
  return text.toLowerCase().replaceAll("_", "-");
}

function costOf(word: string, candidate: string): number {
  const edits = distance(word, candidate);
  const limit = Math.max(1, Math.floor(Math.min(word.length, candidate.length) / 3));
  if (edits <= limit) return edits;
  // A whole part of the name was left out: `mode` for `disco-mode`, `token` for `token-file`.
  const parts = `-${candidate}-`.includes(`-${word}-`) && word.length > 2;
  return parts ? limit + candidate.length - word.length : Number.POSITIVE_INFINITY;
}

/** Damerau's distance with adjacent swaps (optimal string alignment). */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, at(beforeLast, j - 2) + 1);
      }
      row.push(cost);
    }
    [beforeLast, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
