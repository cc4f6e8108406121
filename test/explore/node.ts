/**
 * One node of the explored world: what is on its disk and in its memory, what it is doing, and the text that
 * says the same of it. What only people read is left out of the text, so that nodes differ only where their
 * behaviour does.
 */
import type { Effect, Input, Kept, Settled, State } from "../../src/core/genesis-state.ts";
import { GenesisRecord, type Hello } from "../../src/core/model.ts";
import type { Versioned } from "../../src/core/provider.ts";
import type { Answers } from "../../src/core/quorum.ts";
import type { Piece } from "./naming.ts";

/** An effect under way, or a result that is there and has not been taken in yet. */
export type Doing = Exclude<Effect, { type: "settle" }> | { readonly type: "told"; readonly input: Input };

/** What a look at the leader key gave. */
export type Looked = { readonly leader: string; readonly answers: boolean };

export type Facts = {
  readonly index: number;
  /** What is synced on disk. */
  readonly kept: Kept;
  /** What is in the database's directory, told to the agent or not. */
  readonly data: "empty" | "present";
  /** Null while the agent is down. */
  readonly state: State | null;
  readonly doing: Doing | null;
  /** While asking: what each other node said, by index (null: no answer; undefined: not asked yet). */
  readonly heard: readonly (Hello | null | undefined)[];
  /** While asking: the leader record as it was in the store, and whether its database answered; undefined: not looked yet. */
  readonly looked?: Looked | null | undefined;
  /** The agent has settled, and its database has not been started yet. */
  readonly starting: Settled | null;
  /** The genesis under which the database runs. */
  readonly running: string | null;
  /** The genesis under which the data on disk came to be. */
  readonly belongs: string | null;
  /** How often this incarnation created its part of a cluster. */
  readonly created: number;
  /** UUIDs this node has used up. */
  readonly made: number;
};

/** A node, made once for each set of facts. */
export type Node = Facts & {
  readonly piece: Piece;
  /** What it answers when it is asked, and the same as a text; null while its agent is down. */
  readonly hello: Hello | null;
  readonly says: string | null;
  /** Steps already taken from here. */
  readonly taken: Map<string, Taken | null>;
  /** Changes already made to it from outside. */
  readonly changed: Map<string, Node>;
};

/** A node after an input, and what became of its database on the way. */
export type Taken = {
  readonly node: Node;
  /** The genesis under which it started, or null. */
  readonly started: Settled["record"] | null;
  /** What the database must never be made to do, and was. */
  readonly wrong: string | null;
};

/** A stopped node with nothing on its disk but its name. */
export function blankFacts(index: number, incarnation: string, made = 0): Facts {
  return {
    index,
    kept: { incarnation, claim: null, stamp: null, marker: null, opened: false, votes: null },
    data: "empty",
    state: null,
    doing: null,
    heard: [],
    starting: null,
    running: null,
    belongs: null,
    created: 0,
    made,
  };
}

/** What tells two nodes apart. */
export type Wording = {
  /** Members are told apart: not everybody is one. */
  readonly members: boolean;
  /** Births are told apart: there may be a second one. */
  readonly births: boolean;
  /** Ids used up are told apart, though they say nothing of what will happen. */
  readonly made: boolean;
  /** Texts of versions already written. */
  readonly known: WeakMap<Versioned, string>;
};

/** A node as a text. */
export function factsText(wording: Wording, facts: Facts): string {
  const { index, kept, data, state, doing, heard, looked, starting, running, belongs, created, made } = facts;
  const lasting = [`n${index}`, keptText(wording, kept), data, created, belongs, wording.made ? made : ""];
  if (state === null) return lasting.join("|");
  const inMemory = sameKept(state.kept, kept) ? "" : keptText(wording, state.kept);
  lasting.push("up", inMemory, state.data, state.settled?.record.genesis_id ?? "-", running ?? "-");
  if (starting !== null) lasting.push(`starts as ${starting.kind} of ${starting.record.genesis_id}`);
  // A read starts from what is kept, whatever was seen before. Only hello shows the birth.
  const birth = wording.births ? `birth ${state.seen?.record.birth ?? 0}` : "";
  if (doing === null || (doing.type === "read" && state.phase.at === "reading"))
    return [...lasting, birth].join("|");
  const { phase, seen } = state;
  const asked = phase.at === "asking" || phase.at === "saving" || phase.at === "swapping" ? phase : null;
  lasting.push(
    phase.at,
    asked === null ? "" : "about" in asked ? asked.about : asked.before,
    asked !== null && "next" in asked && asked.next ? recordText(wording, asked.next) : "",
    versionText(wording, seen?.at ?? null),
    doingText(wording, doing),
  );
  // Who was asked in which order says nothing; who answered what does.
  const answers = heard.map((hello, j) =>
    hello === undefined || j === index ? null : hello === null ? `n${j} silent` : helloText(wording, hello),
  );
  lasting.push(sorted(answers.filter((a) => a !== null)).join("+"));
  if (looked !== undefined)
    lasting.push(looked === null ? "no leader" : `${looked.leader} ${looked.answers}`);
  return lasting.join("|");
}

/** A kept state as a text. */
export function keptText(wording: Wording, kept: Kept): string {
  const { incarnation, claim, stamp, marker, opened } = kept;
  return [
    incarnation,
    claim ? `claims ${claim.claim_id} over ${claim.init_id} ${versionText(wording, claim.base)}` : "",
    stamp ? `stamp ${stamp.claim_id} ${stamp.done}` : "",
    marker ? `marker ${recordText(wording, marker)}` : "",
    opened ? "opened" : "",
  ].join(",");
}

function sameKept(a: Kept, b: Kept): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** An answer to hello as a text. */
export function helloText(
  wording: Wording,
  {
    incarnation,
    birth,
    marker,
    pending,
    used,
  }: Pick<Hello, "incarnation" | "birth" | "marker" | "pending" | "used">,
): string {
  return [
    incarnation,
    wording.births ? birth : "",
    marker ? `marker ${marker.genesis_id} ${marker.birth}` : "",
    pending ? `pending ${pending.claim_id} ${pending.init_id} ${pending.revision}` : "",
    used ? "used" : "",
  ].join(",");
}

/** A value at a revision, as a text. */
export function versionText(wording: Wording, at: Versioned | null): string {
  if (at === null) return "absent";
  const known = wording.known.get(at);
  if (known !== undefined) return known;
  const text = `${at.revision} ${recordText(wording, parse(at.value))}`;
  wording.known.set(at, text);
  return text;
}

/** A record as a text. `gen` is left out: it counts claims for people, and the claim id says more. */
export function recordText(wording: Wording, record: GenesisRecord): string {
  const { state, init_id, birth, expect, forgets } = record;
  const born = `${state} ${init_id} ${birth} ${expect} ${forgets ?? ""}`;
  if (record.state === "unborn") return born;
  const adopted = record.state === "sealed" && record.adopted ? "adopted" : "";
  const members = wording.members ? record.members.map((m) => m.incarnation).join("/") : "";
  return `${born} ${record.claim_id} ${record.incarnation} ${record.formation} ${adopted} ${members}`;
}

function doingText(wording: Wording, doing: Doing): string {
  switch (doing.type) {
    case "save":
      return `save ${keptText(wording, doing.kept)}`;
    case "swap":
      return `swap ${versionText(wording, doing.expected)} for ${recordText(wording, parse(doing.value))}`;
    case "told":
      return `told ${inputText(wording, doing.input)}`;
    default:
      return doing.type;
  }
}

/** An input as a text. */
export function inputText(wording: Wording, input: Input): string {
  switch (input.type) {
    case "record":
      return `record ${versionText(wording, input.seen?.at ?? null)}`;
    case "swapped":
      return `swapped ${input.result.kind} ${input.result.kind === "won" ? input.result.revision : ""}`;
    case "answers":
      return `answers ${answersText(wording, input.answers)}`;
    default:
      return input.type;
  }
}

function answersText(wording: Wording, answers: Answers): string {
  const { data, registered, hellos, claimerSilent, foreign, clusters, own } = answers;
  const native = JSON.stringify([foreign, clusters, own]);
  const said = sorted(hellos.map((hello) => helloText(wording, hello)));
  const names = wording.members ? registered.map((r) => r.incarnation).join("/") : "";
  return `${data} ${names} ${claimerSilent} ${native} ${said.join("+")}`;
}

/** In an order that does not depend on names, where names may be exchanged. */
function sorted(texts: readonly string[]): string[] {
  const bare = (text: string) => text.replace(/\d+/g, "");
  return [...texts].sort((a, b) => (bare(a) < bare(b) ? -1 : bare(a) > bare(b) ? 1 : 0));
}

const records = new Map<string, GenesisRecord>();

/** The record a value holds. Throws when it holds none. */
export function parse(value: string): GenesisRecord {
  const known = records.get(value);
  if (known !== undefined) return known;
  const record = GenesisRecord.parse(JSON.parse(value));
  records.set(value, record);
  return record;
}
