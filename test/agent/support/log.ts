/** Logs for tests: one that is silent, and one that remembers. */
import { type Log, openLog } from "../../../src/lib/log.ts";

export const silentLog: Log = openLog({ level: "error", format: "json", color: false, write: () => {} });

/** A log and what it has been told, as objects. */
export function rememberingLog(): { log: Log; lines: () => readonly Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  return { log: openLog({ level: "debug", format: "json", color: false, write }), lines: () => lines };
}
