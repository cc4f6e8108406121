/**
 * Who counts when a node asks whether it may create the cluster. Pure; used by the genesis step function,
 * and its tally is what `explain` shows. Rules: src/DESIGN.md, "Claim".
 */
import type { Cluster, ForeignLeader } from "./genesis-adoption.ts";
import { byIdentity, type GenesisRecord, type Hello, type Member, type MemberRef } from "./model.ts";
import type { Versioned } from "./provider.ts";

/** Whether the database's data directory holds anything; `unknown` where none was named. */
export type Data = "empty" | "present" | "unknown";

/** What one round of asking brought in. The directory is read, and the agents are asked, after the record was read. */
export type Answers = {
  /** This node, with the addresses it advertises now. */
  readonly self: MemberRef;
  /** This node's database directory, looked at in this round. */
  readonly data: Data;
  /** Every entry of the members directory, this node's own included. */
  readonly registered: readonly { readonly id: string; readonly incarnation: string }[];
  /** Agents that answered, registered, cached or met; never this node. An agent that did not answer is not here. */
  readonly hellos: readonly Hello[];
  /** What went wrong when agents were asked, by incarnation. */
  readonly problems?: ReadonlyMap<string, string>;
  /** The leader record, where a database wrote it itself and no operator has said that it is gone for good. */
  readonly foreign: ForeignLeader | null;
  /** Where the record is of an adopted cluster: what those of its databases say that answer. */
  readonly clusters: readonly Cluster[];
  /** The cluster that this node's own database says it is in; null: it does not answer, or was not asked. */
  readonly own: Cluster | null;
  /** The claimer's registration is gone and its agent has been silent for the take-over time. */
  readonly claimerSilent: boolean;
  /** This node has waited for those before it in the order long enough. */
  readonly impatient: boolean;
  /** Given instead of hellos when the directory alone shows that this node will not claim now. */
  readonly presumed?: Tally;
};

/** Why an agent that answered, or a registered one that did not, is not counted. */
export type NotCounted = {
  readonly id: string;
  readonly incarnation: string;
  readonly why:
    | "no_answer"
    | "not_registered"
    | "duplicate_node_id"
    | "non_voter"
    | "other_key"
    | "other_expect"
    | "other_birth"
    | "pending"
    | "used"
    | "marker"
    | "assumed_lost";
  readonly detail?: string;
};

/** The result of a count: empty voters in order of identity, everyone else with the reason, and whoever forbids. */
export type Tally = {
  readonly counted: readonly MemberRef[];
  readonly notCounted: readonly NotCounted[];
  /** Holders of a marker of at least the record's birth: a cluster exists. */
  readonly holders: readonly Hello[];
  /** Agents with a claim of their own on disk that may still land or may have landed elsewhere. */
  readonly claimants: readonly Hello[];
};

/** The record a count is about, as it was read. */
export type Seen = { readonly record: GenesisRecord; readonly at: Versioned };

/** Counts the empty voters among the answers for the record `seen`, this node (`voter`, with an empty database) included. */
export function tally(seen: Seen, key: string, answers: Answers): Tally {
  const { record } = seen;
  const counted: MemberRef[] = [];
  const notCounted: NotCounted[] = [];
  const twice = duplicates(answers);
  const registered = new Set(answers.registered.map(identity));
  if (!registered.has(identity(answers.self))) notCounted.push(uncounted(answers.self, "not_registered"));
  else if (twice.has(answers.self.id)) notCounted.push(uncounted(answers.self, "duplicate_node_id"));
  else counted.push(answers.self);
  for (const hello of answers.hellos) {
    const ref = refOf(hello);
    const why = twice.has(ref.id)
      ? ({ why: "duplicate_node_id" } as const)
      : registered.has(identity(ref))
        ? objection(seen, key, hello)
        : ({ why: "not_registered" } as const);
    if (why === null) counted.push(ref);
    else notCounted.push({ ...uncounted(ref, why.why), ...("detail" in why ? { detail: why.detail } : {}) });
  }
  for (const entry of answers.registered)
    if (
      identity(entry) !== identity(answers.self) &&
      !answers.hellos.some((h) => h.incarnation === entry.incarnation)
    )
      notCounted.push({ ...uncounted(entry, "no_answer"), ...problemOf(answers, entry.incarnation) });
  return {
    counted: counted.sort(byIdentity),
    notCounted: notCounted.sort(byIdentity),
    holders: answers.hellos.filter(
      (h) => h.key === key && h.marker !== null && h.marker.birth >= record.birth,
    ),
    claimants: answers.hellos.filter((h) => h.key === key && h.pending !== null && !samePending(seen, h)),
  };
}

/**
 * What the directory alone says about a claim on `seen`: a tally when asking could not lead this node to claim
 * now (it is none of those who may, too few voters are registered, another comes before it, or the claimer is
 * there), null when asking may. It spares a large fleet a hello from everybody to everybody at every arrival; no
 * claim is ever made on it.
 */
export function presume(
  seen: Seen,
  members: readonly Member[],
  self: MemberRef,
  { may, impatient }: { readonly may: boolean; readonly impatient: boolean },
): Tally | null {
  const { record } = seen;
  const counted: MemberRef[] = [];
  const notCounted: NotCounted[] = [];
  for (const m of members)
    if (!m.voter) notCounted.push(uncounted(m, "non_voter"));
    else if (m.expect !== record.expect)
      notCounted.push({ ...uncounted(m, "other_expect"), detail: String(m.expect) });
    else
      counted.push({
        id: m.id,
        incarnation: m.incarnation,
        agent_addr: m.agent_addr,
        api_addr: m.api_addr,
        addr: m.addr,
      });
  const claimerIsThere =
    record.state === "claimed" && members.some((m) => m.incarnation === record.incarnation);
  const first = counted.sort(byIdentity)[0]?.incarnation === self.incarnation;
  const mayClaim = counted.length >= record.expect && (first || impatient);
  if (may && (record.state === "claimed" ? !claimerIsThere : mayClaim)) return null;
  return { counted, notCounted: notCounted.sort(byIdentity), holders: [], claimants: [] };
}

/** A hello as a member reference. */
export function refOf(hello: Hello): MemberRef {
  const { node_id: id, incarnation, agent_addr, api_addr, addr } = hello;
  return { id, incarnation, agent_addr, api_addr, addr };
}

function problemOf({ problems }: Answers, incarnation: string): { detail?: string } {
  const detail = problems?.get(incarnation);
  return detail === undefined ? {} : { detail };
}

type Objection = { readonly why: NotCounted["why"]; readonly detail?: string };

/** Why this agent is no empty voter for this record; null when it is one. */
function objection(seen: Seen, key: string, hello: Hello): Objection | null {
  const { record } = seen;
  if (hello.key !== key) return { why: "other_key", detail: hello.key };
  if (hello.marker !== null) return { why: "marker", detail: hello.marker.genesis_id };
  if (hello.used) return { why: "used" };
  if (!hello.voter) return { why: "non_voter" };
  if (hello.expect !== record.expect) return { why: "other_expect", detail: String(hello.expect) };
  if (hello.birth !== 0 && hello.birth !== record.birth)
    return { why: "other_birth", detail: String(hello.birth) };
  if (hello.pending !== null && !samePending(seen, hello))
    return { why: "pending", detail: hello.pending.claim_id };
  return null;
}

/**
 * A claim that is to replace the very record we are about to replace is no obstacle: one check-and-set
 * decides between the two. Were it one, two nodes that stop between saving a claim id and writing the claim
 * would wait for each other for ever.
 */
function samePending(seen: Seen, hello: Hello): boolean {
  return hello.pending?.init_id === seen.record.init_id && hello.pending.revision === seen.at.revision;
}

/** Node ids that two live incarnations use: this node, and everybody who answered. */
export function duplicates(answers: Pick<Answers, "self" | "hellos">): Set<string> {
  const incarnationOf = new Map([[answers.self.id, answers.self.incarnation]]);
  const twice = new Set<string>();
  for (const { node_id, incarnation } of answers.hellos) {
    const known = incarnationOf.get(node_id);
    if (known !== undefined && known !== incarnation) twice.add(node_id);
    incarnationOf.set(node_id, incarnation);
  }
  return twice;
}

function uncounted(ref: { id: string; incarnation: string }, why: NotCounted["why"]): NotCounted {
  return { id: ref.id, incarnation: ref.incarnation, why };
}

function identity(ref: { readonly id: string; readonly incarnation: string }): string {
  return `${ref.id}\n${ref.incarnation}`;
}
