/** The shipped program's commands, as an operator types them. */
import { PROGRAM } from "./agents.ts";
import { start } from "./processes.ts";

/** Runs `rollcall ARGS` to its end. */
export async function rollcall(args: readonly string[]) {
  const child = await start({
    name: `rollcall ${args.slice(0, 2).join(" ")}`,
    program: process.execPath,
    args: [PROGRAM, ...args],
    env: { NODE_EXTRA_CA_CERTS: undefined },
  });
  const { code } = await child.ended;
  return { code, out: child.stdout(), err: child.stderr() };
}
