/** How a step of the genesis protocol ends: the phase the node is in next, and the one effect it waits for. */
import {
  type Common,
  type CommonStep,
  encode,
  type Kept,
  type Question,
  type Refusal,
  type Rules,
  type Settled,
  type Source,
  type State,
  type Step,
  type Trouble,
  type Wait,
  type Writing,
} from "./genesis-state.ts";
import type { GenesisRecord, Sealed } from "./model.ts";
import type { Versioned } from "./provider.ts";
import { noVotes } from "./votes.ts";

/** What any node does on what any node is told, whatever it agrees by. */
export function common(
  rules: Rules,
  state: State,
  input: Exclude<Common, { type: "saved" }>,
  fresh: string,
): CommonStep {
  switch (input.type) {
    case "start":
      return start(rules, state, fresh);
    case "wake":
      return state.phase.at === "waiting" || state.phase.at === "open" || state.phase.at === "refused"
        ? read(state)
        : still(state);
    case "unreadable":
      return unreadable(state, input.problem, input.of ?? "store");
    case "initialised":
      return initialised(state, input.failed === true);
    case "parked":
      return input.failure === null
        ? forget(state)
        : refuse(state, { code: "park_failed", ...input.failure });
    default:
      return input satisfies never;
  }
}

/** Nothing to do until something changes. */
export function wait(state: State, reason: Wait): CommonStep {
  return still({ ...state, phase: { at: "waiting", wait: reason } });
}

/** Look at how things are: read the record, or, where there is none, ask everybody. */
export function read(state: State): CommonStep {
  return { state: { ...state, phase: { at: "reading" } }, effects: [{ type: "read" }] };
}

/** Look at the directory and the database, and ask every agent. */
export function ask(state: State, about: Question): Step {
  return { state: { ...state, phase: { at: "asking", about } }, effects: [{ type: "ask" }] };
}

/** A database that lost its data is a new node; any other one looks at how things are. */
function start(rules: Rules, state: State, fresh: string): CommonStep {
  const { kept, data } = state;
  return data === "empty" && hadData(rules, kept) ? renew(state, fresh) : read(state);
}

/** Goes on as a node that has never been here before, with another incarnation. */
export function renew(state: State, fresh: string): CommonStep {
  return save(
    { ...state, kept: { ...blank(fresh), votes: state.kept.votes && noVotes } },
    "read",
    state.kept.marker,
  );
}

/** Data that were never seen were not lost: then a first start was cut short, or is still to come. */
export function hadData(rules: Rules, { incarnation, stamp, marker, opened }: Kept): boolean {
  if (marker === null) return stamp?.done === true;
  if (opened) return stamp === null;
  return rules.initialises && marker.formation === "single" && marker.incarnation === incarnation;
}

/** How things are cannot be told. A node that has opened before opens again. */
function unreadable(state: State, problem: string, of: Source): CommonStep {
  const { marker, opened } = state.kept;
  if (marker === null || !opened) return wait(state, { on: "store", problem, of });
  return open(state, marker, { code: "store", problem, of });
}

/** Sync what is kept, then go on with `before`. */
export function save(
  state: State,
  before: "read" | "initialise" | "open",
  aside: Sealed | null = null,
): CommonStep {
  return {
    state: { ...state, phase: { at: "saving", before } },
    effects: [{ type: "save", kept: state.kept, aside }],
  };
}

/** Write the record, if it still is the one expected. */
export function swap(state: State, about: Writing, expected: Versioned | null, next: GenesisRecord): Step {
  return {
    state: { ...state, phase: { at: "swapping", about, next } },
    effects: [{ type: "swap", expected, value: encode(next) }],
  };
}

/** The hook has ended. What a failed one left is set aside; a database that is whole stays closed until the stamp is synced. */
function initialised(state: State, failed: boolean): CommonStep {
  const { stamp } = state.kept;
  if (stamp === null) return read(state);
  if (failed)
    return park({ ...state, data: state.data === "unknown" ? "unknown" : "present" }, stamp.claim_id);
  return save(
    { ...state, data: "present", kept: { ...state.kept, stamp: { ...stamp, done: true } } },
    "read",
  );
}

/** Set the database aside. */
export function park(state: State, claimId: string): CommonStep {
  return { state: { ...state, phase: { at: "parking" } }, effects: [{ type: "park", claimId }] };
}

/** Nothing follows. */
export function still(state: State): CommonStep {
  return { state, effects: [] };
}

/** The record is my claim, or sealed from it. */
export function isMine(kept: Kept, record: GenesisRecord | null): boolean {
  return (
    kept.claim !== null &&
    record !== null &&
    record.state !== "unborn" &&
    record.claim_id === kept.claim.claim_id
  );
}

/** The very record that was read: value and revision both. */
export function sameVersion(a: Versioned, b: Versioned | undefined): boolean {
  return b !== undefined && a.revision === b.revision && a.value === b.value;
}

/** Takes the sealed genesis for this node's own: its marker is synced, and the record read again before it opens. */
export function take(state: State, record: Sealed): CommonStep {
  return save(
    { ...state, kept: { ...blank(state.kept.incarnation), votes: state.kept.votes, marker: record } },
    "read",
  );
}

/** Stays closed; a node that has settled runs on and says what is wrong. */
export function refuse(state: State, refusal: Refusal): CommonStep {
  return state.settled === null
    ? still({ ...state, phase: { at: "refused", refusal } })
    : still({ ...state, phase: { at: "open" }, trouble: refusal });
}

/** Another genesis stands where mine should: fatal for a node that has opened, no loss for one that never did. */
export function yieldTo(state: State, marker: Sealed, refusal: Refusal): CommonStep {
  return state.kept.opened ? refuse(state, refusal) : discard(state, marker.genesis_id);
}

/** Gives up a claim or a marker that never opened; whatever was initialised for it is set aside first. */
export function discard(state: State, claimId: string): CommonStep {
  return state.kept.stamp !== null || state.kept.marker !== null ? park(state, claimId) : forget(state);
}

/** After parking: nothing of the claim or marker is left, but an initialisation cut short keeps its claim. */
export function forget(state: State): CommonStep {
  const { kept, seen } = state;
  const resumes =
    kept.stamp !== null && isMine(kept, seen?.record ?? null) && seen?.record.state === "claimed";
  const next: Kept = resumes ? { ...kept, stamp: null } : { ...blank(kept.incarnation), votes: kept.votes };
  return save({ ...state, data: state.data === "present" ? "empty" : state.data, kept: next }, "read");
}

/** The database may run. */
export function open(
  state: State,
  marker: Sealed,
  trouble: Trouble | null = null,
  kind: Settled["kind"] = outcomeOf(state, marker),
): CommonStep {
  const opened: State = { ...state, phase: { at: "open" }, trouble };
  if (state.settled !== null) return still(opened);
  const settled: Settled = { kind, record: marker };
  return { state: { ...opened, settled }, effects: [{ type: "settle", settled }] };
}

/** What a node does that may have opened before: the first start again where no data were ever seen. */
function outcomeOf({ kept, data }: State, marker: Sealed): Settled["kind"] {
  return kept.stamp !== null && data === "empty" ? firstOutcome(kept, marker) : "existing";
}

/** What a node does that opens for the first time: only the owner, or a listed incarnation, creates; nobody what was adopted. */
export function firstOutcome(kept: Pick<Kept, "incarnation">, record: Sealed): "bootstrap" | "join" {
  if (record.adopted !== undefined) return "join";
  const creates =
    record.formation === "single"
      ? record.incarnation === kept.incarnation
      : record.members.some((m) => m.incarnation === kept.incarnation);
  return creates ? "bootstrap" : "join";
}

/** A disk with nothing on it but a name. */
export function blank(incarnation: string): Kept {
  return { incarnation, claim: null, stamp: null, marker: null, opened: false, votes: null };
}
