/**
 * What counts as a change of an agent's state: the facets that are compared, and the transitions between two
 * moments. Gauges (lag, memory, contacts) are no facets. Pure.
 */
import { equal } from "./equal.ts";
import type { LeaderRecord, Member } from "./model.ts";
import type { DatabaseMember, Role, StatusCode } from "./node-report.ts";

/** Everything that is compared; each key is a kind of transition. */
export type Facets = {
  /** The code that `/v1/explain` gives, and whether the node is overdue. */
  readonly phase: { readonly code: string; readonly overdue: boolean };
  /** The outcome's revision; 0 before there is one. */
  readonly outcome: number;
  readonly members: readonly Member[];
  readonly leader: Pick<LeaderRecord, "id" | "api_addr" | "addr" | "term"> | null;
  readonly role: Role;
  readonly status: StatusCode;
  readonly version: string | null;
  /** Whom the database lists as its members, by id; null: it did not say. */
  readonly database_members: readonly Pick<DatabaseMember, "id" | "addr" | "voter">[] | null;
  /** This node's own addresses and incarnation. */
  readonly address: Readonly<Record<string, unknown>>;
  readonly registration: string;
  /** Whether the store could be read when last looked; null: not yet. */
  readonly store: boolean | null;
  /** What the supervised database's process is doing; null: not supervised. */
  readonly process: string | null;
  /** The code of what is wrong with the leader key; null: nothing. */
  readonly leader_key: string | null;
  /** Hooks that fail at present, by name. */
  readonly failing: readonly string[];
};
export type Kind = keyof Facets;

/** One change. `members` gives who came, went or changed by node id; every other kind the value before and after. */
export type Change = { readonly kind: Kind; readonly before: unknown; readonly after: unknown };
export type Transition = Change & {
  /** Rises by one with every transition of one run of the agent. */
  readonly seq: number;
  /** Wall-clock time, RFC 3339. */
  readonly at: string;
};

/** The changes from one moment to the next, in a fixed order; before the first moment everything is new. */
export function changes(before: Facets, after: Facets): Change[] {
  return (Object.keys(after) as Kind[]).flatMap((kind) => {
    if (equal(before[kind], after[kind])) return [];
    if (kind === "members") return [memberChange(before.members, after.members)];
    return [{ kind, before: before[kind], after: after[kind] }];
  });
}

/** `before` names who went, `after` who came; who is in both has another address, status or boot. */
function memberChange(before: readonly Member[], after: readonly Member[]): Change {
  const unlike = (some: readonly Member[], others: readonly Member[]) =>
    some.filter((m) => !others.some((other) => equal(other, m))).map(brief);
  return { kind: "members", before: unlike(before, after), after: unlike(after, before) };
}

function brief({ id, incarnation, agent_addr, api_addr, addr, voter, status }: Member) {
  return { id, incarnation, agent_addr, api_addr, addr, voter, status };
}
