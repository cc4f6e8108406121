/** What a node may do next, and what may befall it. Every effect is a move of its own. */
import { mayInit, onlyWaits } from "../../src/core/genesis-answers.ts";
import type { Effect, Input } from "../../src/core/genesis-state.ts";
import type { Hello } from "../../src/core/model.ts";
import type { Answers } from "../../src/core/quorum.ts";
import { type Agents, refAt } from "./agents.ts";
import type { Move } from "./explore.ts";
import { claimsBeside, foreignLeader, nativeCluster, ownCluster } from "./native.ts";
import { type Node, parse } from "./node.ts";
import { type Faults, hasNative, type Scope } from "./scope.ts";
import { applied, calmed, describe, nodeOf, spend, type World, withNode, withTaken } from "./world.ts";

/** Every move this node may make next. */
export function* nodeMoves(scope: Scope, agents: Agents, world: World, i: number): Iterable<Move<World>> {
  const node = nodeOf(world, i);
  const here: Here = { scope, agents, world, node, name: `n${i}` };
  if (node.state === null) {
    yield moved(`n${i} starts`, withTaken(world, i, agents.start(node, agents.alone(world.left))));
    yield* losses(here);
    return;
  }
  if (world.left.crash > 0) yield* crashes(here);
  yield* perform(here);
}

type Here = {
  readonly scope: Scope;
  readonly agents: Agents;
  readonly world: World;
  readonly node: Node;
  readonly name: string;
};

function moved(label: string, world: World, fault = false): Move<World> {
  return { label, world, fault };
}

/** The world after this node is told something, perhaps after the world changed. */
function told({ agents, world, node }: Here, input: Input, at: World = world): World {
  return withTaken(at, node.index, agents.take(nodeOf(at, node.index), input, agents.alone(at.left)));
}

/** One fault of a kind happens: nodes that may go on alone now do so. */
function befallen({ agents, world }: Here, fault: keyof Faults, after: World): World {
  return calmed(agents, { ...after, left: spend(world.left, fault) });
}

/** What a stopped node may lose. */
function* losses(here: Here): Iterable<Move<World>> {
  const { scope, agents, world, node, name } = here;
  const { index, kept, made, data } = node;
  const isSeen = !kept.opened || kept.stamp === null;
  const changed = (what: string, to: Node, fault: keyof Faults) =>
    moved(`${name} loses its ${what}`, befallen(here, fault, withNode(world, index, to)), true);
  if (world.left.diskWipe > 0 && kept.incarnation.endsWith(".0"))
    yield changed("disk", agents.blank(index, `${name}.w`, made), "diskWipe");
  if (world.left.dataWipe > 0 && data === "present" && (isSeen || scope.losesUnseenData))
    yield changed("database", agents.change(node, "lost data", { data: "empty", belongs: null }), "dataWipe");
}

/** A stopped agent leaves its disk, and perhaps a write on its way or a half-initialised database. */
function* crashes(here: Here): Iterable<Move<World>> {
  const { agents, world, node, name } = here;
  const { index, doing, data } = node;
  const dead = { state: null, doing: null, heard: [], looked: undefined, starting: null, running: null };
  const down = withNode(world, index, agents.change(node, "killed", dead));
  yield moved(`${name} is killed`, befallen(here, "crash", down), true);
  if (doing?.type === "swap") {
    const late = { ...down, late: [...world.late, doing] };
    yield moved(`${name} is killed, its write under way`, befallen(here, "crash", late), true);
  }
  if (doing?.type === "initialise" && data === "empty") {
    const half = withNode(world, index, agents.change(node, "killed half-way", { ...dead, data: "present" }));
    yield moved(`${name} is killed while initialising`, befallen(here, "crash", half), true);
  }
}

function* perform(here: Here): Iterable<Move<World>> {
  const { agents, world, node, name } = here;
  const { doing, starting, index } = node;
  if (starting !== null || isOwn(doing)) {
    const what = starting !== null ? `database starts (${starting.kind})` : ownLabel(doing);
    yield moved(`${name} ${what}`, withTaken(world, index, agents.proceed(node, agents.alone(world.left))));
  }
  if (doing?.type === "initialise" && world.left.hook > 0) {
    const left = spend(world.left, "hook");
    const failed = withTaken({ ...world, left }, index, agents.fail(node, agents.alone(left)));
    yield moved(`${name} fails to initialise its database`, calmed(agents, failed), true);
  }
  if (doing?.type === "read") yield* reading(here);
  else if (doing?.type === "ask") yield* asking(here);
  else if (doing?.type === "swap") yield* swapping(here, doing);
}

function isOwn(doing: Node["doing"]): boolean {
  return doing !== null && doing.type !== "read" && doing.type !== "ask" && doing.type !== "swap";
}

function ownLabel(doing: Node["doing"]): string {
  switch (doing?.type) {
    case "save":
      return `saves ${keptLabel(doing.kept)}`;
    case "initialise":
      return "initialises its database";
    case "park":
      return "sets its database aside";
    default:
      return "takes in the result";
  }
}

function keptLabel({ marker, claim, stamp, opened }: Node["kept"]): string {
  if (marker !== null) return `its marker ${marker.genesis_id}${opened ? ", to be opened" : ""}`;
  if (claim === null) return "that it has no claim";
  return `its claim ${claim.claim_id}${stamp === null ? "" : stamp.done ? ", initialised" : ", to be initialised"}`;
}

function* reading(here: Here): Iterable<Move<World>> {
  const { world, name } = here;
  const { record } = world;
  const seen = record && { record: parse(record.value), at: record };
  yield moved(`${name} reads ${describe(record)}`, told(here, { type: "record", seen, registered: true }));
  if (world.left.away > 0) {
    const gone = { ...world, left: spend(world.left, "away") };
    yield moved(`${name} cannot read`, told(here, { type: "unreadable", problem: "away" }, gone), true);
  }
}

function* swapping(here: Here, write: Extract<Effect, { type: "swap" }>): Iterable<Move<World>> {
  const { scope, agents, world, node, name } = here;
  const beside = claimsBeside(write, node);
  if (beside !== null) return yield moved(`${name} writes ${describe(write)}`, { ...world, wrong: beside });
  const written = applied(scope, agents, world, write);
  // The write has won or lost already: it is not one of those that this write made hopeless.
  const after = written && withNode(written, node.index, node);
  const result =
    after === null
      ? ({ kind: "lost" } as const)
      : ({ kind: "won", revision: after.record?.revision ?? "" } as const);
  const label = `${name} writes ${describe(write)}`;
  yield moved(`${label}: ${result.kind}`, told(here, { type: "swapped", result }, after ?? world));
  if (world.left.unknown === 0) return;
  const left = spend(world.left, "unknown");
  const unknown: Input = { type: "swapped", result: { kind: "unknown", problem: "no answer" } };
  yield moved(`${label}: answer lost`, told(here, unknown, { ...(after ?? world), left }), true);
  const late = { ...world, left, late: [...world.late, write] };
  yield moved(`${label}: time-out, it may come late`, told(here, unknown, late), true);
}

/** The leader key is looked at, and one more peer is asked; after the last one, the answers are there. */
function* asking(here: Here): Iterable<Move<World>> {
  const { scope, agents, world, node, name } = here;
  const about = node.state?.phase.at === "asking" ? node.state.phase.about : null;
  const creates = about === "init" || about === "claim";
  if (creates && hasNative(scope) && node.looked === undefined) return yield* lookingForLeader(here);
  if (about === "join" && agents.reduced) return yield* joining(here);
  const remaining = world.nodes.filter((n) => n !== node && node.heard[n.index] === undefined);
  if (remaining.length === 0 || !matters(here)) return yield* answered(here, `${name} looks`);
  for (const peer of remaining)
    for (const { answer, said, label, isCut } of answersOf(here, peer)) {
      const heard = world.nodes.map((_, k) => (k === peer.index ? answer : node.heard[k]));
      const listening = agents.change(node, `hears ${peer.index} ${said}`, { heard });
      const left = isCut ? spend(world.left, "cut") : world.left;
      const after = { ...here, node: listening, world: { ...withNode(world, node.index, listening), left } };
      const text = `${name} ${label}`;
      if (remaining.length === 1) for (const move of answered(after, text)) yield { ...move, fault: isCut };
      else if (scope.asks === "each") yield moved(text, after.world, isCut);
      else
        for (const move of asking(after))
          yield moved(`${text}, ${move.label}`, move.world, move.fault || isCut);
    }
}

/** Whether what peers say can change what this node does next. */
function matters({ scope, agents, node }: Here): boolean {
  const { phase, seen } = node.state ?? {};
  if (phase?.at !== "asking") return false;
  // Whether the database has begun to write is seen in its directory alone, and whose data they are says it alone.
  if (phase.about === "data" || phase.about === "adopted") return false;
  if (hasNative(scope) || !agents.reduced) return true;
  const rules = agents.ruleOf(node.index);
  if (phase.about === "init") return mayInit(rules);
  return phase.about !== "claim" || !seen || onlyWaits(rules, seen.record) === null;
}

function* lookingForLeader(here: Here): Iterable<Move<World>> {
  const { agents, world, node, name } = here;
  const { leader, runs } = world.native;
  const look = (answers: boolean, label: string, isCut: boolean) => {
    const looked = leader === null ? null : { leader, answers };
    const text = `looked ${leader} ${answers}`;
    const after = withNode(world, node.index, agents.change(node, text, { looked }));
    const left = isCut ? spend(world.left, "cut") : world.left;
    return moved(`${name} ${label}`, { ...after, left }, isCut);
  };
  if (leader === null) yield look(false, "finds no leader record", false);
  else yield look(runs, runs ? "finds a native leader" : "finds a native leader that does not answer", false);
  if (runs && leader !== null && world.left.cut > 0)
    yield look(false, "cannot reach the native leader", true);
}

/** One member that answers is enough, whoever else was asked before; and there may be none. */
function* joining(here: Here): Iterable<Move<World>> {
  const { scope, world, node, name } = here;
  const seen = node.state?.seen?.record;
  const id = seen?.state === "sealed" ? seen.genesis_id : null;
  yield* answered(here, `${name} hears nobody`);
  for (const { index, hello } of world.nodes)
    if (index !== node.index && hello?.marker && hello.marker.genesis_id === id)
      yield* answered(here, `${name} hears n${index}, a member`, { hellos: [hello] });
  if (world.native.runs)
    yield* answered(here, `${name} hears a native database`, { clusters: [nativeCluster(scope)] });
}

type Answer = {
  readonly answer: Hello | null;
  readonly said: string;
  readonly label: string;
  readonly isCut: boolean;
};

/** What asking one peer may bring. */
function answersOf({ scope, agents, world }: Here, { index, kept, hello, says }: Node): readonly Answer[] {
  const answer = scope.silenceCounts ? agents.blankHello(index, kept.incarnation) : null;
  const silence = { answer, said: "nothing", label: `hears nothing from n${index}`, isCut: false };
  if (hello === null) return [silence];
  const heard: Answer = { answer: hello, said: says ?? "", label: `hears n${index}`, isCut: false };
  return world.left.cut === 0
    ? [heard]
    : [heard, { ...silence, label: `cannot reach n${index}`, isCut: true }];
}

function* answered(here: Here, label: string, more: Partial<Answers> = {}): Iterable<Move<World>> {
  const { scope, agents, world, node } = here;
  const isAdopted = node.state?.phase.at === "asking" && node.state.phase.about === "adopted";
  const isClaimed = node.state?.seen?.record.state === "claimed";
  for (const claimerSilent of isClaimed ? [true, false] : [false]) {
    const answers = {
      self: refAt(node.index, node.state?.kept.incarnation ?? ""),
      data: scope.watchesData ? node.data : ("unknown" as const),
      registered: world.nodes.map((n) => refAt(n.index, n.state?.kept.incarnation ?? n.kept.incarnation)),
      hellos: node.heard.filter((h): h is Hello => h != null),
      foreign: foreignLeader(scope, node.looked, node),
      clusters: world.native.runs && !agents.reduced ? [nativeCluster(scope)] : [],
      own: isAdopted ? ownCluster(scope, world, node) : null,
      claimerSilent,
      impatient: true,
      ...more,
    };
    yield moved(
      `${label}${claimerSilent ? " (claimer silent)" : ""}`,
      told(here, { type: "answers", answers }),
    );
  }
}
