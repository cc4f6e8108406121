/**
 * When to read, write or ask about the leader key: `(state, input, standing) → (state, effect)`. Pure; the
 * shell (agent/reporter.ts) performs one effect at a time and feeds its result back. What may be written is
 * leader-key.ts. `standing` is how things are at that very moment: a swap that a step asks for is sent before
 * anything else happens, so no look at the database that is older than the decision writes the key.
 */
import {
  encodeLeader,
  judge,
  nameOf,
  type Rest,
  type Standing,
  type Stored,
  storedIn,
} from "./leader-key.ts";
import type { LeaderRecord } from "./model.ts";
import type { Versioned } from "./provider.ts";

/** What is wrong with the key, or with reaching it. */
export type LeaderTrouble = {
  readonly code: "leader_conflict" | "stale_leader_report" | "unreadable_leader_record" | "store";
  readonly message: string;
};

/** What a node that was asked whether it leads came to. */
export type LeaderAnswer = "leader" | "not_leader" | "silent";

/** What another try is due for: a store that did not answer or a write that never wins, a silent node, a conflict. */
export type Retry = "store" | "silent" | "conflict";

export type ReporterState = {
  /** The key as a read, a watch or a write of this agent showed it last; undefined: not yet. */
  readonly known: Versioned | null | undefined;
  /** A write ended unknown, or a read failed: only a read tells how things are. */
  readonly mustRead: boolean;
  /** What this agent's own last write replaced. A watch that lags may still show it. */
  readonly replaced: Versioned | null | undefined;
  /** The effect under way; what the watch showed meanwhile may be newer than its result, or older. */
  readonly doing: Effect | null;
  readonly meanwhile: Versioned | null | undefined;
  /** Whether the database led when it last said so, and what the key held when it was seen to become leader. */
  readonly led: boolean | null;
  readonly promotedOver: Versioned | null | undefined;
  readonly hasTerms: boolean;
  readonly highest: { readonly genesis: string; readonly term: number } | null;
  readonly asked: { readonly about: Versioned; readonly answer: LeaderAnswer } | null;
  /** Writes in a row that did not win. */
  readonly misses: number;
  readonly trouble: LeaderTrouble | null;
  /** Why nothing is being done, or what is waited for. */
  readonly resting: Rest | Retry | null;
};

export type Input =
  /** The report or the genesis changed: taken note of at once, acted upon by `look`. */
  | { readonly type: "noticed" }
  /** What the store's watch shows. */
  | { readonly type: "saw"; readonly raw: Versioned | null }
  /** Something may have changed. Ignored while an effect is under way: the shell repeats it afterwards. */
  | { readonly type: "look" }
  /** The time for the next round, or for another try, has come. */
  | { readonly type: "due" }
  | { readonly type: "read"; readonly raw: Versioned | null }
  | { readonly type: "failed"; readonly problem: string }
  | {
      readonly type: "swapped";
      readonly result:
        | { readonly kind: "won"; readonly revision: string }
        | { readonly kind: "lost"; readonly current: Versioned | null }
        | { readonly kind: "unknown"; readonly problem: string };
    }
  /** `registered`: the members directory has an entry of the node that was asked. */
  | { readonly type: "answered"; readonly answer: LeaderAnswer; readonly registered: boolean };

export type Effect =
  | { readonly type: "read" }
  | {
      readonly type: "swap";
      readonly expected: Versioned | null;
      readonly record: LeaderRecord;
      readonly value: string;
    }
  | { readonly type: "ask"; readonly about: Versioned; readonly record: LeaderRecord };

export type ReporterStep = { readonly state: ReporterState; readonly effect: Effect | null };

/** Writes that may miss in a row before it waits. */
const MOST_MISSES = 3;

export const initialReporter: ReporterState = {
  known: undefined,
  mustRead: false,
  replaced: undefined,
  doing: null,
  meanwhile: undefined,
  led: null,
  promotedOver: undefined,
  hasTerms: false,
  highest: null,
  asked: null,
  misses: 0,
  trouble: null,
  resting: null,
};

/** One step. Gives the very state it was given where `noticed` or `saw` brought nothing new. */
export function stepReporter(before: ReporterState, input: Input, standing: Standing): ReporterStep {
  const state = note(before, standing);
  const idle = { ...state, doing: null, meanwhile: undefined };
  switch (input.type) {
    case "noticed":
      return still(state);
    case "saw":
      return still(remember(see(state, input.raw), standing));
    case "look":
      return state.doing === null ? consider(state, standing) : still(state);
    case "due":
      return state.doing === null ? round(state, standing) : still(state);
    case "read":
      return consider(
        learn({ ...idle, known: input.raw, replaced: undefined, mustRead: false }, state, standing),
        standing,
      );
    case "failed":
      return still({
        ...idle,
        known: state.meanwhile === undefined ? state.known : state.meanwhile,
        mustRead: true,
        trouble: { code: "store", message: input.problem },
        resting: "store",
      });
    case "swapped":
      return swapped(state, input.result, standing);
    case "answered":
      return answered(state, input, standing);
    default:
      return input satisfies never;
  }
}

/** What the key holds as far as this agent knows. */
export function storedOf({ known }: ReporterState): Stored {
  return storedIn(known ?? null);
}

/** How long it may wait when nothing happens: until the next round, or a moment before another try. */
export function patience({ resting }: ReporterState): "round" | "retry" {
  return resting === "store" || resting === "silent" || resting === "conflict" ? "retry" : "round";
}

/** What a report tells about terms, and whether the database was seen to become leader. */
function note(state: ReporterState, { report }: Standing): ReporterState {
  const said = report?.role === "leader" ? true : report?.role === "replica" ? false : null;
  const led = said ?? state.led;
  const hasTerms = state.hasTerms || (report !== null && report.term !== null);
  // Promotion speaks against the record that was there then, and against no later one.
  const promotedOver =
    led === false ? undefined : state.led === false && led ? state.known : state.promotedOver;
  if (led === state.led && hasTerms === state.hasTerms && promotedOver === state.promotedOver) return state;
  return { ...state, led, hasTerms, promotedOver };
}

/** Takes in what the watch shows, which may lag behind what this agent has read or written. */
function see(state: ReporterState, raw: Versioned | null): ReporterState {
  if (same(raw, state.known) || same(raw, state.replaced)) return state;
  return state.doing === null || state.doing.type === "ask"
    ? { ...state, known: raw, replaced: undefined }
    : { ...state, meanwhile: raw };
}

/**
 * Takes in the result of a read or a write. Where the watch showed something else while that was under way,
 * nobody can tell which of the two is newer, so it is read once more.
 */
function learn(after: ReporterState, { meanwhile }: ReporterState, standing: Standing): ReporterState {
  const surprised = meanwhile !== undefined && !same(meanwhile, after.known);
  return remember(surprised ? { ...after, mustRead: true } : after, standing);
}

/** Keeps the highest term of this genesis that was seen in the key. */
function remember(state: ReporterState, { genesis }: Standing): ReporterState {
  const stored = storedOf(state);
  if (state.known === undefined || stored.kind === "unreadable") return state;
  if (stored.kind === "absent") return state.highest === null ? state : { ...state, highest: null };
  const { genesis_id, term } = stored.record;
  if (genesis_id === undefined || term === undefined || genesis_id !== genesis) return state;
  if (state.highest?.genesis === genesis && state.highest.term >= term) return state;
  return { ...state, highest: { genesis, term } };
}

function swapped(
  state: ReporterState,
  result: Extract<Input, { type: "swapped" }>["result"],
  standing: Standing,
): ReporterStep {
  const { doing } = state;
  if (doing?.type !== "swap") return still(state);
  const idle = { ...state, doing: null, meanwhile: undefined };
  const misses = state.misses + 1;
  switch (result.kind) {
    case "won": {
      const known = { value: doing.value, revision: result.revision };
      return consider(
        learn({ ...idle, known, replaced: doing.expected, misses: 0 }, state, standing),
        standing,
      );
    }
    case "lost":
      return consider(
        learn({ ...idle, known: result.current, replaced: undefined, misses }, state, standing),
        standing,
      );
    case "unknown":
      // Read back at once, whether or not this node still leads: the write may be there, or still come.
      return start({ ...idle, misses, mustRead: true }, { type: "read" });
    default:
      return result satisfies never;
  }
}

function answered(
  state: ReporterState,
  { answer, registered }: Extract<Input, { type: "answered" }>,
  standing: Standing,
): ReporterStep {
  if (state.doing?.type !== "ask") return still(state);
  // A node that neither answers nor is registered any more leads nothing.
  const settled = answer === "silent" && !registered ? "not_leader" : answer;
  const asked = { about: state.doing.about, answer: settled };
  return consider({ ...state, doing: null, meanwhile: undefined, asked }, standing);
}

/** The round of a node that leads begins with a read, which also repairs what a lost watch has missed. */
function round(state: ReporterState, standing: Standing): ReporterStep {
  const fresh = { ...state, asked: null, misses: 0 };
  return leads(standing) ? start(fresh, { type: "read" }) : consider(fresh, standing);
}

/** Decides what to do next with what is known. */
function consider(state: ReporterState, standing: Standing): ReporterStep {
  const { known, asked } = state;
  if (leads(standing) && (known === undefined || state.mustRead)) return start(state, { type: "read" });
  const about = asked !== null && same(asked.about, known) ? asked.answer : null;
  const verdict = judge(storedOf(state), standing, {
    hasTerms: state.hasTerms,
    highest: state.highest?.genesis === standing.genesis ? state.highest.term : null,
    promoted: known !== undefined && known !== null && same(state.promotedOver, known),
    named: about === "silent" ? null : about,
  });
  const held = (code: LeaderTrouble["code"], message: string, resting: Retry | null) =>
    still({ ...state, trouble: { code, message }, resting });
  switch (verdict.kind) {
    case "rest":
      return still({ ...state, trouble: null, resting: verdict.why, misses: 0 });
    case "write": {
      if (state.misses >= MOST_MISSES)
        return held("store", `write the leader key: ${state.misses} tries did not win`, "store");
      const { record } = verdict;
      return start(state, { type: "swap", expected: known ?? null, record, value: encodeLeader(record) });
    }
    case "ask":
      // There is a record to ask about, so there is a version of it.
      if (about === "silent" || known === undefined || known === null)
        return still({ ...state, trouble: null, resting: "silent" });
      return start(state, { type: "ask", about: known, record: verdict.record });
    case "conflict":
      return held(
        "leader_conflict",
        `this node and ${nameOf(verdict.record)} both say that they lead`,
        "conflict",
      );
    case "stale":
      return held(
        "stale_leader_report",
        `this node's database leads in term ${verdict.term}, the leader key shows term ${verdict.stored}`,
        null,
      );
    case "unreadable":
      return held("unreadable_leader_record", `the leader key ${verdict.problem}; it is left as it is`, null);
    default:
      return verdict satisfies never;
  }
}

function leads({ genesis, report }: Standing): boolean {
  return genesis !== null && report?.role === "leader";
}

function start(state: ReporterState, effect: Effect): ReporterStep {
  return { state: { ...state, doing: effect, resting: null }, effect };
}

function still(state: ReporterState): ReporterStep {
  return { state, effect: null };
}

/** The very version: value and revision both. Undefined is the same as nothing. */
function same(a: Versioned | null | undefined, b: Versioned | null | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  if (a === null || b === null) return a === b;
  return a.revision === b.revision && a.value === b.value;
}
