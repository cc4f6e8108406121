/** A file system of its own for one test, where the test may mount one. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";

/** Mounts an empty tmpfs at `path` and unmounts it after `work`. Gives false, and does nothing, where that is not allowed. */
export async function mounted(
  path: string,
  work: (remountReadOnly: () => void) => Promise<void>,
): Promise<boolean> {
  mkdirSync(path, { recursive: true });
  if (!mount("-t", "tmpfs", "-o", "size=1m", "rollcall-test", path)) return false;
  try {
    await work(() => void mount("-o", "remount,ro", path));
  } finally {
    execFileSync("umount", ["-l", path]);
  }
  return true;
}

function mount(...args: readonly string[]): boolean {
  try {
    execFileSync("mount", args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
