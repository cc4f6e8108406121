/** Text for people: aligned columns and wrapped sentences. */
import { printable } from "./usage.ts";

/** A cell as it is to look, from its text, which is wide enough already; `row` and `column` count from 0. */
export type Paint = (text: string, row: number, column: number) => string;

/** Rows in aligned columns, two spaces apart, one line each; the first row is usually the head. Cells lose control characters. */
export function columns(rows: readonly (readonly string[])[], paint: Paint = (text) => text): string {
  const cells = rows.map((row) => row.map((cell) => (cell === "" ? "-" : printable(cell))));
  const widths: number[] = [];
  for (const row of cells) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  }
  const last = (row: readonly string[], column: number) => column === row.length - 1;
  const shown = (row: readonly string[], at: number) =>
    row.map((cell, column) => {
      const text = last(row, column) ? cell.trimEnd() : cell.padEnd(widths[column] ?? 0);
      return paint(text, at, column);
    });
  return cells.map((row, at) => `${shown(row, at).join("  ").trimEnd()}\n`).join("");
}

/** Words in lines of at most `width`; a longer word has its own line. At least one line. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** JSON for programs, two spaces deep, with a line end. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
