/**
 * The agents of one exploration of the register, and how each takes an input or a message: the protocol's functions,
 * run once for each node and input and remembered.
 */
import type { Rules, Settled } from "../../src/core/genesis-state.ts";
import type { Hello, MemberRef } from "../../src/core/model.ts";
import type { Input } from "../../src/core/register-steps.ts";
import type { Message, Reply } from "../../src/core/votes.ts";
import { startDatabase } from "./agents.ts";
import {
  blankFacts,
  type Facts,
  factsText,
  helloText,
  inputText,
  messageText,
  type Node,
  type Sent,
  type Taken,
  type Voted,
} from "./register-node.ts";
import type { RegisterFaults, RegisterProtocol, RegisterScope } from "./register-scope.ts";

const KEY = "k";

/** How far a node goes by itself: while a fault may still come between two steps, every step is a move. */
export type Alone = "nothing" | "all";

export type Agents = ReturnType<typeof openRegisterAgents>;

/** What befell a node on the way, beside what it became. */
type Way = Omit<Taken, "node"> & { readonly facts: Facts };

const quiet = { sends: [], opens: null, started: null, wrong: null } as const;

/** The agents of one exploration. Not `reduced`, every step is a move of its own. */
export function openRegisterAgents(protocol: RegisterProtocol, scope: RegisterScope, reduced: boolean) {
  const nodes = new Map<string, Node>();
  const sent = new Map<string, Sent>();
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

  const helloOf = ({ index, state }: Facts): Hello | null => {
    if (state === null) return null;
    const said = protocol.testimony(state);
    const { voter, expect } = ruleOf(index);
    const ref = refAt(index, said.incarnation);
    return { ...said, ...ref, v: 1, key: KEY, node_id: `n${index}`, boot_id: "b", voter, expect, peers: [] };
  };

  /** The one node with these facts. */
  const node = (facts: Facts): Node => {
    const text = factsText(facts);
    const known = nodes.get(text);
    if (known !== undefined) return known;
    const hello = helloOf(facts);
    const made: Node = {
      ...facts,
      number: nodes.size,
      hello,
      says: hello === null ? "" : helloText(hello),
      taken: new Map(),
      heeds: new Map(),
      votes: new Map(),
    };
    nodes.set(text, made);
    return made;
  };

  /** One step of the protocol; the effect that follows is under way afterwards. */
  const oneStep = (facts: Facts, input: Input): Way => {
    if (facts.state === null) return { ...quiet, facts };
    const { incarnation } = facts.state.kept;
    const { state, effects } = protocol.step(ruleOf(facts.index), facts.state, input, `${incarnation}'`);
    const { phase } = state;
    const doing = effects.find((e) => e.type !== "settle" && e.type !== "tell") ?? null;
    const opens =
      phase.at === "saving" && phase.before === "poll" && phase.poll.message.kind === "prepare"
        ? phase.poll.message.decree
        : null;
    const after: Facts = {
      ...facts,
      state,
      doing: doing as Facts["doing"],
      replies: {},
      starting: effects.find((e) => e.type === "settle")?.settled ?? facts.starting,
      created: state.kept.incarnation === incarnation ? facts.created : 0,
    };
    const sends = effects.flatMap((e): Message[] =>
      e.type === "tell" ? [e.message] : e.type === "poll" ? [e.poll.message] : [],
    );
    return { ...quiet, facts: after, sends, opens };
  };

  /** One step, and a node at rest is woken at once. */
  const step = (facts: Facts, input: Input): Way => {
    const way = oneStep(facts, input);
    return way.facts.state !== null && way.facts.doing === null
      ? joined(way, oneStep(way.facts, { type: "wake" }))
      : way;
  };

  /** What the node does next with its own disk, or null. */
  const own = (facts: Facts): Way | null => {
    const { starting, doing, state } = facts;
    if (starting !== null) return begin(scope, facts, starting);
    switch (doing?.type) {
      case "told":
        return step(facts, doing.input);
      case "save":
        return step({ ...facts, kept: state?.kept ?? facts.kept }, { type: "saved" });
      case "initialise":
        return step({ ...facts, data: "present" }, { type: "initialised" });
      case "park":
        return step({ ...facts, data: "empty", belongs: null }, { type: "parked", failure: null });
      default:
        return null;
    }
  };

  const onward = (from: Way, alone: Alone): Taken => {
    let way = from;
    while (alone === "all" && way.wrong === null) {
      const next = own(way.facts);
      if (next === null) break;
      way = joined(way, next);
    }
    const { facts, ...befell } = way;
    return { ...befell, node: node(facts) };
  };

  const remembered = (from: Node, what: string, work: () => Taken | null): Taken | null => {
    const known = from.taken.get(what);
    if (known !== undefined) return known;
    const made = work();
    from.taken.set(what, made);
    return made;
  };

  return {
    reduced,
    node,
    /** How far nodes go alone in this world. */
    alone: ({ crash, hook, diskWipe }: RegisterFaults): Alone =>
      reduced && crash === 0 && hook === 0 && diskWipe === 0 ? "all" : "nothing",
    blank: (index: number, incarnation: string) => node(blankFacts(index, incarnation)),
    /** The one message of this text. */
    sent(message: Message): Sent {
      const label = messageText(message);
      const known = sent.get(label) ?? { number: sent.size, message, label };
      sent.set(label, known);
      return known;
    },
    start: (from: Node, alone: Alone): Taken | null =>
      remembered(from, `start ${alone}`, () =>
        onward(step({ ...from, state: protocol.initial(from.kept, from.data) }, { type: "start" }), alone),
      ),
    /** The node after an input from outside; `late`: it is there, and taken in later. */
    take: (from: Node, input: Input, alone: Alone, late: boolean): Taken | null =>
      remembered(from, `${alone} ${late} ${inputText(input)}`, () =>
        late
          ? onward({ ...quiet, facts: { ...from, doing: { type: "told", input } } }, "nothing")
          : onward(step(from, input), alone),
      ),
    /** The node after one step of its own, and then as far as it may go; null when it has none to take. */
    proceed: (from: Node, alone: Alone): Taken | null =>
      remembered(from, `proceed ${alone}`, () => {
        const next = own(from);
        return next && onward(next, alone);
      }),
    /** The node after its initialisation hook failed and left something behind. */
    fail: (from: Node, alone: Alone): Taken | null =>
      remembered(from, `fail ${alone}`, () =>
        onward(step({ ...from, data: "present" }, { type: "initialised", failed: true }), alone),
      ),
    /** The node as far as it goes alone. */
    onward: (from: Node, alone: Alone): Taken | null =>
      remembered(from, `onward ${alone}`, () => onward({ ...quiet, facts: from }, alone)),
    /** The node after a message, and its answer; what it has said is on its disk. */
    vote(from: Node, { number, message }: Sent): Voted {
      const known = from.votes.get(number);
      if (known !== undefined) return known;
      if (from.state === null) throw new RangeError("a stopped node does not vote");
      const { state, reply } = protocol.vote(ruleOf(from.index), from.state, message);
      const changed = state.kept !== from.state.kept;
      const kept = changed && !scope.repliesFirst ? state.kept : from.kept;
      const voted = { node: changed ? node({ ...from, state, kept }) : from, reply, changed };
      from.votes.set(number, voted);
      return voted;
    },
    /** The node with one more answer to its poll. */
    answered: (from: Node, incarnation: string, reply: Reply): Node =>
      node({ ...from, replies: { ...from.replies, [incarnation]: reply } }),
    /** The node after an operator told it that an incarnation is gone for good; null where it may not agree. */
    giveUp: (from: Node, incarnation: string): Taken | null =>
      remembered(from, `gives up ${incarnation}`, () => {
        if (from.state === null) return null;
        const state = protocol.giveUp(ruleOf(from.index), from.state, incarnation);
        return state && { ...quiet, node: node({ ...from, state, kept: state.kept }) };
      }),
    /** Whether this message may still change this node, up or down, now or later. */
    heeds(from: Node, { number, message }: Sent): boolean {
      const known = from.heeds.get(number);
      if (known !== undefined) return known;
      const states = [protocol.initial(from.kept, from.data), ...(from.state ? [from.state] : [])];
      const heeds = states.some((at) => {
        const { state, reply } = protocol.vote(ruleOf(from.index), at, message);
        // Every other reason for refusing stays as long as the incarnation does.
        return state.kept !== at.kept || (reply.kind === "rejected" && reply.why === "assumed_lost");
      });
      from.heeds.set(number, heeds);
      return heeds;
    },
  };
}

function joined(first: Way, then: Way): Way {
  return {
    facts: then.facts,
    sends: [...first.sends, ...then.sends],
    opens: then.opens ?? first.opens,
    started: then.started ?? first.started,
    wrong: first.wrong ?? then.wrong,
  };
}

/** The database starts; who may create it is what the register is for. */
function begin(scope: RegisterScope, from: Facts, settled: Settled): Way {
  const { kind, record } = settled;
  const options = { initialises: scope.rules.initialises, watchesData: true };
  const { facts, wrong } = startDatabase(options, from, settled);
  const { incarnation } = from.kept;
  const mayCreate =
    record.formation === "single"
      ? record.incarnation === incarnation
      : record.members.some((m) => m.incarnation === incarnation);
  const stranger = kind === "bootstrap" && !mayCreate ? `n${from.index} creates another's cluster` : null;
  return { ...quiet, facts, started: settled, wrong: wrong ?? stranger };
}

/** A node as sets of founders carry it. */
export function refAt(index: number, incarnation: string): MemberRef {
  return { id: `n${index}`, incarnation, agent_addr: `a${index}`, api_addr: "", addr: "" };
}
