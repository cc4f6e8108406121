/**
 * What the genesis commands may write, decided from what was read (src/DESIGN.md, "Genesis"). Pure: the
 * command performs the plan with one check-and-set against the very value that was read.
 */
import { type GenesisRecord, type Member, type Sealed, type Unborn, VERSION } from "../core/model.ts";
import { describe } from "./records.ts";

/**
 * `write`: put `next` in the place of what was read; `landed` tells from a later record whether it got there.
 * `done`: it is as wanted already. `refuse`: it must not be, and why.
 */
export type Plan =
  | {
      readonly kind: "write";
      readonly next: GenesisRecord;
      readonly landed: (record: GenesisRecord | null) => boolean;
      readonly notes: readonly string[];
    }
  | { readonly kind: "done"; readonly why: string }
  | { readonly kind: "refuse"; readonly why: string; readonly hint: string | null };

type InitFacts = {
  readonly record: GenesisRecord | null;
  /** The leader record was written by a native database. */
  readonly foreignLeader: string | null;
  readonly members: readonly Member[];
  readonly expect: number;
  readonly initId: string;
};

/**
 * Create where there is none, not beside a cluster that a database or a registered node already knows; of an
 * unborn record change what it expects. A claimed or sealed record stays as it is.
 */
export function planInit(facts: InitFacts): Plan {
  const { record, foreignLeader, expect, initId } = facts;
  if (record !== null && record.expect === expect) return { kind: "done", why: "the record exists" };
  if (record?.state === "unborn") return changeExpect(record, expect);
  if (record !== null) {
    return refuse(
      `the record expects ${record.expect}, not ${expect}, and is ${describe(record)}`,
      "what a record expects can change only while it is unborn",
    );
  }
  if (foreignLeader !== null) {
    return refuse(
      `a database without rollcall says that it leads: ${foreignLeader}`,
      "let the nodes join it, or delete the leader key if that cluster is gone for good",
    );
  }
  const holder = facts.members.find((member) => member.genesis_id !== null);
  if (holder !== undefined) {
    return refuse(
      `${holder.id} already belongs to genesis ${holder.genesis_id}`,
      "`rollcall genesis restore` on that node writes its record back",
    );
  }
  const next = unborn(initId, 1, expect);
  return { kind: "write", next, landed: (now) => now?.init_id === initId, notes: [] };
}

/** The same creation and birth: where the store guards a creation by its id, that guard still stands. */
function changeExpect(record: Unborn, expect: number): Plan {
  const next: Unborn = { ...record, expect };
  const landed = (now: GenesisRecord | null) =>
    now?.init_id === next.init_id && now.birth === next.birth && now.expect === expect;
  const note = `the record expected ${record.expect}; agents that were started with another number do not claim`;
  return { kind: "write", next, landed, notes: [note] };
}

type RebirthFacts = {
  readonly record: GenesisRecord | null;
  readonly oldId: string;
  readonly members: readonly Member[];
  /** Null: as the old record has it. */
  readonly expect: number | null;
};

/** sealed(OLD_ID) → unborn of the next birth, and nothing else. */
export function planRebirth({ record, oldId, members, expect }: RebirthFacts): Plan {
  if (record?.state !== "sealed")
    return refuse(`there is no sealed genesis to give up; the record is ${describe(record)}`);
  if (record.genesis_id !== oldId)
    return refuse(`the sealed genesis is ${record.genesis_id}, not the given one`);
  const next = unborn(record.init_id, record.birth + 1, expect ?? record.expect);
  const old = members.filter((member) => member.genesis_id === oldId).map((member) => member.id);
  const notes =
    old.length === 0
      ? []
      : [`still running in the old genesis: ${old.join(", ")}; wipe them to join the new one`];
  const landed = (now: GenesisRecord | null) => now?.init_id === next.init_id && now.birth >= next.birth;
  return { kind: "write", next, landed, notes };
}

type RestoreFacts = {
  readonly record: GenesisRecord | null;
  readonly marker: Sealed | null;
  readonly members: readonly Member[];
  readonly freshInitId: string;
};

/** Absent, unborn or claimed of no higher birth → sealed(marker); never over another's sealed record. */
export function planRestore({ record, marker, members, freshInitId }: RestoreFacts): Plan {
  if (marker === null) return refuse("this node has no marker in -data-dir: it never belonged to a cluster");
  const { genesis_id: mine, birth } = marker;
  if (record !== null && record.birth > birth) {
    return refuse(
      `the record is ${describe(record)}, of a higher birth than this node's marker, ${birth}`,
      "wipe this node to let it join",
    );
  }
  if (record?.state === "sealed") {
    if (record.genesis_id === mine) return { kind: "done", why: "the record is this node's genesis" };
    return refuse(`the record is another's: ${describe(record)}; this node's genesis is ${mine}`);
  }
  const other = members.find((member) => member.genesis_id !== null && member.genesis_id !== mine);
  if (other !== undefined) {
    return refuse(
      `${other.id} belongs to another genesis, ${other.genesis_id}; this node's is ${mine}`,
      "one of the two must be wiped",
    );
  }
  const next: Sealed = { ...marker, init_id: record?.init_id ?? freshInitId };
  const landed = (now: GenesisRecord | null) => now?.state === "sealed" && now.genesis_id === mine;
  return { kind: "write", next, landed, notes: [] };
}

function unborn(initId: string, birth: number, expect: number): Unborn {
  return { v: VERSION, state: "unborn", init_id: initId, birth, expect };
}

function refuse(why: string, hint: string | null = null): Plan {
  return { kind: "refuse", why, hint };
}
