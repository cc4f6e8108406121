/** A small file that follows a value in memory, a moment behind. */
import type { Clock } from "./clock.ts";
import { reason } from "./errors.ts";
import { type Disk, systemDisk, writeSynced } from "./files.ts";
import type { Log } from "./log.ts";
import { bell } from "./loop.ts";

/** Changes that come together are written together. */
const SETTLE_MS = 200;
const UNTIL_CHANGE_MS = 3_600_000;

export type KeptFileOptions = {
  readonly path: string;
  /** What the file should hold now; null: nothing yet. */
  readonly text: () => string | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly disk?: Disk;
};

/** `run` writes whenever `changed` was called and the text is another. A disk that fails is only said: nothing rests on the file. */
export function openKeptFile({ path, text, clock, log, disk = systemDisk }: KeptFileOptions) {
  const due = bell();
  let written: string | null = null;
  const write = async (): Promise<void> => {
    const now = text();
    if (now === null || now === written) return;
    await writeSynced(path, now, disk).then(
      () => {
        written = now;
      },
      (error: unknown) => log.warn({ error: reason(error) }, "keep a file"),
    );
  };
  return {
    changed: () => due.ring(),
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await write();
        await due.wait(clock, UNTIL_CHANGE_MS, signal);
        await clock.sleep(SETTLE_MS, signal);
      }
      await write();
    },
  };
}
