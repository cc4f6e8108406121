/**
 * What the genesis commands may write, decided from what was read (src/DESIGN.md, "Genesis"). Pure: the
 * command performs the plan with one check-and-set against the very value that was read.
 */
import { type Cluster, leaderId, listsNode, type NamedLeader } from "../core/genesis-adoption.ts";
import {
  byIdentity,
  type GenesisRecord,
  type Member,
  memberHash,
  type Sealed,
  type Unborn,
  VERSION,
} from "../core/model.ts";
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
  /** The leader record, where a database wrote it itself and it forbids creating; null: nothing forbids it. */
  readonly foreign: NamedLeader | null;
  /** Who is gone for good, as the operator says; null: nobody. */
  readonly forget: string | null;
  readonly members: readonly Member[];
  readonly expect: number;
  readonly initId: string;
};

/**
 * Create where there is none, not beside a cluster that a database or a registered node already knows; of an
 * unborn record change what it expects. A claimed or sealed record stays as it is.
 */
export function planInit(facts: InitFacts): Plan {
  const { record, foreign, forget, expect, initId } = facts;
  if (forget !== null) return planForget(facts, forget);
  if (record !== null && record.expect === expect) return { kind: "done", why: "the record exists" };
  if (record?.state === "unborn") return changeExpect(record, expect);
  if (record !== null) {
    return refuse(
      `the record expects ${record.expect}, not ${expect}, and is ${describe(record)}`,
      "what a record expects can change only while it is unborn",
    );
  }
  if (foreign !== null) {
    return refuse(
      `a database without rollcall says that it leads: ${nameOf(foreign)}`,
      `let the nodes join it, or give -forget-leader ${leaderId(foreign)} if that cluster is gone for good`,
    );
  }
  return create(facts, unborn(initId, 1, expect));
}

/**
 * As init, past the leader record of a database that is gone for good: that very record forbids nothing any more.
 * A claim is given up for it: nobody may take it over beside the record, and nothing has opened under it.
 */
function planForget(facts: InitFacts, forget: string): Plan {
  const { record, foreign, expect, initId } = facts;
  if (record?.state === "sealed")
    return refuse(`the record is ${describe(record)}: no leader record stands in its way`);
  if (foreign === null)
    return record?.forgets === undefined
      ? refuse("there is no leader record that a database wrote itself")
      : { kind: "done", why: "that leader record is forgotten already" };
  if (leaderId(foreign) !== forget)
    return refuse(`the leader record names ${nameOf(foreign)}, not ${forget}`);
  const forgets = foreign.value;
  if (record === null) return create(facts, { ...unborn(initId, 1, expect), forgets });
  const born = record.state === "unborn" ? record : unborn(record.init_id, record.birth, expect);
  const next: Unborn = { ...born, expect, forgets };
  const landed = (now: GenesisRecord | null) => now?.init_id === next.init_id && now.forgets === forgets;
  const notes = record.state === "claimed" ? [`the claim of ${record.node} is given up`] : [];
  return { kind: "write", next, landed, notes };
}

function create({ members, initId }: InitFacts, next: Unborn): Plan {
  const holder = members.find((member) => member.genesis_id !== null);
  if (holder !== undefined) return belongs(holder);
  return { kind: "write", next, landed: (now) => now?.init_id === initId, notes: [] };
}

function belongs({ id, genesis_id }: Member): Plan {
  return refuse(
    `${id} already belongs to genesis ${genesis_id}`,
    "`rollcall genesis restore` on that node writes its record back",
  );
}

function nameOf(leader: NamedLeader): string {
  const at = leader.api_addr || leader.addr;
  return at === "" ? leaderId(leader) : `${leaderId(leader)} at ${at}`;
}

type AdoptFacts = {
  readonly record: GenesisRecord | null;
  /** What the running cluster's database says of it; null: it knows of no leader, or lists nobody. */
  readonly cluster: Cluster | null;
  /** The leader record, where a database wrote it itself. */
  readonly foreign: NamedLeader | null;
  readonly members: readonly Member[];
  readonly initId: string;
  readonly genesisId: string;
};

/**
 * absent or unborn → sealed as adopted, from what the cluster's own database reports. Its `members` are the
 * agents beside its nodes; `incarnation` is nobody's, so that nobody takes itself for the creator.
 */
export function planAdopt({ record, cluster, foreign, members, initId, genesisId }: AdoptFacts): Plan {
  if (record !== null && record.state !== "unborn")
    return refuse(`the record is ${describe(record)}; a running cluster is adopted only where there is none`);
  if (cluster === null)
    return refuse("the database knows of no leader", "a cluster is adopted while it runs and has a leader");
  const holder = members.find((member) => member.genesis_id !== null);
  if (holder !== undefined) return belongs(holder);
  if (foreign !== null && !listsNode(cluster, foreign.id))
    return refuse(
      `the leader record names ${nameOf(foreign)}, which the database does not list: another cluster is under this key`,
      `give one of the two a -disco-key of its own, or, if that one is gone for good, run \`rollcall genesis init -forget-leader ${leaderId(foreign)}\``,
    );
  const beside = members.filter((m) => listsNode(cluster, m.id)).sort(byIdentity);
  const all = cluster.nodes.map((node) => node.id);
  if (beside.length === 0)
    return refuse(
      `no agent is registered of any node that the database lists: ${all.join(", ")}`,
      "start an agent beside each node first, with the node's id as its -node-id",
    );
  const refs = beside.map(({ id, incarnation, agent_addr, api_addr, addr }) => ({
    ...{ id, incarnation, agent_addr, api_addr, addr },
  }));
  const without = all.filter((id) => !beside.some((m) => m.id === id));
  const voters = cluster.nodes.filter((node) => node.voter !== false).length;
  const next: Sealed = {
    ...(record ?? unborn(initId, 1, Math.max(1, voters))),
    state: "sealed",
    gen: 1,
    claim_id: genesisId,
    genesis_id: genesisId,
    node: cluster.leader.id,
    incarnation: genesisId,
    formation: "single",
    members: refs,
    hash: memberHash(refs),
    adopted: { by: "operator", leader: cluster.leader, nodes: [...cluster.nodes] },
  };
  const notes =
    without.length === 0
      ? []
      : [`no agent is registered of ${without.join(", ")}; one that is started there later joins by itself`];
  const landed = (now: GenesisRecord | null) => now?.state === "sealed" && now.genesis_id === genesisId;
  return { kind: "write", next, landed, notes };
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
  const { forgets } = record;
  const born = unborn(record.init_id, record.birth + 1, expect ?? record.expect);
  const next: Unborn = forgets === undefined ? born : { ...born, forgets };
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
