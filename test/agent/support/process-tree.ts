/** Processes of a test that the code under test started: whether they run, and that none is left. */
import { readdirSync, readFileSync } from "node:fs";

/** Whether a process runs; a zombie does not. */
export function alive(pid: number): boolean {
  const state = stateOf(pid);
  return state !== null && state !== "Z";
}

/** The letter of its state: `S` sleeps, `T` is paused, `Z` is dead and not waited for; null: there is none. */
export function stateOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2)[0] ?? null;
  } catch {
    return null;
  }
}

/** The processes that run and have this text in their environment. */
export function withEnvironment(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => alive(pid) && environmentOf(pid).includes(text));
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    return "";
  }
}
