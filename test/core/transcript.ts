/**
 * Transcripts of the genesis step function: what a node is told, and what it does then, a line each. A node
 * stands alone and is told by hand (`nodeAt`), or among others around one register (`companyOf`).
 */
import { step } from "../../src/core/genesis.ts";
import {
  type Effect,
  encode,
  type Input,
  initial,
  type Kept,
  type Rules,
  type State,
  testimony,
} from "../../src/core/genesis-state.ts";
import {
  type Claimed,
  GenesisRecord,
  type Hello,
  type MemberRef,
  memberHash,
  type Sealed,
  type Unborn,
} from "../../src/core/model.ts";
import type { Versioned } from "../../src/core/provider.ts";
import type { Answers, Data, Seen } from "../../src/core/quorum.ts";

/** Node `a` of cluster `k`, which waits for two voters. */
export const rules: Rules = {
  key: "k",
  nodeId: "a",
  voter: true,
  expect: 2,
  genesis: "auto",
  formation: "single",
  initialises: false,
};

/** A node by its id; its incarnation is `i-` and the id, unless given. */
export function ref(id: string, incarnation = `i-${id}`): MemberRef {
  return { id, incarnation, agent_addr: `${id}:8300`, api_addr: `${id}:4001`, addr: `${id}:4002` };
}

/** A disk with nothing on it but a name, and what else is given. */
export function disk(more: Partial<Kept> = {}): Kept {
  return { incarnation: "i-a", claim: null, stamp: null, marker: null, opened: false, votes: null, ...more };
}

/** The record an operator or an agent creates. */
export function unborn(more: Partial<Unborn> = {}): Unborn {
  return { v: 1, state: "unborn", init_id: "init", birth: 1, expect: 2, ...more };
}

/** The record after `node` has claimed under `claimId` for members a and b. */
export function claimed(claimId: string, node: string, more: Partial<Claimed> = {}): Claimed {
  const members = [ref("a"), ref("b")];
  const hash = memberHash(members);
  const claim = { gen: 1, claim_id: claimId, node, incarnation: `i-${node}`, members, hash };
  return { ...unborn(), formation: "single", ...claim, ...more, state: "claimed" };
}

/** The record after `node` has sealed its claim. */
export function sealed(claimId: string, node: string, more: Partial<Claimed> = {}): Sealed {
  return { ...claimed(claimId, node, more), state: "sealed", genesis_id: claimId };
}

/** A record as it was read, at a revision. */
export function at(record: GenesisRecord, revision = "1"): Seen {
  return { record, at: { value: encode(record), revision } };
}

/** What a blank voter answers, and what else is given. */
export function hello(id: string, more: Partial<Hello> = {}): Hello {
  const said = { v: 1, key: "k", node_id: id, boot_id: "boot", voter: true, expect: 2, birth: 1 };
  return { ...ref(id), ...said, marker: null, pending: null, used: false, peers: [], ...more };
}

/** One round of asking, in which everybody who answers is registered. */
export function answers(hellos: readonly Hello[], more: Partial<Answers> = {}): Input {
  const registered = [ref("a"), ...hellos.map((h) => ref(h.node_id, h.incarnation))];
  const round = { self: ref("a"), data: "empty" as const, registered, hellos };
  const databases = { foreign: null, clusters: [], own: null };
  return {
    type: "answers",
    answers: { ...round, ...databases, claimerSilent: false, impatient: false, ...more },
  };
}

/** A read of the record by a registered node. */
export function record(seen: Seen | null): Input {
  return { type: "record", seen, registered: true };
}

/** A write's end. */
export function swapped(kind: "won" | "lost" | "unknown", revision = "2"): Input {
  const result =
    kind === "won" ? { kind, revision } : kind === "lost" ? { kind } : { kind, problem: "no answer" };
  return { type: "swapped", result };
}

export type NodeAt = ReturnType<typeof nodeAt>;

/** One node with this disk and database, and its transcript. UUIDs are `u1`, `u2`, … in order of use. */
export function nodeAt(more: Partial<Rules> = {}, kept: Kept = disk(), data: Data = "empty") {
  const own: Rules = { ...rules, ...more };
  let state: State = initial(kept, data);
  let doing: Effect | null = null;
  let made = 0;
  const lines: string[] = [];
  const tell = (...inputs: readonly Input[]): string[] => {
    const from = lines.length;
    for (const input of inputs) {
      const fresh = `${own.nodeId === "a" ? "" : own.nodeId}u${made + 1}`;
      const result = step(own, state, input, fresh);
      if (JSON.stringify([result.state.kept, result.effects]).includes(fresh)) made++;
      state = result.state;
      doing = result.effects.find((effect) => effect.type !== "settle") ?? null;
      lines.push(`${inputLine(input)} → ${result.effects.map(effectLine).join(", ") || restLine(state)}`);
    }
    return lines.slice(from);
  };
  return { rules: own, tell, lines, state: () => state, doing: () => doing };
}

/** Nodes around one register, all in reach of each other. */
export function companyOf(ids: readonly string[], more: Partial<Rules> = {}) {
  const nodes = ids.map((id) =>
    nodeAt({ nodeId: id, expect: ids.length, ...more }, disk({ incarnation: `i-${id}` })),
  );
  let now: Versioned | null = null;
  let revision = 0;
  const up = new Set<NodeAt>();
  const inputOf = (node: NodeAt, effect: Effect): Input => {
    switch (effect.type) {
      case "read":
        return record(now && { record: GenesisRecord.parse(JSON.parse(now.value)), at: now });
      case "ask": {
        const hellos = [...up].filter((peer) => peer !== node).map(helloOf);
        const self = ref(node.rules.nodeId, node.state().kept.incarnation);
        return answers(hellos, { self, registered: [...up].map((n) => ref(n.rules.nodeId)) });
      }
      case "swap": {
        if (effect.expected?.revision !== now?.revision) return swapped("lost");
        now = { value: effect.value, revision: `${++revision}` };
        return swapped("won", now.revision);
      }
      case "save":
        return { type: "saved" };
      case "initialise":
        return { type: "initialised" };
      case "park":
        return { type: "parked", failure: null };
      case "settle":
        return { type: "wake" };
      default:
        return effect satisfies never;
    }
  };
  return {
    nodes,
    /** The node is started or woken and goes on until it has nothing under way; the lines of its transcript. */
    run(id: string): string[] {
      const node = nodes.find((n) => n.rules.nodeId === id);
      if (node === undefined) throw new RangeError(`there is no node ${id}`);
      const from = node.lines.length;
      node.tell({ type: up.has(node) ? "wake" : "start" });
      up.add(node);
      for (let effect = node.doing(); effect !== null; effect = node.doing())
        node.tell(inputOf(node, effect));
      return node.lines.slice(from).map((line) => `${id}: ${line}`);
    },
  };
}

function helloOf({ rules: { nodeId, voter, expect }, state }: NodeAt): Hello {
  return { ...hello(nodeId), voter, expect, ...testimony(state()) };
}

function inputLine(input: Input): string {
  switch (input.type) {
    case "record":
      return `${recordLine(input.seen?.record ?? null)}${input.registered ? "" : ", not registered"}`;
    case "unreadable":
      return `unreadable: ${input.problem}`;
    case "answers":
      return `heard ${input.answers.hellos.map((h) => h.node_id).join(" ") || "nobody"}`;
    case "swapped":
      return input.result.kind;
    case "parked":
      return input.failure === null ? "parked" : `not parked: ${input.failure.problem}`;
    default:
      return input.type;
  }
}

function effectLine(effect: Effect): string {
  switch (effect.type) {
    case "save":
      return `save ${keptLine(effect.kept)}${effect.aside ? `, set ${effect.aside.genesis_id} aside` : ""}`;
    case "swap": {
      const over = effect.expected && GenesisRecord.parse(JSON.parse(effect.expected.value));
      return `write ${recordLine(GenesisRecord.parse(JSON.parse(effect.value)))} over ${recordLine(over)}`;
    }
    case "initialise":
      return `initialise for ${effect.claimId}`;
    case "park":
      return `park ${effect.claimId}`;
    case "settle":
      return `settle: ${effect.settled.kind} ${effect.settled.record.genesis_id}`;
    default:
      return effect.type;
  }
}

/** What is on disk beside the incarnation of a node that has always been here. */
function keptLine({ incarnation, claim, stamp, marker, opened }: Kept): string {
  const parts = [
    incarnation.startsWith("i-") ? null : `incarnation ${incarnation}`,
    claim && `claim ${claim.claim_id}`,
    stamp && `stamp ${stamp.claim_id}${stamp.done ? " done" : ""}`,
    marker && `marker ${marker.genesis_id}${opened ? " opened" : ""}`,
  ].filter((part) => part !== null);
  return parts.join(", ") || "nothing";
}

function recordLine(of: GenesisRecord | null): string {
  if (of === null) return "nothing";
  const birth = of.birth > 1 ? `, birth ${of.birth}` : "";
  const forgets = of.forgets === undefined ? "" : ", forgets";
  if (of.state === "unborn") return `unborn(${of.init_id}${birth}${forgets})`;
  const gen = of.gen > 1 ? `, gen ${of.gen}` : "";
  const adopted = of.state === "sealed" && of.adopted !== undefined ? ", adopted" : "";
  return `${of.state}(${of.claim_id} by ${of.node}${gen}${birth}${forgets}${adopted})`;
}

function restLine({ phase, trouble }: State): string {
  if (phase.at === "waiting" && phase.wait.on === "store") return `wait: store ${phase.wait.problem}`;
  if (phase.at === "waiting" && phase.wait.on === "foreign_leader")
    return `wait: foreign_leader ${phase.wait.leader.id}${phase.wait.answers ? ", which answers" : ""}`;
  if (phase.at === "waiting" && phase.wait.on === "members_gone")
    return `wait: members_gone ${phase.wait.genesisId}: ${phase.wait.gone.map((g) => (g.wiped ? `${g.id} wiped` : g.id)).join(" ")}`;
  if (phase.at === "waiting") return `wait: ${Object.values(phase.wait).join(" ")}`;
  if (phase.at === "refused") return `refuse: ${words(phase.refusal)}`;
  return trouble === null ? phase.at : `${phase.at}: ${words(trouble)}`;
}

function words(of: object): string {
  return Object.values(of)
    .flat()
    .filter((value) => value !== null)
    .join(" ");
}
