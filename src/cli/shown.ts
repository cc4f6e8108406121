/** What the coordinator's commands print: colours on a terminal, and JSON or YAML that no terminal obeys. */
import { styleText } from "node:util";
import type { Output } from "../config.ts";
import type { Io } from "./io.ts";

export type Look = "red" | "green" | "yellow" | "bold" | "dim";

/** Text in a style where standard output is a terminal and nobody asked for none; else as it is. */
export type Style = (look: Look | Look[], text: string) => string;

/** Source of the variable: no-color.org. */
export function styleOf(io: Io): Style {
  const plain = !io.terminal.stdout || (io.env.NO_COLOR ?? "") !== "";
  return (look, text) => (plain ? text : styleText(look, text, { validateStream: false }));
}

/** Prints a value for programs, in the format asked for. */
export async function printValue(value: unknown, output: Exclude<Output, "table">, io: Io): Promise<void> {
  if (output === "json") return io.stdout(`${harmless(JSON.stringify(value, null, 2))}\n`);
  io.stdout((await yamlText())(value));
}

/** What makes YAML of values. */
export async function yamlText(): Promise<(value: unknown) => string> {
  const { stringify } = await import("../lib/yaml.ts");
  // Strings with control characters are in double quotes, where these escapes mean the same.
  return (value) => harmless(stringify(value, { lineWidth: 0 }), /[\u007f-\u009f]/g);
}

/** A value on one line of JSON. */
export function jsonLine(value: unknown): string {
  return `${harmless(JSON.stringify(value))}\n`;
}

/** JSON escapes the older control characters only; a terminal obeys the others too. */
function harmless(json: string, what = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g): string {
  return json.replace(what, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The colour of a health; null: it has none. */
export function colourOfHealth(health: string): Look | null {
  return health === "green" || health === "yellow" || health === "red" ? health : null;
}
