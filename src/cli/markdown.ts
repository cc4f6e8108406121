/** The README's tables, from the same rows as help. */
import { routes } from "../coordinator/routes.ts";
import { EVENT_MEANINGS } from "../core/events.ts";
import type { CommandName } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { envName, type Flag, flagsOf } from "./flags.ts";
import { hookSchema } from "./hook-schema.ts";

/** A Markdown table of the flags of `agent`, or of what another command adds to them. */
export function flagTable(command: CommandName = "agent"): string {
  const agents = new Set(flagsOf("agent"));
  const rows = flagsOf(command).filter((flag) => command === "agent" || !agents.has(flag));
  return table(["flag", "default", "environment", "meaning"], rows.map(flagRow));
}

/** A Markdown table of all commands. */
export function commandTable(): string {
  return table(
    ["command", "what it does"],
    COMMANDS.map(({ name, summary }) => [code(`rollcall ${name}`), cell(summary)]),
  );
}

/** A Markdown table of the coordinator's paths. */
export function endpointTable(): string {
  const rows = Object.values(routes).map(({ method, path, summary }) => [
    code(`${method} ${path}`),
    cell(summary.replace(/\.$/, "")),
  ]);
  return table(["path", "answer"], rows);
}

/** A Markdown table of the coordinator's events. */
export function eventTable(): string {
  return table(
    ["event", "when"],
    Object.entries(EVENT_MEANINGS).map(([type, when]) => [code(type), cell(when)]),
  );
}

/** What a hook reads, as JSON Schema, folded. */
export function hookText(): string {
  const schema = JSON.stringify(hookSchema());
  return `<details><summary>What a hook reads: JSON Schema</summary>\n\n\`\`\`json\n${schema}\n\`\`\`\n\n</details>\n`;
}

function flagRow(flag: Flag): readonly string[] {
  const env = envName(flag);
  const allowed = flag.values === undefined ? "" : ` (${flag.values.map(code).join(", ")})`;
  return [
    code(`-${flag.name}${flag.word === "" ? "" : ` ${flag.word}`}`),
    flag.defaultText ?? (flag.default === null ? "–" : code(flag.default)),
    env === null ? "–" : code(env),
    `${cell(flag.meaning)}${allowed}`,
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
  return [head, head.map(() => "---"), ...rows].map(line).join("");
}

function code(text: string): string {
  return `\`${text.replaceAll("|", "\\|")}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
