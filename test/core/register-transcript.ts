/**
 * Transcripts of the register: agents without a store among each other. A node goes on until it has nothing under way;
 * everybody who is up is heard, votes at once, and is told at once. UUIDs are `a1`, `b1`, … by node.
 */
import { initial, type Kept, type Rules, type State, testimony } from "../../src/core/genesis-state.ts";
import type { Data } from "../../src/core/quorum.ts";
import { giveUp, step } from "../../src/core/register.ts";
import { type Effect, type Input, vote } from "../../src/core/register-steps.ts";
import type { Heard } from "../../src/core/voters.ts";
import { type Message, noVotes } from "../../src/core/votes.ts";
import { disk, hello, ref, rules } from "./transcript.ts";

export type Apart = ReturnType<typeof apart>;

/** Nodes that hear and reach each other while they are up. `expect` is their number unless given. */
export function apart(ids: readonly string[], more: Partial<Rules> = {}) {
  const nodes = ids.map((id) => agent(id, { ...rules, nodeId: id, expect: ids.length, ...more }));
  const nodeOf = (id: string) => {
    const node = nodes.find((n) => n.id === id);
    if (node === undefined) throw new RangeError(`there is no node ${id}`);
    return node;
  };
  const up = new Set<string>();
  const among = (incarnation: string) =>
    nodes.find((n) => up.has(n.id) && n.state().kept.incarnation === incarnation);
  const heardBy = (id: string, more: Partial<Heard>): Input => {
    const hellos = nodes.filter((n) => n.id !== id && up.has(n.id)).map((n) => n.hello());
    const self = ref(id, nodeOf(id).state().kept.incarnation);
    const data = nodeOf(id).data();
    return { type: "heard", heard: { self, data, hellos, alone: false, impatient: true, ...more } };
  };
  const inputOf = (id: string, effect: Effect, more: Partial<Heard>): Input => {
    switch (effect.type) {
      case "read":
        return heardBy(id, more);
      case "poll": {
        const { to, message } = effect.poll;
        const polled = to.map(({ incarnation }) => ({
          incarnation,
          reply: among(incarnation)?.votes(message) ?? null,
        }));
        return { type: "polled", polled };
      }
      case "park":
        return { type: "parked", failure: null };
      case "save":
        return { type: "saved" };
      case "initialise":
        return { type: "initialised" };
      default:
        return { type: "wake" };
    }
  };
  return {
    nodes,
    nodeOf,
    /** It is no longer heard and does not vote. */
    stop: (id: string) => up.delete(id),
    /** The node is started or woken and goes on until it rests; the lines of its transcript. */
    run(id: string, more: Partial<Heard> = {}): string[] {
      const node = nodeOf(id);
      const from = node.lines.length;
      let effects = node.tell({ type: up.has(id) ? "wake" : "start" });
      up.add(id);
      for (let next = awaited(effects); next !== undefined; next = awaited(effects)) {
        effects = node.tell(inputOf(id, next, more));
        for (const effect of effects)
          if (effect.type === "tell")
            for (const { incarnation } of effect.to) among(incarnation)?.votes(effect.message);
      }
      return node.lines.slice(from).map((line) => `${id}: ${line}`);
    },
  };
}

function awaited(effects: readonly Effect[]): Effect | undefined {
  return effects.find((effect) => effect.type !== "settle" && effect.type !== "tell");
}

/** One agent with an empty disk. */
function agent(id: string, own: Rules) {
  let state: State = initial(disk({ incarnation: `i-${id}`, votes: noVotes }), "empty");
  let data: Data = "empty";
  let made = 0;
  const lines: string[] = [];
  return {
    id,
    lines,
    state: () => state,
    data: () => data,
    hello: () => ({ ...hello(id), voter: own.voter, expect: own.expect, ...testimony(state) }),
    votes(message: Message) {
      const voted = vote(own, state, message);
      state = voted.state;
      return voted.reply;
    },
    /** An operator says that an incarnation is gone; false: it does not agree. */
    giveUp(incarnation: string): boolean {
      const after = giveUp(own, state, incarnation);
      state = after ?? state;
      return after !== null;
    },
    tell(input: Input): readonly Effect[] {
      const fresh = `${id}${made + 1}`;
      if (input.type === "initialised") data = "present";
      if (input.type === "parked") data = "empty";
      const result = step(own, state, input, fresh);
      if (JSON.stringify(result).includes(`"${fresh}"`)) made++;
      state = result.state;
      lines.push(`${inputLine(input)} → ${result.effects.map(effectLine).join(", ") || restLine(state)}`);
      return result.effects;
    },
  };
}

function inputLine(input: Input): string {
  if (input.type === "heard")
    return `heard ${input.heard.hellos.map((h) => h.node_id).join(" ") || "nobody"}`;
  if (input.type === "polled")
    return input.polled.map(({ reply }) => reply?.kind ?? "silent").join(" ") || "nobody else";
  return input.type;
}

function effectLine(effect: Effect): string {
  switch (effect.type) {
    case "save":
      return `save ${keptLine(effect.kept)}`;
    case "poll":
      return messageLine(effect.poll.message);
    case "tell":
      return `tell ${messageLine(effect.message)}`;
    case "settle":
      return `settle: ${effect.settled.kind}`;
    case "initialise":
      return `initialise for ${effect.claimId}`;
    default:
      return effect.type;
  }
}

function messageLine(message: Message): string {
  const set = message.members.map((m) => m.id).join("");
  const round = message.kind === "decided" ? "" : ` ${message.ballot.round}`;
  const founding = message.kind === "prepare" ? null : message.founding;
  const about = message.kind === "prepare" && message.decree === "genesis" ? " for a genesis" : "";
  return `${message.kind}${round} ${set}${about}${founding === null ? "" : ` ${founding.genesis_id}`}`;
}

function keptLine({ marker, stamp, opened }: Kept): string {
  if (marker !== null) return opened ? "opened" : "marker";
  return stamp === null ? "votes" : `stamp ${stamp.claim_id}${stamp.done ? " done" : ""}`;
}

function restLine({ phase }: State): string {
  if (phase.at === "waiting") return `wait: ${phase.wait.on}`;
  return phase.at === "refused" ? `refuse: ${phase.refusal.code}` : phase.at;
}
