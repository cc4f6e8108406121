/** What a provider's schema says of its configuration, as lines without values. */
import type * as z from "zod";
import { kindOf } from "../lib/kinds.ts";
import { nearest } from "../lib/suggest.ts";
import { didYouMean } from "./usage.ts";

/** At most this many lines. */
const MOST = 3;

/** One line an issue, `tls_config.ca_fil: unknown key (did you mean ca_file?)`, the first three. */
export function issueLines(schema: z.core.$ZodType, error: z.core.$ZodError): readonly string[] {
  const lines = error.issues.flatMap((issue) => linesOf(schema, issue));
  const more = lines.length - MOST;
  return more > 0 ? [...lines.slice(0, MOST), `and ${more} more`] : lines;
}

function linesOf(schema: z.core.$ZodType, issue: z.core.$ZodIssue): readonly string[] {
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(schema, issue.path);
    return issue.keys.map(
      (key) => `${name([...issue.path, key])}: unknown key${didYouMean(nearest(key, known))}`,
    );
  }
  const message = wordsOf(issue);
  return [issue.path.length === 0 ? message : `${name(issue.path)}: ${message}`];
}

function wordsOf(issue: z.core.$ZodIssue): string {
  const { message } = issue;
  // The key's own schema says what is wrong with it.
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? message;
  if (issue.code === "invalid_value" && /^Invalid /.test(message))
    return issue.values.length === 1
      ? `must be ${String(issue.values[0])}`
      : `must be one of ${issue.values.join(", ")}`;
  const [, received] = /^Invalid input: .*, received (\w+)$/.exec(message) ?? [];
  if (issue.code !== "invalid_type" || received === undefined)
    return message.replace(/^Invalid (?:input|option): /, "").replace(/^expected /, "must be ");
  if (received === "undefined") return "is required";
  return `must be ${kindOf(issue.expected)}, not ${kindOf(received)}`;
}

function name(path: readonly PropertyKey[]): string {
  // A key is repeated only where it looks like one; a misplaced secret does not.
  return path.map((part) => (/^[\w-]{1,40}$/.test(String(part)) ? String(part) : "…")).join(".");
}

/** The keys an object schema has at a path below `schema`, through what wraps it. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  const [key, ...rest] = path;
  return unwrap(schema).flatMap(({ def }) => {
    if (def.type === "array") return keysAt(def.element, rest);
    if (def.type !== "object") return [];
    if (key === undefined) return Object.keys(def.shape);
    const inner = def.shape[String(key)];
    return inner === undefined ? [] : keysAt(inner, rest);
  });
}

function unwrap(schema: z.core.$ZodType): readonly z.core.$ZodTypes["_zod"][] {
  const known = (schema as z.core.$ZodTypes)._zod;
  const { def } = known;
  switch (def.type) {
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
    case "readonly":
      return unwrap(def.innerType);
    case "pipe":
      return [...unwrap(def.in), ...unwrap(def.out)];
    case "union":
      return def.options.flatMap(unwrap);
    default:
      return [known];
  }
}
