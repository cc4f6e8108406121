/** What the native cluster of an explored world says of itself, and what befalls it. */
import { type Cluster, type ForeignLeader, standing } from "../../src/core/genesis-adoption.ts";
import type { Agents } from "./agents.ts";
import { refAt } from "./agents.ts";
import type { Move } from "./explore.ts";
import { type Looked, type Node, parse } from "./node.ts";
import type { Scope } from "./scope.ts";
import { put, spend, type World, type Write } from "./world.ts";

const leader = { id: "x", addr: "x:2", api_addr: "x:1" };

/** The native cluster as its databases list it: a node without an agent, and those that have one. */
export function nativeCluster({ beside }: Scope): Cluster {
  const nodes = ["x", ...beside.map((index) => `n${index}`)];
  return { leader, nodes: nodes.map((id) => ({ id, addr: `${id}:2`, api_addr: `${id}:1`, voter: true })) };
}

/** What a round of asking takes from a look at the leader key. */
export function foreignLeader(
  scope: Scope,
  looked: Looked | null | undefined,
  node: Node,
): ForeignLeader | null {
  if (!looked) return null;
  const named = { ...leader, value: looked.leader };
  const cluster = looked.answers ? nativeCluster(scope) : null;
  return standing({ ...named, cluster, silentMs: null }, node.state?.seen?.record ?? null);
}

/** What is wrong with this write: it claims, and its sender has seen a leader record that nobody forgot. */
export function claimsBeside({ value, expected }: Write, { looked, index }: Node): string | null {
  if (!looked || expected === null || parse(value).state !== "claimed") return null;
  const isForgotten = parse(expected.value).forgets === looked.leader;
  return isForgotten ? null : `n${index} claims beside a native leader record`;
}

/** What a node's own database says; the one of another program lists the same ids elsewhere. */
export function ownCluster(scope: Scope, { native }: World, { index }: Node): Cluster | null {
  if (scope.beside.includes(index)) return native.runs ? nativeCluster(scope) : null;
  const elsewhere = nativeCluster({ ...scope, beside: [...scope.beside, index] });
  const nodes = elsewhere.nodes.map((one) => ({ ...one, addr: `other-${one.addr}`, api_addr: "" }));
  return { ...elsewhere, nodes };
}

/** What native databases, and operators because of them, may do next. */
export function* nativeMoves(scope: Scope, agents: Agents, world: World): Iterable<Move<World>> {
  const { native, left } = world;
  const changed = (label: string, to: Partial<World["native"]>, fault: boolean, now = left): Move<World> => ({
    label,
    fault,
    world: { ...world, native: { ...native, ...to }, left: now },
  });
  if (left.nativeStart > 0 && !native.runs) {
    const named = { runs: true, leader: `native ${left.nativeStart}` };
    yield changed("a native cluster writes its leader record", named, true, spend(left, "nativeStart"));
  }
  if (left.nativeStop > 0 && native.runs)
    yield changed("the native cluster goes down", { runs: false }, true, spend(left, "nativeStop"));
  const mayReturn = scope.native !== "none" || scope.faults.nativeStart > 0;
  if (!native.runs && mayReturn && scope.native !== "gone" && scope.faults.forget === 0)
    yield changed("the native cluster is started again", { runs: true }, false);
  yield* adoptions(scope, agents, world);
  yield* forgettings(scope, agents, world);
}

/** `rollcall genesis adopt`: beside a native database that runs, over no record or an unborn one, while it sees no holder. */
function* adoptions(scope: Scope, agents: Agents, world: World): Iterable<Move<World>> {
  const { native, nodes, left, record: at } = world;
  const record = at && parse(at.value);
  const there = nodes.filter((n) => scope.beside.includes(n.index) && n.hello !== null);
  if (left.adopt === 0 || !native.runs || there.length === 0) return;
  if (nodes.some((n) => n.hello?.marker)) return;
  if (record !== null && record.state !== "unborn") return;
  const members = there.map((n) => refAt(n.index, n.kept.incarnation));
  const id = `adopted-${left.adopt}`;
  const born = {
    v: 1,
    init_id: record?.init_id ?? id,
    birth: record?.birth ?? 1,
    expect: scope.rules.expect,
  };
  const claim = {
    gen: 1,
    claim_id: id,
    node: "operator",
    incarnation: id,
    formation: "single",
    members,
    hash: "h",
  };
  const adopted = { by: "operator", ...nativeCluster(scope) };
  const value = JSON.stringify({ ...born, state: "sealed", ...claim, genesis_id: id, adopted });
  yield {
    label: "an operator adopts the native cluster",
    fault: false,
    world: put(scope, agents, { ...world, left: spend(left, "adopt") }, value),
  };
}

/** `rollcall genesis init -forget-leader`: over no record, an unborn one, or a claim. */
function* forgettings(scope: Scope, agents: Agents, world: World): Iterable<Move<World>> {
  const { native, left, record: at } = world;
  const record = at && parse(at.value);
  if (left.forget === 0 || native.leader === null || native.runs || record?.state === "sealed") return;
  const { init_id, birth } = record ?? { init_id: `forgetting-${left.forget}`, birth: 1 };
  const born = { v: 1, state: "unborn", init_id, birth, expect: scope.rules.expect, forgets: native.leader };
  yield {
    label: "an operator says that the native leader is gone for good",
    fault: false,
    world: put(scope, agents, { ...world, left: spend(left, "forget") }, JSON.stringify(born)),
  };
}
