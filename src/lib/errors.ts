/**
 * The one error class. `code` is a stable snake_case word, `message` says what we were doing and what came
 * of it, `hint` what helps, `facts` what a program may want.
 */
export class RollcallError extends Error {
  readonly code: string;
  readonly hint: string | null;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    message: string,
    more: { hint?: string | null; facts?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = "RollcallError";
    this.code = code;
    this.hint = more.hint ?? null;
    this.facts = more.facts ?? {};
  }
}

/** Causes followed at most; errors that cause each other go round for ever. */
const MOST_CAUSES = 5;

/** One line for a person: the message of an error and, where it adds something, of its cause. */
export function reason(error: unknown): string {
  return told(error, MOST_CAUSES);
}

/** The system's or a library's own code of an error (`ECONNREFUSED`), or null. */
export function codeOf(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}

function told(error: unknown, causes: number): string {
  if (!(error instanceof Error)) return firstLine(String(error));
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  const own = firstLine(error.message === "" ? (codeOf(error) ?? error.name) : error.message);
  if (inner === undefined || inner === null || causes === 0) return own;
  const deeper = told(inner, causes - 1);
  if (own.includes(deeper)) return own;
  return deeper.includes(own) ? deeper : `${own}: ${deeper}`;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}
