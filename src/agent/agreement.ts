/**
 * The shell around a step function of the core, whatever the node agrees by: performs one effect at a time, feeds the
 * result back, and wakes the core when something may have changed. It decides nothing.
 */
import type * as Genesis from "../core/genesis-state.ts";
import {
  initial,
  type Kept,
  type Phase,
  type Rules,
  type Settled,
  type State,
  type StepOf,
  type Wait,
} from "../core/genesis-state.ts";
import type { MemberRef } from "../core/model.ts";
import type * as Register from "../core/register-steps.ts";
import type { Log } from "../lib/log.ts";
import { backoff, bell, type Pacing } from "../lib/loop.ts";
import { lookAt, park } from "./database.ts";
import type { HookResult } from "./hooks.ts";
import type { DataDir } from "./identity.ts";

/** How often a settled node looks by itself where changes wake it, in milliseconds. */
const SETTLED_MS = 60_000;

export type AgreementOptions = {
  readonly rules: Rules;
  readonly dataDir: DataDir;
  readonly dbDataDir: string | null;
  readonly pacing: Pacing;
  readonly uuid: () => string;
  readonly log: Log;
  /** This node as members carry it. */
  readonly self: () => MemberRef;
  /** Initialises the database for the genesis that is claimed under this id. */
  readonly onInit: (claimId: string, signal: AbortSignal) => Promise<HookResult>;
  readonly settled: (settled: Settled) => void;
  readonly changed: () => void;
};

/** Whatever a step function is told and asks for; each knows its own. */
export type AnyInput = Genesis.Input | Register.Input;
export type AnyEffect = Genesis.Effect | Register.Effect;
/** What the shell of one way of agreeing performs itself. */
export type OwnEffect = Exclude<AnyEffect, { type: "save" | "initialise" | "park" | "settle" | "tell" }>;

/** What is particular to one way of agreeing: its step function, and the effects that only it has. */
export type Protocol = {
  /** What is kept, as this way needs it. */
  readonly kept?: (kept: Kept) => Kept;
  step(rules: Rules, state: State, input: AnyInput, fresh: string): StepOf<AnyEffect>;
  perform(effect: OwnEffect, node: Standing, signal: AbortSignal): Promise<AnyInput>;
  /** Sends what nothing waits for. */
  tell?(effect: Extract<AnyEffect, { type: "tell" }>, signal: AbortSignal): void;
  /** How long it lets those before it in the order go first, in milliseconds; null: as long as it takes. */
  patienceMs(wait: Pick<Wait, "on">): number | null;
  /** What is to be decided now. Once that is something else, those before it in the order have their time anew. */
  readonly due?: (state: State) => unknown;
  /** How often a settled node looks by itself. */
  readonly settledMs?: () => number;
};

/** The node as an effect finds it. */
export type Standing = {
  readonly state: State;
  /** It has waited for those before it in the order long enough. */
  readonly impatient: boolean;
};

/** The agent's part in an agreement. `run` ends on abort, or by throwing when its own disk fails. */
export async function openAgreement(options: AgreementOptions, protocol: Protocol) {
  const { rules, dataDir, pacing, uuid, log } = options;
  const { clock, random } = pacing;
  const wake = bell();
  const kept = protocol.kept?.(dataDir.identity.kept) ?? dataDir.identity.kept;
  let state: State = initial(kept, await lookAt(options.dbDataDir, dataDir.disk));
  let doing: Exclude<AnyEffect, { type: "tell" | "settle" }> | null = null;
  /** Since when it waits for others of the same kind to go first, and how long it will. */
  let turn: {
    readonly on: Wait["on"];
    readonly due: unknown;
    readonly at: number;
    readonly ms: number;
  } | null = null;
  let nextTryAt: number | null = null;
  let initFailure: { readonly problem: string; readonly tries: number } | null = null;
  const initRetry = backoff(500, 10_000, random);
  /** What it last came to. Looking again, as it does all the time, changes nothing before the look is over. */
  let resting: Phase = state.phase;
  let told = "";
  const save = serialised(() => state.kept, dataDir);

  const dispatch = (input: AnyInput, signal: AbortSignal) => {
    const result = protocol.step(rules, state, input, uuid());
    state = result.state;
    doing = null;
    for (const effect of result.effects)
      if (effect.type === "settle") options.settled(effect.settled);
      else if (effect.type === "tell") protocol.tell?.(effect, signal);
      else doing = effect;
    if (state.phase.at === "waiting") turn = turnOf(turn, state.phase.wait);
    if (!isLook(state.phase)) resting = state.phase;
    const now = describe(shown());
    if (now !== told) tell(log, shown());
    told = now;
    options.changed();
  };

  /** After a turn that came and found too few, it is still this node's turn; after any other wait it is not. */
  const turnOf = (before: typeof turn, wait: Wait): typeof turn => {
    if (wait.on === "voters" || wait.on === "votes") return before;
    const ms = protocol.patienceMs(wait);
    if (ms === null) return null;
    const due = protocol.due?.(state);
    return before?.on === wait.on && before.due === due ? before : { on: wait.on, due, at: clock.now(), ms };
  };

  const shown = (): State => ({ ...state, phase: resting });
  const impatient = () =>
    turn !== null && turn.due === protocol.due?.(state) && clock.now() - turn.at >= turn.ms;

  const initialise = async (claimId: string, signal: AbortSignal): Promise<AnyInput> => {
    const result = await options.onInit(claimId, signal);
    if (result.ok) initFailure = null;
    else if (!signal.aborted) {
      initFailure = { problem: result.problem, tries: (initFailure?.tries ?? 0) + 1 };
      log.error(
        { problem: result.problem, tries: initFailure.tries },
        "-on-init failed; it will be run again",
      );
      options.changed();
      await clock.sleep(initRetry.take(), signal);
    }
    return { type: "initialised", failed: !result.ok };
  };

  const perform = async (effect: NonNullable<typeof doing>, signal: AbortSignal): Promise<AnyInput> => {
    switch (effect.type) {
      case "save":
        await save(effect.aside);
        return { type: "saved" };
      case "initialise":
        return initialise(effect.claimId, signal);
      case "park":
        return { type: "parked", failure: await park(options.dbDataDir, effect.claimId, dataDir.disk) };
      default:
        return protocol.perform(effect, { state, impatient: impatient() }, signal);
    }
  };

  /** How long to wait for a change before looking again all the same, in milliseconds. */
  const patience = (repair: { take(): number }): number => {
    const { phase } = state;
    if (phase.at === "open")
      return state.trouble === null && state.kept.stamp === null
        ? (protocol.settledMs?.() ?? SETTLED_MS)
        : repair.take();
    if (phase.at === "waiting" && phase.wait.on === "turn" && turn !== null)
      return Math.max(1, turn.at + turn.ms - clock.now()) * (1 + random() / 2);
    return repair.take();
  };

  return {
    state: () => state,
    /** The state as people and peers see it: its phase is the last one that was more than a look at how things are. */
    shown,
    /** How `-on-init` last failed, until it succeeds. */
    initFailure: () => initFailure,
    /** Milliseconds until it looks again by itself, or null while it is at work. */
    nextTryMs: () => (nextTryAt === null ? null : Math.max(0, Math.round(nextTryAt - clock.now()))),
    /** Looks again. `news`: others have come, gone or written, so those before this node get their time anew. */
    wake(news = false): void {
      if (news) turn = null;
      wake.ring();
    },
    /**
     * Takes in what comes from elsewhere, at any time: `change` gives the state after it. What is kept is synced before
     * this resolves. Throws `disk`, and then nothing was promised.
     */
    async amend<T>(change: (state: State) => { readonly state: State; readonly value: T }): Promise<T> {
      const { state: next, value } = change(state);
      state = next;
      // Also where nothing changed: what was kept before may have failed to be written.
      await save(null);
      return value;
    },
    /** Another one is at it: this node's own turn is as far off again as it was at first. */
    defer(): void {
      const ms = turn && protocol.patienceMs(turn);
      if (turn !== null && ms !== null) turn = { ...turn, at: clock.now(), ms };
    },
    async run(signal: AbortSignal): Promise<void> {
      const repair = backoff(100, 2_000, random);
      dispatch({ type: "start" }, signal);
      while (!signal.aborted) {
        if (doing !== null) {
          const input = await perform(doing, signal);
          // After an abort a result may be the abort's own: it must not be taken for the world's.
          if (signal.aborted) return;
          dispatch(input, signal);
          continue;
        }
        const ms = patience(repair);
        nextTryAt = clock.now() + ms;
        if (await wake.wait(clock, ms, signal)) repair.reset();
        nextTryAt = null;
        if (!signal.aborted) dispatch({ type: "wake" }, signal);
      }
    },
  };
}
export type Agreement = Awaited<ReturnType<typeof openAgreement>>;

/**
 * One write at a time, each of what is kept when it begins: a later promise is never overwritten by an earlier one.
 * Resolves once everything kept at the call is on disk.
 */
function serialised(kept: () => Kept, dataDir: DataDir) {
  let last: Promise<void> = Promise.resolve();
  let onDisk = kept();
  return (aside: Parameters<DataDir["save"]>[1]): Promise<void> => {
    const write = async () => {
      const now = kept();
      if (now === onDisk && aside === null) return;
      await dataDir.save(now, aside);
      onDisk = now;
    };
    last = last.then(write, write);
    return last;
  };
}

/** A try that changes nothing before it is over: a look at how things are, or a vote that is being asked for. */
function isLook(phase: Phase): boolean {
  const { at } = phase;
  return (
    at === "reading" || at === "asking" || at === "voting" || (at === "saving" && phase.before === "poll")
  );
}

function describe({ phase, settled, trouble }: State): string {
  if (settled !== null) return `settled ${trouble?.code ?? ""}`;
  // That it still does not answer is no news.
  if (phase.at === "waiting")
    return JSON.stringify(phase.wait, (key, value: unknown) => (key === "silentMs" ? undefined : value));
  if (phase.at === "refused") return phase.refusal.code;
  return phase.at;
}

/** Changes loud, success quiet. */
function tell(log: Log, { phase, trouble }: State): void {
  if (phase.at === "refused") log.error({ refusal: phase.refusal }, "staying closed");
  else if (trouble !== null) log.warn({ trouble }, "settled, but something is wrong");
  else if (phase.at === "waiting") log.debug({ wait: phase.wait }, "waiting");
}
