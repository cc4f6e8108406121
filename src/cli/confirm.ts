/** The cluster's key once more, before something is done that cannot be taken back: `-confirm`, or typed. */
import type { Settings } from "../config.ts";
import type { Io } from "./io.ts";
import { usageError } from "./usage.ts";

/** Throws a usage line where nobody can be asked; to be called before anything else is tried. */
export function requireConfirmable(settings: Settings, io: Io): void {
  if (settings.confirm === null && !io.terminal.stdin)
    throw usageError("-confirm: is required where nobody can be asked: the cluster's key, once more");
}

/** Asks for the key unless `-confirm` gave it. Throws a usage line when it is another. */
export async function confirmKey(settings: Settings, io: Io, key: string): Promise<void> {
  requireConfirmable(settings, io);
  if (settings.confirm !== null) return checkConfirmation("-confirm", settings.confirm, key);
  checkConfirmation("confirmation", (await io.ask(`Type the key, ${key}, to confirm: `)) ?? "", key);
}

/** Throws a usage line when `given` is not the key. */
export function checkConfirmation(where: string, given: string, key: string): void {
  if (given.trim() !== key) throw usageError(`${where}: is not the key, ${key}; nothing was written`);
}
