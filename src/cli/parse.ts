/**
 * The command line, the Go way: `-x v`, `-x=v`, `--x v` and `--x=v` are the same, booleans stand alone or take
 * `=false`, `--` ends the flags and begins the database's command, `-h`, `-help` and `--help` are understood everywhere. A flag given twice is an
 * error: in long command lines the second one is usually a mistake. No message repeats a word that is not
 * known to be harmless, because a badly quoted `-disco-config` may leave a password anywhere.
 */
import { nearest } from "../lib/suggest.ts";
import type { CommandName } from "./command.ts";
import { COMMANDS, findCommand } from "./commands.ts";
import { type Flag, findFlag, namesFor } from "./flags.ts";
import { didYouMean, usageError } from "./usage.ts";

/** One flag of the command line, with its text. */
export type GivenFlag = { readonly flag: Flag; readonly where: string; readonly text: string };

/** What the command line asks for. `topic`: a command, a group such as `genesis`, or null for the overview. */
export type Line =
  | { readonly kind: "help"; readonly topic: string | null }
  | {
      readonly kind: "run";
      readonly command: CommandName;
      readonly flags: readonly GivenFlag[];
      /** What follows `--`: the database to supervise. */
      readonly database: readonly string[];
    };

/** Reads the arguments after the program's name. Throws one usage line. */
export function parseLine(argv: readonly string[]): Line {
  const { words, rest } = leadingWords(argv);
  if (words[0] === "help") return { kind: "help", topic: topicOf([...words.slice(1), ...rest]) };
  if (asksForHelp(rest)) return { kind: "help", topic: topicOf(words) };
  if (words.length === 0) return withoutCommand(rest);
  const command = commandOf(words);
  const end = rest.indexOf("--");
  const database = end === -1 ? [] : rest.slice(end + 1);
  if (end !== -1 && namesFor(command).length === 0)
    throw usageError(`${command}: takes no arguments after --`);
  if (end !== -1 && (database[0] ?? "") === "") throw usageError("--: needs the database's command after it");
  return {
    kind: "run",
    command,
    flags: readFlags(command, end === -1 ? rest : rest.slice(0, end)),
    database,
  };
}

function leadingWords(argv: readonly string[]): { words: readonly string[]; rest: readonly string[] } {
  // No command has more than two words; what follows is an argument, and none takes one.
  const first = argv.findIndex((word) => word.startsWith("-") || word === "");
  const grouped = COMMANDS.some((command) => command.name.startsWith(`${argv[0]} `)) || argv[0] === "help";
  const end = Math.min(first === -1 ? argv.length : first, argv[0] === "help" ? 3 : grouped ? 2 : 1);
  return { words: argv.slice(0, end), rest: argv.slice(end) };
}

function asksForHelp(rest: readonly string[]): boolean {
  const end = rest.indexOf("--");
  return rest.slice(0, end === -1 ? rest.length : end).some((word) => /^--?(?:h|help)$/.test(word));
}

function topicOf(words: readonly string[]): string | null {
  const topic = words.filter((word) => !word.startsWith("-"));
  if (topic.length === 0) return null;
  const name = topic.join(" ");
  return findCommand(name) !== null || isGroup(name) ? name : commandOf(topic);
}

function withoutCommand(rest: readonly string[]): Line {
  if (rest.length > 0 && /^--?version$/.test(rest[0] ?? ""))
    return { kind: "run", command: "version", flags: [], database: [] };
  const why = rest.length === 0 ? "no command" : "the command comes before the flags";
  throw usageError(`${why}; one of ${topLevel().join(", ")}`, "rollcall help says more");
}

function commandOf(words: readonly string[]): CommandName {
  const name = words.join(" ");
  const found = findCommand(name);
  if (found !== null) return found.name;
  if (isGroup(words[0] ?? "")) {
    const inside = COMMANDS.map((command) => command.name).filter((known) =>
      known.startsWith(`${words[0]} `),
    );
    const given = words.length > 1 ? `unknown command ${quoted(name)}` : "which one";
    const alone =
      findCommand(words[0] ?? "") === null ? "" : `, or ${words[0]} itself, which takes flags only`;
    throw usageError(
      `${words[0]}: ${given}; one of ${inside.join(", ")}${alone}${didYouMean(nearest(name, inside))}`,
    );
  }
  const near = didYouMean(nearest(words[0] ?? "", topLevel()));
  throw usageError(`unknown command ${quoted(words[0] ?? "")}${near}; one of ${topLevel().join(", ")}`);
}

function readFlags(command: CommandName, rest: readonly string[]): readonly GivenFlag[] {
  const given: GivenFlag[] = [];
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? "";
    const argument = isArgument(word, given) ? argumentOf(command) : null;
    if (argument !== null && !given.some((other) => other.flag === argument)) {
      given.push({ flag: argument, where: `-${argument.name}`, text: word });
      continue;
    }
    if (!/^--?[^-=]/.test(word)) throw strayWord(command, given.at(-1));
    const next = readFlag(command, word, rest[at + 1]);
    if (given.some((other) => other.flag === next.flag))
      throw usageError(`-${next.flag.name}: is given twice`);
    if (!word.includes("=") && next.flag.kind !== "bool") at++;
    given.push(next);
  }
  return given;
}

/** After a boolean, a word is most likely its value and forgot the `=`. */
function isArgument(word: string, before: readonly GivenFlag[]): boolean {
  return word !== "" && !word.startsWith("-") && before.at(-1)?.flag.kind !== "bool";
}

/** The flag whose value may stand alone. */
function argumentOf(command: CommandName): Flag | null {
  const name = findCommand(command)?.argument;
  return name === undefined ? null : findFlag(command, name);
}

function readFlag(command: CommandName, word: string, following: string | undefined): GivenFlag {
  const equals = word.indexOf("=");
  const name = word.slice(0, equals === -1 ? undefined : equals).replace(/^--?/, "");
  const flag = findFlag(command, name);
  if (flag === null) throw unknownFlag(command, name);
  const where = `-${flag.name}`;
  if (equals !== -1) return { flag, where, text: word.slice(equals + 1) };
  if (flag.kind === "bool") return { flag, where, text: "true" };
  if (following === undefined) throw usageError(`${where}: needs a value, ${flag.word}`);
  // `-disco-key -disco-mode=disco`: the value was forgotten. One that really looks so can be given with `=`.
  const swallowed = /^--?([a-z][a-z-]*)(?:=|$)/.exec(following)?.[1];
  if (swallowed !== undefined && findFlag(command, swallowed) !== null) {
    throw usageError(`${where}: needs a value, ${flag.word}, but -${swallowed} follows`);
  }
  return { flag, where, text: following };
}

function unknownFlag(command: CommandName, name: string): Error {
  const shown = /^[A-Za-z][A-Za-z0-9_-]{0,40}$/.test(name) ? `-${name}` : "an argument that begins with -";
  const names = namesFor(command);
  const near = nearest(name, names);
  const hint = near === null && names.length > 0 ? `; rollcall help ${command} lists all` : "";
  const none = names.length === 0 ? `: ${command} takes no flags` : ": unknown flag";
  return usageError(`${shown}${none}${didYouMean(near && `-${near}`)}${hint}`);
}

function strayWord(command: CommandName, before: GivenFlag | undefined): Error {
  if (before === undefined) return usageError(`${command}: takes flags only, and they begin with -`);
  if (before.flag.kind === "bool") {
    return usageError(`${before.where}: takes its value after =, as in ${before.where}=false`);
  }
  if (before.flag === argumentOf(command))
    return usageError(
      `${command}: takes one ${before.flag.word}, and then only flags; is something not quoted?`,
    );
  return usageError(
    `${command}: what follows the value of ${before.where} is no flag; is something not quoted?`,
  );
}

function isGroup(name: string): boolean {
  return COMMANDS.some((command) => command.name.startsWith(`${name} `));
}

function topLevel(): readonly string[] {
  return [...new Set(COMMANDS.map((command) => command.name.split(" ", 1)[0] ?? ""))];
}

function quoted(text: string): string {
  return /^[A-Za-z][A-Za-z0-9_ -]{0,32}$/.test(text) ? `"${text}"` : "given";
}
