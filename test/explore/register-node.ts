/**
 * One agent of the explored register: what is on its disk and in its memory, what it is doing, and the text that says
 * the same of it. What only people read is left out of the text, so that nodes differ only where their behaviour does.
 */
import type { Kept, Poll, Settled, State } from "../../src/core/genesis-state.ts";
import type { Founding, Hello, MemberRef } from "../../src/core/model.ts";
import type { Effect, Input } from "../../src/core/register-steps.ts";
import { type Ballot, type Message, noVotes, type Reply, type Votes } from "../../src/core/votes.ts";

/** An effect under way, or a result that is there and has not been taken in yet. */
export type Doing =
  | Exclude<Effect, { type: "settle" | "tell" }>
  | { readonly type: "told"; readonly input: Input };

export type Facts = {
  readonly index: number;
  /** What is synced on disk. */
  readonly kept: Kept;
  /** What is in the database's directory. */
  readonly data: "empty" | "present";
  /** Null while the agent is down. */
  readonly state: State | null;
  readonly doing: Doing | null;
  /** While polling: the answers so far, by the incarnation that was asked. */
  readonly replies: Readonly<Record<string, Reply>>;
  /** The agent has settled, and its database has not been started yet. */
  readonly starting: Settled | null;
  /** The genesis under which the database runs. */
  readonly running: string | null;
  /** The genesis under which the data on disk came to be. */
  readonly belongs: string | null;
  /** How often this incarnation created its part of a cluster. */
  readonly created: number;
};

/** A node, made once for each set of facts. */
export type Node = Facts & {
  /** Its number; equal for equal facts. */
  readonly number: number;
  /** What it answers when it is asked, and the same as a text; null while its agent is down. */
  readonly hello: Hello | null;
  readonly says: string;
  /** Steps already taken from here. */
  readonly taken: Map<string, Taken | null>;
  /** Whether a message can ever change it, by the message's number. */
  readonly heeds: Map<number, boolean>;
  /** What it would answer to a message, by the message's number. */
  readonly votes: Map<number, Voted>;
};

/** A message as it was sent, made once for each text. */
export type Sent = { readonly number: number; readonly message: Message; readonly label: string };

/** A node after an input, and what it did on the way. */
export type Taken = {
  readonly node: Node;
  readonly sends: readonly Message[];
  /** It began a ballot of this decree. */
  readonly opens: "members" | "genesis" | null;
  /** The genesis under which its database started, or null. */
  readonly started: Settled | null;
  /** What must never be, and was. */
  readonly wrong: string | null;
};

/** A node after a message, and its answer. */
export type Voted = { readonly node: Node; readonly reply: Reply; readonly changed: boolean };

/** A stopped node with nothing on its disk but its name. */
export function blankFacts(index: number, incarnation: string, votes: Votes = noVotes): Facts {
  return {
    index,
    kept: { incarnation, claim: null, stamp: null, marker: null, opened: false, votes },
    data: "empty",
    state: null,
    doing: null,
    replies: {},
    starting: null,
    running: null,
    belongs: null,
    created: 0,
  };
}

/** A node as a text. */
export function factsText(facts: Facts): string {
  const { index, kept, data, state, doing, replies, starting, running, belongs, created } = facts;
  const lasting = [`n${index}`, keptText(kept), data, created, belongs ?? ""];
  if (state === null) return lasting.join("|");
  const inMemory = state.kept === kept ? "" : keptText(state.kept);
  lasting.push(
    "up",
    inMemory === lasting[1] ? "" : inMemory,
    state.data,
    state.settled?.record.genesis_id ?? "-",
    running ?? "-",
    starting === null ? "" : `starts as ${starting.kind}`,
  );
  // A read starts from what is kept, whatever was seen before.
  if (doing === null || (doing.type === "read" && state.phase.at === "reading")) return lasting.join("|");
  const { phase } = state;
  const poll =
    phase.at === "voting" || (phase.at === "saving" && phase.before === "poll") ? phase.poll : null;
  lasting.push(phase.at, phase.at === "saving" ? phase.before : "", poll === null ? "" : pollText(poll));
  lasting.push(doing.type, doing.type === "told" ? inputText(doing.input) : "");
  for (const incarnation of Object.keys(replies).sort())
    lasting.push(`${incarnation} ${replyText(replies[incarnation] ?? null)}`);
  return lasting.join("|");
}

/** A kept state as a text. The candidate is left out: it is named after the incarnation, taken or not. */
function keptText({ incarnation, stamp, marker, opened, votes }: Kept): string {
  return [
    incarnation,
    stamp ? `stamp ${stamp.claim_id} ${stamp.done}` : "",
    marker ? `marker ${markerText(marker)}` : "",
    opened ? "opened" : "",
    votes === null ? "" : votesText(votes),
  ].join(",");
}

function votesText({ members, genesis, lost }: Votes): string {
  const of = (accepted: { ballot: Ballot } | null, value: string) =>
    accepted === null ? "" : `${ballotText(accepted.ballot)}=${value}`;
  return [
    ballotText(members.promised),
    of(members.accepted, setText(members.accepted?.value ?? null)),
    setText(members.decided),
    ballotText(genesis.promised),
    of(genesis.accepted, foundingText(genesis.accepted?.value ?? null)),
    foundingText(genesis.decided),
    lost.join("+"),
  ].join(";");
}

function markerText({ genesis_id, incarnation, formation, members }: NonNullable<Kept["marker"]>): string {
  return `${genesis_id} ${incarnation} ${formation} ${setText(members)}`;
}

function ballotText(ballot: Ballot | null): string {
  return ballot === null ? "" : `${ballot.round}@${ballot.incarnation}`;
}

/** The incarnations of a set. */
export function setText(members: readonly MemberRef[] | null): string {
  return members === null ? "" : members.map((m) => m.incarnation).join("/");
}

/** A genesis as it is voted on. */
export function foundingText(founding: Founding | null): string {
  return founding === null ? "" : `${founding.genesis_id} of ${founding.owner}`;
}

function pollText({ message, own }: Poll): string {
  return `${messageText(message)} own ${replyText(own)}`;
}

/** A message as a text. */
export function messageText(message: Message): string {
  const from = message.from.incarnation;
  const about = message.kind === "prepare" ? message.decree : foundingText(message.founding);
  const ballot = message.kind === "decided" ? "" : ballotText(message.ballot);
  return `${from} ${message.kind} ${ballot} ${setText(message.members)} ${about}`;
}

function replyText(reply: Reply | null): string {
  if (reply === null) return "silent";
  switch (reply.kind) {
    case "promise": {
      const { accepted, lost } = reply;
      const what =
        accepted === null
          ? ""
          : `${ballotText(accepted.ballot)}=${setText(accepted.members)}${foundingText(accepted.founding)}`;
      return `promise ${what} ${lost.join("+")}`;
    }
    case "rejected": {
      // Who is told of a marker or of a decision asks everybody again, whatever the reason.
      const { decided, founding, marker } = reply;
      return `rejected ${setText(decided)} ${foundingText(founding)} ${marker === null ? "" : "marker"}`;
    }
    default:
      return reply.kind;
  }
}

/** What it answers to `hello`, as a text. */
export function helloText({ incarnation, marker, used, votes }: Hello): string {
  return [
    incarnation,
    marker === null ? "" : marker.record ? markerText(marker.record) : "marker",
    used ? "used" : "",
    votes ? `${votes.round} ${setText(votes.members)} ${foundingText(votes.founding ?? null)}` : "",
  ].join(",");
}

/** An input as a text. */
export function inputText(input: Input): string {
  switch (input.type) {
    case "heard":
      return `heard ${input.heard.data} ${input.heard.hellos.map(helloText).join("+")}`;
    case "polled":
      return `polled ${input.polled.map(({ reply }) => replyText(reply)).join("+")}`;
    default:
      return input.type;
  }
}
