/** rqlited for examples, which start it themselves and know nothing of tests. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rqliteCommand } from "../support/servers/rqlite.ts";
import { tempDir } from "../support/temp.ts";

/**
 * The path of a program named rqlited. Where the tests run as root it gives its rights away, and its data
 * directory, which must be below the folder `top`, with them.
 */
export async function rqlitedBelow(top: string): Promise<string> {
  const { command } = await rqliteCommand();
  const [program = ""] = command;
  if (command.length === 1) return program;
  const file = join(tempDir("bin"), "rqlited");
  const script = [
    "#!/bin/sh -eu",
    "for data; do :; done", // The last argument.
    'mkdir -p "$data"',
    'chown nobody "$data"',
    `while [ "$data" != ${top} ]; do data=$(dirname "$data"); chmod go+x "$data"; done`,
    `exec ${command.join(" ")} "$@"`,
  ];
  writeFileSync(file, `${script.join("\n")}\n`);
  chmodSync(file, 0o755);
  return file;
}
