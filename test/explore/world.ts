/**
 * The explored world: the nodes, the store, what is still on its way to the store, and what may yet go wrong.
 */
import type { Effect } from "../../src/core/genesis-state.ts";
import type { GenesisRecord } from "../../src/core/model.ts";
import type { Versioned } from "../../src/core/provider.ts";
import type { Agents } from "./agents.ts";
import { type Node, parse, type Taken, versionText, type Wording } from "./node.ts";
import type { Faults, Scope } from "./scope.ts";

/** A write that has left its sender. */
export type Write = Pick<Extract<Effect, { type: "swap" }>, "expected" | "value">;

/** The cluster that a database made itself, and what the store's leader key says of it. */
export type Native = {
  readonly runs: boolean;
  /** The leader record; null: there is none. */
  readonly leader: string | null;
};

export type World = {
  readonly nodes: readonly Node[];
  readonly record: Versioned | null;
  /** The store's last revision. */
  readonly writes: number;
  /** What the store held before, while it may go back to it. */
  readonly past: readonly Versioned[];
  /** The native cluster. */
  readonly native: Native;
  /** Writes that may still arrive. */
  readonly late: readonly Write[];
  /** Geneses under which a database was ever started, as `birth genesis`. */
  readonly opened: readonly string[];
  readonly wrong: string | null;
  readonly left: Faults;
};

/** The world without the nodes, as a text. */
export function restText(wording: Wording, counts: boolean, world: World): string {
  const { record, writes, past, native, late, opened, wrong, left } = world;
  const writing = (write: Write) =>
    `${versionText(wording, write.expected)} for ${versionText(wording, { value: write.value, revision: "" })}`;
  return [
    versionText(wording, record),
    counts ? writes : "",
    past.map((at) => versionText(wording, at)).join("+"),
    `${native.runs} ${native.leader ?? ""}`,
    late.map(writing).sort().join("+"),
    opened.join("+"),
    wrong ?? "",
    Object.values(left).join(""),
  ].join("|");
}

/** The node at this place. Throws when there is none. */
export function nodeOf(world: World, index: number): Node {
  const node = world.nodes[index];
  if (node === undefined) throw new RangeError(`no node ${index}`);
  return node;
}

/** The world with another node at this place. */
export function withNode(world: World, index: number, node: Node): World {
  return { ...world, nodes: world.nodes.map((other, i) => (i === index ? node : other)) };
}

/** The world after a node took a step. */
export function withTaken(world: World, index: number, taken: Taken | null): World {
  if (taken === null) return world;
  const { node, started, wrong } = taken;
  const after = withNode(world, index, node);
  if (started === null && wrong === null) return after;
  const name = started === null ? null : `${started.birth} ${started.genesis_id}`;
  const opened = name === null || world.opened.includes(name) ? world.opened : [...world.opened, name].sort();
  return { ...after, opened, wrong: world.wrong ?? wrong };
}

/** One fault of a kind is used up. */
export function spend(left: Faults, fault: keyof Faults): Faults {
  return { ...left, [fault]: left[fault] - 1 };
}

/** After a fault that was the last of its kind: every node goes on as far as it may now. */
export function calmed(agents: Agents, world: World): World {
  const alone = agents.alone(world.left);
  if (alone === "nothing") return world;
  let after = world;
  for (const node of world.nodes)
    if (node.state !== null) after = withTaken(after, node.index, agents.onward(node, alone));
  return after;
}

/** The world after a check-and-set, or null where the expectation fails. */
export function applied(scope: Scope, agents: Agents, world: World, write: Write): World | null {
  return holds(scope, world.record, write.expected) ? put(scope, agents, world, write.value) : null;
}

/** The world with another record. */
export function put(scope: Scope, agents: Agents, world: World, value: string): World {
  const { record, writes, left } = world;
  const past = left.rollback > 0 && record !== null ? [...world.past, record] : world.past;
  const next = { value, revision: `r${writes + 1}` };
  return buried(scope, agents, { ...world, past, record: next, writes: writes + 1 });
}

function holds(scope: Scope, now: Versioned | null, expected: Versioned | null): boolean {
  if (now === null || expected === null) return now === expected;
  switch (scope.compare) {
    case "version":
      return now.revision === expected.revision && now.value === expected.value;
    case "init":
      return now.revision === expected.revision && initOf(now) === initOf(expected);
    case "index":
      return now.revision === expected.revision;
    case "presence":
      return true;
    default:
      return scope.compare satisfies never;
  }
}

function initOf(at: Versioned): string {
  return parse(at.value).init_id;
}

/**
 * Writes that can never succeed any more, because what they expect is gone for good, are dead. A late one is
 * forgotten; a node's own one fails now, which nobody but that node can see.
 */
export function buried(scope: Scope, agents: Agents, world: World): World {
  const { left, record } = world;
  const mayReturn = scope.compare === "presence" || scope.compare === "index" || left.rollback > 0;
  if (mayReturn || scope.leased || !agents.reduced) return world;
  const isDead = ({ expected }: Write) =>
    !holds(scope, record, expected) && (expected !== null || left.storeWipe === 0);
  let after = world.late.some(isDead)
    ? { ...world, late: world.late.filter((write) => !isDead(write)) }
    : world;
  for (const { index, doing } of world.nodes)
    if (doing?.type === "swap" && isDead(doing)) {
      const taken = agents.take(
        nodeOf(world, index),
        { type: "swapped", result: { kind: "lost" } },
        "nothing",
      );
      // Shipped, it reads next. A mutant that does anything else is watched doing it.
      if (taken?.node.doing?.type === "read") after = withTaken(after, index, taken);
    }
  return after;
}

/** What a register holds, for people. */
export function describe(at: { readonly value: string } | null): string {
  return at === null ? "nothing" : describeRecord(parse(at.value));
}

function describeRecord(record: GenesisRecord): string {
  const birth = `${record.birth > 1 ? `, birth ${record.birth}` : ""}${record.forgets ? ", forgets" : ""}`;
  return record.state === "unborn"
    ? `unborn(${record.init_id}${birth})`
    : `${record.state}(${record.claim_id}${birth}${"adopted" in record && record.adopted ? ", adopted" : ""})`;
}
