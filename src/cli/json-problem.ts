/**
 * Where a text stops being JSON. The engine's own message quotes the text around the place, and that text may
 * hold a password; this one gives the position only.
 */

/** What was expected, and where: 1-based line and column. */
export type JsonProblem = { readonly expected: string; readonly line: number; readonly column: number };

/** The first place where `text` is not JSON, or null when it is. */
export function jsonProblem(text: string): JsonProblem | null {
  const cursor: Cursor = { text, at: 0, depth: 0 };
  const expected = value(cursor) ?? (skip(cursor).at < text.length ? "nothing more" : null);
  if (expected === null) return null;
  const before = text.slice(0, cursor.at).split("\n");
  return { expected, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

type Cursor = { readonly text: string; at: number; depth: number };
/** What was expected at the cursor, or null when it was there and the cursor is behind it. */
type Miss = string | null;

const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
const MAX_DEPTH = 500;

function value(cursor: Cursor): Miss {
  skip(cursor);
  switch (cursor.text[cursor.at]) {
    case "{":
      return nested(cursor, "}", pair);
    case "[":
      return nested(cursor, "]", value);
    case '"':
      return token(cursor, STRING, "the end of a string");
    default:
      return token(cursor, SCALAR, "a value");
  }
}

function pair(cursor: Cursor): Miss {
  return token(skip(cursor), STRING, 'a key in "quotes"') ?? token(skip(cursor), /:/y, ":") ?? value(cursor);
}

function nested(cursor: Cursor, close: string, item: (cursor: Cursor) => Miss): Miss {
  if (++cursor.depth > MAX_DEPTH) return "less nesting";
  cursor.at++;
  if (skip(cursor).text[cursor.at] !== close) {
    for (;;) {
      const miss = item(cursor);
      if (miss !== null) return miss;
      const next = skip(cursor).text[cursor.at];
      if (next === close) break;
      if (next !== ",") return `, or ${close}`;
      cursor.at++;
    }
  }
  cursor.at++;
  cursor.depth--;
  return null;
}

function token(cursor: Cursor, pattern: RegExp, expected: string): Miss {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.text);
  if (found === null) return expected;
  cursor.at += found[0].length;
  return null;
}

function skip(cursor: Cursor): Cursor {
  while (/[ \t\r\n]/.test(cursor.text[cursor.at] ?? "")) cursor.at++;
  return cursor;
}
