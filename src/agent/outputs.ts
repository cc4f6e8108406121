/**
 * The files kept with the outcome: replaced whole, readable by others, written only when their content
 * changes, each at its own pace. A disk that fails is said and tried again; it stops nothing.
 */
import { lstat, open, readFile, rename, unlink } from "node:fs/promises";
import type { OutputsConfig } from "../config.ts";
import { type OutputFacts, type OutputKind, outputText } from "../core/outputs.ts";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { backoff, bell, type Pacing, withDeadline } from "../lib/loop.ts";

const FIRST_RETRY_MS = 1_000;
const MOST_RETRY_MS = 60_000;
/** How often a file is compared with what it should be although nothing changed: somebody may have removed it. */
const REPAIR_MS = 30_000;
/** What one write may take before it is said to hang, and what the agent's start and end wait for, in milliseconds. */
const LIMIT_MS = 10_000;
const PREPARE_MS = 2_000;
const FAREWELL_MS = 500;
const KINDS = ["env", "json", "hosts"] as const;

export type OutputsOptions = {
  readonly files: OutputsConfig;
  readonly pacing: Pacing;
  readonly log: Log;
  /** Null: there is no outcome yet. */
  readonly facts: () => OutputFacts | null;
  /** A problem came or went. */
  readonly changed: () => void;
};

/**
 * `prepare` before anything runs: what an earlier life left where it would mislead is taken away. `changed`
 * whenever a fact may have changed; `run` until abort, which takes the file away that a database is started
 * from: it is there only while an agent stands behind it.
 */
export function openOutputs({ files, pacing, log, facts, changed }: OutputsOptions) {
  const outputs = KINDS.flatMap((kind) => {
    const path = files[kind];
    return path === null ? [] : [openOutput({ kind, path, pacing, log, facts, changed })];
  });
  return {
    async prepare(): Promise<void> {
      await Promise.all(outputs.map((output) => output.prepare()));
    },
    changed(): void {
      for (const output of outputs) output.changed();
    },
    async run(signal: AbortSignal): Promise<void> {
      await Promise.all(outputs.map((output) => output.run(signal)));
    },
    /** One line each; empty while all is well. */
    problems: (): readonly string[] => outputs.flatMap((output) => output.problem() ?? []),
  };
}
export type Outputs = ReturnType<typeof openOutputs>;

type OutputOptions = Omit<OutputsOptions, "files"> & { readonly kind: OutputKind; readonly path: string };

function openOutput({ kind, path, pacing, log, facts, changed }: OutputOptions) {
  const { clock } = pacing;
  const due = bell();
  const retry = backoff(FIRST_RETRY_MS, MOST_RETRY_MS, pacing.random);
  /** What the file holds, as far as this agent knows; undefined: not known. */
  let holds: string | "remove" | undefined;
  let problem: string | null = null;
  /** A write that was given up on: no other is begun beside it. */
  let hanging: Promise<unknown> = Promise.resolve();

  /** Brings the file to `wanted`; true when it is. */
  const bring = async (wanted: Wanted, ms: number, signal: AbortSignal): Promise<boolean> => {
    const goal = typeof wanted === "string" ? wanted : wanted.text;
    if (wanted === "leave" || goal === holds) return true;
    holds = undefined;
    try {
      await withDeadline(clock, signal, ms, `keep -output-${kind} ${path}`, async (given) => {
        await hanging;
        // Given up on while an earlier one hung: what it wanted may be out of date by now.
        given.throwIfAborted();
        const work = wanted === "remove" ? remove(path) : replace(path, goal);
        hanging = work.catch(() => {});
        await work;
      });
      holds = goal;
      tell(null, wanted === "remove");
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      tell(reason(error));
      return false;
    }
  };

  /** `quietly`: what is taken away is not kept again. */
  const tell = (next: string | null, quietly = false) => {
    if (next === problem) return;
    if (next === null && quietly) log.debug({ path }, "output is removed");
    else if (next === null) log.info({ path }, "output is kept again");
    else log.warn({ error: next }, "output cannot be kept; trying again");
    problem = next;
    changed();
  };

  return {
    problem: () => problem,
    changed: () => due.ring(),
    async prepare(): Promise<void> {
      await bring(outputText(kind, null), PREPARE_MS, new AbortController().signal);
    },
    async run(signal: AbortSignal): Promise<void> {
      let failing = false;
      /** When the next look at the file is due although nothing changed. What changes does not hurry a disk that fails. */
      let nextAt = clock.now();
      while (!signal.aborted) {
        const late = clock.now() >= nextAt;
        if (late) holds = undefined;
        if (late || !failing) {
          failing = !(await bring(outputText(kind, facts()), LIMIT_MS, signal));
          if (!failing) retry.reset();
          if (failing || late) nextAt = clock.now() + (failing ? retry.take() : REPAIR_MS);
        }
        await due.wait(clock, Math.max(0, nextAt - clock.now()), signal);
      }
      await bring(outputText(kind, null), FAREWELL_MS, new AbortController().signal);
    },
  };
}
type Wanted = ReturnType<typeof outputText>;

/** Replaces the file whole, unless it holds this text already. Throws in one line, and then leaves the old one. */
async function replace(path: string, text: string): Promise<void> {
  if ((await look(path)) && (await readFile(path, "utf8").catch(() => null)) === text) return;
  const beside = `${path}.rollcall`;
  try {
    // Made anew each time: in a directory that others may write to, what lies there need not be ours.
    await removeIfThere(beside);
    const file = await open(beside, "wx", 0o644);
    try {
      // The umask of this process says nothing of who reads the file in another container.
      await file.chmod(0o644);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await removeIfThere(beside).catch(() => {});
    throw new RollcallError("output", `write ${path}: ${reason(error)}`, { cause: error });
  }
}

async function remove(path: string): Promise<void> {
  if (!(await look(path))) return;
  try {
    await removeIfThere(path);
  } catch (error) {
    throw new RollcallError("output", `remove ${path}, which may be out of date: ${reason(error)}`, {
      cause: error,
    });
  }
}

/** Whether the file is there. Throws where something is there that must not be replaced: a device, a link, a directory. */
async function look(path: string): Promise<boolean> {
  try {
    if ((await lstat(path)).isFile()) return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw new RollcallError("output", `look at ${path}: ${reason(error)}`, { cause: error });
  }
  throw new RollcallError("output", `${path} is not a regular file, and is left alone`);
}

async function removeIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
  });
}
