/**
 * Commits that come together are synced together: all that is asked for in one turn of the loop shares a transaction,
 * each under a savepoint of its own, so that each succeeds or fails alone.
 */
import { CompiledQuery } from "kysely";
import type { Clock } from "../lib/clock.ts";
import { RollcallError } from "../lib/errors.ts";
import type { Db } from "./schema.ts";

export type WriterOptions = {
  readonly db: Db;
  readonly clock: Clock;
  /**
   * The least time from the end of one transaction to the start of the next, since the sync holds the loop up; after a
   * longer one as long as that took, so that half the time is everybody else's. Null: there is nothing to sync, and
   * everything is written before the loop turns.
   */
  readonly gapMs: number | null;
  /** What went wrong, for people. */
  readonly problemOf: (error: unknown) => string;
  /** Whether a transaction whose commit failed so has surely changed nothing. */
  readonly surelyFailed: (error: unknown) => boolean;
};

/** Pieces of work in one transaction at most; the others wait for the next. */
const MOST_TOGETHER = 200;
/** The gap after a transaction that took very long. */
const MOST_GAP_MS = 100;

const BEGIN = CompiledQuery.raw("begin");
const COMMIT = CompiledQuery.raw("commit");
const ROLLBACK = CompiledQuery.raw("rollback");
const SAVE = CompiledQuery.raw("savepoint one");
const RELEASE = CompiledQuery.raw("release savepoint one");
const TAKE_BACK = CompiledQuery.raw("rollback to savepoint one");

type Piece = {
  /** Gives what tells the caller, once the transaction is over. */
  readonly attempt: (on: Db) => Promise<() => void>;
  readonly fail: (error: RollcallError) => void;
};

/** All writing goes through here, one transaction after the other. */
export function openWriter(options: WriterOptions) {
  const { db, clock, gapMs, problemOf } = options;
  const waiting: Piece[] = [];
  let running: Promise<void> | null = null;
  let nextAt = Number.NEGATIVE_INFINITY;
  let closed = false;
  /** At least a turn of promises, which belongs to those who ask at the same time. */
  const pause = async (): Promise<void> => {
    if (gapMs === null) return;
    const leftMs = Math.max(0, nextAt - clock.now());
    await new Promise<void>((resolve) => void clock.after(leftMs, resolve));
  };
  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      await pause();
      const from = clock.now();
      await transact(options, waiting.splice(0, MOST_TOGETHER));
      const now = clock.now();
      nextAt = now + Math.min(MOST_GAP_MS, Math.max(gapMs ?? 0, now - from));
    }
    running = null;
  };
  return {
    /**
     * Does `work` in a transaction that it shares with others; resolves once that is durable. Throws what `work` throws
     * as a RollcallError, `store` when the database fails, `store_unknown` when it failed while it was syncing.
     */
    write<T>(work: (on: Db) => Promise<T>): Promise<T> {
      if (closed) return Promise.reject(new RollcallError("closed", "the store is closed"));
      return new Promise<T>((resolve, reject) => {
        const attempt = async (on: Db): Promise<() => void> => {
          await on.executeQuery(SAVE);
          try {
            const value = await work(on);
            await on.executeQuery(RELEASE);
            return () => resolve(value);
          } catch (error) {
            await takeBack(on, error);
            const failure = asError(error, "store", problemOf);
            return () => reject(failure);
          }
        };
        waiting.push({ attempt, fail: reject });
        running ??= run();
      });
    },
    closed: () => closed,
    /** Writes what was asked for, and takes no more. Safe twice. */
    async close(): Promise<void> {
      closed = true;
      await running;
      await db.destroy();
    },
  };
}
export type Writer = ReturnType<typeof openWriter>;

/** Nobody hears anything before the end: what one piece saw of another counts only when both do. */
async function transact(
  { db, problemOf, surelyFailed }: WriterOptions,
  pieces: readonly Piece[],
): Promise<void> {
  const told: (() => void)[] = [];
  const together = db.connection().execute(async (on) => {
    let code: "store" | "store_unknown" = "store";
    try {
      await on.executeQuery(BEGIN);
      for (const { attempt } of pieces) told.push(await attempt(on));
      code = "store_unknown";
      await on.executeQuery(COMMIT);
      return null;
    } catch (error) {
      // A database that has taken it all back by itself says that there is no transaction.
      await on.executeQuery(ROLLBACK).catch(() => {});
      return asError(error, surelyFailed(error) ? "store" : code, problemOf);
    }
  });
  const failure = await together.catch((error: unknown) => asError(error, "store", problemOf));
  if (failure === null) for (const tell of told) tell();
  else for (const { fail } of pieces) fail(failure);
}

async function takeBack(on: Db, cause: unknown): Promise<void> {
  try {
    await on.executeQuery(TAKE_BACK);
    await on.executeQuery(RELEASE);
  } catch {
    // The whole transaction is gone already; why is what was thrown first.
    throw cause;
  }
}

function asError(error: unknown, code: string, problemOf: (error: unknown) => string): RollcallError {
  if (error instanceof RollcallError) return error;
  return new RollcallError(code, `write to the store: ${problemOf(error)}`, { cause: error });
}
