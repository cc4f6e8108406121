/** The explored world without a store: the nodes, what they have said to each other, and what may yet happen. */
import type { Agents } from "./register-agents.ts";
import { foundingText, type Node, type Sent, setText, type Taken } from "./register-node.ts";
import type { RegisterFaults } from "./register-scope.ts";

export type World = {
  readonly nodes: readonly Node[];
  /** Messages that may still arrive and matter, by number. What was sent may arrive at any time, and any number of times. */
  readonly sent: readonly Sent[];
  /** Sets of founders that any node ever knew to be decided. */
  readonly founders: readonly string[];
  /** Geneses that any node ever knew to be decided. */
  readonly chosen: readonly string[];
  /** Databases that were ever started, as `genesis by incarnation`. */
  readonly opened: readonly string[];
  /** Incarnations that created a cluster. */
  readonly creators: readonly string[];
  readonly wrong: string | null;
  readonly left: RegisterFaults;
};

/** The node at this place. Throws when there is none. */
export function nodeOf(world: World, index: number): Node {
  const node = world.nodes[index];
  if (node === undefined) throw new RangeError(`no node ${index}`);
  return node;
}

/** The place of the node whose incarnation this is, or ever was. */
export function indexOf(incarnation: string): number {
  return Number(/^n(\d+)/.exec(incarnation)?.[1]);
}

/** One thing of a kind has happened. */
export function spend(left: RegisterFaults, what: keyof RegisterFaults): RegisterFaults {
  return { ...left, [what]: left[what] - 1 };
}

/** The world with another node at this place, and what that node knows. */
export function withNode(agents: Agents, world: World, node: Node): World {
  const nodes = world.nodes.map((other, i) => (i === node.index ? node : other));
  const votes = node.state?.kept.votes;
  const founders = added(world.founders, setText(votes?.members.decided ?? null));
  const chosen = added(world.chosen, foundingText(votes?.genesis.decided ?? null));
  return pruned(agents, { ...world, nodes, founders, chosen });
}

/** The world after a node took a step. */
export function withTaken(agents: Agents, world: World, taken: Taken | null): World {
  if (taken === null) return world;
  const { node, sends, opens, started, wrong } = taken;
  const said = sends.map(agents.sent);
  const sent = said.length === 0 ? world.sent : sorted([...world.sent, ...said]);
  const { incarnation } = node.kept;
  const name = started === null ? "" : `${started.record.genesis_id} by ${incarnation}`;
  const creates = started?.kind === "bootstrap" && started.record.formation === "single";
  const left =
    opens === null ? world.left : spend(world.left, opens === "members" ? "elections" : "foundings");
  return withNode(
    agents,
    {
      ...world,
      sent,
      opened: added(world.opened, name),
      creators: added(world.creators, creates ? incarnation : ""),
      wrong: world.wrong ?? wrong ?? twoValues(sent),
      left,
    },
    node,
  );
}

/** A ballot stands for one value. */
function twoValues(sent: readonly Sent[]): string | null {
  const values = new Map<string, string>();
  for (const { message } of sent) {
    if (message.kind !== "accept") continue;
    const { ballot, members, founding } = message;
    const about = `${founding === null ? "members" : "genesis"} ${ballot.round}@${ballot.incarnation}`;
    const value = founding === null ? setText(members) : foundingText(founding);
    if ((values.get(about) ?? value) !== value) return `the ballot ${about} stands for two values`;
    values.set(about, value);
  }
  return null;
}

/** Without the messages that can change nobody any more and that nobody waits to have answered. */
function pruned(agents: Agents, world: World): World {
  if (!agents.reduced) return world;
  const sent = world.sent.filter((one) => {
    const { message } = one;
    const from = world.nodes[indexOf(message.from.incarnation)];
    if (from?.doing?.type === "poll" && agents.sent(from.doing.poll.message) === one) return true;
    return message.members.some(({ incarnation }) => {
      const node = nodeOf(world, indexOf(incarnation));
      return node.kept.incarnation === incarnation && agents.heeds(node, one);
    });
  });
  return sent.length === world.sent.length ? world : { ...world, sent };
}

function sorted(sent: readonly Sent[]): readonly Sent[] {
  return [...new Set(sent)].sort((a, b) => a.number - b.number);
}

function added(list: readonly string[], one: string): readonly string[] {
  return one === "" || list.includes(one) ? list : [...list, one].sort();
}

/** A world as a text. */
export function worldKey({ nodes, sent, founders, chosen, opened, creators, wrong, left }: World): string {
  return [
    nodes.map((n) => n.number).join(","),
    sent.map((s) => s.number).join(","),
    founders.join(","),
    chosen.join(","),
    opened.join(","),
    creators.join(","),
    wrong ?? "",
    Object.values(left).join(""),
  ].join("|");
}
