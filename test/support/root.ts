/** Tests that need the rights of root: networks and file systems of their own. */
import { execFileSync } from "node:child_process";
import { describe } from "vitest";
import { reason } from "../../src/lib/errors.ts";
import { inPath } from "./processes.ts";
import { withoutLeaks } from "./servers/index.ts";

/** A `describe` that runs as root, where these programs are; elsewhere it is skipped under a name that says why. */
export function describeAsRoot(programs: readonly string[], name: string, body: () => void): void {
  const why = whyNot(programs);
  if (why === null) describe(name, () => withoutLeaks(body));
  else describe.skip(`${name} [skipped: ${why}]`, body);
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
