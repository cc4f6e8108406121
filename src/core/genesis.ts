/**
 * How exactly one cluster comes to be when a store with check-and-set is there: one pure step function,
 * `(rules, state, input, fresh) → (state, effects)`. The shell (src/agent/genesis.ts) performs the effects,
 * one at a time, and feeds the results back; test/explore explores this very function. The protocol, and
 * why each rule is there: src/DESIGN.md, "Genesis".
 */
import {
  encode,
  type Input,
  type Kept,
  type Refusal,
  type Rules,
  type Settled,
  type Source,
  type State,
  type Step,
  type Trouble,
} from "./genesis-state.ts";
import { ask, isMine, park, read, sameVersion, save, still, swap, wait } from "./genesis-steps.ts";
import { type Claimed, memberHash, type Sealed, type Unborn, VERSION } from "./model.ts";
import { type Answers, type Seen, tally } from "./quorum.ts";

/** One step. `fresh` is a UUID never used before, consumed or not. */
export function step(rules: Rules, state: State, input: Input, fresh: string): Step {
  switch (input.type) {
    case "start":
      return start(rules, state, fresh);
    case "wake":
      return state.phase.at === "waiting" || state.phase.at === "open" || state.phase.at === "refused"
        ? read(state)
        : still(state);
    case "record":
      return onRecord(rules, { ...state, seen: input.seen }, input.registered, fresh);
    case "unreadable":
      return onUnreadable(state, input.problem, input.of ?? "store");
    case "answers":
      return onAnswers(rules, { ...state, data: input.answers.data }, input.answers, fresh);
    case "saved":
      return onSaved(state);
    case "swapped":
      return onSwapped(rules, state, input.result);
    case "initialised":
      return onInitialised(state, input.failed === true);
    case "parked":
      return input.failure === null
        ? forget(state)
        : refuse(state, {
            code: "park_failed",
            problem: input.failure.problem,
            commands: input.failure.commands,
          });
    default:
      return input satisfies never;
  }
}

/** A record without a marker in front of it is opened by nobody; a database that lost its data is a new node. */
function start(rules: Rules, state: State, fresh: string): Step {
  const { kept, data } = state;
  return data === "empty" && hadData(rules, kept) ? renew(state, fresh) : read(state);
}

/** Goes on as a node that has never been here before, with another incarnation. */
function renew(state: State, fresh: string): Step {
  return save({ ...state, kept: blank(fresh) }, "read", state.kept.marker);
}

/** Data that were never seen were not lost: then a first start was cut short, or is still to come. */
function hadData(rules: Rules, { incarnation, stamp, marker, opened }: Kept): boolean {
  if (marker === null) return stamp?.done === true;
  if (opened) return stamp === null;
  return rules.initialises && marker.formation === "single" && marker.incarnation === incarnation;
}

function onRecord(rules: Rules, state: State, registered: boolean, fresh: string): Step {
  const { kept, data } = state;
  // Another holder restored what this node had given up, and its initialised database is set aside.
  if (kept.marker !== null && !kept.opened && data === "empty" && hadData(rules, kept))
    return renew(state, fresh);
  if (kept.marker !== null) return asHolder(state, kept.marker, registered);
  if (data === "present" && kept.stamp === null) return refuse(state, { code: "foreign_data" });
  return asBlank(rules, state, registered);
}

/** No marker yet. Outcomes: wait, ask (for init, claim or take-over), go on with my claim, or take the sealed genesis. */
function asBlank(rules: Rules, state: State, registered: boolean): Step {
  const { kept, seen } = state;
  const record = seen?.record ?? null;
  const mine = isMine(kept, record);
  // Any record but the one my claim was to replace shows that my claim is not, and can no longer come, in force.
  if (kept.claim !== null && !mine && !sameVersion(kept.claim.base, seen?.at))
    return discard(state, kept.claim.claim_id);
  if (record === null)
    return rules.voter && rules.genesis === "auto" ? ask(state, "init") : wait(state, { on: "no_record" });
  // Under a node id that is another's, this node would be a second database of one name.
  if (record.state === "sealed" && !mine && !registered) return wait(state, { on: "registration" });
  if (record.state === "sealed")
    return save({ ...state, kept: { ...blank(kept.incarnation), marker: record } }, "read");
  if (record.state === "claimed" && mine) return initialiseOrSeal(rules, state, record);
  if (!rules.voter || rules.genesis === "never") return wait(state, { on: "others" });
  if (record.expect !== rules.expect)
    return wait(state, { on: "expect_mismatch", recordExpect: record.expect });
  return ask(state, "claim");
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

/** Another genesis stands where mine should: fatal for a node that has opened, no loss for one that never did. */
function yieldTo(state: State, marker: Sealed, refusal: Refusal): Step {
  return state.kept.opened ? refuse(state, refusal) : discard(state, marker.genesis_id);
}

function onUnreadable(state: State, problem: string, of: Source): Step {
  const { marker, opened } = state.kept;
  if (marker === null || !opened) return wait(state, { on: "store", problem, of });
  return open(state, marker, { code: "store", problem, of });
}

function onAnswers(rules: Rules, state: State, answers: Answers, fresh: string): Step {
  if (state.phase.at !== "asking") return still(state);
  switch (state.phase.about) {
    case "init":
      return init(rules, state, answers, fresh);
    case "restore":
      return restore(state, answers, fresh);
    case "data":
      return answers.data === "empty" && state.kept.marker !== null
        ? open(state, state.kept.marker)
        : read(state);
    case "claim":
      return state.seen ? claim(rules, state, state.seen, answers, fresh) : read(state);
    default:
      return state.phase satisfies never;
  }
}

/** The record is absent. It may be made only where nobody reachable knows a cluster. */
function init(rules: Rules, state: State, answers: Answers, fresh: string): Step {
  if (answers.foreignLeader !== null)
    return wait(state, { on: "foreign_leader", leader: answers.foreignLeader });
  const holder = answers.hellos.find((h) => h.key === rules.key && h.marker !== null);
  if (holder?.marker)
    return wait(state, { on: "holder", holder: holder.node_id, genesisId: holder.marker.genesis_id });
  const next: Unborn = {
    v: VERSION,
    state: "unborn",
    init_id: fresh,
    birth: 1,
    expect: rules.expect,
    by: rules.nodeId,
  };
  return swap(state, "init", null, next);
}

/** The record is unborn, or claimed by another: count, and claim if everything holds. */
function claim(rules: Rules, state: State, seen: Seen, answers: Answers, fresh: string): Step {
  if (answers.data === "present" && state.kept.stamp === null) return refuse(state, { code: "foreign_data" });
  const { record } = seen;
  const counts = answers.presumed ?? tally(seen, rules.key, answers);
  const counting = { ...state, tally: counts };
  if (record.state === "claimed" && !answers.claimerSilent)
    return wait(counting, { on: "claimer", claimer: record.node });
  if (answers.foreignLeader !== null)
    return wait(counting, { on: "foreign_leader", leader: answers.foreignLeader });
  const holder = counts.holders[0];
  if (holder?.marker)
    return wait(counting, { on: "holder", holder: holder.node_id, genesisId: holder.marker.genesis_id });
  if (counts.counted.length < rules.expect) return wait(counting, { on: "voters" });
  if (answers.presumed !== undefined) return wait(counting, { on: "turn" });
  const claimant = counts.claimants[0];
  if (claimant !== undefined) return wait(counting, { on: "claimant", claimant: claimant.node_id });
  const members = counts.counted.slice(0, rules.expect);
  const rank = members.findIndex((m) => m.incarnation === state.kept.incarnation);
  if (rank === -1) return wait(counting, { on: "others" });
  if (rank > 0 && !answers.impatient) return wait(counting, { on: "turn" });
  const { v, init_id, birth, expect } = record;
  const gen = record.state === "claimed" ? record.gen + 1 : 1;
  // A claim already on disk is for this very record (any other was discarded): the same id makes the retry harmless.
  const claim_id = state.kept.claim?.claim_id ?? fresh;
  const next: Claimed = {
    v,
    state: "claimed",
    init_id,
    birth,
    expect,
    gen,
    claim_id,
    node: rules.nodeId,
    incarnation: state.kept.incarnation,
    formation: rules.formation,
    members,
    hash: memberHash(members),
  };
  const kept = { ...state.kept, claim: { claim_id, init_id, base: seen.at } };
  return {
    state: { ...counting, kept, phase: { at: "saving", before: "claim", next } },
    effects: [{ type: "save", kept, aside: null }],
  };
}

/** My record is gone, or replaced by an unborn or claimed one of no higher birth: put it back, if all holders agree. */
function restore(state: State, answers: Answers, fresh: string): Step {
  const marker = state.kept.marker;
  if (marker === null) return read(state);
  for (const { marker: theirs, node_id } of answers.hellos) {
    if (theirs === null || theirs.birth < marker.birth) continue;
    if (theirs.birth > marker.birth) return yieldTo(state, marker, { code: "reborn", birth: theirs.birth });
    if (theirs.genesis_id !== marker.genesis_id)
      return refuse(state, { code: "genesis_conflict", with: theirs.genesis_id, where: node_id });
  }
  const next: Sealed = { ...marker, init_id: state.seen?.record.init_id ?? fresh };
  return swap(state, "restore", state.seen?.at ?? null, next);
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
        ? open(state, state.kept.marker, null, firstOutcome(state.kept, state.kept.marker))
        : read(state);
    default:
      return phase.before satisfies never;
  }
}

function onSwapped(rules: Rules, state: State, result: Extract<Input, { type: "swapped" }>["result"]): Step {
  const { phase } = state;
  // Lost, or unknown: only a read tells. An unknown write is never repeated before that.
  if (phase.at !== "swapping" || result.kind !== "won") return read(state);
  const { next } = phase;
  const won: State = {
    ...state,
    seen: { record: next, at: { value: encode(next), revision: result.revision } },
  };
  if (next.state === "sealed" && phase.about === "seal")
    return save({ ...won, kept: { ...blank(state.kept.incarnation), marker: next } }, "read");
  if (next.state === "claimed") return initialiseOrSeal(rules, won, next);
  if (next.state === "unborn") return asBlank(rules, won, false);
  return read(won);
}

function onInitialised(state: State, failed: boolean): Step {
  const { claim } = state.kept;
  if (claim === null) return read(state);
  if (failed)
    return park({ ...state, data: state.data === "unknown" ? "unknown" : "present" }, claim.claim_id);
  return save(
    { ...state, data: "present", kept: { ...state.kept, stamp: { claim_id: claim.claim_id, done: true } } },
    "read",
  );
}

/** Gives up a claim or a marker that never opened; whatever was initialised for it is set aside first. */
function discard(state: State, claimId: string): Step {
  return state.kept.stamp !== null || state.kept.marker !== null ? park(state, claimId) : forget(state);
}

/** After parking: nothing of the claim or marker is left, but an initialisation cut short keeps its claim. */
function forget(state: State): Step {
  const { kept, seen } = state;
  const resumes =
    kept.stamp !== null && isMine(kept, seen?.record ?? null) && seen?.record.state === "claimed";
  const next: Kept = resumes ? { ...kept, stamp: null } : blank(kept.incarnation);
  return save({ ...state, data: state.data === "present" ? "empty" : state.data, kept: next }, "read");
}

function open(
  state: State,
  marker: Sealed,
  trouble: Trouble | null = null,
  kind: Settled["kind"] = outcomeOf(state, marker),
): Step {
  const opened: State = { ...state, phase: { at: "open" }, trouble };
  if (state.settled !== null) return still(opened);
  const settled: Settled = { kind, record: marker };
  return { state: { ...opened, settled }, effects: [{ type: "settle", settled }] };
}

/** What a node does that may have opened before: the first start again where no data were ever seen. */
function outcomeOf({ kept, data }: State, marker: Sealed): Settled["kind"] {
  return kept.stamp !== null && data === "empty" ? firstOutcome(kept, marker) : "existing";
}

/** What a node does that opens for the first time: only the owner, or a listed incarnation, creates. */
export function firstOutcome(kept: Kept, record: Sealed): "bootstrap" | "join" {
  const creates =
    record.formation === "single"
      ? record.incarnation === kept.incarnation
      : record.members.some((m) => m.incarnation === kept.incarnation);
  return creates ? "bootstrap" : "join";
}

function refuse(state: State, refusal: Refusal): Step {
  return state.settled === null
    ? still({ ...state, phase: { at: "refused", refusal } })
    : still({ ...state, phase: { at: "open" }, trouble: refusal });
}

function blank(incarnation: string): Kept {
  return { incarnation, claim: null, stamp: null, marker: null, opened: false };
}
