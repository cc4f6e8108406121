/**
 * The shell around core/reporter: keeps the leader key true while this node's database leads. One effect at
 * a time, its result fed back; it decides nothing. A change of leadership costs one write where the watch has
 * shown the key, and one read before it where it has not.
 */
import type { Standing } from "../core/leader-key.ts";
import type { LeaderRecord, MemberRef } from "../core/model.ts";
import type { NodeReport } from "../core/node-report.ts";
import type { Register, Versioned } from "../core/provider.ts";
import {
  type Effect,
  type Input,
  initialReporter,
  type LeaderAnswer,
  type LeaderTrouble,
  patience,
  type ReporterState,
  stepReporter,
  storedOf,
} from "../core/reporter.ts";
import { reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { backoff, bell, type Pacing, withDeadline } from "../lib/loop.ts";
import { CALL_LIMIT_MS } from "./registration.ts";

/** How often a node that leads looks at the key when nothing changes; spread by a tenth to either side. */
export const ROUND_MS = 10_000;
const ASK_LIMIT_MS = 2_000;

export type ReporterOptions = {
  readonly pacing: Pacing;
  readonly log: Log;
  readonly self: () => MemberRef;
  /** The database's address for clients, as its own clients and its leader record write it. */
  readonly clientAddress: (advAddr: string) => string;
  /** The last look at the database; null before the first. */
  readonly report: () => NodeReport | null;
  /** The genesis this node has settled on, while the store's record shows the same; else null. */
  readonly genesis: () => string | null;
  /** Whether the members directory has an entry of this node id. */
  readonly registered: (id: string) => boolean;
  /** Asks the agent beside the node that a record names whether its database leads. */
  readonly askLeader: (record: LeaderRecord, signal: AbortSignal) => Promise<LeaderAnswer>;
  readonly changed: () => void;
};

/** What the agent shows of the leader key. */
export type LeaderKeyState = {
  /** The record as this agent last saw it; null: there is none, it is unreadable, or it was not seen yet. */
  readonly record: LeaderRecord | null;
  readonly trouble: LeaderTrouble | null;
  /** Why nothing is written, or what the next try waits for; null while something is under way, or after trouble. */
  readonly resting: ReporterState["resting"];
  /** Writes of this agent that won. */
  readonly writes: number;
};

export function openReporter(options: ReporterOptions) {
  const { pacing, log } = options;
  const { clock, random } = pacing;
  const news = bell();
  let state = initialReporter;
  let writes = 0;
  let shown: LeaderKeyState = { record: null, trouble: null, resting: null, writes };
  let told = "";

  const standing = (): Standing => {
    const self = options.self();
    return {
      self,
      apiAddr: self.api_addr === "" ? "" : options.clientAddress(self.api_addr),
      genesis: options.genesis(),
      report: options.report(),
    };
  };

  const dispatch = (input: Input): Effect | null => {
    const { state: next, effect } = stepReporter(state, input, standing());
    const { trouble } = state;
    if (next === state) return null;
    state = next;
    if (next.trouble?.message !== trouble?.message) tell(log, next.trouble);
    show();
    return effect;
  };

  /** Tells those who look on when what they see is another. */
  const show = () => {
    const stored = storedOf(state);
    const { trouble, resting } = state;
    shown = { record: stored.kind === "record" ? stored.record : null, trouble, resting, writes };
    const now = JSON.stringify([shown.record, trouble]);
    if (now === told) return;
    told = now;
    options.changed();
  };

  const perform = async (register: Register, effect: Effect, signal: AbortSignal): Promise<Input> => {
    const call = <T>(ms: number, what: string, work: (s: AbortSignal) => Promise<T>) =>
      withDeadline(clock, signal, ms, what, work);
    switch (effect.type) {
      case "read":
        try {
          const raw = await call(CALL_LIMIT_MS, "read the leader key", (s) => register.read(s));
          return { type: "read", raw };
        } catch (error) {
          return { type: "failed", problem: reason(error) };
        }
      case "swap": {
        const result = await call(CALL_LIMIT_MS, "write the leader key", (s) =>
          register.swap(effect.expected, effect.value, s),
        ).catch((cause: unknown) => ({ kind: "unknown" as const, cause }));
        if (result.kind === "unknown") {
          const problem = reason(result.cause);
          if (!signal.aborted)
            log.warn({ error: problem }, "the outcome of a write of the leader key is unknown; reading back");
          return { type: "swapped", result: { kind: "unknown", problem } };
        }
        if (result.kind === "won") {
          const { id, term, seq } = effect.record;
          writes += 1;
          log.info({ id, term, seq }, "the leader key names this node");
        }
        return { type: "swapped", result };
      }
      case "ask": {
        const answer = await call(ASK_LIMIT_MS, "ask who leads", (s) =>
          options.askLeader(effect.record, s),
        ).catch((): LeaderAnswer => "silent");
        return { type: "answered", answer, registered: options.registered(effect.record.id) };
      }
      default:
        return effect satisfies never;
    }
  };

  return {
    /** The report or the genesis may have changed. */
    wake(): void {
      dispatch({ type: "noticed" });
      news.ring();
    },
    /** The key as the store's watch shows it. It informs, and serves as what a write expects. */
    saw(raw: Versioned | null): void {
      const before = state;
      dispatch({ type: "saw", raw });
      if (state !== before) news.ring();
    },
    state: (): LeaderKeyState => shown,
    /** Ends on abort. Runs once. */
    async run(register: Register, signal: AbortSignal): Promise<void> {
      const retry = backoff(250, ROUND_MS, random);
      let due: Due | undefined;
      let effect = dispatch({ type: "look" });
      while (!signal.aborted) {
        if (effect !== null) {
          const input = await perform(register, effect, signal);
          // After an abort a result may be the abort's own.
          if (signal.aborted) return;
          effect = dispatch(input);
          continue;
        }
        const kind = patience(state);
        if (kind === "round") retry.reset();
        // News between two rounds, however often, does not put the next one off.
        if (due?.kind !== kind)
          due = {
            kind,
            at: clock.now() + (kind === "retry" ? retry.take() : ROUND_MS * (0.9 + random() / 5)),
          };
        const heard = await news.wait(clock, Math.max(0, due.at - clock.now()), signal);
        if (!heard) due = undefined;
        if (!signal.aborted) effect = dispatch({ type: heard ? "look" : "due" });
      }
    },
  };
}
export type Reporter = ReturnType<typeof openReporter>;

/** When it looks by itself, and why. */
type Due = { readonly kind: ReturnType<typeof patience>; readonly at: number };

/** Changes loud, success quiet. */
function tell(log: Log, trouble: LeaderTrouble | null): void {
  if (trouble === null) log.info({}, "nothing is wrong with the leader key any more");
  else if (trouble.code === "store") log.warn({ error: trouble.message }, "the leader key is out of reach");
  else log.warn({ code: trouble.code, problem: trouble.message }, "the leader key is left as it is");
}
