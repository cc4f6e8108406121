/**
 * The operator's hooks: one at a time over all of them, each told what changed since it last succeeded, and
 * again with backoff until it succeeds or what it would say no longer holds. What they were told is kept in a
 * small synced file, so that a restart repeats nothing and an end at any point loses nothing.
 */
import type { HooksConfig } from "../config.ts";
import {
  begin,
  due,
  type HookCall,
  HookEvent,
  type HookFacts,
  leaveCall,
  Told,
  toldAfter,
} from "../core/hooks.ts";
import { decode } from "../core/model.ts";
import { outcomeEnvironment, outcomeValues } from "../core/outcome-values.ts";
import { reason } from "../lib/errors.ts";
import { readIfThere, writeSynced } from "../lib/files.ts";
import type { Log } from "../lib/log.ts";
import { backoff, bell, type Pacing } from "../lib/loop.ts";
import { type HookResult, runHook } from "./hooks.ts";

const FIRST_RETRY_MS = 1_000;
const MOST_RETRY_MS = 60_000;
const UNTIL_CHANGE_MS = 3_600_000;

/** Null or absent: not given. */
export type HookCommands = Partial<Record<HookEvent, readonly string[] | null>>;

export type HooksOptions = {
  readonly commands: HookCommands;
  /** What the hooks were told, of the agent before this one too. */
  readonly path: string;
  readonly pacing: Pacing;
  readonly log: Log;
  /** What hooks get as their environment, beside `OUTCOME_*`. */
  readonly env: NodeJS.ProcessEnv;
  readonly facts: () => HookFacts;
  /** A result is another. */
  readonly changed: () => void;
  readonly limitMs?: number;
};

/** How one hook fares, as `/v1/state` shows it. */
export type HookStatus = {
  readonly running: boolean;
  /** When it last ended, RFC 3339; null: not in this run of the agent. */
  readonly at: string | null;
  /** How it last ended; null: it has not. */
  readonly ok: boolean | null;
  readonly problem: string | null;
  /** Failures in a row. */
  readonly tries: number;
  /** Until it is run again; null: nothing is left to tell, or it is about to run. */
  readonly next_try_ms: number | null;
};

/** The commands by the events that run them. */
export function hookCommands(hooks: HooksConfig): HookCommands {
  const { bootstrap, join, membersChange, leaderChange, roleChange, leave } = hooks;
  return {
    bootstrap,
    join,
    "members-change": membersChange,
    "leader-change": leaderChange,
    "role-change": roleChange,
    leave,
  };
}

/**
 * `load` before anything runs; `wake` whenever a fact may have changed; `run` until abort, which ends a hook that
 * runs. A hook that fails, hangs or forks holds up other hooks for its time limit at most, and the agent not
 * at all. Without any hook nothing is read, written or run.
 */
export function openHooks(options: HooksOptions) {
  const { commands, pacing, facts } = options;
  const { clock } = pacing;
  const given = HookEvent.options.filter((event) => (commands[event] ?? null) !== null);
  const lines = new Map(given.map((event) => [event, openLine(pacing)]));
  const wanted = new Set(lines.keys());
  const kept = openKept(options);
  const turns = oneAtATime();
  const woken = bell();

  const perform = async (call: HookCall, signal: AbortSignal): Promise<HookResult> => {
    const line = lines.get(call.event);
    const command = commands[call.event];
    if (line === undefined || !command) return { ok: true };
    line.started();
    options.changed();
    const { env, limitMs } = options;
    const result = await runHook(command, call.payload, {
      clock,
      signal,
      env: { ...env, ...environment(facts()) },
      ...(limitMs === undefined ? {} : { limitMs }),
    });
    // One that was cut short by the agent's own end has neither succeeded nor failed: it is told again.
    if (signal.aborted && !result.ok) line.stopped();
    else say(options.log, call.event, line.ended(call, result), result);
    options.changed();
    return result;
  };

  /** Runs what is due now, one call; the milliseconds to wait for the next when there was none. */
  const turn = async (signal: AbortSignal): Promise<number | null> => {
    const now = facts();
    let told = begin(kept.told(), now);
    await kept.save(told);
    const calls = due(told, now, wanted);
    for (const [event, line] of lines) line.see(calls.find((call) => call.event === event) ?? null);
    const waits = calls.map((call) => lines.get(call.event)?.waitMs() ?? 0);
    const call = calls[waits.findIndex((ms) => ms <= 0)];
    if (call === undefined) return Math.min(kept.waitMs(), UNTIL_CHANGE_MS, ...waits);
    const result = await perform(call, signal);
    told = result.ok ? toldAfter(told, call) : told;
    await kept.save(told);
    return null;
  };

  return {
    async load(): Promise<void> {
      if (wanted.size > 0) await kept.load();
    },
    wake: () => woken.ring(),
    async run(signal: AbortSignal): Promise<void> {
      if (wanted.size === 0) return;
      while (!signal.aborted) {
        const waitMs = await turns(() => turn(signal));
        if (waitMs !== null && !signal.aborted) await woken.wait(clock, waitMs, signal);
      }
    },
    /** Runs the hook of an event that is no difference, once, after the one that runs now. `ok` where there is none. */
    once(_event: "leave", signal: AbortSignal): Promise<HookResult> {
      if (!wanted.has("leave")) return Promise.resolve({ ok: true });
      return turns(() => perform(leaveCall(kept.told(), facts()), signal));
    },
    /** Every hook that was given. */
    results: (): Partial<Record<HookEvent, HookStatus>> =>
      Object.fromEntries([...lines].map(([event, line]) => [event, line.status()])),
    /** The hooks that failed last and still have something to tell. */
    failing: (): readonly HookEvent[] =>
      [...lines].filter(([, line]) => line.fails()).map(([event]) => event),
  };
}
export type Hooks = ReturnType<typeof openHooks>;

/** One hook: its last result, and when it may run again. */
function openLine({ clock, random }: Pacing) {
  const retry = backoff(FIRST_RETRY_MS, MOST_RETRY_MS, random);
  let running = false;
  let at: string | null = null;
  let last: HookResult | null = null;
  let tries = 0;
  /** What failed, and when it or something newer may be tried; null: nothing is left of it. */
  let failed: { readonly said: string; readonly atMs: number; readonly notBefore: number } | null = null;
  const waitMs = () => (failed === null ? 0 : failed.notBefore - clock.now());
  return {
    /** What is due for this hook now. News is not held up by how often the old failed, and does not run hot either. */
    see(call: HookCall | null): void {
      if (failed === null) return;
      if (call === null) failed = null;
      else if (failed.said !== JSON.stringify(call.told)) {
        retry.reset();
        tries = 0;
        const notBefore = Math.min(failed.notBefore, failed.atMs + FIRST_RETRY_MS);
        failed = { ...failed, said: JSON.stringify(call.told), notBefore };
      }
    },
    waitMs,
    started() {
      running = true;
    },
    stopped() {
      running = false;
    },
    /** Takes in a result; true when it differs from the one before in more than its time. */
    ended(call: HookCall, result: HookResult): boolean {
      const news = problemOf(last) !== problemOf(result);
      running = false;
      at = new Date(clock.wall()).toISOString();
      last = result;
      if (result.ok) {
        tries = 0;
        failed = null;
        retry.reset();
      } else {
        tries++;
        if (call.event === "leave") return news;
        const atMs = clock.now();
        failed = { said: JSON.stringify(call.told), atMs, notBefore: atMs + retry.take() };
      }
      return news;
    },
    fails: () => failed !== null,
    status: (): HookStatus => ({
      running,
      at,
      ok: last === null ? null : last.ok,
      problem: problemOf(last),
      tries,
      next_try_ms: failed === null || running ? null : Math.max(0, Math.round(waitMs())),
    }),
  };
}

/** What was told, and its file. A disk that fails is said once; the file follows as soon as it can. */
function openKept({ path, pacing, log }: HooksOptions) {
  const { clock } = pacing;
  const retry = backoff(FIRST_RETRY_MS, MOST_RETRY_MS, pacing.random);
  let told: Told | null = null;
  let written: Told | null = null;
  let notBefore: number | null = null;
  let complaint = "";
  return {
    told: () => told,
    async load(): Promise<void> {
      try {
        const text = await readIfThere(path);
        const read = text === null ? null : decode(Told, text);
        if (read?.ok === false)
          log.warn({ path, problem: read.problem }, "what hooks were told is forgotten");
        told = read?.ok ? read.value : null;
        written = told;
      } catch (error) {
        log.warn({ error: reason(error) }, "what hooks were told is forgotten");
      }
    },
    async save(next: Told): Promise<void> {
      told = next;
      if (next === written) notBefore = null;
      if (next === written || (notBefore !== null && clock.now() < notBefore)) return;
      try {
        await writeSynced(path, `${JSON.stringify(next)}\n`);
        written = next;
        notBefore = null;
        complaint = "";
        retry.reset();
      } catch (error) {
        const said = reason(error);
        if (said !== complaint)
          log.warn({ error: said }, "cannot keep what hooks were told: a restart may repeat it");
        complaint = said;
        notBefore = clock.now() + retry.take();
      }
    },
    /** Until the file is to be written again. */
    waitMs: () => (notBefore === null ? UNTIL_CHANGE_MS : Math.max(0, notBefore - clock.now())),
  };
}

/** Gives work its turn, in the order of asking. */
function oneAtATime() {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => {});
    return mine;
  };
}

function environment({ outcome, node, role, values }: HookFacts): Record<string, string> {
  if (outcome === null) return {};
  return outcomeEnvironment(values ?? outcomeValues(outcome, node, role, []));
}

function problemOf(result: HookResult | null): string | null {
  return result === null || result.ok ? null : result.problem;
}

function say(log: Log, event: HookEvent, news: boolean, result: HookResult): void {
  if (result.ok) log[news ? "info" : "debug"]({ event }, "hook succeeded again");
  else log[news ? "warn" : "debug"]({ event, problem: result.problem }, "hook failed");
}
