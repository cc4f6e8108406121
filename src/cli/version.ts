/** `rollcall version`. */
import type { Io } from "./io.ts";

/** Prints the program's version, Node's and the machine's kind on one line. */
export async function run(io: Io): Promise<number> {
  io.stdout(`rollcall ${io.version} (${io.platform})\n`);
  return 0;
}
