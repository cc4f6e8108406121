/**
 * How exactly one cluster comes to be when a store with check-and-set is there: one pure step function,
 * `(rules, state, input, fresh) → (state, effects)`. The shell (src/agent/genesis.ts) performs the effects,
 * one at a time, and feeds the results back; test/explore explores this very function. The protocol, and
 * why each rule is there: src/DESIGN.md, "Genesis".
 */
import { onAnswers } from "./genesis-answers.ts";
import { encode, type Input, type Kept, type Rules, type State, type Step } from "./genesis-state.ts";
import {
  ask,
  common,
  discard,
  firstOutcome,
  hadData,
  isMine,
  open,
  park,
  read,
  refuse,
  renew,
  sameVersion,
  save,
  still,
  swap,
  take,
  wait,
  yieldTo,
} from "./genesis-steps.ts";
import type { Claimed, Sealed } from "./model.ts";

export { firstOutcome } from "./genesis-steps.ts";

/** One step. `fresh` is a UUID never used before, consumed or not. */
export function step(rules: Rules, state: State, input: Input, fresh: string): Step {
  switch (input.type) {
    case "record":
      return onRecord(rules, { ...state, seen: input.seen }, input.registered, fresh);
    case "answers":
      return onAnswers(rules, { ...state, data: input.answers.data }, input.answers, fresh);
    case "saved":
      return onSaved(state);
    case "swapped":
      return onSwapped(rules, state, input.result, fresh);
    default:
      return common(rules, state, input, fresh);
  }
}

function onRecord(rules: Rules, state: State, registered: boolean, fresh: string): Step {
  const { kept, data } = state;
  // Another holder restored what this node had given up, and its initialised database is set aside.
  if (kept.marker !== null && !kept.opened && data === "empty" && hadData(rules, kept))
    return renew(state, fresh);
  if (kept.marker !== null) return asHolder(state, kept.marker, registered);
  if (data === "present" && kept.stamp === null) return asUsed(state);
  return asBlank(rules, state, registered);
}

/** Data that rollcall did not make join no genesis, unless their own cluster was adopted as this one: then ask it. */
function asUsed(state: State): Step {
  const record = state.seen?.record;
  return record?.state === "sealed" && record.adopted !== undefined
    ? ask(state, "adopted")
    : refuse(state, { code: "foreign_data", doubt: null });
}

/** No marker yet. Outcomes: wait, ask (for init, claim, take-over or join), go on with my claim, or take the sealed genesis. */
function asBlank(rules: Rules, state: State, registered: boolean): Step {
  const { kept, seen } = state;
  const record = seen?.record ?? null;
  const mine = isMine(kept, record);
  // Any record but the one my claim was to replace shows that my claim is not, and can no longer come, in force.
  if (kept.claim !== null && !mine && !sameVersion(kept.claim.base, seen?.at))
    return discard(state, kept.claim.claim_id);
  if (record === null) return ask(state, "init");
  // Under a node id that is another's, this node would be a second database of one name.
  if (record.state === "sealed" && !mine && !registered) return wait(state, { on: "registration" });
  if (record.state === "sealed")
    return mine || isListed(kept, record) ? take(state, record) : ask(state, "join");
  if (record.state === "claimed" && mine) return initialiseOrSeal(rules, state, record);
  return ask(state, "claim");
}

/** Counted when the cluster was claimed, so that it is there whoever else is. Who was adopted had data then, and has none now. */
function isListed({ incarnation }: Kept, { adopted, members }: Sealed): boolean {
  return adopted === undefined && members.some((m) => m.incarnation === incarnation);
}

/** A marker is on disk. Outcomes: open, restore the record, stay closed, or (never opened) give the marker up and join. */
function asHolder(state: State, marker: Sealed, registered: boolean): Step {
  const record = state.seen?.record ?? null;
  if (record !== null && record.birth > marker.birth)
    return yieldTo(state, marker, { code: "reborn", birth: record.birth });
  if (record === null || record.state !== "sealed") return ask(state, "restore");
  if (record.genesis_id !== marker.genesis_id)
    return yieldTo(state, marker, { code: "genesis_conflict", with: record.genesis_id, where: "the record" });
  if (state.kept.opened) return reopen(state, marker);
  if (!registered) return wait(state, { on: "registration" });
  const stamp = state.data === "empty" ? { claim_id: marker.claim_id, done: false } : null;
  return save({ ...state, kept: { ...state.kept, opened: true, stamp } }, "open");
}

/** Opened before. Until its data have been seen once, the first start may have been cut short, and is made again. */
function reopen(state: State, marker: Sealed): Step {
  if (state.kept.stamp === null) return open(state, marker);
  if (state.data !== "empty") return save({ ...state, kept: { ...state.kept, stamp: null } }, "read");
  return state.settled === null ? open(state, marker) : ask(state, "data");
}

/** My claim stands. The database is initialised closed, where it needs that; then the claim is sealed. */
function initialiseOrSeal(rules: Rules, state: State, record: Claimed): Step {
  const { stamp } = state.kept;
  const needed = rules.initialises && record.formation === "single";
  if (!needed || stamp?.done) {
    const next: Sealed = { ...record, state: "sealed", genesis_id: record.claim_id };
    return swap(state, "seal", state.seen?.at ?? null, next);
  }
  // A stamp without "done" is an initialisation cut short: what it left is set aside, and it is done again.
  if (stamp !== null) return park(state, record.claim_id);
  return save(
    { ...state, kept: { ...state.kept, stamp: { claim_id: record.claim_id, done: false } } },
    "initialise",
  );
}

function onSaved(state: State): Step {
  const { phase } = state;
  if (phase.at !== "saving") return still(state);
  switch (phase.before) {
    case "read":
      return read(state);
    case "claim":
      return phase.next && state.seen ? swap(state, "claim", state.seen.at, phase.next) : read(state);
    case "initialise":
      return {
        state: { ...state, phase: { at: "initialising" } },
        effects: [{ type: "initialise", claimId: state.kept.claim?.claim_id ?? "" }],
      };
    case "open":
      return state.kept.marker
        ? open(state, state.kept.marker, null, firstKind(state, state.kept.marker))
        : read(state);
    case "poll":
      return read(state);
    default:
      return phase satisfies never;
  }
}

/** Adopted with its data, the database runs already. */
function firstKind({ kept, data }: State, marker: Sealed): "bootstrap" | "join" | "existing" {
  return marker.adopted !== undefined && data === "present" ? "existing" : firstOutcome(kept, marker);
}

function onSwapped(
  rules: Rules,
  state: State,
  result: Extract<Input, { type: "swapped" }>["result"],
  fresh: string,
): Step {
  const { phase } = state;
  if (phase.at !== "swapping") return read(state);
  // Only a read tells, after a moment: a store that refuses writes is not asked all the time.
  if (result.kind === "unknown")
    return common(rules, state, { type: "unreadable", problem: result.problem }, fresh);
  if (result.kind === "lost") return read(state);
  const { next } = phase;
  const won: State = {
    ...state,
    seen: { record: next, at: { value: encode(next), revision: result.revision } },
  };
  if (next.state === "sealed" && phase.about === "seal") return take(won, next);
  if (next.state === "claimed") return initialiseOrSeal(rules, won, next);
  if (next.state === "unborn") return asBlank(rules, won, false);
  return read(won);
}
