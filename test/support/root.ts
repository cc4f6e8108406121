/** Tests that need the rights of root: networks and file systems of their own. */
import { execFileSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { describe } from "vitest";
import { reason } from "../../src/lib/errors.ts";
import { type Inside, inPath, type Process, start } from "./processes.ts";
import { withoutLeaks } from "./servers/index.ts";
import { until } from "./wait.ts";

/** A `describe` that runs as root, where these programs are; elsewhere it is skipped under a name that says why. */
export function describeAsRoot(programs: readonly string[], name: string, body: () => void): void {
  const why = whyNot(programs);
  if (why === null) describe(name, () => withoutLeaks(body));
  else describe.skip(`${name} [skipped: ${why}]`, body);
}

/** Longer than any test. Whoever is killed while it starts one cannot end it. */
const HELD_S = 600;

/** A process that does nothing but be in a namespace of its own, which lives as long as it does. */
export async function hold(kind: Inside["kind"]): Promise<Process> {
  const flag = kind === "net" ? "--net" : "--mount";
  const holder = await start({ name: "namespace", program: "unshare", args: [flag, "sleep", `${HELD_S}`] });
  const own = readlinkSync(`/proc/self/ns/${kind}`);
  await until(() => readlinkSync(`/proc/${holder.pid}/ns/${kind}`) !== own, {
    deadlineMs: 5_000,
    what: "a namespace of its own",
  });
  return holder;
}

function whyNot(programs: readonly string[]): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "needs root on Linux";
  const missing = ["unshare", "nsenter", ...programs].find((program) => inPath(program) === null);
  if (missing !== undefined) return `no ${missing} in PATH`;
  try {
    // Root in a container may make no namespaces.
    execFileSync("unshare", ["--net", "--mount", "true"], { stdio: ["ignore", "ignore", "pipe"] });
    return null;
  } catch (error) {
    return reason(error).split("\n")[0] ?? "no namespaces";
  }
}
