/**
 * The shell around core/genesis: performs one effect at a time, feeds the result back, and wakes the core
 * when something may have changed. It decides nothing.
 */
import { step } from "../core/genesis.ts";
import {
  type Effect,
  type Input,
  initial,
  type Phase,
  type Rules,
  type Settled,
  type State,
} from "../core/genesis-state.ts";
import { decode, GenesisRecord, type MemberRef } from "../core/model.ts";
import type { Provider, Register } from "../core/provider.ts";
import type { Seen } from "../core/quorum.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { backoff, bell, type Pacing, withDeadline } from "../lib/loop.ts";
import { openAsking } from "./asking.ts";
import { lookAt, park } from "./database.ts";
import type { HookResult } from "./hooks.ts";
import type { DataDir } from "./identity.ts";
import type { Looks } from "./native.ts";
import type { Peers } from "./peers.ts";
import { CALL_LIMIT_MS } from "./registration.ts";

/** How long nodes wait for those before them in the order to claim. */
const TURN_MS = 500;

export type GenesisOptions = {
  readonly rules: Rules;
  readonly dataDir: DataDir;
  readonly dbDataDir: string | null;
  readonly peers: Peers;
  readonly pacing: Pacing;
  readonly uuid: () => string;
  readonly log: Log;
  /** This node as members carry it. */
  readonly self: () => MemberRef;
  readonly onInit: (record: GenesisRecord | null, signal: AbortSignal) => Promise<HookResult>;
  /** Whether this incarnation holds its node id in the directory. */
  readonly registered: () => boolean;
  /** The ways to the database beside this agent, and to others of its kind; null: there is none. */
  readonly database?: Looks | null;
  readonly settled: (settled: Settled) => void;
  readonly changed: () => void;
};

/** Where the record and the members are. */
export type Store = { readonly provider: Provider; readonly register: Register };

/** The agent's part in the genesis protocol. `run` ends on abort, or by throwing when its own disk fails. */
export async function openGenesis(options: GenesisOptions) {
  const { rules, dataDir, pacing, uuid, log } = options;
  const { clock, random } = pacing;
  const asking = openAsking({
    ...options,
    clock,
    disk: dataDir.disk,
    database: options.database ?? null,
  });
  const wake = bell();
  let state: State = initial(dataDir.identity.kept, await lookAt(options.dbDataDir, dataDir.disk));
  let doing: Effect | null = null;
  /** Since when those before this node in the order could have claimed. */
  let turnSince: number | null = null;
  let nextTryAt: number | null = null;
  let initFailure: { readonly problem: string; readonly tries: number } | null = null;
  const initRetry = backoff(500, 10_000, random);
  /** What it last came to. Looking again, as it does all the time, changes nothing before the look is over. */
  let resting: Phase = state.phase;
  let told = "";

  const dispatch = (input: Input) => {
    const result = step(rules, state, input, uuid());
    state = result.state;
    doing = null;
    for (const effect of result.effects)
      if (effect.type === "settle") options.settled(effect.settled);
      else doing = effect;
    if (state.phase.at === "waiting") {
      const { on } = state.phase.wait;
      // After a turn that came and found too few, it is still this node's turn; after any other wait it is not.
      if (on === "turn") turnSince ??= clock.now();
      else if (on !== "voters") turnSince = null;
    }
    if (state.phase.at !== "reading" && state.phase.at !== "asking") resting = state.phase;
    const now = describe(shown());
    if (now !== told) tell(log, shown());
    told = now;
    options.changed();
  };

  const shown = (): State => ({ ...state, phase: resting });

  const call = <T>(signal: AbortSignal, what: string, work: (s: AbortSignal) => Promise<T>) =>
    withDeadline(clock, signal, CALL_LIMIT_MS, what, work);

  const ask = (provider: Provider, signal: AbortSignal) =>
    asking(
      {
        state,
        about: state.phase.at === "asking" ? state.phase.about : "data",
        impatient: turnSince !== null && clock.now() - turnSince >= TURN_MS,
      },
      (within) => call(within, "list the members", (s) => provider.lookup(s)),
      signal,
    );

  const perform = async (store: Store, effect: Effect, signal: AbortSignal): Promise<Input> => {
    switch (effect.type) {
      case "read":
      case "ask":
        try {
          if (effect.type === "ask") return { type: "answers", answers: await ask(store.provider, signal) };
          return {
            type: "record",
            seen: await readRecord(store.register, (work) => call(signal, "read the genesis record", work)),
            registered: options.registered(),
          };
        } catch (error) {
          const of = error instanceof RollcallError && error.code === "disk" ? "database" : "store";
          return { type: "unreadable", problem: reason(error), of };
        }
      case "save":
        await dataDir.save(effect.kept, effect.aside);
        return { type: "saved" };
      case "swap": {
        const result = await call(signal, "write the genesis record", (s) =>
          store.register.swap(effect.expected, effect.value, s),
        ).catch((cause: unknown) => ({ kind: "unknown" as const, cause }));
        if (result.kind === "unknown")
          log.warn({ error: reason(result.cause) }, "the outcome of a write is unknown; reading back");
        return { type: "swapped", result };
      }
      case "initialise": {
        const result = await options.onInit(state.seen?.record ?? null, signal);
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
      }
      case "park":
        return { type: "parked", failure: await park(options.dbDataDir, effect.claimId, dataDir.disk) };
      case "settle":
        return { type: "wake" };
      default:
        return effect satisfies never;
    }
  };

  /** How long to wait for a change before looking again all the same, in milliseconds; null: only a change matters. */
  const patience = (repair: { take(): number }): number => {
    const { phase } = state;
    if (phase.at === "open")
      return state.trouble === null && state.kept.stamp === null ? 60_000 : repair.take();
    if (phase.at === "waiting" && phase.wait.on === "turn") return TURN_MS * (1 + random() / 2);
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
      if (news) turnSince = null;
      wake.ring();
    },
    async run(store: Store, signal: AbortSignal): Promise<void> {
      const repair = backoff(100, 2_000, random);
      dispatch({ type: "start" });
      while (!signal.aborted) {
        if (doing !== null) {
          const input = await perform(store, doing, signal);
          // After an abort a result may be the abort's own: it must not be taken for the world's.
          if (signal.aborted) return;
          dispatch(input);
          continue;
        }
        const ms = patience(repair);
        nextTryAt = clock.now() + ms;
        if (await wake.wait(clock, ms, signal)) repair.reset();
        nextTryAt = null;
        if (!signal.aborted) dispatch({ type: "wake" });
      }
    },
  };
}
export type Genesis = Awaited<ReturnType<typeof openGenesis>>;

async function readRecord(
  register: Register,
  call: (work: (s: AbortSignal) => ReturnType<Register["read"]>) => ReturnType<Register["read"]>,
): Promise<Seen | null> {
  const at = await call((s) => register.read(s));
  if (at === null) return null;
  const decoded = decode(GenesisRecord, at.value);
  if (!decoded.ok) throw new RollcallError("bad_record", `the genesis record ${decoded.problem}`);
  return { record: decoded.value, at };
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
