/** The words of `explain` where too few voters are there: who counts, who does not, and why. */
import type { Rules, State } from "./genesis-state.ts";
import { notCountedText } from "./not-counted.ts";
import { type Discovery, discoveryHints } from "./reasons-voters.ts";

type Facts = {
  readonly rules: Rules;
  readonly state: State;
  readonly loopbackAmongOthers: boolean;
  readonly discovery: Discovery | null;
};

type Words = { readonly code: string; readonly summary: string; readonly unblock: readonly string[] };

/** Fewer voters than expected are there. `ruled`: what is to be done about those that were said to be gone for good. */
export function votersWords(
  { rules, state, loopbackAmongOthers, discovery }: Facts,
  ruled: readonly string[],
): Words {
  const { expect, nodeId, key } = rules;
  const { tally } = state;
  const counted = tally?.counted ?? [];
  const names = counted.map((m) => (m.id === nodeId ? `${m.id} (this node)` : m.id)).join(", ");
  const notCounted = tally?.notCounted ?? [];
  const twins = notCounted.filter((n) => n.id === nodeId && n.why === "duplicate_node_id");
  const other = twins.find((n) => n.incarnation !== state.kept.incarnation)?.detail;
  if (discovery !== null && twins.length > 0)
    return {
      code: "duplicate_node_id",
      summary: `Another live agent${other === undefined ? "" : ` at ${other}`} uses the node id ${nodeId}; neither is counted.`,
      unblock: ["Give one of the two another -node-id (and its own -data-dir)."],
    };
  const strangers = notCounted.filter((n) => n.why === "other_key");
  const callers = discovery?.callers.filter(({ id }) => !strangers.some((n) => n.id === id)) ?? [];
  const others = notCounted.map((n) => `${n.id} ${notCountedText(n)}`);
  const missing = expect - counted.length;
  return {
    code: "voters",
    summary: `${counted.length} of ${expect} voters are there${names === "" ? "" : `: ${names}`}. ${missing} more must ${discovery === null ? "register and answer" : "be found and answer"}.`,
    unblock: [
      ...ruled,
      ...(discovery === null ? [] : discoveryHints({ ...discovery, callers }, key)),
      ...new Set(others.map((text) => `Not counted: ${text}.`)),
      ...(strangers.length === 0
        ? []
        : [`Give every agent of one cluster the same -disco-key: this one has ${key}.`]),
      ...(loopbackAmongOthers
        ? ["This agent advertises a loopback address, which others cannot reach: give -http-adv-addr."]
        : []),
      `Start ${missing} more voter${missing === 1 ? "" : "s"} with this -disco-key and -bootstrap-expect ${expect}, reachable at their -http-adv-addr.`,
    ],
  };
}

/** Others come before this node in the order: the summary, and what resolves it. */
export function turnText(
  { state, discovery }: Pick<Facts, "state" | "discovery">,
  ruled: readonly string[],
): [summary: string, ...unblock: string[]] {
  const text = "All voters are there; one before this node in the order creates the cluster";
  if (discovery === null)
    return [`${text}.`, "Nothing to do: if it does not claim within a second, this node will."];
  const { incarnation, votes } = state.kept;
  const founders = votes?.members.decided ?? null;
  const all = founders ?? state.tally?.counted ?? [];
  const before = all.slice(
    0,
    all.findIndex((m) => m.incarnation === incarnation),
  );
  const promised = (founders === null ? votes?.members : votes?.genesis)?.promised?.incarnation;
  // Each try of somebody else gives the others their time anew, also where none of the tries succeeds.
  const proposer = all.find((m) => m.incarnation === promised && promised !== incarnation);
  const who = proposer ?? before[0];
  const last = proposer === undefined ? "" : ` ${proposer.id} asked for this node's vote last.`;
  return [
    `${text}${before.length === 0 ? "" : `: ${before.map((m) => m.id).join(", ")}`}.${last}`,
    ...(ruled.length > 0
      ? ruled
      : ["Nothing to do for some seconds: if none of them asks for votes, this node will."]),
    ...(who === undefined
      ? []
      : [`If this lasts: look at what ${who.id} waits for, \`rollcall explain\` beside it.`]),
  ];
}
