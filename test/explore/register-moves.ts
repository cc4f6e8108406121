/** What an agent of the register may do next, what may befall it, and which messages may reach it. */
import type { Effect } from "../../src/core/register-steps.ts";
import type { Heard } from "../../src/core/voters.ts";
import type { Move } from "./explore.ts";
import { type Agents, refAt } from "./register-agents.ts";
import { blankFacts, helloText, type Node, type Sent, setText } from "./register-node.ts";
import type { RegisterFaults, RegisterScope } from "./register-scope.ts";
import { indexOf, nodeOf, spend, type World, withNode, withTaken } from "./register-world.ts";

export type Here = {
  readonly scope: RegisterScope;
  readonly agents: Agents;
  readonly world: World;
  readonly node: Node;
};

type PollEffect = Extract<Effect, { type: "poll" }>;

/** Every move this node may make next, and what may befall it. */
export function* nodeMoves(
  scope: RegisterScope,
  agents: Agents,
  world: World,
  i: number,
): Iterable<Move<World>> {
  const here: Here = { scope, agents, world, node: nodeOf(world, i) };
  yield* losses(here);
  if (here.node.state === null) {
    yield moved(`n${i} starts`, started(here));
    return;
  }
  yield* crashes(here);
  yield* operators(here);
  yield* perform(here);
}

/** Every message may reach those whom it is for, at any time after it was sent. */
export function* deliveries(scope: RegisterScope, agents: Agents, world: World): Iterable<Move<World>> {
  for (const one of world.sent)
    for (const { incarnation } of one.message.members) {
      const node = nodeOf(world, indexOf(incarnation));
      if (node.state === null || incarnation === one.message.from.incarnation) continue;
      yield* delivered({ scope, agents, world, node }, one, incarnation);
    }
}

/** An answer that is lost is a question that comes late: which of the two, only the asker could tell. */
function* delivered(here: Here, one: Sent, asked: string): Iterable<Move<World>> {
  const { agents, world, node } = here;
  const label = `n${node.index} takes in "${one.label}"`;
  const answered = withVote(here, one, asked);
  if (answered !== null) return yield moved(label, answered);
  const voted = agents.vote(node, one);
  if (voted.changed) yield moved(`${label}, late`, withNode(agents, world, voted.node), true);
}

/** The world after this node has answered a message and the answer has come; null where nobody waits for it. */
export function withVote({ agents, world, node }: Here, one: Sent, asked: string): World | null {
  const from = nodeOf(world, indexOf(one.message.from.incarnation));
  if (from.doing?.type !== "poll" || from.replies[asked] !== undefined) return null;
  if (agents.sent(from.doing.poll.message) !== one) return null;
  const { node: after, reply } = agents.vote(node, one);
  return withNode(agents, withNode(agents, world, after), agents.answered(from, asked, reply));
}

function moved(label: string, world: World, fault = false): Move<World> {
  return { label, world, fault };
}

/** One fault of a kind happens: nodes that may go on alone now do so. */
function befallen({ agents, world }: Here, fault: keyof RegisterFaults, after: World): World {
  const calm: World = { ...after, left: spend(world.left, fault) };
  const alone = agents.alone(calm.left);
  if (alone === "nothing" || agents.alone(world.left) === "all") return calm;
  let so = calm;
  for (const { index, state } of calm.nodes)
    if (state !== null) so = within(so, withTaken(agents, so, agents.onward(nodeOf(so, index), alone)));
  return so;
}

/** The agent starts. */
export function started({ agents, world, node }: Here): World {
  return withTaken(agents, world, agents.start(node, agents.alone(world.left)));
}

/** What a node may lose: its disk at any time, its database's data while it is stopped. */
function* losses(here: Here): Iterable<Move<World>> {
  const { scope, agents, world, node } = here;
  const { index, kept, data, state } = node;
  if (world.left.diskWipe > 0 && (state !== null || isUsed(node))) {
    const name = scope.wipeKeepsName ? kept.incarnation : `${kept.incarnation}'`;
    const blank = withNode(agents, world, agents.blank(index, name));
    yield moved(`n${index} loses its disk`, befallen(here, "diskWipe", blank), true);
  }
  const isSeen = !kept.opened || kept.stamp === null;
  if (world.left.dataWipe > 0 && state === null && data === "present" && isSeen) {
    const empty = agents.node({ ...node, data: "empty", belongs: null });
    yield moved(
      `n${index} loses its database`,
      befallen(here, "dataWipe", withNode(agents, world, empty)),
      true,
    );
  }
}

/** A node that has never said anything loses nothing with its disk. */
function isUsed({ index, kept, data }: Node): boolean {
  const blank = blankFacts(index, kept.incarnation);
  return data === "present" || JSON.stringify(kept) !== JSON.stringify(blank.kept);
}

/** A stopped agent leaves its disk, and perhaps a half-initialised database. */
function* crashes(here: Here): Iterable<Move<World>> {
  const { agents, world, node } = here;
  if (world.left.crash === 0) return;
  const { index, doing, data } = node;
  const dead = { ...node, state: null, doing: null, replies: {}, starting: null, running: null };
  const down = withNode(agents, world, agents.node(dead));
  yield moved(`n${index} is killed`, befallen(here, "crash", down), true);
  if (doing?.type === "initialise" && data === "empty") {
    const half = withNode(agents, world, agents.node({ ...dead, data: "present" }));
    yield moved(`n${index} is killed while initialising`, befallen(here, "crash", half), true);
  }
}

/** `rollcall genesis assume-lost`, said to this node of another one's incarnation. */
function* operators(here: Here): Iterable<Move<World>> {
  const { scope, world, node } = here;
  if (world.left.assumeLost === 0) return;
  for (const lost of namedIn(world)) {
    if (node.state?.kept.votes?.lost.includes(lost) || lost === node.state?.kept.incarnation) continue;
    if (scope.operator === "honest" && isAlive(world, lost)) continue;
    const after = givenUp(here, lost);
    if (after !== null)
      yield moved(`an operator tells n${node.index} that ${lost} is gone`, {
        ...after,
        left: spend(world.left, "assumeLost"),
      });
  }
}

/** The world after an operator told this node that an incarnation is gone for good; null where it does not agree. */
export function givenUp({ agents, world, node }: Here, lost: string): World | null {
  const taken = agents.giveUp(node, lost);
  return taken && withTaken(agents, world, taken);
}

/** The incarnations that anybody has voted for. */
export function namedIn({ nodes }: World): readonly string[] {
  const named = new Set<string>();
  for (const { kept } of nodes) {
    const { accepted, decided } = kept.votes?.members ?? { accepted: null, decided: null };
    for (const { incarnation } of [...(accepted?.value ?? []), ...(decided ?? [])]) named.add(incarnation);
  }
  return [...named].sort();
}

/** Whether this incarnation's disk is still there. */
export function isAlive(world: World, incarnation: string): boolean {
  return nodeOf(world, indexOf(incarnation)).kept.incarnation === incarnation;
}

function* perform(here: Here): Iterable<Move<World>> {
  const { scope, agents, world, node } = here;
  const { index, doing, starting } = node;
  const name = `n${index}`;
  if (starting !== null || isOwn(doing)) yield moved(`${name} ${ownLabel(node)}`, proceeded(here));
  if (doing?.type === "initialise" && world.left.hook > 0) {
    const failed = withTaken(agents, world, agents.fail(node, "nothing"));
    yield moved(`${name} fails to initialise its database`, befallen(here, "hook", failed), true);
  }
  if (doing?.type === "poll") yield* polling(here, doing);
  if (doing?.type !== "read") return;
  const late = scope.hears === "late";
  yield* hearing(here, hellosFor(here), false, late);
  if (world.left.cut > 0)
    for (const cut of hellosFor(here))
      yield* hearing(
        here,
        hellosFor(here).filter((h) => h !== cut),
        true,
        late,
      );
}

/** The node takes one step on its own disk, or in its memory. */
export function proceeded({ agents, world, node }: Here): World {
  return within(world, withTaken(agents, world, agents.proceed(node, agents.alone(world.left))));
}

/** A ballot more than the scope has is not begun. */
function within(before: World, after: World): World {
  return after.left.elections < 0 || after.left.foundings < 0 ? before : after;
}

function isOwn(doing: Node["doing"]): boolean {
  return doing !== null && doing.type !== "read" && doing.type !== "poll";
}

function ownLabel({ starting, doing, state }: Node): string {
  if (starting !== null) return `starts its database (${starting.kind})`;
  switch (doing?.type) {
    case "save": {
      const before = state?.phase.at === "saving" ? state.phase.before : "";
      return before === "poll" ? "saves its own vote" : `saves, to ${before}`;
    }
    case "initialise":
      return "initialises its database";
    case "park":
      return "sets its database aside";
    default:
      return "takes in what it heard";
  }
}

/** Who answers this node now. */
export function hellosFor({ scope, world, node }: Here): Heard["hellos"] {
  const view = scope.views[node.index];
  return world.nodes.flatMap((n) =>
    n.hello === null || n.index === node.index || view?.includes(n.index) === false ? [] : [n.hello],
  );
}

/** The world after this node has heard these. Whoever waits is impatient: politeness only makes nodes wait. */
export function heardBy({ scope, agents, world, node }: Here, hellos: Heard["hellos"], late: boolean): World {
  const self = refAt(node.index, node.state?.kept.incarnation ?? "");
  const alone = scope.alone.includes(node.index);
  const heard: Heard = { self, data: node.data, hellos, alone, impatient: true };
  const taken = agents.take(node, { type: "heard", heard }, agents.alone(world.left), late);
  return within(world, withTaken(agents, world, taken));
}

function* hearing(here: Here, hellos: Heard["hellos"], cut: boolean, late: boolean): Iterable<Move<World>> {
  const after = heardBy(here, hellos, late);
  const who = hellos.length === 0 ? "nobody" : hellos.map(helloText).join(" ");
  const label = `n${here.node.index} hears ${who}`;
  if (after !== here.world) yield moved(label, cut ? befallen(here, "cut", after) : after, cut);
}

/** All have answered, or enough, or those that have not are down; or, as a fault, some are late. */
function* polling(here: Here, doing: PollEffect): Iterable<Move<World>> {
  const { world, node } = here;
  const { kind, members } = doing.poll.message;
  const label = `n${node.index} ends its ${kind} for ${setText(members)}`;
  if (isDone(here, doing)) yield moved(label, polled(here, doing));
  else if (world.left.lost > 0)
    yield moved(`${label} too early`, befallen(here, "lost", polled(here, doing)), true);
}

function isDone({ world, node }: Here, { poll, needs }: PollEffect): boolean {
  const replies = Object.values(node.replies);
  const inFavour = replies.filter(({ kind }) => kind === "promise" || kind === "accepted");
  return (
    inFavour.length >= needs ||
    poll.to.every(
      ({ incarnation }) =>
        node.replies[incarnation] !== undefined || nodeOf(world, indexOf(incarnation)).state === null,
    )
  );
}

/** The world after the answers were taken in. */
export function polled({ agents, world, node }: Here, { poll }: PollEffect): World {
  const answers = poll.to.map(({ incarnation }) => ({
    incarnation,
    reply: node.replies[incarnation] ?? null,
  }));
  const taken = agents.take(node, { type: "polled", polled: answers }, agents.alone(world.left), false);
  return within(world, withTaken(agents, world, taken));
}
