/**
 * A calm run: from any world of the register, one node after the other does all it can, everybody in its view is
 * heard, every vote arrives, and nothing goes wrong. It is one of the ways on that the protocol has, with as many
 * ballots as it takes; so where it ends in the goal, the goal was in reach.
 */
import type { Agents } from "./register-agents.ts";
import {
  givenUp,
  type Here,
  heardBy,
  hellosFor,
  isAlive,
  namedIn,
  polled,
  proceeded,
  started,
  withVote,
} from "./register-moves.ts";
import type { RegisterScope } from "./register-scope.ts";
import { indexOf, nodeOf, type World } from "./register-world.ts";

/** Looks a node has in one turn, and steps between two looks. */
const LOOKS = 6;
const STEPS = 40;
/** Turns everybody has; what is not reached then is taken for out of reach. */
const TURNS = 6;

/** Whether a calm run from here ends in the goal. */
export function reaches(
  scope: RegisterScope,
  agents: Agents,
  from: World,
  goal: (world: World) => boolean,
): boolean {
  const { assumeLost } = from.left;
  const left = { ...from.left, crash: 0, lost: 0, cut: 0, hook: 0, diskWipe: 0, dataWipe: 0 };
  let world: World = { ...from, left: { ...left, elections: 99, foundings: 99 } };
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { index } of world.nodes) world = turned(scope, agents, world, index);
    if (goal(world)) return true;
    if (assumeLost > 0 || scope.faults.assumeLost > 0) world = operated(scope, agents, world);
  }
  return false;
}

/** An operator says beside every node who is gone for good. */
function operated(scope: RegisterScope, agents: Agents, from: World): World {
  let world = from;
  for (const lost of namedIn(world).filter((one) => !isAlive(from, one)))
    for (const { index } of world.nodes)
      world = givenUp({ scope, agents, world, node: nodeOf(world, index) }, lost) ?? world;
  return world;
}

function turned(scope: RegisterScope, agents: Agents, from: World, index: number): World {
  let world = from;
  let looks = 0;
  for (let step = 0; step < STEPS; step++) {
    const here: Here = { scope, agents, world, node: nodeOf(world, index) };
    const { state, doing, starting } = here.node;
    if (state === null) world = started(here);
    else if (starting === null && doing?.type === "read") {
      if (looks++ === LOOKS) return world;
      const after = heardBy(here, hellosFor(here), false);
      if (after.nodes[index] === here.node) return after;
      world = after;
    } else if (starting === null && doing?.type === "poll") {
      for (const { incarnation } of doing.poll.to) world = asked(here, world, incarnation);
      world = polled({ ...here, world, node: nodeOf(world, index) }, doing);
    } else world = proceeded(here);
  }
  return world;
}

/** One of those polled answers, if its agent runs. */
function asked({ scope, agents, node: asker }: Here, world: World, incarnation: string): World {
  const node = nodeOf(world, indexOf(incarnation));
  if (node.state === null || asker.doing?.type !== "poll") return world;
  const one = agents.sent(asker.doing.poll.message);
  return withVote({ scope, agents, world, node }, one, incarnation) ?? world;
}
