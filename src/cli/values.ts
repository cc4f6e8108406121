/** From a text on the command line or in a variable, or a value in a file, to a flag's typed value. */
import { parseAddress } from "../core/address.ts";
import { formatDuration, parseDuration } from "../lib/duration.ts";
import { nearest } from "../lib/suggest.ts";
import type { Flag } from "./flags.ts";
import { didYouMean, usageError } from "./usage.ts";

/** A value and who gave it: `-http-addr`, `ROLLCALL_HTTP_ADDR`, or `/etc/rollcall.yaml: http_addr`. */
export type Given = { readonly where: string; readonly value: unknown };

type Converted =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };

/**
 * The typed value of a flag of any kind but `json`: string, boolean, whole number, milliseconds, words, or
 * `{host, port}`. Throws one usage line that names who gave it, what it was and what is allowed.
 */
export function convert(flag: Flag, given: Given): unknown {
  const { where, value } = given;
  if (value === "") throw usageError(`${where}: is empty; leave it out, or give ${article(flag)}`);
  const converted = typeof value === "string" ? fromText(flag, value) : fromFile(flag, value);
  if (converted.ok) return converted.value;
  throw usageError(`${where}: ${flag.secret === true ? "" : `${shown(value)} `}${converted.problem}`);
}

/** A value as a message repeats it: quoted, and cut where it is long. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 64 ? `${text.slice(0, 60)}…${typeof value === "string" ? '"' : ""}` : text;
}

function fromText(flag: Flag, text: string): Converted {
  switch (flag.kind) {
    case "string":
    case "json":
      return yes(text);
    case "bool":
      if (/^(?:true|t|1)$/i.test(text)) return yes(true);
      return /^(?:false|f|0)$/i.test(text) ? yes(false) : no("must be true or false");
    case "int":
      return /^[+-]?\d{1,15}$/.test(text)
        ? inRange(flag, Number(text), String)
        : no(`must be ${article(flag)}`);
    case "duration":
      return duration(flag, text);
    case "enum":
      if (flag.name === "disco-mode" && text === "static")
        return no("is what -join makes; give the agents with -join instead");
      return flag.values?.includes(text) === true
        ? yes(text)
        : no(`must be ${either(flag.values ?? [])}${didYouMean(nearest(text, flag.values ?? []))}`);
    case "list":
      return words(text);
    case "address": {
      const parsed = parseAddress(text, undefined, usualPort(flag));
      return parsed.ok ? yes(parsed.value) : no(parsed.problem);
    }
    default:
      return flag.kind satisfies never;
  }
}

/** Files give some values natively; everything else must be a string there. */
function fromFile(flag: Flag, value: unknown): Converted {
  if (flag.kind === "bool" && typeof value === "boolean") return yes(value);
  if (flag.kind === "int" && typeof value === "number") return inRange(flag, value, String);
  if (flag.kind === "list" && Array.isArray(value)) return list(value);
  if (flag.name === "join" && Array.isArray(value)) return no('must be one string, as in "n1,n2"');
  if (typeof value === "number" || typeof value === "boolean") {
    return no(flag.kind === "duration" ? "must have a unit, as in 120s" : "must be in quotes");
  }
  return no(`must be ${article(flag)}`);
}

/** The port that a message suggests; what answers DNS at its own would need rights. */
function usualPort({ name, default: usual }: Flag): number {
  if (name === "dns-addr") return 5300;
  return Number(usual?.split(":").at(-1) ?? 4100);
}

function duration(flag: Flag, text: string): Converted {
  const ms = parseDuration(text);
  if (ms !== null) return inRange(flag, ms, formatDuration);
  const [least, most] = flag.range ?? [0, Number.MAX_SAFE_INTEGER];
  const meant = ["s", "m", "h"]
    .map((unit) => `${text}${unit}`)
    .find((one) => {
      const read = parseDuration(one);
      return read !== null && read >= least && read <= most;
    });
  return no(`must be a duration${meant === undefined ? ", as in 120s or 1h30m" : `; write ${meant}`}`);
}

function inRange(flag: Flag, value: number, format: (value: number) => string): Converted {
  const [least, most] = flag.range ?? [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  const whole = flag.kind === "duration" || Number.isInteger(value);
  return whole && value >= least && value <= most
    ? yes(value)
    : no(`must be ${flag.kind === "int" ? "a whole number " : ""}from ${format(least)} to ${format(most)}`);
}

function words(text: string): Converted {
  if (!text.trimStart().startsWith("[")) {
    const split = text.split(/\s+/).filter((word) => word !== "");
    return split.length > 0 ? yes(split) : no("has no word");
  }
  try {
    return list(JSON.parse(text));
  } catch {
    return no('begins with [ and is not a JSON array of strings, as in ["/init.sh","--fast"]');
  }
}

function list(value: unknown): Converted {
  const strings = Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === "string");
  return strings && value[0] !== "" ? yes(value) : no("must be one or more strings, the command first");
}

function article(flag: Flag): string {
  switch (flag.kind) {
    case "bool":
      return "true or false";
    case "int":
      return "a whole number";
    case "duration":
      return "a duration, as in 120s";
    case "enum":
      return either(flag.values ?? []);
    case "list":
      return "a command";
    case "json":
      return "JSON or a file";
    case "address":
      return "host:port";
    case "string":
      return "a string";
    default:
      return flag.kind satisfies never;
  }
}

/** `a, b or c`. */
function either(values: readonly string[]): string {
  return values.length < 2 ? values.join("") : `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
}

function yes(value: unknown): Converted {
  return { ok: true, value };
}

function no(problem: string): Converted {
  return { ok: false, problem };
}
