/**
 * The database as a child of the agent: performs what core/supervision.ts decides. What is under way is in
 * that state; here are the process, the one timer, and the queue of what happened.
 */
import { chown, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { OutcomeValues } from "../core/outcome-values.ts";
import {
  initialSupervision,
  type LastExit,
  type SupervisionEffect,
  type SupervisionInput,
  type SupervisionPhase,
  type SupervisionRules,
  type SupervisionState,
  superviseStep,
} from "../core/supervision.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import { writeSynced } from "../lib/files.ts";
import type { Log } from "../lib/log.ts";
import type { Pacing } from "../lib/loop.ts";
import {
  checkProgram,
  isRunning,
  killGroup,
  type ProcessId,
  signalProcess,
  startChild,
  statusOf,
} from "./child.ts";
import { childEnvironment, fillCommand, takesArguments } from "./command.ts";
import { findEarlier, forget, keepIntent, keepProcess } from "./take-back.ts";

/** How to start now. `files` are written, whole and synced, before. */
export type SupervisorPlan = {
  readonly values: OutcomeValues;
  readonly files: readonly { readonly path: string; readonly text: string }[];
};

export type SupervisorOptions = {
  /** The program and its arguments, as given after `--`. */
  readonly command: readonly string[];
  /** Where the adapter's arguments are inserted, unless `{{args}}` stands in the command; null: nowhere. */
  readonly argumentsAt: number | null;
  readonly restart: SupervisionRules["restart"];
  readonly stopTimeoutMs: number;
  readonly pacing: Pacing;
  readonly log: Log;
  readonly uuid: () => string;
  /** The database's environment, but for the outcome. */
  readonly env: NodeJS.ProcessEnv;
  /** The record by which the next agent takes the database back. */
  readonly path: string;
  /** How to start now; null: there is no outcome yet; `wait`: not yet, and why. Called anew for every start. */
  readonly plan: () => SupervisorPlan | { readonly wait: string } | null;
  /** `state()` has changed. */
  readonly changed: () => void;
};

export type SupervisorState = {
  readonly at: SupervisionPhase["at"];
  /** Null unless it runs or is stopping; so is `started_at`, an ISO time. */
  readonly pid: number | null;
  readonly started_at: string | null;
  /** Starts after another one ended. */
  readonly restarts: number;
  readonly last_exit: LastExit | null;
  /** Why it does not run, in one line; null while it does, or where nothing is wrong. */
  readonly problem: string | null;
  /** An agent before this one started it. */
  readonly taken_back: boolean;
};

/** How often a process that is no child of this agent is looked at: nobody tells when it ends. */
export const LOOK_MS = 250;

type Running = { readonly id: ProcessId; readonly sinceMs: number; readonly startedAt: string };
type End = Extract<SupervisionEffect, { readonly do: "end" | "fail" }>;

export function openSupervisor(options: SupervisorOptions) {
  const { command, log, path, plan, changed } = options;
  const { clock } = options.pacing;
  const rules = { restart: options.restart, stopTimeoutMs: options.stopTimeoutMs };
  const over = Promise.withResolvers<End>();
  const ended = new AbortController();
  const inbox: SupervisionInput[] = [];
  let state = initialSupervision;
  let running: Running | null = null;
  let planned: SupervisorPlan | null = null;
  let cancelTimer = () => {};
  let busy = false;
  let begun = false;

  /** Takes in what happened, in order: an effect may tell the next thing before the last is done. */
  const feed = (input: SupervisionInput): void => {
    inbox.push(input);
    if (busy) return;
    busy = true;
    try {
      for (let next = inbox.shift(); next !== undefined; next = inbox.shift()) {
        const before = state;
        const step = superviseStep(rules, before, next);
        state = step.state;
        const line = lineOf(before, state);
        if (line !== null) log[line.level](line.fields, line.said);
        for (const effect of step.effects) perform(effect);
        if (state !== before) changed();
      }
    } catch (error) {
      over.reject(error);
    } finally {
      busy = false;
    }
  };

  const perform = (effect: SupervisionEffect): void => {
    switch (effect.do) {
      case "look":
        feed(look());
        break;
      case "spawn":
        if (planned !== null) start(planned).then(feed).catch(over.reject);
        break;
      case "signal":
        send(effect.name);
        break;
      case "kill_group":
        kill();
        break;
      case "timer":
        cancelTimer();
        cancelTimer = effect.ms === null ? () => {} : clock.after(effect.ms, () => feed({ is: "timer" }));
        break;
      case "end":
      case "fail":
        over.resolve(effect);
        break;
      default:
        effect satisfies never;
    }
  };

  const look = (): SupervisionInput => {
    const now = plan();
    planned = now === null || "wait" in now ? null : now;
    if (planned !== null) return { is: "planned", ready: true };
    return { is: "planned", ready: false, why: now !== null && "wait" in now ? now.wait : null };
  };

  const start = async (ready: SupervisorPlan): Promise<SupervisionInput> => {
    try {
      // Told to stop while the disk was busy: nothing is started any more.
      const stopped = () => state.phase.at !== "starting" || state.phase.stop;
      const { child, startedAt } = await startPlanned(options, ready, stopped);
      running = { id: child.id, sinceMs: clock.now(), startedAt };
      void child.exit.then((exit) => feed(exited(exit, statusOf(exit))));
      return { is: "started", pid: child.id.pid };
    } catch (error) {
      const lasting = error instanceof RollcallError && error.facts.lasting === true;
      return { is: "not_started", problem: reason(error), lasting };
    }
  };

  const exited = (exit: LastExit, status: number): SupervisionInput => ({
    is: "exited",
    exit,
    status,
    ranMs: clock.now() - (running?.sinceMs ?? 0),
  });

  const send = (name: NodeJS.Signals): void => {
    if (running === null) return;
    const { id } = running;
    try {
      signalProcess(id, name);
    } catch (error) {
      log.error({ pid: id.pid, signal: name, error: reason(error) }, "could not signal the database");
    }
  };

  const kill = (): void => {
    if (running === null) return;
    const { id } = running;
    try {
      killGroup(id);
    } catch (error) {
      log.error({ pid: id.pid, error: reason(error) }, "could not kill the database's processes");
    }
  };

  /** What is there before the first start: a database of an earlier agent, or nothing but a program to start. */
  const begin = async (): Promise<SupervisionInput> => {
    const earlier = await findEarlier(path, log);
    if (earlier === null) {
      const problem = checkProgram(command, options.env);
      if (problem !== null) throw new RollcallError("command", `--: ${problem}`);
      return { is: "begin" };
    }
    const { id, startedAt } = earlier;
    if (JSON.stringify(earlier.command) !== JSON.stringify(command))
      log.warn(
        { pid: id.pid },
        "the database runs with the command of before; its next start takes the new one",
      );
    running = { id, sinceMs: clock.now(), startedAt };
    // A process that is no child: nobody tells when it ends, or how.
    const watch = async (): Promise<void> => {
      while (isRunning(id) && !ended.signal.aborted) await clock.sleep(LOOK_MS, ended.signal);
      if (!ended.signal.aborted) feed(exited({ code: null, signal: null }, 1));
    };
    void watch().catch(over.reject);
    return { is: "found", pid: id.pid };
  };

  const isThere = () => state.phase.at === "running" || state.phase.at === "stopping";

  return {
    state(): SupervisorState {
      const there = isThere() ? running : null;
      return {
        at: state.phase.at,
        pid: there?.id.pid ?? null,
        started_at: there?.startedAt ?? null,
        restarts: state.restarts,
        last_exit: state.lastExit,
        problem: state.problem,
        taken_back: there !== null && state.takenBack,
      };
    },
    /** The plan may be ready, or another, now. Nothing happens to a database that runs. */
    wake(): void {
      if (begun) feed({ is: "woken" });
    },
    /** Sends a signal to the database's process; where none runs, it is lost. */
    forward(signal: NodeJS.Signals): void {
      if (isThere()) send(signal);
    },
    /** Kills the database and its process group at once, for an agent that waits for nothing more. */
    kill(): void {
      if (isThere()) kill();
    },
    /**
     * Runs until the database has ended for good, or until abort and then until it is stopped. Gives the code
     * that the agent should end with; null: no database was ever started. Throws `command` when it cannot be
     * started, `damaged` or `disk` when it cannot be told whether one of an earlier agent runs.
     */
    async run(signal: AbortSignal): Promise<number | null> {
      const stop = () => feed({ is: "stop" });
      try {
        const first = await begin();
        begun = true;
        feed(first);
        signal.addEventListener("abort", stop, { once: true });
        if (signal.aborted) stop();
        const end = await over.promise;
        // What could not be killed is for the next agent to find.
        if (end.do === "fail" || !end.left) await forget(path);
        if (end.do === "fail") throw new RollcallError("command", `--: ${end.problem}`);
        return end.code;
      } finally {
        ended.abort();
        cancelTimer();
        signal.removeEventListener("abort", stop);
      }
    },
  };
}
export type Supervisor = ReturnType<typeof openSupervisor>;

/** Writes the plan's files and the intent, and starts; `stopped` is asked between the two. */
async function startPlanned(
  { command, argumentsAt, pacing, log, path, uuid, env }: SupervisorOptions,
  { values, files }: SupervisorPlan,
  stopped: () => boolean,
) {
  if (values.args.length > 0 && !takesArguments(command, argumentsAt))
    log.warn({ args: values.args.join(" ") }, "the command has no place for these; {{args}} marks one");
  for (const file of files) await writeOwned(file.path, file.text);
  const startedAt = new Date(pacing.clock.wall()).toISOString();
  const start = { nonce: uuid(), command, startedAt };
  await keepIntent(path, start);
  if (stopped()) throw new RollcallError("command", "told to stop before it was started");
  const filled = fillCommand(command, argumentsAt, values);
  const child = await startChild(filled, childEnvironment(env, values, start.nonce), (id) => {
    try {
      keepProcess(path, start, id);
    } catch (error) {
      // The next agent finds it by its nonce.
      log.warn({ error: reason(error) }, "keep the database's process id");
    }
  });
  return { child, startedAt };
}

/** Writes a file for the owner of its directory, as whom the database may run. Throws `disk`. */
async function writeOwned(path: string, text: string): Promise<void> {
  await writeSynced(path, text);
  const [file, { uid, gid }] = await Promise.all([stat(path), stat(dirname(path))]);
  // Only root may; anybody else's database most likely runs as the same user.
  if (file.uid !== uid || file.gid !== gid) await chown(path, uid, gid).catch(() => {});
}

type Line = {
  readonly level: "info" | "warn";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly said: string;
};

/** What an operator wants to know: every change of the phase, and of the reason to wait. */
function lineOf(before: SupervisionState, after: SupervisionState): Line | null {
  const { phase, problem, takenBack, lastExit } = after;
  const info = (said: string, fields: Line["fields"]): Line => ({ level: "info", fields, said });
  const warn = (said: string, fields: Line["fields"]): Line => ({ level: "warn", fields, said });
  if (phase.at === "waiting" && problem !== null && problem !== before.problem)
    return info("the database is not started yet", { why: problem });
  if (phase === before.phase) return null;
  switch (phase.at) {
    case "waiting":
    case "starting":
      return null;
    case "running":
      return info(takenBack ? "took back the database of the agent before" : "the database was started", {
        pid: phase.pid,
      });
    case "backing_off":
      return warn("the database does not run; it will be started again", { problem });
    case "stopping":
      return phase.killed
        ? warn("killing the database", { pid: phase.pid })
        : info("stopping the database", { pid: phase.pid });
    case "ended":
      if (!after.begun) return null;
      return (problem === null ? info : warn)("the database has ended", { ...lastExit, problem });
    default:
      return phase satisfies never;
  }
}
