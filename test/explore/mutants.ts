/**
 * Protocols that differ from the shipped one by one rule. Each must be caught by the explorer in a scope in
 * which the shipped protocol is complete and safe: a bench that misses one shows nothing by its silence.
 */
import type { Mutant } from "./cases.ts";
import { adoptions } from "./mutants-native.ts";

/** Mutants of the world: how a store keeps the record, and what silence means. */
const worlds: Record<string, Mutant> = {
  "a lease on the genesis": {
    about: "the record goes when its writer does",
    scope: { rules: { expect: 1 }, faults: { crash: 1 } },
    world: { leased: true },
    caughtAs: "violation",
  },
  "identity checked on read only": {
    about: "a write asks for a record to be there, not for the one that was read",
    scope: { faults: { storeWipe: 1 } },
    world: { compare: "presence" },
    caughtAs: "violation",
  },
  "Consul without the init key": {
    about: "the revision alone is compared, and it repeats after a wipe",
    scope: { compare: "init", faults: { storeWipe: 1 } },
    world: { compare: "index" },
    caughtAs: "violation",
  },
  "unreachable counted as an answer": {
    about: "who does not answer is taken for blank",
    scope: { faults: { storeWipe: 1, crash: 1 } },
    world: { silenceCounts: true },
    caughtAs: "violation",
  },
  "store rolled back": {
    about: "the store goes back to what it was, as from a backup: limit b",
    scope: { rules: { expect: 1 }, faults: { crash: 1 } },
    world: { faults: { rollback: 1 } },
    caughtAs: "violation",
  },
};

/** Mutants of the shipped text. */
const texts: Record<string, Mutant> = {
  "take-over without seal": {
    about: "a claim is enough to open",
    scope: { rules: { expect: 1 }, faults: { cut: 1 } },
    edits: [
      {
        find: `return swap(state, "seal", state.seen?.at ?? null, next);`,
        replace: `return save({ ...state, kept: { ...state.kept, claim: null, stamp: null, marker: next, opened: true } }, "open");`,
      },
    ],
    caughtAs: "violation",
  },
  "key absent means go": {
    about: "no unborn record: an absent one is claimed",
    scope: { rules: { expect: 1 }, faults: { storeWipe: 1 } },
    edits: [
      {
        find: `return swap(state, "init", null, next);`,
        replace: `return claim(rules, state, { record: next, at: { value: JSON.stringify(next), revision: "" } }, answers, fresh);`,
      },
      {
        find: `return phase.next && state.seen ? swap(state, "claim", state.seen.at, phase.next) : read(state);`,
        replace: `return phase.next ? swap(state, "claim", state.seen?.at ?? null, phase.next) : read(state);`,
      },
    ],
    caughtAs: "violation",
  },
  "peers asked before the record is read": {
    about: "after the answers the record is read once more, and that one is replaced",
    scope: { rules: { expect: 1 }, faults: { storeWipe: 1 } },
    edits: [
      {
        find: `return phase.next && state.seen ? swap(state, "claim", state.seen.at, phase.next) : read(state);`,
        replace: `return { state, effects: [{ type: "read" }] };`,
      },
      {
        find: `    case "record":\n`,
        replace: `    case "record":
      if (state.phase.at === "saving" && input.seen?.record.state === "unborn")
        return swap({ ...state, seen: input.seen }, "claim", input.seen.at, {
          ...state.phase.next,
          init_id: input.seen.record.init_id,
        });\n`,
      },
    ],
    caughtAs: "violation",
  },
  "a marker is no obstacle": {
    about: "a holder that answers does not forbid",
    scope: { rules: { expect: 1 }, faults: { storeWipe: 1 } },
    edits: [{ find: `const [holder] = holders;`, replace: `const holder = undefined;` }],
    caughtAs: "violation",
  },
  "pending not answered, no re-read before opening": {
    about: "a node opens as soon as it knows that its seal was written, and says nothing of it before",
    scope: { rules: { expect: 1 }, faults: { storeWipe: 1 } },
    edits: [
      {
        find: `pending: claim && { claim_id: claim.claim_id, init_id: claim.init_id, revision: claim.base.revision },`,
        replace: `pending: null,`,
      },
      {
        find: `return take(won, next);`,
        replace: `return save({ ...won, kept: { ...state.kept, claim: null, stamp: null, marker: next, opened: true } }, "open");`,
      },
    ],
    caughtAs: "violation",
  },
  "restore over another's sealed": {
    about: "a marker is put back whatever the record says",
    scope: { rules: { expect: 1 }, wipeBeforeOpen: true, faults: { storeWipe: 1, crash: 1 } },
    edits: [
      {
        find: `if (record === null || record.state !== "sealed") return ask(state, "restore");`,
        replace: `if (record === null || record.state !== "sealed" || record.genesis_id !== marker.genesis_id) return ask(state, "restore");`,
      },
    ],
    caughtAs: "violation",
  },
  "amnesiac member": {
    about: "a listed node that lost its data starts again under the same incarnation",
    scope: { rules: { formation: "symmetric" }, faults: { crash: 1, dataWipe: 1 } },
    edits: [
      {
        find: `{ ...state, kept: { ...blank(fresh), votes: state.kept.votes && noVotes } }`,
        replace: `{ ...state, kept: { ...state.kept, opened: false } }`,
      },
    ],
    caughtAs: "violation",
  },
  "a claim over the same record is an obstacle": {
    about: "two nodes that stop between saving a claim id and writing the claim wait for each other",
    scope: { faults: { crash: 2 } },
    edits: [
      {
        find: `return hello.pending?.init_id === seen.record.init_id && hello.pending.revision === seen.at.revision;`,
        replace: `return false;`,
      },
    ],
    caughtAs: "stuck",
  },
  "an unseen start is a lost database": {
    about: "the creator, killed before its first start, takes itself for a replaced disk",
    scope: { faults: { crash: 1 } },
    edits: [{ find: `if (opened) return stamp === null;`, replace: `if (opened) return true;` }],
    caughtAs: "stuck",
  },
  "initialised data lost unnoticed": {
    about: "the creator opens an empty directory as the database that it had initialised",
    scope: { rules: { initialises: true }, faults: { crash: 1, unknown: 1, dataWipe: 1 } },
    edits: [
      { find: `if (marker === null) return stamp?.done === true;`, replace: `` },
      { find: `if (opened) return stamp === null;`, replace: `return opened && stamp === null;` },
    ],
    caughtAs: "violation",
  },
  "a database given up and taken up again": {
    about:
      "another holder restores a genesis whose creator has set its database aside; it creates all the same",
    scope: { rules: { initialises: true }, live: false, faults: { storeWipe: 1, unknown: 1 } },
    edits: [
      {
        find: `if (kept.marker !== null && !kept.opened && data === "empty" && hadData(rules, kept))`,
        replace: `if (false)`,
      },
    ],
    caughtAs: "violation",
  },
};

/** Every mutant by its name. */
export const mutants: Readonly<Record<string, Mutant>> = { ...worlds, ...texts, ...adoptions };
