/**
 * The model of one to three nodes and one store around the shipped genesis step function. Every effect is a
 * move of its own, so that a crash, another node or a fault may come between any two: the store takes a
 * write, the answer is taken in later; every peer is asked at a moment of its own, in any order. Faults are
 * bounded by the scope. What is left out, and why nothing is lost by it (explore.test.ts compares both):
 *
 * - A result is taken in at once where that changes nothing that the node says of itself: until its next
 *   effect nobody can tell. Where it does (a claim dropped, a marker gained), it is a move of its own.
 * - A step on the node's own disk is taken at once where nobody can tell and no crash is left to come between:
 *   it commutes with every other move, and what is wrong once stays wrong.
 * - A write that can never succeed any more fails at once, for the same reason.
 * - A node at rest reads next, whatever it saw before; a wake may come at any time.
 * - Worlds that differ in names only are one (naming.ts).
 *
 * Politeness and the directory are not modelled: a claimer may be found silent at any time, everybody is
 * impatient, and everybody is registered; the opposite only makes nodes wait.
 */

import type { Versioned } from "../../src/core/provider.ts";
import { NATIVE, openAgents } from "./agents.ts";
import type { Model } from "./explore.ts";
import { openNaming } from "./naming.ts";
import { type Node, parse } from "./node.ts";
import { nodeMoves } from "./node-moves.ts";
import type { Protocol, Scope } from "./scope.ts";
import { orphaned, storeMoves, unborn } from "./store-moves.ts";
import { restText, type World } from "./world.ts";

/** The model of one scope over one protocol; `reduced: false` takes nothing out, to check that nothing is lost. */
export function genesisModel(
  protocol: Protocol,
  scope: Scope,
  { reduced } = { reduced: true },
): Model<World> {
  const naming = openNaming(scope, reduced);
  const agents = openAgents(protocol, scope, naming, reduced);
  const counts =
    !reduced || scope.faults.storeWipe > 0 || scope.faults.rollback > 0 || scope.compare === "index";
  const nodes = Array.from({ length: scope.nodes }, (_, i) => {
    const blank = agents.blank(i, `n${i}.0`);
    const used = (belongs: string) => agents.change(blank, "used", { data: "present", belongs });
    if (scope.beside.includes(i)) return used(NATIVE);
    return scope.foreign.includes(i) ? used("another program") : blank;
  });
  const start: World = {
    nodes,
    record: first(scope),
    native: {
      runs: scope.native === "named" || scope.native === "unnamed",
      leader: scope.native === "named" || scope.native === "gone" ? "native" : null,
    },
    writes: scope.start === "absent" ? 0 : 1,
    past: [],
    late: [],
    opened: [],
    wrong: null,
    left: scope.faults,
  };
  const model: Model<World> = {
    start,
    key: (world) =>
      naming.key(
        world.nodes.map((n) => n.piece),
        naming.piece(restText(agents.wording, counts, world)),
      ),
    *moves(world) {
      for (const i of world.nodes.keys()) yield* nodeMoves(scope, agents, world, i);
      yield* storeMoves(scope, agents, world);
    },
    violation,
  };
  return scope.live ? { ...model, goal: (world) => isFormed(scope, world) || isGone(scope, world) } : model;
}

function first({ start, rules }: Scope): Versioned | null {
  if (start === "absent") return null;
  const value = start === "unborn" ? unborn("init", 1, rules.expect) : orphaned(rules.expect);
  return { value, revision: "r1" };
}

/** B1: no two geneses of one birth were ever open, and no two of different births are open at one time. */
function violation({ wrong, opened, nodes }: World): string | null {
  if (wrong !== null) return wrong;
  const births = opened.map((name) => name.split(" ")[0]);
  if (new Set(births).size < births.length) return `two geneses are open: ${opened.join(", ")}`;
  const running = new Set(nodes.flatMap((n) => n.running ?? []));
  return running.size > 1 ? `two geneses are open at once: ${[...running].join(", ")}` : null;
}

/** B4: every node that may runs the sealed genesis, and whoever was to create it, and has not lost its disk, did. */
function isFormed({ foreign, beside, faults }: Scope, { record: at, nodes, left }: World): boolean {
  const record = at && parse(at.value);
  if (record?.state !== "sealed") return false;
  const mayNot = [...foreign, ...(record.adopted ? [] : beside)];
  if (!nodes.every((n) => mayNot.includes(n.index) || n.running === record.genesis_id)) return false;
  if (record.adopted !== undefined) return true;
  if (left.diskWipe < faults.diskWipe || left.dataWipe < faults.dataWipe) return true;
  const creators = record.formation === "single" ? [record] : record.members;
  return creators.every((c) => nodes.some((n) => n.created > 0 && n.kept.incarnation === c.incarnation));
}

/**
 * Disks were lost, and nobody is left of those who were there when the genesis was sealed: nobody joins it, and
 * every node says so. What is left to do is an operator's: `rebirth`.
 */
function isGone({ faults }: Scope, { record: at, nodes, left }: World): boolean {
  const record = at && parse(at.value);
  if (record?.state !== "sealed" || record.adopted !== undefined) return false;
  if (left.diskWipe === faults.diskWipe && left.dataWipe === faults.dataWipe) return false;
  const isOf = ({ kept }: Node) =>
    kept.marker !== null ||
    kept.claim?.claim_id === record.claim_id ||
    record.members.some((m) => m.incarnation === kept.incarnation);
  return nodes.every((n) => n.state !== null && !isOf(n));
}
