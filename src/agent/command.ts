/** The command line of a supervised database: the outcome in the place of placeholders, and its environment. */
import { type OutcomeValues, outcomeEnvironment } from "../core/outcome-values.ts";
import { nearest } from "../lib/suggest.ts";

/** The variable by which the process of one start is found again. */
export const START_VARIABLE = "OUTCOME_START";

/**
 * What is wrong with the placeholders in a command, in one line that begins with the argument at fault; null:
 * nothing. Only `{{word}}` is looked at: what other templates put in braces is the database's own.
 */
export function checkPlaceholders(command: readonly string[]): string | null {
  for (const [at, argument] of command.entries()) {
    const name = /^\{\{\s*([\w-]*)\s*\}\}$/.exec(argument)?.[1];
    if (name !== undefined) {
      if (at === 0) return `${argument}: a placeholder cannot stand for the program`;
      if (argument !== `{{${name}}}` || !isName(name)) return unknown(argument, name);
      continue;
    }
    const within = /\{\{\s*([\w-]+)\s*\}\}/.exec(argument);
    if (within !== null && isName(within[1] ?? ""))
      return `${argument}: {{${within[1]}}} must be an argument of its own`;
  }
  return null;
}

/**
 * The program and its arguments to start now. A placeholder becomes one argument, empty where there is nothing
 * to say; `{{args}}` becomes as many as the adapter adds. Without it they are inserted at `argumentsAt`.
 */
export function fillCommand(
  command: readonly string[],
  argumentsAt: number | null,
  values: OutcomeValues,
): string[] {
  const whole =
    argumentsAt === null || command.includes(ARGS)
      ? command
      : [...command.slice(0, argumentsAt), ARGS, ...command.slice(argumentsAt)];
  return whole.flatMap((argument): readonly string[] | string => {
    if (argument === ARGS) return values.args;
    const name = /^\{\{(\w+)\}\}$/.exec(argument)?.[1] ?? "";
    return isName(name) && name !== "args" ? values[name] : argument;
  });
}

/** Whether the adapter's arguments have a place in the command. */
export function takesArguments(command: readonly string[], argumentsAt: number | null): boolean {
  return argumentsAt !== null || command.includes(ARGS);
}

/**
 * What the database gets: the environment given, the outcome, and `nonce` to find it by. Without the notify
 * socket and the watchdog of the agent's service: a database that says `READY=1` there would speak for the agent.
 */
export function childEnvironment(
  env: NodeJS.ProcessEnv,
  values: OutcomeValues,
  nonce: string,
): NodeJS.ProcessEnv {
  const own = new Set(["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]);
  return {
    ...Object.fromEntries(Object.entries(env).filter(([name]) => !own.has(name))),
    ...outcomeEnvironment(values),
    [START_VARIABLE]: nonce,
  };
}

const ARGS = "{{args}}";
const NAMES = [
  "args",
  "kind",
  "role",
  "join",
  "members",
  "leader",
] as const satisfies (keyof OutcomeValues)[];
type Name = (typeof NAMES)[number];

function isName(text: string): text is Name {
  return NAMES.some((name) => name === text);
}

function unknown(argument: string, name: string): string {
  const near = nearest(name, NAMES);
  return near === null
    ? `${argument}: unknown placeholder; there are ${NAMES.map((known) => `{{${known}}}`).join(", ")}`
    : `${argument}: unknown placeholder (did you mean {{${near}}}?)`;
}
