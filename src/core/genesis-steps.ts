/** How a step of the genesis protocol ends: the phase the node is in next, and the one effect it waits for. */
import { encode, type Kept, type State, type Step, type Wait } from "./genesis-state.ts";
import type { GenesisRecord, Sealed } from "./model.ts";
import type { Versioned } from "./provider.ts";

/** Nothing to do until something changes. */
export function wait(state: State, reason: Wait): Step {
  return still({ ...state, phase: { at: "waiting", wait: reason } });
}

/** Read the record. */
export function read(state: State): Step {
  return { state: { ...state, phase: { at: "reading" } }, effects: [{ type: "read" }] };
}

/** Look at the directory and the database, and ask every agent. */
export function ask(state: State, about: "init" | "claim" | "restore" | "data"): Step {
  return { state: { ...state, phase: { at: "asking", about } }, effects: [{ type: "ask" }] };
}

/** Sync what is kept, then go on with `before`. */
export function save(
  state: State,
  before: "read" | "initialise" | "open",
  aside: Sealed | null = null,
): Step {
  return {
    state: { ...state, phase: { at: "saving", before } },
    effects: [{ type: "save", kept: state.kept, aside }],
  };
}

/** Write the record, if it still is the one expected. */
export function swap(
  state: State,
  about: "init" | "claim" | "seal" | "restore",
  expected: Versioned | null,
  next: GenesisRecord,
): Step {
  return {
    state: { ...state, phase: { at: "swapping", about, next } },
    effects: [{ type: "swap", expected, value: encode(next) }],
  };
}

/** Set the database aside. */
export function park(state: State, claimId: string): Step {
  return { state: { ...state, phase: { at: "parking" } }, effects: [{ type: "park", claimId }] };
}

/** Nothing follows. */
export function still(state: State): Step {
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
