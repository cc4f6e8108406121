/** What is wrong with a document, as lines: the place, what was given, what is allowed, and what was probably meant. */
import type * as z from "zod";
import { kindOf } from "../lib/kinds.ts";
import { nearest } from "../lib/suggest.ts";

/** Longer values are cut. */
const MOST_SHOWN = 60;
/** Below these the values may be secrets. */
const SECRET = /^spec\.(?:config|url|body|headers)\b/;

/** One line an issue, as in `spec.interval: is "0s"; must be …`. */
export function issueLines(schema: z.ZodType, given: unknown, error: z.ZodError): readonly string[] {
  return error.issues.flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") return [`${place(issue.path)}: ${problem(issue, given)}`];
    const known = keysAt(schema, issue.path);
    return issue.keys.map((key) => `${place([...issue.path, key])}: unknown key${meant(key, known)}`);
  });
}

/** ` (did you mean X?)`, or where nothing is near, what there is. */
export function meant(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === null ? `; there are ${known.join(", ")}` : ` (did you mean ${near}?)`;
}

/** A value as it was given, in JSON, on one line and not for ever. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

function problem(issue: z.core.$ZodIssue, document: unknown): string {
  const given = valueAt(document, issue.path);
  if (given === undefined) return `is missing; ${allowed(issue)}`;
  // What begins with `is` or `needs` says it all; the value before it would be read as the subject.
  if (!allowed(issue).startsWith("must ")) return allowed(issue);
  const near =
    issue.code === "invalid_value" && typeof given === "string"
      ? nearest(given, issue.values.map(String))
      : null;
  const tail = near === null ? "" : ` (did you mean ${near}?)`;
  const secret = SECRET.test(place(issue.path));
  return secret ? `${allowed(issue)}${tail}` : `is ${shown(given)}; ${allowed(issue)}${tail}`;
}

function allowed(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_value" && /^Invalid /.test(issue.message))
    return issue.values.length === 1
      ? `must be ${shown(issue.values[0])}`
      : `must be one of ${issue.values.join(", ")}`;
  if (issue.code === "too_small") return atLeast(issue.origin, Number(issue.minimum));
  if (issue.code === "too_big" && issue.origin !== "string")
    return `must ${issue.origin === "array" ? "have" : "be"} at most ${issue.maximum}`;
  if (issue.code === "invalid_type") return `must be ${kindOf(issue.expected)}`;
  return issue.message;
}

function atLeast(origin: string, least: number): string {
  if (origin === "array" || origin === "string") return "must not be empty";
  return `must be at least ${least}`;
}

function place(path: readonly PropertyKey[]): string {
  // A key is repeated only where it looks like one; a misplaced secret does not.
  const parts = path.map((part) => (/^[\w-]{1,40}$/.test(String(part)) ? String(part) : "…"));
  return parts.length === 0 ? "the document" : parts.join(".");
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

/** The keys of the object schema at a path, through what wraps it. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case "object": {
      const [key, ...rest] = path;
      if (key === undefined) return Object.keys(def.shape);
      const inner = def.shape[String(key)];
      return inner === undefined ? [] : keysAt(inner, rest);
    }
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
      return keysAt(def.innerType, path);
    case "pipe":
      return keysAt(def.in, path);
    default:
      return [];
  }
}
