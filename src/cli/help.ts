/** Help, from the tables of commands and flags. Readable at 100 columns. */
import type { Command } from "./command.ts";
import { COMMANDS, findCommand } from "./commands.ts";
import { envName, type Flag, flagsOf, type Section } from "./flags.ts";
import { columns, wrap } from "./table.ts";

const WIDTH = 100;
const INDENT = 32;

const TITLES: Readonly<Record<Section, string>> = {
  coordinator: "This coordinator",
  "discovery-service": "This Discovery Service",
  node: "This node",
  discovery: "Discovery",
  bootstrap: "Creating the cluster",
  database: "The database",
  supervision: "The database as a child of the agent",
  hooks: "Hooks and files",
  security: "Security",
  log: "Log",
  command: "This command",
};

const EXITS = `Exit codes
  0  done
  1  failed while running: what is asked cannot be reached, a refused write
  2  bad input: one line says which flag or key, what was given and what is allowed; nothing started
  3  overdue with -exit-on-timeout
`;

const RULES = `Flags
  -x v, -x=v, --x v and --x=v are the same; booleans stand alone or take =false. What follows -- is
  the database's command, which the agent starts. A flag given twice is an error. Order: flag,
  environment variable, -config file, default; an empty variable counts as unset. In a -config file,
  -disco-mode is disco_mode, and disco_config may be a mapping. All flags of \`agent\` may stay on
  the line of every command beside it.
`;

/** The text for a command, for a group such as `genesis`, or, for null, the overview. */
export function helpText(topic: string | null): string {
  const command = topic === null ? null : findCommand(topic);
  if (command !== null) return commandHelp(command);
  const listed = COMMANDS.filter(({ name }) => topic === null || name.startsWith(`${topic} `));
  const about =
    topic === null
      ? "A discovery sidecar for clustered databases: finds the peers, agrees with them exactly once who\ncreates the cluster, and says why it waits.\n\n"
      : "";
  const prefix = topic === null ? "COMMAND" : `${topic} COMMAND`;
  return [
    `${about}Usage: rollcall ${prefix} [FLAGS]\n`,
    indent(columns(listed.map(({ name, summary }) => [name, summary]))),
    topic === null ? `${RULES}\n${EXITS}` : null,
    `rollcall help ${topic ?? ""}${topic === null ? "" : " "}COMMAND, or -h after it, explains one.\n`,
  ]
    .filter((part) => part !== null)
    .join("\n");
}

function commandHelp(command: Command): string {
  const flags = flagsOf(command.name);
  const text = command.about === "" ? "" : `${wrap(command.about, WIDTH).join("\n")}\n\n`;
  const argument = flags.find((flag) => flag.name === command.argument);
  const usage = `Usage: rollcall ${command.name}${argument === undefined ? "" : ` [${argument.word}]`}${flags.length > 0 ? " [FLAGS]" : ""}\n`;
  const sections = (Object.keys(TITLES) as Section[]).flatMap((section) => {
    const rows = flags.filter((flag) => flag.section === section);
    return rows.length === 0 ? [] : [`${TITLES[section]}\n${rows.map(flagHelp).join("")}`];
  });
  const examples = `Examples\n${command.examples.map(example).join("")}`;
  return [
    `rollcall ${command.name}: ${command.summary}\n`,
    `${text}${usage}`,
    ...sections,
    examples,
    ...(flags.length > 0 ? [RULES, EXITS] : []),
  ].join("\n");
}

function flagHelp(flag: Flag): string {
  const head = `  -${flag.name}${flag.word === "" ? "" : ` ${flag.word}`}`;
  const env = envName(flag);
  const value = flag.kind === "bool" ? "" : defaultOf(flag);
  const text = [flag.meaning, allowed(flag), value && `(${value})`, env && `$${env}`]
    .filter(Boolean)
    .join(" ");
  const lines = [...wrap(text, WIDTH - INDENT)];
  const first = head.length < INDENT - 1 ? `${head.padEnd(INDENT)}${lines.shift()}` : head;
  return [first, ...lines.map((line) => " ".repeat(INDENT) + line)].map((line) => `${line}\n`).join("");
}

function allowed(flag: Flag): string {
  return flag.values === undefined ? "" : `[${flag.values.join("|")}]`;
}

function defaultOf(flag: Flag): string {
  const text = flag.defaultText ?? flag.default ?? "";
  return text === "" || text.startsWith("required") ? text : `default ${text}`;
}

/** A long example goes on in a second line, as a shell would take it. */
function example(line: string): string {
  const lines = wrap(line, WIDTH - 6);
  return `${lines.map((part, at) => `${at === 0 ? "  " : "      "}${part}`).join(" \\\n")}\n`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}
