/** What an agent makes of the words and variables in an example, by the program's own parser. */
import { providers } from "../../providers/index.ts";
import { agentConfig } from "../../src/cli/configs.ts";
import { envName, FLAGS } from "../../src/cli/flags.ts";
import { issueLines } from "../../src/cli/issues.ts";
import { parseLine } from "../../src/cli/parse.ts";
import { resolve } from "../../src/cli/resolve.ts";
import type { AgentConfig } from "../../src/config.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { filesOf } from "../cli/fake-io.ts";

/** An agent as an example starts it: all words after `rollcall`, and the whole environment. */
export type Started = {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The files that its flags may name, with their content. */
  readonly files: Readonly<Record<string, string>>;
};

/**
 * Its configuration. Throws the usage line that the program would end with, and, stricter than the program, one
 * for a ROLLCALL_ variable that no flag has.
 */
export async function configured({ argv, env, files }: Started): Promise<AgentConfig> {
  const known = new Set(FLAGS.map(envName));
  const unknown = Object.keys(env).find((name) => name.startsWith("ROLLCALL_") && !known.has(name));
  if (unknown !== undefined) throw new RollcallError("usage", `${unknown}: no flag has this variable`);
  const line = parseLine(argv);
  if (line.kind !== "run" || line.command !== "agent")
    throw new RollcallError("usage", `${argv.join(" ")}: starts no agent`);
  const world = { env, files: filesOf(files) };
  return agentConfig(await resolve(line, world), {
    ...world,
    terminal: { stderr: false },
    async checkProviderConfig(mode, value) {
      const { Config } = await providers[mode]();
      const parsed = Config.safeParse(value);
      return parsed.success ? { ok: true, value } : { ok: false, problems: issueLines(Config, parsed.error) };
    },
  });
}

/** `{{WORD}}`-like references, replaced by what the environment holds: `$(WORD)` in Kubernetes, `${WORD}` in systemd. */
export function filled(text: string, form: RegExp, env: Readonly<Record<string, string>>): string {
  return text.replace(form, (reference, name: string) => {
    const value = env[name];
    if (value === undefined) throw new RollcallError("usage", `${reference}: is not set before it is used`);
    return value;
  });
}
