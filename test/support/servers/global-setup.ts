/** vitest's global set-up: builds the bundle, fetches the servers once, says what is there, and cleans up behind the run. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { codeOf, RollcallError } from "../../../src/lib/errors.ts";
import { TEMP_ROOT } from "../temp.ts";
import { until } from "../wait.ts";
import type { Found, Program } from "./find.ts";
import { ensurePrograms } from "./install.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where each program is, or why it is not there. Undefined when this set-up did not run. */
    programs?: Partial<Record<Program, Found>>;
  }
}

const RUN = "rollcall-run-";
const BUILD = fileURLToPath(new URL("../../../.ci/build.ts", import.meta.url));

/** Prepares the run; gives what ends it. The end throws when a process of the run is still there. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  removeOldRuns();
  const folder = mkdtempSync(join(tmpdir(), `${RUN}${process.pid}-`));
  process.env[TEMP_ROOT] = folder;
  const began = performance.now();
  // What the end-to-end tests start is what ships, made of the sources as they are now.
  execFileSync(process.execPath, [BUILD], { stdio: ["ignore", "ignore", "inherit"] });
  const programs = await ensurePrograms();
  project.provide("programs", Object.fromEntries(programs));
  process.stdout.write(`${summary(programs)} (${Math.round(performance.now() - began)} ms)\n`);
  return async () => {
    const left = await leftovers(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    if (left.length > 0) throw new RollcallError("test_leak", `the tests left running: ${left.join(", ")}`);
  };
}

// A run that was killed outright removes nothing: the next one does it for those whose process is gone.
function removeOldRuns(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(RUN))) {
    const pid = Number.parseInt(name.slice(RUN.length), 10);
    if (isGone(pid)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return codeOf(error) === "ESRCH";
  }
}

function summary(programs: ReadonlyMap<Program, Found>): string {
  const all = [...programs];
  const there = all.filter(([, found]) => found.kind === "found").map(([program]) => program);
  const missing = all.flatMap(([, found]) => (found.kind === "missing" ? [found.reason] : []));
  const end = missing.length === 0 ? "" : `; MISSING, their tests are skipped: ${missing.join(" | ")}`;
  return `real servers: found ${there.join(" ")}${end}`;
}

// Whatever a worker starts, and whatever that starts, inherits the run's folder in its environment. The
// workers themselves may be ending at this moment, and what they started dies with them: hence the wait.
async function leftovers(folder: string): Promise<readonly string[]> {
  try {
    await until(() => strays(folder).length === 0, {
      deadlineMs: 2_000,
      what: "processes to end",
      everyMs: 50,
    });
    return [];
  } catch {
    const left = strays(folder);
    for (const { pid } of left) endProcess(pid);
    return left.map(({ pid, name }) => `${name} (${pid})`);
  }
}

function strays(folder: string): readonly { pid: number; name: string }[] {
  return processIds().flatMap((pid) => {
    try {
      const marked = readFileSync(`/proc/${pid}/environ`, "utf8")
        .split("\0")
        .includes(`${TEMP_ROOT}=${folder}`);
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const ours = pid === process.pid || Number(parent) === process.pid;
      return marked && !ours && state !== "Z"
        ? [{ pid, name: stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")) }]
        : [];
    } catch {
      return []; // It ended while we looked, or belongs to somebody else.
    }
  });
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself just now.
  }
}

// Empty where there is no /proc: then only the workers' own checks count.
function processIds(): readonly number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}
