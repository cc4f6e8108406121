/**
 * The leader key as a model for the explorer: two or three reporters (the shipped step function), one register,
 * and a database whose leadership moves. A node learns late that it leads, or no longer does; requests and
 * answers take their time, get lost, or arrive when nobody waits for them any more.
 */
import type { Standing } from "../../src/core/leader-key.ts";
import { decode, LeaderRecord } from "../../src/core/model.ts";
import { blankReport } from "../../src/core/node-report.ts";
import type { Versioned } from "../../src/core/provider.ts";
import type { Effect, Input, initialReporter, ReporterState, stepReporter } from "../../src/core/reporter.ts";
import type { Model, Move } from "../explore/explore.ts";

export type Protocol = {
  readonly initialReporter: typeof initialReporter;
  readonly stepReporter: typeof stepReporter;
};

export type Scope = {
  readonly nodes: number;
  /** The database has terms. */
  readonly terms: boolean;
  readonly elections: number;
  /** Lost and late requests and answers, crashes of agents, and writes of a native node, together. */
  readonly faults: number;
  /** False: requests and answers arrive, sooner or later. */
  readonly losses?: boolean;
  readonly crashes?: boolean;
  readonly native?: boolean;
  /** The register takes every write, whatever it expects. */
  readonly unconditional?: boolean;
  /** The shell hands in a report that is as old as the request. */
  readonly oldReports?: boolean;
  /** Nothing hides who leads: then nobody who led before replaces the record of who leads, terms or not. */
  readonly strict?: boolean;
};

type Swap = Extract<Effect, { type: "swap" }>;
type Belief = { readonly leads: boolean; readonly term: number };
type Node = {
  readonly up: boolean;
  readonly belief: Belief;
  readonly state: ReporterState;
  /** Sent, not yet arrived. */
  readonly sent: Effect | null;
  /** Done, the answer not yet there. */
  readonly result: Input | null;
  /** The belief when the request was sent. */
  readonly under: Belief;
  readonly rung: boolean;
};
export type World = {
  readonly leader: number;
  readonly term: number;
  readonly elections: number;
  readonly faults: number;
  readonly key: Versioned | null;
  readonly writes: number;
  readonly late: readonly { readonly swap: Swap; readonly epoch: number }[];
  /** The highest term written since a native node last wrote; who was named in each. */
  readonly highest: number;
  /** Of the database, when the record in the key was decided upon; also where nobody else knows it. */
  readonly epoch: number;
  readonly named: Readonly<Record<number, string>>;
  readonly nodes: readonly Node[];
  readonly wrong: string | null;
};

const GENESIS = "g";
const nameOf = (i: number) => `n${i}`;

/** The model of one scope over one protocol. */
export function reporterModel(scope: Scope, protocol: Protocol): Model<World> {
  const blank: Belief = { leads: false, term: 0 };
  const node = (i: number): Node => ({
    up: true,
    belief: { leads: i === 0, term: 1 },
    state: protocol.initialReporter,
    sent: null,
    result: null,
    under: blank,
    rung: true,
  });
  const start: World = {
    leader: 0,
    term: 1,
    elections: scope.elections,
    faults: scope.faults,
    key: null,
    writes: 0,
    late: [],
    highest: 0,
    epoch: 0,
    named: {},
    nodes: Array.from({ length: scope.nodes }, (_, i) => node(i)),
    wrong: null,
  };
  const numberOf = numbering();
  return {
    start,
    key: (world) => JSON.stringify({ ...world, key: numberOf(world.key), nodes: world.nodes.map(numberOf) }),
    violation: ({ wrong }) => wrong,
    goal: (world) => namesLeader(world, scope),
    *moves(world) {
      for (const [i, one] of world.nodes.entries()) yield* movesOf(scope, protocol, world, i, one);
      yield* databaseMoves(scope, world);
      for (const [at, { swap, epoch }] of world.late.entries())
        yield {
          label: `the late write of ${swap.record.id} lands`,
          world: apply(scope, { ...world, late: world.late.filter((_, n) => n !== at) }, swap, epoch).world,
          fault: true,
        };
    },
  };
}

/** Numbers for things that most worlds share, the same for the same content: they keep the keys short. */
function numbering(): (thing: object | null) => number {
  const byText = new Map<string, number>();
  const byThing = new WeakMap<object, number>();
  return (thing) => {
    if (thing === null) return -1;
    const known = byThing.get(thing);
    if (known !== undefined) return known;
    const text = JSON.stringify(thing);
    const number = byText.get(text) ?? byText.size;
    byText.set(text, number);
    byThing.set(thing, number);
    return number;
  };
}

function namesLeader({ key, leader, term }: World, { terms }: Scope): boolean {
  const record = key === null ? null : read(key.value);
  return record?.id === nameOf(leader) && record.genesis_id === GENESIS && (!terms || record.term === term);
}

function* databaseMoves(scope: Scope, world: World): Iterable<Move<World>> {
  if (world.elections > 0)
    for (let i = 0; i < scope.nodes; i++)
      if (i !== world.leader)
        yield {
          label: `${nameOf(i)} is elected`,
          world: { ...world, leader: i, term: world.term + 1, elections: world.elections - 1 },
          fault: true,
        };
  if (scope.native && world.faults > 0) {
    const value = JSON.stringify({ id: nameOf(world.leader), api_addr: "native", addr: "native" });
    const writes = world.writes + 1;
    yield {
      label: "a native node writes",
      world: {
        ...world,
        faults: world.faults - 1,
        writes,
        key: { value, revision: String(writes) },
        highest: 0,
        epoch: 0,
        named: {},
      },
      fault: true,
    };
  }
}

function* movesOf(
  scope: Scope,
  protocol: Protocol,
  world: World,
  i: number,
  one: Node,
): Iterable<Move<World>> {
  const name = nameOf(i);
  const put = (node: Node, more: Partial<World> = {}): World => ({
    ...world,
    ...more,
    nodes: world.nodes.map((other, n) => (n === i ? node : other)),
  });
  const give = (node: Node, input: Input, more: Partial<World> = {}) =>
    fed(scope, protocol, put(node, more), i, input);
  const truth: Belief = { leads: world.leader === i, term: world.term };
  if (one.belief.leads !== truth.leads || one.belief.term !== truth.term) {
    const told = { ...one, belief: truth };
    yield {
      label: `${name} learns that it ${truth.leads ? "leads" : "follows"} in term ${truth.term}`,
      world: one.up ? give({ ...told, rung: true }, { type: "noticed" }) : put(told),
      fault: false,
    };
  }
  if (!one.up) {
    const back = { ...one, up: true, state: protocol.initialReporter, rung: true };
    yield { label: `${name}'s agent is back`, world: give(back, { type: "noticed" }), fault: false };
    return;
  }
  if (!same(one.state.known, world.key))
    yield {
      label: `${name} is shown the key`,
      world: give({ ...one, rung: true }, { type: "saw", raw: world.key }),
      fault: false,
    };
  if (one.sent === null && one.result === null)
    yield { label: `${name}'s round is due`, world: give(one, { type: "due" }), fault: false };
  if (one.result !== null)
    yield {
      label: `${name} hears what it ${said(one.result)}`,
      world: give({ ...one, result: null }, one.result),
      fault: false,
    };
  if (one.sent !== null) yield* performances(scope, world, i, one.sent, put);
  if (scope.crashes && world.faults > 0) {
    const down = { ...one, up: false, sent: null, result: null, rung: false };
    const faults = world.faults - 1;
    yield { label: `${name}'s agent dies`, world: put(down, { faults }), fault: true };
    if (one.sent?.type === "swap")
      yield {
        label: `${name}'s agent dies, its write on its way`,
        world: put(down, { faults, late: [...world.late, { swap: one.sent, epoch: one.under.term }] }),
        fault: true,
      };
  }
}

/** What may become of a request. */
function* performances(
  scope: Scope,
  world: World,
  i: number,
  sent: Effect,
  put: (node: Node, more?: Partial<World>) => World,
): Iterable<Move<World>> {
  const one = world.nodes[i] as Node;
  const name = nameOf(i);
  const heard = (result: Input): Node => ({ ...one, sent: null, result });
  const loses = world.faults > 0 && scope.losses !== false;
  const lost = (more: Partial<World> = {}) => ({ ...more, faults: world.faults - 1 });
  const unknown: Input = { type: "swapped", result: { kind: "unknown", problem: "lost" } };
  switch (sent.type) {
    case "read":
      yield { label: `${name} reads`, world: put(heard({ type: "read", raw: world.key })), fault: false };
      if (loses)
        yield {
          label: `${name}'s read fails`,
          world: put(heard({ type: "failed", problem: "lost" }), lost()),
          fault: true,
        };
      return;
    case "ask": {
      const other = world.nodes.findIndex((_, n) => nameOf(n) === sent.record.id);
      const { up, belief } = world.nodes[other] as Node;
      const answer = !up ? "silent" : belief.leads ? "leader" : "not_leader";
      const answered = (what: typeof answer, registered: boolean) =>
        heard({ type: "answered", answer: what, registered });
      yield { label: `${name} asks: ${answer}`, world: put(answered(answer, up)), fault: false };
      if (loses)
        yield { label: `${name} asks in vain`, world: put(answered("silent", true), lost()), fault: true };
      return;
    }
    case "swap": {
      const done = apply(scope, world, sent, one.under.term);
      const after = (node: Node, more: Partial<World> = {}) => put(node, { ...effects(done.world), ...more });
      yield {
        label: `${name} writes ${sent.value}: ${done.result.kind}`,
        world: after(heard({ type: "swapped", result: done.result })),
        fault: false,
      };
      if (!loses) return;
      yield { label: `${name} writes, and is not told`, world: after(heard(unknown), lost()), fault: true };
      yield { label: `${name}'s write is lost`, world: put(heard(unknown), lost()), fault: true };
      yield {
        label: `${name}'s write is late`,
        world: put(heard(unknown), lost({ late: [...world.late, { swap: sent, epoch: one.under.term }] })),
        fault: true,
      };
    }
  }
}

const effects = ({ key, writes, highest, epoch, named, wrong }: World) => ({
  key,
  writes,
  highest,
  epoch,
  named,
  wrong,
});

/** The register takes a write, and the history is checked. */
function apply(
  scope: Scope,
  world: World,
  { expected, record, value }: Swap,
  epoch: number,
): { world: World; result: Extract<Input, { type: "swapped" }>["result"] } {
  const { key } = world;
  const met = same(key, expected);
  if (!met && !scope.unconditional) return { world, result: { kind: "lost", current: key } };
  const writes = world.writes + 1;
  const revision = String(writes);
  const term = record.term ?? 0;
  const known = world.named[term];
  const wrong = !met
    ? `a write expected ${expected?.revision ?? "nothing"} and landed over ${key?.revision ?? "nothing"}`
    : term < world.highest
      ? `the term went back from ${world.highest} to ${term}`
      : known !== undefined && known !== record.id
        ? `term ${term} named ${known} and names ${record.id}`
        : scope.strict && world.epoch === world.term && epoch < world.epoch
          ? `${record.id}, who led before, replaced the record of who leads`
          : null;
  return {
    world: {
      ...world,
      key: { value, revision },
      writes,
      highest: term,
      epoch,
      named: { ...world.named, [term]: record.id },
      wrong: world.wrong ?? wrong,
    },
    result: { kind: "won", revision },
  };
}

/** Gives a node an input, as the shell does: its effect is sent at once, and a ring is answered when nothing is under way. */
function fed(scope: Scope, protocol: Protocol, world: World, i: number, input: Input): World {
  let one = world.nodes[i] as Node;
  let wrong = world.wrong;
  const old = scope.oldReports && (input.type === "read" || input.type === "swapped");
  const give = (what: Input, belief: Belief) => {
    const { state, effect } = protocol.stepReporter(one.state, what, standingOf(scope, i, belief));
    one = { ...one, state, sent: effect ?? one.sent, under: effect === null ? one.under : one.belief };
    if (effect?.type === "swap") wrong ??= unfounded(scope, effect.record, one.belief);
  };
  give(input, old ? one.under : one.belief);
  if (one.rung && one.sent === null && one.result === null) {
    one = { ...one, rung: false };
    give({ type: "look" }, one.belief);
  }
  // Of the past, only what a request was sent under matters, and only while somebody asks for it.
  if (one.sent === null && !scope.oldReports) one = { ...one, under: { leads: false, term: 0 } };
  return { ...world, wrong, nodes: world.nodes.map((other, n) => (n === i ? one : other)) };
}

function same(a: Versioned | null | undefined, b: Versioned | null): boolean {
  return a === b || (a?.revision === b?.revision && a?.value === b?.value && a !== undefined);
}

function said(result: Input): string {
  return result.type === "swapped" ? `swapped: ${result.result.kind}` : result.type;
}

/** What is wrong with writing this while the database says that. */
function unfounded(scope: Scope, { id, term }: LeaderRecord, belief: Belief): string | null {
  if (!belief.leads) return `${id} writes while its database does not lead`;
  return scope.terms && term !== belief.term ? `${id} writes term ${term} in term ${belief.term}` : null;
}

function standingOf({ terms }: Scope, i: number, { leads, term }: Belief): Standing {
  const id = nameOf(i);
  return {
    self: { id, incarnation: `${id}-1`, agent_addr: "", api_addr: id, addr: id },
    apiAddr: id,
    genesis: GENESIS,
    report: {
      ...blankReport("model", "healthy", null),
      role: leads ? "leader" : "replica",
      term: terms ? term : null,
    },
  };
}

function read(value: string): LeaderRecord | null {
  const decoded = decode(LeaderRecord, value);
  return decoded.ok ? decoded.value : null;
}
