/** What the viewer sees: a title, numbered acts, one line an event with its time, quotations, a table. */
import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** No line is longer, however wide the terminal is. */
const WIDEST = 96;
const TIME = 6;
/** The column of who does or says something, unless a story has longer names. */
const WHO = 8;
/** The column of the types of events. */
const TYPE = 18;
const GAP = "  ";
const NODE_STYLES: Readonly<Record<string, Style>> = {
  "node-1": "cyan",
  "node-2": "magenta",
  "node-3": "yellow",
};

/** What a log tells at once. */
export type News = { readonly type: string; readonly look: Style; readonly text: string };
export type Screen = ReturnType<typeof openScreen>;

/**
 * A screen that writes to `write`. In every text, `word` in backticks is printed bold and without them, and
 * node names have their colours. `sinceMs` gives the time that events are stamped with.
 */
export function openScreen(options: {
  readonly write: (text: string) => void;
  readonly color: boolean;
  /** Columns of the terminal; null when there is none. */
  readonly columns: number | null;
  readonly sinceMs: () => number;
  /** The longest name of who does something, in characters (8). */
  readonly who?: number;
}) {
  const { write, color, sinceMs, who: whoColumns = WHO } = options;
  const indent = TIME + whoColumns + 2 * GAP.length;
  const width = Math.max(50, Math.min(WIDEST, options.columns ?? WIDEST));
  const paint = (style: Style, text: string) =>
    color ? styleText(style, text, { validateStream: false }) : text;
  const painted = (line: string) =>
    line
      .replace(/`([^`]*)`/g, (_, words: string) => paint("bold", words))
      .replace(/\bnode-\d\b/g, (name) => paint(NODE_STYLES[name] ?? "bold", name));
  const line = (text = "") => write(`${text.trimEnd()}\n`);
  const body = (text: string) => wrap(text, width - indent).map(painted);
  const opening = (who: string) => {
    const stamp = `${(sinceMs() / 1_000).toFixed(1)}s`.padStart(TIME);
    return [paint("dim", stamp), paint(NODE_STYLES[who] ?? "blue", who.padEnd(whoColumns))].join(GAP);
  };

  return {
    title(text: string, about: string): void {
      line();
      line(paint("bold", text));
      line();
      for (const part of wrap(about, width)) line(painted(part));
    },
    /** Begins an act. */
    act(number: number, text: string): void {
      line();
      line(paint(["bold", "underline"], `${number}. ${text}`));
    },
    /** An event: when, who, what. */
    event(who: string, text: string): void {
      const [first = "", ...rest] = body(text);
      line(opening(who) + GAP + first);
      for (const part of rest) line(" ".repeat(indent) + part);
    },
    /** An event of a log: when, who tells it, its type in its own colour, and below each other what it says. */
    news(who: string, { type, look, text }: News): void {
      const room = indent + Math.max(TYPE, type.length) + GAP.length;
      const [first = "", ...rest] = wrap(text, width - room).map(painted);
      line([opening(who), paint(look, type) + " ".repeat(Math.max(0, TYPE - type.length)), first].join(GAP));
      for (const part of rest) line(" ".repeat(indent + TYPE + GAP.length) + part);
    },
    /** What a program said, in its own words, below the event before. */
    quote(text: string): void {
      for (const part of wrap(text, width - indent - 2))
        line(`${" ".repeat(indent)}${paint("dim", "|")} ${paint("italic", part)}`);
    },
    /** More of the event before. */
    more(text: string): void {
      for (const part of body(text)) line(" ".repeat(indent) + part);
    },
    /** Columns as wide as their widest cell; the first row is the head. */
    table(rows: readonly (readonly string[])[]): void {
      const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
      line();
      for (const [at, row] of rows.entries()) {
        const cells = row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(GAP);
        line(GAP + (at === 0 ? paint("dim", cells.trimEnd()) : painted(cells.trimEnd())));
      }
      line();
    },
    /** One fact of the end: what it is, and what it says. */
    fact(label: string, text: string): void {
      for (const [at, part] of wrap(text, width - indent).entries())
        line((at === 0 ? label : "").padEnd(indent) + painted(part));
    },
    /** A paragraph at the left edge. */
    plain(text: string): void {
      for (const part of wrap(text, width)) line(painted(part));
    },
    /** Something to type; never wrapped. */
    command: (text: string) => line(GAP + paint("bold", text)),
    /** What a program printed, as it stands. */
    verbatim(lines: readonly string[]): void {
      for (const text of lines) line(GAP + text);
    },
    gap: () => line(),
  };
}

/** Lines of at most `width` characters, backticks not counted and never parted; a longer word stands alone. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let now = "";
  for (const word of text.split(/ (?=[^`]*(?:`[^`]*`[^`]*)*$)/)) {
    const next = now === "" ? word : `${now} ${word}`;
    if (now !== "" && next.replaceAll("`", "").length > width) {
      lines.push(now);
      now = word;
    } else now = next;
  }
  return [...lines, now];
}
