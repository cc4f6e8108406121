/** What a proposer makes of the answers to its poll: whether it has the votes, and what it must propose then. */
import type { Poll, Refused } from "./genesis-state.ts";
import type { Founding, MemberRef } from "./model.ts";
import { compareBallots, type Founders, isListed, majorityOf, type Reply, sameFounders } from "./votes.ts";

/** The answers of those asked; null: none in time. */
export type Polled = readonly { readonly incarnation: string; readonly reply: Reply | null }[];

/** One node's promise. */
export type Promised = {
  readonly incarnation: string;
  readonly reply: Extract<Reply, { kind: "promise" }>;
};

/** How many of the others must be in favour. */
export function needed({ message, to, own }: Poll): number {
  if (isOfMembers(message)) return to.length;
  const mine = own?.kind === "promise" || own?.kind === "accepted" ? 1 : 0;
  return majorityOf(message.members) - mine;
}

/** The set itself is voted on, and all must be in favour; else the genesis, where most must. */
export function isOfMembers(message: Poll["message"]): boolean {
  return message.kind === "prepare" ? message.decree === "members" : message.founding === null;
}

/** Whether enough have promised, or accepted. */
export function isCarried(poll: Poll, polled: Polled): boolean {
  return polled.filter(({ reply }) => isFor(reply)).length >= needed(poll);
}

function isFor(reply: Reply | null): boolean {
  return reply?.kind === "promise" || reply?.kind === "accepted";
}

/** Everybody's promise, the proposer's own included. */
export function promisesIn({ own, message }: Poll, polled: Polled): readonly Promised[] {
  const all = [{ incarnation: message.ballot.incarnation, reply: own }, ...polled];
  return all.flatMap(({ incarnation, reply }) => (reply?.kind === "promise" ? [{ incarnation, reply }] : []));
}

/** Who did not vote for it: those that were silent, and those that gave a reason. */
export function againstIn(
  { to, message, own }: Poll,
  polled: Polled,
): { readonly silent: readonly MemberRef[]; readonly refused: readonly Refused[] } {
  const replyOf = (ref: MemberRef) => polled.find((p) => p.incarnation === ref.incarnation)?.reply ?? null;
  const self = message.members.find((m) => m.incarnation === message.ballot.incarnation);
  const answers = [
    ...(self ? [{ id: self.id, reply: own }] : []),
    ...to.map((m) => ({ id: m.id, reply: replyOf(m) })),
  ];
  return {
    silent: to.filter((m) => replyOf(m) === null),
    refused: answers.flatMap(({ id, reply }) => (reply?.kind === "rejected" ? [{ id, why: reply.why }] : [])),
  };
}

/**
 * The set to propose, once all of `members` have promised. A set that some of them have accepted may have been decided:
 * it has to be proposed again, unless one of its nodes among them last accepted another one or none. It is not
 * waited for either where so few of its nodes are missing that they can have founded nothing alone, and every other
 * one of them was told by an operator that those are gone for good.
 */
export function chooseFounders(members: Founders, promises: readonly Promised[]): Founders {
  const last = highest(promises);
  const set = last?.members ?? null;
  if (set === null) return members;
  const inside = promises.filter((p) => isListed(set, p.incarnation));
  const mayBeDecided = inside.every(
    ({ reply }) => reply.accepted?.members != null && sameFounders(reply.accepted.members, set),
  );
  if (!mayBeDecided) return members;
  const missing = set.filter((m) => !inside.some((p) => p.incarnation === m.incarnation));
  const isGone = (m: MemberRef) => inside.every(({ reply }) => reply.lost.includes(m.incarnation));
  const givenUp = missing.length > 0 && missing.length < majorityOf(set) && missing.every(isGone);
  return givenUp ? members : set;
}

/** The genesis to propose, once a majority has promised: what was accepted in the highest ballot, else its own. */
export function chooseGenesis(own: Founding, promises: readonly Promised[]): Founding {
  return highest(promises)?.founding ?? own;
}

function highest(promises: readonly Promised[]): Promised["reply"]["accepted"] {
  return promises
    .map(({ reply }) => reply.accepted)
    .reduce((a, b) => (compareBallots(a?.ballot ?? null, b?.ballot ?? null) >= 0 ? a : b), null);
}
