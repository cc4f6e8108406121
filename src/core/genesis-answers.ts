/**
 * What a round of asking leads to: the part of the genesis step function (genesis.ts) in which a node has read the
 * record, and has heard since who is there and what they hold.
 */
import { type Cluster, type ForeignLeader, isSame, listsNode, standing } from "./genesis-adoption.ts";
import type { Gone, Rules, State, Step, Wait } from "./genesis-state.ts";
import { open, read, refuse, still, swap, take, wait, yieldTo } from "./genesis-steps.ts";
import { type Claimed, type GenesisRecord, memberHash, type Sealed, type Unborn, VERSION } from "./model.ts";
import { type Answers, refOf, type Seen, type Tally, tally } from "./quorum.ts";

/** The answers are there. `fresh` is a UUID never used before. */
export function onAnswers(rules: Rules, state: State, answers: Answers, fresh: string): Step {
  if (state.phase.at !== "asking") return still(state);
  const { about } = state.phase;
  switch (about) {
    case "init":
      return init(rules, state, answers, fresh);
    case "claim":
      return state.seen ? claim(rules, state, state.seen, answers, fresh) : read(state);
    case "restore":
      return restore(state, answers, fresh);
    case "join":
      return join(rules, state, answers);
    case "adopted":
      return asAdopted(rules, state, answers);
    case "data":
      return answers.data === "empty" && state.kept.marker !== null
        ? open(state, state.kept.marker)
        : read(state);
    default:
      return about satisfies never;
  }
}

/** Whether this node creates the record where there is none. */
export function mayInit({ voter, genesis }: Rules): boolean {
  return voter && genesis === "auto";
}

/** Why this node never claims this record, whoever is there; null: it may. */
export function onlyWaits(rules: Rules, record: GenesisRecord): Wait | null {
  if (!rules.voter || rules.genesis === "never") return { on: "others" };
  return record.expect === rules.expect ? null : { on: "expect_mismatch", recordExpect: record.expect };
}

/** The record is absent. It may be made only where nobody reachable knows a cluster, or for a running one to be adopted. */
function init(rules: Rules, state: State, answers: Answers, fresh: string): Step {
  const { foreign } = answers;
  // For a running cluster a non-voter makes it too: nobody claims while that cluster's leader record is there.
  if (foreign !== null && (foreign.cluster === null || rules.genesis !== "auto"))
    return wait(state, waitsFor(foreign));
  if (foreign === null && !mayInit(rules)) return wait(state, { on: "no_record" });
  const holder = answers.hellos.find((h) => h.key === rules.key && h.marker !== null);
  if (holder?.marker)
    return wait(state, { on: "holder", holder: holder.node_id, genesisId: holder.marker.genesis_id });
  const next: Unborn = {
    v: VERSION,
    state: "unborn",
    init_id: fresh,
    birth: 1,
    expect: rules.expect,
    by: rules.nodeId,
  };
  return swap(state, "init", null, next);
}

/** The record is unborn, or claimed by another: count, and claim if everything holds; beside a running cluster, adopt that. */
function claim(rules: Rules, state: State, seen: Seen, answers: Answers, fresh: string): Step {
  if (answers.data === "present" && state.kept.stamp === null)
    return refuse(state, { code: "foreign_data", doubt: null });
  const { record } = seen;
  const idle = onlyWaits(rules, record);
  const counts = answers.presumed ?? tally(seen, rules.key, answers);
  const counting = idle === null ? { ...state, tally: counts } : state;
  if (record.state === "claimed" && !answers.claimerSilent)
    return wait(counting, idle ?? { on: "claimer", claimer: record.node });
  const foreign = standing(answers.foreign, record);
  if (foreign !== null && (foreign.cluster === null || rules.genesis === "never" || answers.presumed))
    return wait(counting, waitsFor(foreign));
  if (foreign === null && idle !== null) return wait(counting, idle);
  const obstacle = obstacleIn(counts);
  if (foreign?.cluster)
    return obstacle
      ? wait(counting, obstacle)
      : swap(counting, "adopt", seen.at, adoption(rules, seen, foreign.cluster, answers, fresh));
  if (obstacle?.on === "holder") return wait(counting, obstacle);
  if (counts.counted.length < rules.expect) return wait(counting, { on: "voters" });
  if (answers.presumed !== undefined) return wait(counting, { on: "turn" });
  if (obstacle !== null) return wait(counting, obstacle);
  const members = counts.counted.slice(0, rules.expect);
  const rank = members.findIndex((m) => m.incarnation === state.kept.incarnation);
  if (rank === -1) return wait(counting, { on: "others" });
  if (rank > 0 && !answers.impatient) return wait(counting, { on: "turn" });
  // A claim already on disk is for this very record (any other was discarded): the same id makes the retry harmless.
  const claim_id = state.kept.claim?.claim_id ?? fresh;
  const next: Claimed = {
    ...bornOf(record),
    state: "claimed",
    claim_id,
    node: rules.nodeId,
    incarnation: state.kept.incarnation,
    formation: rules.formation,
    members,
    hash: memberHash(members),
  };
  const kept = { ...state.kept, claim: { claim_id, init_id: record.init_id, base: seen.at } };
  return {
    state: { ...counting, kept, phase: { at: "saving", before: "claim", next } },
    effects: [{ type: "save", kept, aside: null }],
  };
}

/** Who forbids that anything takes this record's place: a cluster exists, or a claim may have landed elsewhere. */
function obstacleIn({ holders, claimants }: Tally): Wait | null {
  const [holder] = holders;
  if (holder?.marker) return { on: "holder", holder: holder.node_id, genesisId: holder.marker.genesis_id };
  const [claimant] = claimants;
  return claimant === undefined ? null : { on: "claimant", claimant: claimant.node_id };
}

/**
 * The running cluster as a genesis. No claim comes before it: what it replaces is the very record that was read,
 * and nobody has opened under that. Its `incarnation` is nobody's, so nobody creates.
 */
function adoption(
  rules: Rules,
  { record }: Seen,
  { leader, nodes }: Cluster,
  { hellos }: Answers,
  fresh: string,
): Sealed {
  const isBeside = (id: string) => listsNode({ leader, nodes }, id);
  const beside = hellos.filter((h) => h.key === rules.key && h.used && isBeside(h.node_id)).map(refOf);
  return {
    ...bornOf(record),
    state: "sealed",
    claim_id: fresh,
    genesis_id: fresh,
    node: rules.nodeId,
    incarnation: fresh,
    formation: "single",
    members: beside,
    hash: memberHash(beside),
    adopted: { by: rules.nodeId, leader, nodes: [...nodes] },
  };
}

/** What a claim or an adoption keeps of the record whose place it takes. */
function bornOf(record: GenesisRecord): Pick<Claimed, "v" | "init_id" | "birth" | "expect" | "gen"> {
  const { v, init_id, birth, expect, forgets } = record;
  const gen = record.state === "unborn" ? 1 : record.gen + 1;
  return { v, init_id, birth, expect, gen, ...(forgets === undefined ? {} : { forgets }) };
}

/** A sealed genesis that this node is no part of: joined where somebody still is. A cluster without anybody is joined by nobody. */
function join(rules: Rules, state: State, answers: Answers): Step {
  const record = state.seen?.record;
  if (record?.state !== "sealed" || answers.data === "present") return read(state);
  const { genesis_id: genesisId, adopted } = record;
  const isHeld = answers.hellos.some((h) => h.key === rules.key && h.marker?.genesis_id === genesisId);
  const runs = adopted !== undefined && answers.clusters.some((cluster) => isSame(adopted, cluster));
  if (isHeld || runs) return take(state, record);
  return wait(state, { on: "members_gone", genesisId, gone: goneFrom(record, answers) });
}

/** Who was there when the genesis was sealed. Each is asked at every look, and none of them has answered as a member. */
function goneFrom({ adopted, members }: Sealed, { self, hellos }: Answers): Gone[] {
  const anew = new Set([self.id, ...hellos.map((h) => h.node_id)]);
  const known =
    adopted?.nodes.map(({ id, api_addr, addr }) => ({ id, address: api_addr || addr })) ??
    members.map(({ id, agent_addr }) => ({ id, address: agent_addr }));
  return known.map((one) => ({ ...one, wiped: anew.has(one.id) }));
}

/** Data without a marker, under an adopted record: a part of that cluster, if their own database says so. */
function asAdopted(rules: Rules, state: State, { data, own }: Answers): Step {
  const record = state.seen?.record;
  if (record?.state !== "sealed" || record.adopted === undefined || data !== "present") return read(state);
  if (own === null) return refuse(state, { code: "foreign_data", doubt: "silent" });
  if (!listsNode(own, rules.nodeId)) return refuse(state, { code: "foreign_data", doubt: "not_listed" });
  if (!isSame(record.adopted, own)) return refuse(state, { code: "foreign_data", doubt: "other_cluster" });
  return take(state, record);
}

/** My record is gone, or replaced by an unborn or claimed one of no higher birth: put it back, if all holders agree. */
function restore(state: State, answers: Answers, fresh: string): Step {
  const marker = state.kept.marker;
  if (marker === null) return read(state);
  for (const { marker: theirs, node_id } of answers.hellos) {
    if (theirs === null || theirs.birth < marker.birth) continue;
    if (theirs.birth > marker.birth) return yieldTo(state, marker, { code: "reborn", birth: theirs.birth });
    if (theirs.genesis_id !== marker.genesis_id)
      return refuse(state, { code: "genesis_conflict", with: theirs.genesis_id, where: node_id });
  }
  const next: Sealed = { ...marker, init_id: state.seen?.record.init_id ?? fresh };
  return swap(state, "restore", state.seen?.at ?? null, next);
}

function waitsFor({ cluster, silentMs, value, id, addr, api_addr }: ForeignLeader): Wait {
  return {
    on: "foreign_leader",
    leader: { value, id, addr, api_addr },
    answers: cluster !== null,
    silentMs,
  };
}
