/** What the system tells of changes to a file, however it is replaced. */
import { watch } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { RollcallError, reason } from "../../src/lib/errors.ts";

/** Changes since it was opened. */
export interface Changes {
  /** Settles once something may have changed, or on abort. Throws `file` when the system tells no more. */
  next(signal: AbortSignal): Promise<void>;
  close(): void;
}

/**
 * Watches the directory of the path, and that of the file that it leads to: writers rename over a file, and Kubernetes
 * changes the link `..data` beside it. Throws `file` where that cannot be watched.
 */
export async function openChanges(path: string): Promise<Changes> {
  const real = await realpath(path).catch(() => path);
  const names = new Set([basename(path), basename(real)]);
  let changed = false;
  let failed: RollcallError | null = null;
  let wake = () => {};
  const fail = (cause: unknown) => {
    failed = new RollcallError("file", `watch ${path}: ${reason(cause)}`, { cause });
    wake();
  };
  const heard = (_event: string, name: string | null) => {
    if (name !== null && !names.has(name) && !name.startsWith("..")) return;
    changed = true;
    wake();
  };
  const watchers: ReturnType<typeof watch>[] = [];
  const close = () => {
    for (const watcher of watchers) watcher.close();
  };
  try {
    for (const directory of new Set([dirname(path), dirname(real)]))
      watchers.push(watch(directory, heard).on("error", fail));
  } catch (cause) {
    close();
    throw new RollcallError("file", `watch ${path}: ${reason(cause)}`, { cause });
  }
  return {
    async next(signal) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      signal.addEventListener("abort", wake, { once: true });
      if (!changed && failed === null && !signal.aborted) await promise;
      signal.removeEventListener("abort", wake);
      if (failed !== null) throw failed;
      changed = false;
    },
    close,
  };
}
