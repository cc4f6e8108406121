/**
 * The service's contents on disk. Everything is answered from memory, and no answer leaves before what it shows is
 * synced (`synced`): who was told something is never told otherwise after a crash. Changes that come together are
 * synced together.
 */
import type { Clock } from "../lib/clock.ts";
import { RollcallError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
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
  /**
   * Whether changes can be kept. After one that could not, a write of nothing finds that out, or the next change, not
   * sooner than a second after the last failure.
   */
  writable(): boolean;
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
  /** Told of the first write that fails, and of the first that succeeds again. */
  readonly log: Pick<Log, "error" | "info">;
  readonly uuid: () => string;
  readonly open?: typeof openFile;
};

/** The least time between two syncs, since nothing else runs meanwhile; after a longer one as long as that took. */
const GAP_MS = 5;
const MOST_GAP_MS = 100;
/** A disk that is almost full takes one write and refuses the next. */
const SETTLED_MS = 1_000;

/** Contents that live as long as the process. */
export function inMemory(
  deps: { uuid: () => string },
  registers: Registers = createRegisters(deps),
): Contents {
  return { registers, lists: createLists(), synced: async () => {}, writable: () => true };
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
    const { start, ...syncing } = createSyncs({ file, clock, log: deps.log, store: path, undo: fill });
    begun = start;
    return { registers, lists, ...syncing };
  } catch (error) {
    const { code, hint, message } =
      error instanceof RollcallError ? error : new RollcallError("store", problemOf(error), { cause: error });
    throw new RollcallError(code, `open the store sqlite:${path}: ${message}`, { hint });
  }
}

type Waiter = { readonly resolve: () => void; readonly reject: (error: RollcallError) => void };

type Syncing = Pick<DurableDeps, "clock" | "log"> & {
  readonly file: File;
  readonly store: string;
  /** Makes memory what the file holds, when a commit has surely failed. */
  readonly undo: () => void;
};

function createSyncs({ file, clock, log, store, undo }: Syncing) {
  const broken = new AbortController();
  let waiters: Waiter[] = [];
  let cancel: (() => void) | null = null;
  let nextAt = Number.NEGATIVE_INFINITY;
  let failedAt: number | null = null;
  let closed = false;

  function sync(): void {
    cancel?.();
    cancel = null;
    const told = waiters;
    waiters = [];
    const from = clock.now();
    const failure = file.waits() ? attempt(file.commit, undo) : null;
    for (const { resolve, reject } of told) failure === null ? resolve() : reject(failure);
    const now = clock.now();
    nextAt = now + Math.min(MOST_GAP_MS, Math.max(GAP_MS, now - from));
  }

  /** Gives why it failed; null: it did not. `undone`: what to do when it has surely failed. */
  function attempt(write: () => void, undone: () => void): RollcallError | null {
    try {
      write();
    } catch (error) {
      return failed(error, undone);
    }
    if (failedAt !== null && settled(failedAt)) {
      failedAt = null;
      log.info({ store }, "writes to the store again");
    }
    return null;
  }

  function failed(error: unknown, undone: () => void): RollcallError {
    const code = surelyFailed(error) ? "store" : "store_unknown";
    const failure = new RollcallError(code, `write to the store: ${problemOf(error)}`, { cause: error });
    // Of what cannot be known the process dies, and says so then.
    if (failedAt === null && code === "store")
      log.error({ store, error: problemOf(error) }, "cannot write to the store");
    failedAt = clock.now();
    try {
      file.discard();
      if (code === "store") undone();
      else broken.abort(failure);
    } catch {
      broken.abort(failure);
    }
    return failure;
  }

  const settled = (sinceMs: number) => clock.now() - sinceMs >= SETTLED_MS;

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
    writable() {
      // What waits will tell.
      const idle = !closed && !broken.signal.aborted && !file.waits();
      if (failedAt !== null && idle && settled(failedAt)) attempt(file.probe, () => {});
      return failedAt === null;
    },
    close() {
      if (closed) return;
      closed = true;
      sync();
      file.close();
    },
  };
}
