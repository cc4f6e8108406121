/**
 * The service's contents on disk. Everything is answered from memory, and no answer leaves before what it shows is
 * synced (`synced`): who was told something is never told otherwise after a crash. Changes that come together are
 * synced together.
 */
import type { Clock } from "../lib/clock.ts";
import { RollcallError } from "../lib/errors.ts";
import { problemOf, surelyFailed } from "../lib/sqlite.ts";
import { type File, openFile } from "./file.ts";
import { createLists, type Lists } from "./lists.ts";
import { createRegisters, DEFAULT_LIMITS, type Limits, type Registers } from "./registers.ts";

/** What the service holds. */
export type Contents = {
  readonly registers: Registers;
  readonly lists: Lists;
  /**
   * Resolves once everything that is so by now is durable. Throws `store` when it could not be kept and is not so any
   * more, and `store_unknown` when nobody can tell.
   */
  synced(): Promise<void>;
};

/** Contents in a file. */
export type Durable = Contents & {
  /** Aborted, with the error as its reason, when the file cannot be used any more. */
  readonly broken: AbortSignal;
  /** Writes what is left. Safe twice. */
  close(): void;
};

/** `open` is for tests of disks that fail. */
export type DurableDeps = {
  readonly clock: Pick<Clock, "now" | "after">;
  readonly uuid: () => string;
  readonly open?: typeof openFile;
};

/** The least time between two syncs, since nothing else runs meanwhile; after a longer one as long as that took. */
const GAP_MS = 5;
const MOST_GAP_MS = 100;

/** Contents that live as long as the process. */
export function inMemory(
  deps: { uuid: () => string },
  registers: Registers = createRegisters(deps),
): Contents {
  return { registers, lists: createLists(), synced: async () => {} };
}

/** Opens the file at `path`, with what was kept in it. Throws one line that names it: `locked`, `store`, `store_version`. */
export async function openDurable(
  path: string,
  deps: DurableDeps,
  limits: Limits = DEFAULT_LIMITS,
): Promise<Durable> {
  const { clock } = deps;
  let begun = () => {};
  try {
    const file = await (deps.open ?? openFile)(path, () => begun());
    const registers = createRegisters(deps, limits, file.keep);
    const lists = createLists(file.keep);
    const fill = () => {
      const kept = file.load();
      registers.fill(kept, clock.now());
      lists.fill(kept);
    };
    fill();
    const { start, ...syncing } = createSyncs(file, clock, fill);
    begun = start;
    return { registers, lists, ...syncing };
  } catch (error) {
    const { code, hint, message } =
      error instanceof RollcallError ? error : new RollcallError("store", problemOf(error), { cause: error });
    throw new RollcallError(code, `open the store sqlite:${path}: ${message}`, { hint });
  }
}

type Waiter = { readonly resolve: () => void; readonly reject: (error: RollcallError) => void };

/** `undo` makes memory what the file holds, when a commit has surely failed. */
function createSyncs(file: File, clock: DurableDeps["clock"], undo: () => void) {
  const broken = new AbortController();
  let waiters: Waiter[] = [];
  let cancel: (() => void) | null = null;
  let nextAt = Number.NEGATIVE_INFINITY;
  let closed = false;

  function sync(): void {
    cancel?.();
    cancel = null;
    const told = waiters;
    waiters = [];
    const from = clock.now();
    try {
      if (file.waits()) file.commit();
      for (const { resolve } of told) resolve();
    } catch (error) {
      const failure = failed(error);
      for (const { reject } of told) reject(failure);
    }
    const now = clock.now();
    nextAt = now + Math.min(MOST_GAP_MS, Math.max(GAP_MS, now - from));
  }

  function failed(error: unknown): RollcallError {
    const code = surelyFailed(error) ? "store" : "store_unknown";
    const failure = new RollcallError(code, `write to the store: ${problemOf(error)}`, { cause: error });
    try {
      file.discard();
      if (code === "store") undo();
      else broken.abort(failure);
    } catch {
      broken.abort(failure);
    }
    return failure;
  }

  return {
    broken: broken.signal,
    start() {
      if (!closed) cancel ??= clock.after(Math.max(0, nextAt - clock.now()), sync);
    },
    synced(): Promise<void> {
      if (broken.signal.aborted) return Promise.reject(broken.signal.reason);
      if (!file.waits()) return Promise.resolve();
      return new Promise((resolve, reject) => void waiters.push({ resolve, reject }));
    },
    close() {
      if (closed) return;
      closed = true;
      sync();
      file.close();
    },
  };
}
