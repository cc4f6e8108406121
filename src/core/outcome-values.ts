/** An outcome as flat text: what a database's command line, its environment and a shell can take. */
import type { MemberRef, Outcome } from "./model.ts";
import type { Role } from "./node-report.ts";

/** The words that stand for the outcome: in placeholders as `{{join}}`, in the environment as `OUTCOME_JOIN`. */
export type OutcomeValues = {
  readonly kind: Outcome["kind"];
  readonly role: Role;
  /** The peer addresses of the other members, with commas; empty where nobody else is known. */
  readonly join: string;
  /** The peer addresses of all members, this node's included. */
  readonly members: string;
  /** The leader's address for clients; empty while none is known. */
  readonly leader: string;
  /** What the adapter adds to the database's command line. */
  readonly args: readonly string[];
};

export function outcomeValues(
  outcome: Outcome,
  { incarnation }: MemberRef,
  role: Role,
  args: readonly string[],
): OutcomeValues {
  const peerOf = (m: MemberRef) => m.addr || m.api_addr;
  const listed = outcome.members.filter((m) => peerOf(m) !== "");
  return {
    kind: outcome.kind,
    role,
    join: listed
      .filter((m) => m.incarnation !== incarnation)
      .map(peerOf)
      .join(","),
    members: listed.map(peerOf).join(","),
    leader: outcome.leader?.api_addr ?? "",
    args,
  };
}

/** `OUTCOME_KIND` and so on. No argument of an adapter has white space in it, so a shell may split `OUTCOME_ARGS`. */
export function outcomeEnvironment(values: OutcomeValues): Record<string, string> {
  const { kind, role, join, members, leader, args } = values;
  return {
    OUTCOME_KIND: kind,
    OUTCOME_ROLE: role,
    OUTCOME_JOIN: join,
    OUTCOME_MEMBERS: members,
    OUTCOME_LEADER: leader,
    OUTCOME_ARGS: args.join(" "),
  };
}
