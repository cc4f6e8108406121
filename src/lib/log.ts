/** Logs: pino, one line an event, a constant message and fields, a child for each part. */
import { styleText } from "node:util";
import { type Logger, pino } from "pino";

export type Log = Pick<Logger, "debug" | "info" | "warn" | "error" | "child">;

export type LogOptions = {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly format: "text" | "json";
  /** Where lines go; written synchronously, so that none is lost at exit. */
  readonly write: (line: string) => void;
  readonly color: boolean;
};

/** A log that writes `json` (one object a line) or `text` (for people at a terminal). */
export function openLog(options: LogOptions): Log {
  const write =
    options.format === "json" ? options.write : (line: string) => options.write(asText(line, options.color));
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
}

const colors = { debug: "gray", info: "cyan", warn: "yellow", error: "red" } as const;

function asText(line: string, color: boolean): string {
  const { level, time, msg, part, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const name = String(level);
  const shown =
    color && name in colors
      ? // Where the lines go is the caller's business: without this, standard output would be looked at.
        styleText(colors[name as keyof typeof colors], name.padEnd(5), { validateStream: false })
      : name.padEnd(5);
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${plain(value)}`);
  return `${[String(time).slice(11, 23), shown, part === undefined ? null : `${part}:`, msg, ...rest].filter((x) => x !== null).join(" ")}\n`;
}

/** A text as it is, unless something in it would break the line or speak to the terminal. */
function plain(value: unknown): string {
  const json = JSON.stringify(value);
  return typeof value === "string" && json === `"${value}"` ? value : json;
}
