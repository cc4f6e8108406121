/** The words of `explain` for founders that do not vote, or that an operator has said to be gone for good. */
import type { Refused, Rules, State, VotersWait } from "./genesis-state.ts";
import type { MemberRef } from "./model.ts";
import { isListed, majorityOf, noVotes } from "./votes.ts";

/** An agent, and the incarnations that an operator has said to it are gone for good. */
export type Told = { readonly id: string; readonly incarnation: string; readonly lost: readonly string[] };

/** What this node knows of them: itself, and what the others say they were told. */
export type Known = { readonly rules: Rules; readonly state: State; readonly told: readonly Told[] };

type Words = { readonly summary: string; readonly unblock: readonly string[] };

/** What it takes where the founders, once decided, can no longer agree on a genesis. */
export const ANOTHER_KEY =
  "only another -disco-key helps, for all nodes, each with its -data-dir moved away before: one belongs to its key for good.";

/** Not all give their vote. */
export function votesWords(known: Known, { silent, refused }: Extract<VotersWait, { on: "votes" }>): Words {
  const against = [...silent.map((m) => `${m.id} does not answer`), ...refused.map(refusedText)].join(", ");
  const { decided } = (known.state.kept.votes ?? noVotes).members;
  const isShort = decided !== null && decided.length - silent.length < majorityOf(decided);
  if (isShort)
    return {
      summary: `The founders are decided: ${idsOf(decided)}. The votes of ${majorityOf(decided)} of them create the cluster, and ${against}.`,
      unblock: [startAgain(silent), `If fewer than ${majorityOf(decided)} are left for good: ${ANOTHER_KEY}`],
    };
  const ruled = ruledOutHints(known);
  const by = refused.find(({ why }) => why === "assumed_lost");
  const named = by && `Run the same here, as \`rollcall explain\` beside ${by.id} names it.`;
  return {
    summary: `All voters are there, but not all give their vote: ${against}.`,
    unblock:
      ruled.length > 0
        ? ruled
        : [named ?? "Nothing to do while they come to an agreement; the agent tries again by itself."],
  };
}

/** A set that may be decided is not whole. */
export function lostVoters(known: Known, { missing, of }: Extract<VotersWait, { on: "lost_voters" }>): Words {
  const isRuledOut = (m: MemberRef) => everybodyTold(known).some(({ lost }) => lost.includes(m.incarnation));
  const silent = missing.filter((m) => !isRuledOut(m));
  const ruled = ruledOutHints(known, of);
  const lacks = [
    ...(silent.length === 0
      ? []
      : [`${silent.map(named).join(", ")} of it ${silent.length === 1 ? "does" : "do"} not vote`]),
    ...(silent.length === missing.length
      ? []
      : [`${idsOf(missing.filter(isRuledOut))} of it was said to be gone for good`]),
  ];
  const unblock = [
    ...ruled,
    ...(silent.length === 0 ? [] : [startAgain(silent)]),
    ...silent.map(
      (m) => `If ${m.id} is gone for good: run ${command(known, m)} beside every other one of them.`,
    ),
  ];
  return {
    summary: `A set of founders may have been decided (${idsOf(of)}), and ${lacks.join(", and ")}.`,
    unblock:
      unblock.length > 0 ? unblock : ["Nothing to do: all others were told; they try again by themselves."],
  };
}

/**
 * Whoever was ruled out beside some of a set that may be decided, and not beside the others: until they are told as
 * well, the set can neither be decided nor given up. `set`: that set, where it is another than the one this node has accepted.
 */
export function ruledOutHints(known: Known, set: readonly MemberRef[] = []): readonly string[] {
  const { state, rules } = known;
  const all = everybodyTold(known);
  const counted = state.tally?.counted ?? [];
  const sets = [set, state.kept.votes?.members.accepted?.value ?? [], counted];
  const gone = [...new Set(all.flatMap(({ lost }) => lost))];
  const here = (m: { readonly id: string; readonly incarnation: string }) =>
    m.incarnation === state.kept.incarnation ? `${rules.nodeId} (this node)` : m.id;
  return gone.flatMap((incarnation) => {
    const within = sets.find((one) => isListed(one, incarnation)) ?? [];
    const one = within.find((m) => m.incarnation === incarnation);
    const told = all.filter(({ lost }) => lost.includes(incarnation));
    const untold = within.filter(
      (m) => !gone.includes(m.incarnation) && !told.some((t) => t.incarnation === m.incarnation),
    );
    if (one === undefined || untold.length === 0) return [];
    const isSelf = incarnation === state.kept.incarnation;
    const runs =
      isSelf ||
      isListed(counted, incarnation) ||
      state.tally?.notCounted.some((n) => n.incarnation === incarnation) === true;
    return [
      `${isSelf ? here(one) : named(one)} was said to be gone for good beside ${told.map(here).join(", ")}; the others do without it once ${untold.map(here).join(", ")} ${untold.length === 1 ? "is" : "are"} told the same.`,
      ...(runs
        ? [`${one.id} runs all the same: stop it, move its -data-dir away, and start it as a new voter.`]
        : []),
      `Run ${command(known, one)} beside ${untold.map(here).join(", ")}.`,
    ];
  });
}

/** Whoever was told anything, this node first. */
function everybodyTold({ rules, state, told }: Known): readonly Told[] {
  const { incarnation, votes } = state.kept;
  const own = votes?.lost ?? [];
  return own.length === 0 ? told : [{ id: rules.nodeId, incarnation, lost: own }, ...told];
}

function command({ rules: { key } }: Known, { incarnation }: MemberRef): string {
  return `\`rollcall genesis assume-lost ${incarnation} -disco-key ${key} -confirm ${key}\``;
}

function startAgain(nodes: readonly MemberRef[]): string {
  return `Start ${idsOf(nodes)} again with ${nodes.length === 1 ? "its" : "their"} -data-dir.`;
}

function refusedText({ id, why }: Refused): string {
  const texts: Record<Refused["why"], string> = {
    promised: "has promised its vote in a newer round",
    decided: "knows a decision",
    marker: "belongs to a cluster",
    used: "has data in its database",
    non_voter: "is no voter",
    not_listed: "has begun anew",
    other_key: "belongs to another key",
    other_expect: "has another -bootstrap-expect",
    assumed_lost: "was told that one of them is gone for good",
    other_members: "knows other founders",
  };
  return `${id} ${texts[why]}`;
}

function named({ id, incarnation }: MemberRef): string {
  return `${id} (incarnation ${incarnation})`;
}

function idsOf(nodes: readonly MemberRef[]): string {
  return nodes.map((m) => m.id).join(", ");
}
