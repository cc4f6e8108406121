/**
 * The nodes of one exploration, and how each takes an input: the protocol's step function, run once for each
 * node and input and remembered. What a node can do alone and nobody can see is done at once.
 */
import type { Input, Rules, Settled, State } from "../../src/core/genesis-state.ts";
import type { Hello, MemberRef } from "../../src/core/model.ts";
import type { Naming } from "./naming.ts";
import {
  blankFacts,
  type Facts,
  factsText,
  helloText,
  inputText,
  type Node,
  type Taken,
  type Wording,
} from "./node.ts";
import type { Faults, Protocol, Scope } from "./scope.ts";

/** How far a node goes by itself: while a fault may still come between two steps, every step is a move. */
export type Alone = "nothing" | "unseen";

const KEY = "k";
/** What data belong to that a native cluster made. */
export const NATIVE = "the native cluster";

export type Agents = ReturnType<typeof openAgents>;

/** The agents of one exploration. Not `reduced`, every step is a move of its own. */
export function openAgents(protocol: Protocol, scope: Scope, naming: Naming, reduced: boolean) {
  const wording: Wording = {
    members: !naming.alike,
    births: scope.faults.rebirth > 0,
    made: !reduced,
    known: new WeakMap(),
  };
  const nodes = new Map<string, Node>();
  const rules: Rules[] = Array.from({ length: scope.nodes }, (_, i) => ({
    ...scope.rules,
    key: KEY,
    nodeId: `n${i}`,
    ...scope.each[i],
  }));

  const ruleOf = (index: number): Rules => {
    const rule = rules[index];
    if (rule === undefined) throw new RangeError(`no node ${index}`);
    return rule;
  };

  /** The one node with these facts. */
  const node = (facts: Facts): Node => {
    const text = factsText(wording, facts);
    const whole = `${facts.made} ${text}`;
    const known = nodes.get(whole);
    if (known !== undefined) return known;
    const hello = facts.state && helloOf(ruleOf(facts.index), facts.index, protocol.testimony(facts.state));
    const made: Node = {
      ...facts,
      piece: naming.piece(text),
      hello,
      says: hello && helloText(wording, hello),
      taken: new Map(),
      changed: new Map(),
    };
    nodes.set(whole, made);
    return made;
  };

  const testimony = (state: State | null): string =>
    state === null ? "" : helloText(wording, protocol.testimony(state));

  const oneStep = (facts: Facts, input: Input): Facts => {
    if (facts.state === null) return facts;
    const fresh = `n${facts.index}.${facts.made + 1}`;
    const { state, effects } = protocol.step(ruleOf(facts.index), facts.state, input, fresh);
    const replaced = state.kept.incarnation !== facts.state.kept.incarnation;
    const writes = effects.some((e) => e.type === "swap" && e.value.includes(`"${fresh}"`));
    const used = writes || JSON.stringify(state.kept).includes(`"${fresh}"`);
    const after: Facts = {
      ...facts,
      state,
      doing: null,
      heard: [],
      // Until what was decided on it is written.
      looked: effects.some((e) => e.type === "save" || e.type === "swap") ? facts.looked : undefined,
      made: used ? facts.made + 1 : facts.made,
      created: replaced ? 0 : facts.created,
    };
    const starting = effects.find((effect) => effect.type === "settle")?.settled ?? facts.starting;
    const doing = effects.find((effect) => effect.type !== "settle") ?? null;
    return { ...after, starting, doing };
  };

  /** One step of the protocol; the effect that follows is under way afterwards. A node at rest is woken at once. */
  const step = (facts: Facts, input: Input): Facts => {
    const after = oneStep(facts, input);
    return after.state !== null && after.doing === null ? oneStep(after, { type: "wake" }) : after;
  };

  /** A result arrives. Where taking it in changes what the node says of itself, that is a move of its own. */
  const arrive = (facts: Facts, input: Input): Facts => {
    const after = step(facts, input);
    const isRemote = input.type === "record" || input.type === "swapped" || input.type === "answers";
    return isRemote && (!reduced || testimony(facts.state) !== testimony(after.state))
      ? { ...facts, heard: [], doing: { type: "told", input } }
      : after;
  };

  /** What the node does next with its own disk, or null. */
  const own = (facts: Facts): { facts: Facts; started: Taken["started"]; wrong: string | null } | null => {
    if (facts.starting !== null)
      return startDatabase(
        { initialises: scope.rules.initialises, watchesData: scope.watchesData },
        facts,
        facts.starting,
      );
    const so = (after: Facts) => ({ facts: after, started: null, wrong: null });
    switch (facts.doing?.type) {
      case "told":
        return so(step(facts, facts.doing.input));
      case "save":
        return so(step({ ...facts, kept: facts.doing.kept }, { type: "saved" }));
      case "initialise":
        return so(step({ ...facts, data: "present" }, { type: "initialised" }));
      case "park":
        return so(step({ ...facts, data: "empty", belongs: null }, { type: "parked", failure: null }));
      default:
        return null;
    }
  };

  /** Goes on alone as long as nobody could tell whether it has. */
  const onward = (from: Facts, alone: Alone): Taken => {
    let taken: Taken = { node: node(from), started: null, wrong: null };
    for (let facts = from; alone !== "nothing" && taken.wrong === null; ) {
      const next = own(facts);
      if (next === null || testimony(facts.state) !== testimony(next.facts.state)) break;
      facts = next.facts;
      taken = { node: node(facts), started: next.started ?? taken.started, wrong: next.wrong };
    }
    return taken;
  };

  const remembered = (from: Node, what: string, work: () => Taken | null): Taken | null => {
    const known = from.taken.get(what);
    if (known !== undefined) return known;
    const made = work();
    from.taken.set(what, made);
    return made;
  };

  return {
    wording,
    reduced,
    ruleOf,
    /** How far nodes go alone in this world. */
    alone: (left: Faults): Alone => (reduced && left.crash === 0 && left.hook === 0 ? "unseen" : "nothing"),
    blank: (index: number, incarnation: string, made?: number) => node(blankFacts(index, incarnation, made)),
    /** The node with some facts changed from outside; `what` names the change. */
    change(from: Node, what: string, changed: Partial<Facts>): Node {
      const after = from.changed.get(what) ?? node({ ...from, ...changed });
      from.changed.set(what, after);
      return after;
    },
    /** The node after the agent was started. */
    start: (from: Node, alone: Alone): Taken | null =>
      remembered(from, `start ${alone}`, () => {
        const state = protocol.initial(from.kept, scope.watchesData ? from.data : "unknown");
        return onward(step({ ...from, state }, { type: "start" }), alone);
      }),
    /** The node after an input from outside. */
    take: (from: Node, input: Input, alone: Alone): Taken | null =>
      remembered(from, `${alone} ${inputText(wording, input)}`, () => onward(arrive(from, input), alone)),
    /** The node after one step of its own, and then as far as it may go; null when it has none to take. */
    proceed: (from: Node, alone: Alone): Taken | null =>
      remembered(from, `proceed ${alone}`, () => {
        const next = own(from);
        if (next === null) return null;
        const { facts, started, wrong } = next;
        const taken = onward(facts, wrong === null ? alone : "nothing");
        return { node: taken.node, started: taken.started ?? started, wrong: wrong ?? taken.wrong };
      }),
    /** The node after its initialisation hook failed and left something behind. */
    fail: (from: Node, alone: Alone): Taken | null =>
      remembered(from, `fail ${alone}`, () =>
        onward(step({ ...from, data: "present" }, { type: "initialised", failed: true }), alone),
      ),
    /** The node as far as it goes alone. */
    onward: (from: Node, alone: Alone): Taken | null =>
      remembered(from, `onward ${alone}`, () => onward(from, alone)),
    /** What a node would answer that has never heard of anything. */
    blankHello(index: number, incarnation: string): Hello {
      const { kept, data } = blankFacts(index, incarnation);
      return helloOf(ruleOf(index), index, protocol.testimony(protocol.initial(kept, data)));
    },
  };
}

/** What a database's first start depends on, and changes. */
type Startable = Pick<Facts, "index" | "data" | "belongs" | "created" | "starting" | "running">;

/** The database is started as the outcome says, with the data that are there. `wrong`: it must never be, so. */
export function startDatabase<F extends Startable>(
  { initialises, watchesData }: { readonly initialises: boolean; readonly watchesData: boolean },
  facts: F,
  { kind, record }: Settled,
): { readonly facts: F; readonly started: Settled["record"]; readonly wrong: string | null } {
  const { index, data, belongs, created } = facts;
  const initialised = initialises && record.formation === "single";
  const isNative = belongs === NATIVE && record.adopted !== undefined;
  const wrong =
    kind === "bootstrap" && record.adopted !== undefined
      ? `n${index} creates a cluster under a genesis that was adopted`
      : isNative && kind !== "existing"
        ? `n${index} is to ${kind} the cluster that its database is a part of`
        : kind === "existing" && data === "empty" && watchesData
          ? `n${index} starts an empty database as an existing one`
          : kind === "bootstrap" && created > 0
            ? `n${index} creates its part of the cluster twice`
            : kind === "bootstrap" && initialised && data === "empty"
              ? `n${index} creates the cluster from a database that was never initialised`
              : belongs !== null && belongs !== record.genesis_id && !isNative
                ? `n${index} opens data of ${belongs} under ${record.genesis_id}`
                : null;
  // What was initialised before the seal is all there is to create: its first start may be one as an existing database.
  const creates = kind === "bootstrap" || (kind === "existing" && initialised && belongs === null);
  const after: F = {
    ...facts,
    starting: null,
    running: record.genesis_id,
    belongs: record.genesis_id,
    data: "present",
    created: created + (creates ? 1 : 0),
  };
  return { facts: after, started: record, wrong };
}

function helloOf(rules: Rules, index: number, testimony: ReturnType<Protocol["testimony"]>): Hello {
  return {
    ...testimony,
    ...refAt(index, testimony.incarnation),
    v: 1,
    key: KEY,
    node_id: `n${index}`,
    boot_id: "b",
    voter: rules.voter,
    expect: rules.expect,
    peers: [],
  };
}

/** A node as members carry it. */
export function refAt(index: number, incarnation: string): MemberRef {
  return { id: `n${index}`, incarnation, agent_addr: "", api_addr: "", addr: "" };
}
