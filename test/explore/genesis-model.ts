/**
 * A world of two or three nodes and one store around the shipped genesis step function. Every effect is a
 * move of its own, so that a crash, another node or a fault may come between any two; a round of asking is
 * one move per peer. What can go wrong is bounded by `faults`; each is spent once.
 */
import type { Effect, Input, Kept, Rules, State } from "../../src/core/genesis-state.ts";
import { GenesisRecord, type Hello } from "../../src/core/model.ts";
import type { Versioned } from "../../src/core/provider.ts";
import type { Data } from "../../src/core/quorum.ts";
import type { Model, Move } from "./explore.ts";

/** The functions under exploration: the shipped ones, or mutants of them. */
export type Protocol = {
  initial(kept: Kept, data: Data): State;
  step(rules: Rules, state: State, input: Input, fresh: string): { state: State; effects: readonly Effect[] };
  testimony(state: State): Pick<Hello, "incarnation" | "birth" | "marker" | "pending" | "used">;
};

export type Faults = {
  /** kill -9 of an agent, at any point. */
  readonly crash: number;
  /** A write that was applied, or will be at any later time, or never, and whose answer is lost. */
  readonly unknown: number;
  /** A peer that is up and cannot be reached in one round of asking. */
  readonly cut: number;
  /** The data directory of a stopped node is lost, the agent's own files with it. */
  readonly diskWipe: number;
  /** Only the database's data of a stopped node are lost. */
  readonly dataWipe: number;
  /** The store loses everything; afterwards it is empty or initialised anew by an operator. */
  readonly storeWipe: number;
  /** The store goes back to what it once was. */
  readonly rollback: number;
  /** `rollcall genesis rebirth`. */
  readonly rebirth: number;
};

export const noFaults: Faults = {
  crash: 0,
  unknown: 0,
  cut: 0,
  diskWipe: 0,
  dataWipe: 0,
  storeWipe: 0,
  rollback: 0,
  rebirth: 0,
};

export type Scope = {
  readonly nodes: number;
  readonly rules: Omit<Rules, "nodeId" | "key">;
  readonly faults: Faults;
  /** Whether the agents are told where the database's data are. */
  readonly watchesData: boolean;
  /** How a register compares: as shipped, or as a mutant of it would. */
  readonly compare: "version" | "index" | "presence";
  /** Mutant of the record's life: it may vanish at any time, as under a lease. */
  readonly leased: boolean;
  /** Mutant of asking: who cannot be reached counts as an agent that says it is blank. */
  readonly silenceCounts: boolean;
  /** The store is lost only while no node has been allowed to open. */
  readonly wipeBeforeOpen: boolean;
};

type Node = {
  readonly up: boolean;
  readonly kept: Kept;
  readonly data: Data;
  readonly state: State | null;
  readonly doing: Effect | null;
  /** While asking: what each other node said (null: no answer); undefined: not asked yet. */
  readonly heard: readonly (Hello | null | undefined)[];
  readonly made: number;
  /** Genesis ids this incarnation created a database for. */
  readonly created: number;
};
type Late = { readonly expected: Versioned | null; readonly value: string };
export type World = {
  readonly nodes: readonly Node[];
  readonly record: Versioned | null;
  readonly writes: number;
  readonly past: readonly Versioned[];
  readonly late: readonly Late[];
  readonly opened: readonly string[];
  readonly wrong: string | null;
  readonly left: Faults;
};

const KEY = "k";

/** The model of one scope over one protocol. */
export function genesisModel(protocol: Protocol, scope: Scope): Model<World> {
  const start: World = {
    nodes: Array.from({ length: scope.nodes }, (_, i) =>
      asleep(`${i}.0`, scope.watchesData ? "empty" : "unknown"),
    ),
    record: null,
    writes: 0,
    past: [],
    late: [],
    opened: [],
    wrong: null,
    left: scope.faults,
  };
  return {
    start,
    key: worldKeys(),
    moves: (world) => allMoves(protocol, scope, world),
    violation: (world) =>
      world.wrong ?? (world.opened.length > 1 ? `two geneses are open: ${world.opened.join(", ")}` : null),
    goal: (world) => {
      const record = world.record && parse(world.record.value);
      if (record?.state !== "sealed") return false;
      return world.nodes.every((n) => n.state?.settled?.record.genesis_id === record.genesis_id);
    },
  };
}

function asleep(incarnation: string, data: Data): Node {
  const kept = { incarnation, claim: null, stamp: null, marker: null, opened: false };
  return { up: false, kept, data, state: null, doing: null, heard: [], made: 0, created: 0 };
}

/** Numbers equal texts equally, so that millions of worlds can be told apart by short keys. */
function numbering(): (text: string) => number {
  const numbers = new Map<string, number>();
  return (text) => {
    const number = numbers.get(text) ?? numbers.size;
    if (number === numbers.size) numbers.set(text, number);
    return number;
  };
}

function worldKeys(): (world: World) => string {
  const known = new WeakMap<Node, number>();
  const nodeNumber = numbering();
  const restNumber = numbering();
  const ofNode = (node: Node): number => {
    const number = known.get(node) ?? nodeNumber(nodeText(node));
    known.set(node, number);
    return number;
  };
  return (world) => {
    const { record, writes, past, late, opened, wrong, left } = world;
    const rest = JSON.stringify([record, writes, past, late, opened, wrong, Object.values(left)]);
    return `${world.nodes.map(ofNode).join(",")};${restNumber(rest)}`;
  };
}

/** A node as a text, without what only people read, so that nodes differ only where their behaviour does. */
function nodeText(node: Node): string {
  const { up, kept, data, state, doing, heard, made, created } = node;
  if (state === null) return JSON.stringify([kept, data, made, created]);
  const lasting = [up, kept, state.kept, data, made, created, state.settled?.record.genesis_id];
  // A node without an effect under way goes on with a read, whatever it saw before: only hello shows the birth.
  if (isIdle(node)) return JSON.stringify([...lasting, state.seen?.record.birth]);
  return JSON.stringify([...lasting, state.seen?.at, state.phase, doing, heard]);
}

/** Reading, or with nothing under way: a wake may come at any time, so the next thing it does is to read. */
function isIdle(node: Node): boolean {
  return node.doing === null || node.doing.type === "read";
}

const records = new Map<string, GenesisRecord>();

function parse(value: string): GenesisRecord {
  const record = records.get(value) ?? GenesisRecord.parse(JSON.parse(value));
  records.set(value, record);
  return record;
}

function* allMoves(protocol: Protocol, scope: Scope, world: World): Iterable<Move<World>> {
  for (const i of world.nodes.keys()) yield* nodeMoves(protocol, scope, world, i);
  for (const [at, write] of world.late.entries()) {
    const rest = { ...world, late: world.late.filter((_, j) => j !== at) };
    yield { label: "a late write arrives", world: applied(scope, rest, write) ?? rest, fault: false };
  }
  yield* storeMoves(scope, world);
}

function* storeMoves(scope: Scope, world: World): Iterable<Move<World>> {
  const { left, record } = world;
  const mayWipe = !scope.wipeBeforeOpen || !world.nodes.some((n) => n.kept.opened || n.state?.settled);
  if (record !== null && left.storeWipe > 0 && mayWipe) {
    const spent = { ...left, storeWipe: left.storeWipe - 1 };
    const writes = scope.compare === "index" ? 0 : world.writes;
    yield {
      label: "the store is wiped",
      world: { ...world, record: null, writes, left: spent },
      fault: true,
    };
    const value = JSON.stringify({
      v: 1,
      state: "unborn",
      init_id: "anew",
      birth: 1,
      expect: scope.rules.expect,
    });
    const anew = {
      ...world,
      record: { value, revision: String(writes + 1) },
      writes: writes + 1,
      left: spent,
    };
    yield { label: "the store is wiped and initialised", world: anew, fault: true };
  }
  if (record !== null && scope.leased)
    yield { label: "the record's lease ends", world: { ...world, record: null }, fault: true };
  if (left.rollback > 0)
    for (const old of world.past)
      yield {
        label: `the store goes back to ${describe(old)}`,
        fault: true,
        world: { ...world, record: old, left: { ...left, rollback: left.rollback - 1 } },
      };
  const sealed = record === null ? null : parse(record.value);
  if (sealed?.state === "sealed" && left.rebirth > 0) {
    const value = JSON.stringify({
      v: 1,
      state: "unborn",
      init_id: sealed.init_id,
      birth: sealed.birth + 1,
      expect: sealed.expect,
    });
    yield {
      label: "rebirth",
      fault: true,
      world: { ...put(world, value), left: { ...left, rebirth: left.rebirth - 1 } },
    };
  }
}

function* nodeMoves(protocol: Protocol, scope: Scope, world: World, i: number): Iterable<Move<World>> {
  const node = nodeOf(world, i);
  const { left } = world;
  if (!node.up) {
    const state = protocol.initial(node.kept, node.data);
    const started = { ...node, up: true, state };
    yield {
      label: `${i} starts`,
      world: feed(protocol, scope, withNode(world, i, started), i, { type: "start" }),
      fault: false,
    };
    const inc = node.kept.incarnation;
    if (left.diskWipe > 0 && inc.endsWith(".0"))
      yield {
        label: `${i} loses its disk`,
        fault: true,
        world: {
          ...withNode(world, i, {
            ...asleep(`${i}.w`, node.data === "unknown" ? "unknown" : "empty"),
            made: node.made,
          }),
          left: { ...left, diskWipe: left.diskWipe - 1 },
        },
      };
    if (left.dataWipe > 0 && node.data === "present")
      yield {
        label: `${i} loses its database`,
        fault: true,
        world: {
          ...withNode(world, i, { ...node, data: "empty" }),
          left: { ...left, dataWipe: left.dataWipe - 1 },
        },
      };
    return;
  }
  if (left.crash > 0) yield* crashes(world, i);
  const ready = node.doing === null ? feed(protocol, scope, world, i, { type: "wake" }) : world;
  const effect = nodeOf(ready, i).doing;
  if (effect !== null) yield* perform(protocol, scope, ready, i, effect);
}

/** A stopped agent leaves its disk, and perhaps a write on its way and a half-initialised database. */
function* crashes(world: World, i: number): Iterable<Move<World>> {
  const node = nodeOf(world, i);
  const left = { ...world.left, crash: world.left.crash - 1 };
  const down: Node = { ...node, up: false, state: null, doing: null, heard: [] };
  yield { label: `${i} is killed`, world: { ...withNode(world, i, down), left }, fault: true };
  if (node.doing?.type === "swap")
    yield {
      label: `${i} is killed, its write under way`,
      fault: true,
      world: { ...withNode(world, i, down), left, late: [...world.late, node.doing] },
    };
  if (node.doing?.type === "initialise" && node.data === "empty")
    yield {
      label: `${i} is killed while initialising`,
      fault: true,
      world: { ...withNode(world, i, { ...down, data: "present" }), left },
    };
}

function* perform(
  protocol: Protocol,
  scope: Scope,
  world: World,
  i: number,
  effect: Effect,
): Iterable<Move<World>> {
  const node = nodeOf(world, i);
  const go = (at: World, input: Input) => feed(protocol, scope, at, i, input);
  switch (effect.type) {
    case "read": {
      const seen = world.record && { record: parse(world.record.value), at: world.record };
      yield {
        label: `${i} reads ${describe(world.record)}`,
        world: go(world, { type: "record", seen }),
        fault: false,
      };
      return;
    }
    case "ask":
      yield* asking(protocol, scope, world, i);
      return;
    case "save": {
      const saved = withNode(world, i, { ...node, kept: effect.kept });
      yield {
        label: `${i} saves ${effect.kept.marker ? "its marker" : effect.kept.claim ? "its claim id" : "a blank"}`,
        world: go(saved, { type: "saved" }),
        fault: false,
      };
      return;
    }
    case "swap":
      yield* swapping(scope, world, i, effect, go);
      return;
    case "initialise": {
      const made: World = node.data === "unknown" ? world : withNode(world, i, { ...node, data: "present" });
      yield { label: `${i} initialises`, world: go(made, { type: "initialised" }), fault: false };
      return;
    }
    case "park": {
      const parked: World = node.data === "unknown" ? world : withNode(world, i, { ...node, data: "empty" });
      yield { label: `${i} parks`, world: go(parked, { type: "parked", failure: null }), fault: false };
      return;
    }
    case "settle":
      return;
    default:
      effect satisfies never;
  }
}

function* swapping(
  scope: Scope,
  world: World,
  i: number,
  write: Extract<Effect, { type: "swap" }>,
  go: (at: World, input: Input) => World,
): Iterable<Move<World>> {
  const after = applied(scope, world, write);
  const result =
    after === null
      ? ({ kind: "lost" } as const)
      : ({ kind: "won", revision: after.record?.revision ?? "" } as const);
  const what = describe({ value: write.value, revision: "" });
  yield {
    label: `${i} writes ${what}: ${result.kind}`,
    world: go(after ?? world, { type: "swapped", result }),
    fault: false,
  };
  if (world.left.unknown === 0) return;
  const left = { ...world.left, unknown: world.left.unknown - 1 };
  const unknown: Input = { type: "swapped", result: { kind: "unknown" } };
  yield {
    label: `${i} writes ${what}: answer lost`,
    world: go({ ...(after ?? world), left }, unknown),
    fault: true,
  };
  yield {
    label: `${i} writes ${what}: time-out, may come late`,
    fault: true,
    world: go({ ...world, left, late: [...world.late, write] }, unknown),
  };
}

function* asking(protocol: Protocol, scope: Scope, world: World, i: number): Iterable<Move<World>> {
  const node = nodeOf(world, i);
  const j = world.nodes.findIndex((_, other) => other !== i && node.heard[other] === undefined);
  if (j === -1) {
    for (const claimerSilent of claimedByOther(node) ? [true, false] : [false])
      yield {
        label: `${i} has asked${claimerSilent ? " (claimer silent)" : ""}`,
        fault: false,
        world: feed(protocol, scope, withNode(world, i, { ...node, heard: [] }), i, {
          type: "answers",
          answers: answersOf(world, i, claimerSilent),
        }),
      };
    return;
  }
  const peer = nodeOf(world, j);
  const hear = (answer: Hello | null, at = world): World => {
    const heard = world.nodes.map((_, k) => (k === j ? answer : node.heard[k]));
    return withNode(at, i, { ...node, heard });
  };
  const silence = scope.silenceCounts
    ? helloOf(
        scope,
        j,
        protocol.testimony(protocol.initial(asleep(peer.kept.incarnation, "empty").kept, "empty")),
      )
    : null;
  if (peer.state === null)
    yield { label: `${i} hears nothing from ${j}`, world: hear(silence), fault: false };
  else {
    yield {
      label: `${i} hears ${j}`,
      world: hear(helloOf(scope, j, protocol.testimony(peer.state))),
      fault: false,
    };
    if (world.left.cut > 0)
      yield {
        label: `${i} cannot reach ${j}`,
        fault: true,
        world: hear(silence, { ...world, left: { ...world.left, cut: world.left.cut - 1 } }),
      };
  }
}

function answersOf(world: World, i: number, claimerSilent: boolean) {
  const node = nodeOf(world, i);
  return {
    self: refAt(i, node.state?.kept.incarnation ?? ""),
    data: node.data,
    registered: world.nodes.map((n, k) => ({
      id: String(k),
      incarnation: n.state?.kept.incarnation ?? n.kept.incarnation,
    })),
    hellos: node.heard.filter((h): h is Hello => h != null),
    foreignLeader: null,
    claimerSilent,
    impatient: true,
  };
}

/** Feeds one input and takes over the effect that follows; `settle` is performed at once. */
function feed(protocol: Protocol, scope: Scope, world: World, i: number, input: Input): World {
  const node = nodeOf(world, i);
  if (node.state === null) return world;
  const fresh = `${i}.${node.made + 1}`;
  const before = node.state.kept.incarnation;
  const { state, effects } = protocol.step(
    { ...scope.rules, key: KEY, nodeId: String(i) },
    node.state,
    input,
    fresh,
  );
  const used =
    state.kept.incarnation === fresh ||
    state.kept.claim?.claim_id === fresh ||
    effects.some((e) => e.type === "swap" && e.value.includes(`"${fresh}"`));
  let after: Node = { ...node, state, doing: null, made: used ? node.made + 1 : node.made };
  let { opened, wrong } = world;
  if (state.kept.incarnation !== before) after = { ...after, created: 0 };
  for (const effect of effects) {
    if (effect.type !== "settle") {
      after = { ...after, doing: effect };
      continue;
    }
    const { kind, record } = effect.settled;
    if (!opened.includes(record.genesis_id)) opened = [...opened, record.genesis_id].sort();
    if (kind === "existing" && after.data === "empty")
      wrong = `${i} starts an empty database as an existing one`;
    if (kind === "bootstrap" && after.created > 0) wrong = `${i} creates its part of the cluster twice`;
    after = {
      ...after,
      created: after.created + (kind === "bootstrap" ? 1 : 0),
      data: after.data === "empty" ? "present" : after.data,
    };
  }
  return { ...withNode(world, i, after), opened, wrong };
}

/** The world after a check-and-set, or null where the expectation fails. */
function applied(scope: Scope, world: World, { expected, value }: Late): World | null {
  const { record } = world;
  const holds = {
    version: () => expected?.value === record?.value && expected?.revision === record?.revision,
    index: () => expected?.revision === record?.revision,
    presence: () => (expected === null) === (record === null),
  }[scope.compare]();
  return holds ? put(world, value) : null;
}

function put(world: World, value: string): World {
  const past = world.left.rollback > 0 && world.record !== null ? [...world.past, world.record] : world.past;
  return { ...world, past, record: { value, revision: String(world.writes + 1) }, writes: world.writes + 1 };
}

function helloOf(scope: Scope, i: number, testimony: ReturnType<Protocol["testimony"]>): Hello {
  return {
    ...testimony,
    ...refAt(i, testimony.incarnation),
    v: 1,
    key: KEY,
    node_id: String(i),
    boot_id: "b",
    voter: scope.rules.voter,
    expect: scope.rules.expect,
    peers: [],
  };
}

function refAt(i: number, incarnation: string) {
  return { id: String(i), incarnation, agent_addr: "", api_addr: "", addr: "" };
}

function claimedByOther(node: Node): boolean {
  return node.state?.phase.at === "asking" && node.state.seen?.record.state === "claimed";
}

function describe(at: Versioned | null): string {
  if (at === null) return "nothing";
  const record = parse(at.value);
  return record.state === "unborn" ? `unborn(${record.init_id})` : `${record.state}(${record.claim_id})`;
}

function nodeOf(world: World, i: number): Node {
  const node = world.nodes[i];
  if (node === undefined) throw new RangeError(`no node ${i}`);
  return node;
}

function withNode(world: World, i: number, node: Node): World {
  return { ...world, nodes: world.nodes.map((n, j) => (j === i ? node : n)) };
}
