/** Temporary folders of the tests, removed at the end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The variable by which the global set-up names the folder that holds all temporary folders of a run. */
export const TEMP_ROOT = "ROLLCALL_TEST_TEMP";

// Module state on purpose: an exit hook has nothing else to look at. A killed worker runs no exit hook; what
// it leaves lies below the run's own folder, which the global set-up removes.
const folders = new Set<string>();
process.on("exit", () => {
  for (const folder of folders) remove(folder);
});

/** A new empty folder, removed when this process ends or by `removeTemp`. */
export function tempDir(name = "test"): string {
  const folder = mkdtempSync(join(process.env[TEMP_ROOT] ?? tmpdir(), `rollcall-${name}-`));
  folders.add(folder);
  return folder;
}

/** Removes a folder of `tempDir` now. Safe twice. */
export function removeTemp(folder: string): void {
  folders.delete(folder);
  remove(folder);
}

// Retries: a process killed a moment ago may still be creating its last file.
function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
}
