/**
 * The model of two to four agents without a store around the shipped functions of the register. Every effect is a move
 * of its own, so that a crash, another node's message or a fault may come between any two. What was sent may be taken
 * in at any later time, any number of times, or never. Taking a message in, syncing the vote and answering is one move:
 * a crash before the sync is a lost message, a crash after it a lost answer. Things that may go wrong, and ballots, are
 * bounded by the scope. What is left out, and why nothing is lost by it (explore.test.ts compares both):
 *
 * - A message that can change none of its receivers any more, and whose answer nobody awaits, is forgotten: what makes
 *   an acceptor refuse it stays as long as its incarnation does.
 * - A step on the node's own disk is taken at once where no crash is left to come between: it changes nothing that the
 *   node says of itself or answers.
 * - A node at rest looks next, whatever it saw before; a wake may come at any time.
 * - An answer to a poll counts from the moment it is given: until the poll ends nobody can tell.
 * - Everybody is heard at one moment, which `hears: "late"` keeps apart from the moment in which it is taken in.
 *
 * Politeness is not modelled: everybody is impatient. Liveness: a world in which the scope's ballots are used up is
 * followed by a calm run (register-calm.ts); any other one must be able to reach such a world, or the goal.
 */
import { type Founders, noVotes, type Votes } from "../../src/core/votes.ts";
import type { Model } from "./explore.ts";
import { openRegisterAgents, refAt } from "./register-agents.ts";
import { reaches } from "./register-calm.ts";
import { deliveries, isAlive, nodeMoves, started } from "./register-moves.ts";
import { blankFacts, type Node, setText } from "./register-node.ts";
import type { RegisterProtocol, RegisterScope } from "./register-scope.ts";
import { type World, worldKey } from "./register-world.ts";

/** The model of one scope over one protocol; `reduced: false` takes nothing out, to check that nothing is lost. */
export function registerModel(
  protocol: RegisterProtocol,
  scope: RegisterScope,
  { reduced } = { reduced: true },
): Model<World> {
  const agents = openRegisterAgents(protocol, scope, reduced);
  const nodes = Array.from({ length: scope.nodes }, (_, i) => {
    const facts = blankFacts(i, `n${i}.0`, firstVotes(scope, i));
    const isForeign = scope.foreign.includes(i);
    return agents.node(isForeign ? { ...facts, data: "present", belongs: "another program" } : facts);
  });
  const asleep: World = {
    nodes,
    sent: [],
    founders: scope.start === "blank" ? [] : [setText(firstFounders(scope))],
    chosen: [],
    opened: [],
    creators: [],
    wrong: null,
    left: scope.faults,
  };
  const start = scope.awake
    ? nodes.reduce((world, node) => started({ scope, agents, world, node }), asleep)
    : asleep;
  const model: Model<World> = {
    start,
    key: worldKey,
    *moves(world) {
      for (const i of world.nodes.keys()) yield* nodeMoves(scope, agents, world, i);
      yield* deliveries(scope, agents, world);
    },
    violation: (world) => violation(scope, world),
  };
  const isGoal = (world: World) => isFormed(scope, world) || isLost(scope, world);
  const isSpent = ({ left }: World) =>
    (left.elections === 0 && scope.faults.elections > 0) || left.foundings === 0;
  return scope.live
    ? {
        ...model,
        goal: (world) => isGoal(world) || (isSpent(world) && reaches(scope, agents, world, isGoal)),
      }
    : model;
}

function firstFounders({ rules }: RegisterScope): Founders {
  return Array.from({ length: rules.expect }, (_, i) => refAt(i, `n${i}.0`));
}

/** What a node has voted before the exploration begins. */
function firstVotes(scope: RegisterScope, index: number): Votes {
  if (scope.start === "blank" || index >= scope.rules.expect) return noVotes;
  const founders = firstFounders(scope);
  const ballot = { round: 1, incarnation: "n0.0" };
  const accepted = { promised: ballot, accepted: { ballot, value: founders } };
  const decided = scope.start === "elected" || index === 0 ? founders : null;
  return { ...noVotes, members: { ...accepted, decided } };
}

/** B1, and what it rests on: one set of founders, one genesis, one creator. */
function violation(scope: RegisterScope, world: World): string | null {
  const { wrong, opened, founders, chosen, creators, nodes } = world;
  if (wrong !== null) return wrong;
  const isCounted = (name: string) =>
    scope.counts === "ever" || isAlive(world, name.slice(name.lastIndexOf(" ") + 1));
  const geneses = new Set(opened.filter(isCounted).map((name) => name.split(" ")[0]));
  if (geneses.size > 1) return `two geneses are open: ${[...geneses].join(", ")}`;
  const running = new Set(nodes.flatMap((n) => n.running ?? []));
  if (running.size > 1) return `two geneses run at once: ${[...running].join(", ")}`;
  if (creators.length > 1) return `two nodes created the cluster: ${creators.join(", ")}`;
  if (chosen.length > 1) return `two geneses are decided: ${chosen.join(", ")}`;
  // A set that an operator has ruled out may have been decided; no genesis of it ever is.
  if (founders.length > 1 && scope.faults.assumeLost === 0)
    return `two sets of founders are decided: ${founders.join(", ")}`;
  return null;
}

/** B4: every node that may runs one genesis, and whoever was to create it did. */
function isFormed({ foreign, faults }: RegisterScope, { nodes, left }: World): boolean {
  const open = nodes.filter((n) => !foreign.includes(n.index));
  const [first] = open;
  const record = first?.kept.marker;
  if (!record || !open.every((n) => n.running === record.genesis_id)) return false;
  if (left.diskWipe < faults.diskWipe || left.dataWipe < faults.dataWipe) return true;
  const creators =
    record.formation === "single" ? [record.incarnation] : record.members.map((m) => m.incarnation);
  return creators.every((c) => nodes.some((n) => n.created > 0 && n.kept.incarnation === c));
}

/**
 * Disks were lost, and with them what only another key helps: most of the founders after they were decided, or the
 * owner of a genesis that may have been decided.
 */
function isLost({ faults }: RegisterScope, world: World): boolean {
  const { left } = world;
  if (left.diskWipe === faults.diskWipe && left.dataWipe === faults.dataWipe) return false;
  const isGone = (incarnation: string) => !isAlive(world, incarnation);
  const lacks = ({ kept, state }: Node) => {
    const { marker, votes } = state?.kept ?? kept;
    const founders = marker?.members ?? votes?.members.decided ?? [];
    const owner =
      votes?.genesis.decided?.owner ?? votes?.genesis.accepted?.value.owner ?? marker?.incarnation;
    if (founders.filter((m) => isGone(m.incarnation)).length * 2 >= Math.max(1, founders.length)) return true;
    return marker?.formation !== "symmetric" && owner !== undefined && isGone(owner);
  };
  return world.nodes.some(lacks);
}
