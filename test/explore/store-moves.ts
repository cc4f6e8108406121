/** What happens at the store without any node: late writes, and what befalls a store and its record. */
import type { Agents } from "./agents.ts";
import type { Move } from "./explore.ts";
import { nativeMoves } from "./native.ts";
import { type Node, parse } from "./node.ts";
import type { Scope } from "./scope.ts";
import { applied, buried, describe, put, spend, type World } from "./world.ts";

/** Every move the store may make next. */
export function* storeMoves(scope: Scope, agents: Agents, world: World): Iterable<Move<World>> {
  for (const [at, write] of world.late.entries()) {
    const rest = { ...world, late: world.late.filter((_, j) => j !== at) };
    yield {
      label: `late, ${describe(write)} arrives`,
      world: applied(scope, agents, rest, write) ?? rest,
      fault: false,
    };
  }
  yield* wipes(scope, agents, world);
  if (world.record !== null && scope.leased)
    yield { label: "the record's lease ends", world: { ...world, record: null }, fault: true };
  yield* rollbacks(world);
  yield* rebirths(scope, agents, world);
  yield* nativeMoves(scope, agents, world);
}

function* wipes(scope: Scope, agents: Agents, world: World): Iterable<Move<World>> {
  const { left, record, nodes } = world;
  if (record === null || left.storeWipe === 0) return;
  if (scope.wipeBeforeOpen && nodes.some(hasDecided)) return;
  const native = { ...world.native, leader: null };
  const empty: World = { ...world, record: null, native, writes: 0, left: spend(left, "storeWipe") };
  yield { label: "the store is wiped", world: buried(scope, agents, empty), fault: true };
  if (scope.wipedTo === "empty") return;
  const anew = unborn(`anew${left.storeWipe}`, 1, parse(record.value).expect);
  yield { label: "the store is wiped and initialised", world: put(scope, agents, empty, anew), fault: true };
}

/** A node that has its marker, and has read since that it is the one sealed, opens. */
function hasDecided({ kept, state, doing }: Node): boolean {
  if (kept.opened || state?.kept.opened) return true;
  const seen = doing?.type === "told" && doing.input.type === "record" ? doing.input.seen : null;
  return kept.marker !== null && seen?.record.state === "sealed";
}

function* rollbacks(world: World): Iterable<Move<World>> {
  const { left, past } = world;
  if (left.rollback === 0) return;
  for (const [at, old] of past.entries())
    yield {
      label: `the store goes back to ${describe(old)}`,
      fault: true,
      world: {
        ...world,
        record: old,
        writes: Number(old.revision.slice(1)),
        past: left.rollback > 1 ? past.slice(0, at) : [],
        left: spend(left, "rollback"),
      },
    };
}

function* rebirths(scope: Scope, agents: Agents, world: World): Iterable<Move<World>> {
  const { left, record, nodes } = world;
  const now = record && parse(record.value);
  if (now?.state !== "sealed" || left.rebirth === 0) return;
  if (!scope.rebirthOverLiving && nodes.some((n) => n.hello?.marker)) return;
  const again = unborn(now.init_id, now.birth + 1, now.expect);
  yield {
    label: "rebirth",
    fault: false,
    world: put(scope, agents, { ...world, left: spend(left, "rebirth") }, again),
  };
}

/** The record of a cluster whose nodes are all gone. */
export function orphaned(expect: number): string {
  const members = [{ id: "z", incarnation: "z.0", agent_addr: "", api_addr: "", addr: "" }];
  const claim = {
    gen: 1,
    claim_id: "gone",
    node: "z",
    incarnation: "z.0",
    formation: "single",
    members,
    hash: "h",
  };
  const born = { v: 1, state: "sealed", init_id: "init", birth: 1, expect };
  return JSON.stringify({ ...born, ...claim, genesis_id: "gone" });
}

/** The record of `rollcall genesis init`, and of `rebirth`. */
export function unborn(initId: string, birth: number, expect: number): string {
  return JSON.stringify({ v: 1, state: "unborn", init_id: initId, birth, expect });
}
