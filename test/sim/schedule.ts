/** One schedule: a world drawn from a seed, what goes wrong in it, and what came of it. */
import { runAgent } from "../../src/agent/agent.ts";
// The agent loads it when it starts: nothing simulated waits for the machine.
import "../../src/databases/none.ts";
import type { Explanation } from "../../src/core/explain.ts";
import { type Blow, blowsFor, strike, strikeAtVote } from "./blows.ts";
import { openElectorate } from "./electorate.ts";
import type { Kind, Weather } from "./faults.ts";
import type { Life } from "./life.ts";
import { type Demand, demandOf, HOPELESS_MS, HORIZON_MS, heal, missingOf } from "./liveness.ts";
import { virtualNames } from "./names.ts";
import { virtualNetwork } from "./network.ts";
import { type Place, type Program, type SimNode, simNode } from "./node.ts";
import { attend } from "./operator.ts";
import { openOracle } from "./oracle.ts";
import { flagsOf, type Scene } from "./scene.ts";
import type { Mode, Shape } from "./shape.ts";
import { virtualStore } from "./store.ts";
import { newWorld, type World } from "./world.ts";

export type Options = {
  readonly seed: number;
  /** The agent as it is shipped, where nothing else is given. */
  readonly program?: Program;
  /** Null, or nothing: it is drawn. */
  readonly mode?: Mode | null;
  /** Gets every line of the trace. */
  readonly print?: (line: string) => void;
};

export type Result = {
  readonly seed: number;
  readonly hash: string;
  readonly counts: ReadonlyMap<Kind, number>;
  readonly violations: readonly string[];
  /** How many geneses were opened: 0 or 1 where all is well. */
  readonly formed: number;
  /** What was demanded after healing; null in a safety schedule. */
  readonly demand: Demand | null;
  /** From healing until all who had to had settled, in virtual milliseconds. */
  readonly settledAfterMs: number | null;
  readonly events: number;
  /** It ended before its time, where a limit of what can be promised was met. */
  readonly limited: boolean;
};

/** What those who were told to stop are given at the end. */
const LAST_STOPS_MS = 13_000;
/** More events than this in one schedule: something runs hot. */
const MOST_EVENTS = 50_000;

/** Runs the schedule of one seed. */
export async function runSchedule(options: Options): Promise<Result> {
  const { seed, program = { runAgent }, mode = null, print } = options;
  const trace = newWorld(seed, print ?? null);
  const world: World = { ...trace.world, isCut: (from, to) => network.isCut(from, to) };
  const network = virtualNetwork(world);
  const { time, chance, note } = world;
  const store = virtualStore(world);
  const oracle = openOracle(world);
  const shape = shapeOf(world, mode);
  note("shape", JSON.stringify(shape));
  const again = (node: SimNode) => {
    if (!scene.gone.has(node)) time.after(chance.between(20, scene.healed ? 500 : 4_000), () => node.start());
  };
  const names = virtualNames(world, () => nodes.map((node) => node.flags().host));
  const openProvider = (host: string, life: Life) =>
    shape.mode === "store" ? store.open(host, life) : names.open(life);
  const electorate = openElectorate(shape, () => nodes);
  const kept = (node: SimNode) => {
    electorate.enters(node);
    oracle.kept(node);
  };
  const place: Place = { world, network, oracle, program, mode: shape.mode, openProvider, kept };
  const nodes: SimNode[] = Array.from({ length: shape.voters + shape.nonVoters }, (_, at) =>
    simNode(place, `m${at + 1}`, flagsOf(shape, at), again),
  );
  const scene: Scene = {
    ...{ world, network, store, oracle, electorate, shape, nodes, gone: new Set(), healed: false },
    add(flags) {
      const node = simNode(place, `m${nodes.length + 1}`, flags, again);
      nodes.push(node);
      node.start();
    },
  };
  setWeather(world);
  for (const node of nodes)
    time.after(chance.is(0.7) ? chance.between(0, 300) : chance.between(0, 5_000), () => node.start());
  for (const blow of blowsFor(scene))
    if (shape.mode === "names" && chance.is(0.4)) strikeAtVote(scene, blow);
    else time.after(atMs(world, shape, blow), () => strike(scene, blow));

  const bad = () => oracle.violations().length > 0 || electorate.isOver();
  let events = await time.run(shape.chaosMs, bad);
  let demand: Demand | null = null;
  let settledAfterMs: number | null = null;
  if (shape.live && !bad()) {
    const core = heal(scene);
    const healedMs = time.now();
    const settled = () => missingOf(scene, core).length === 0 && demandOf(scene, core).sufficient;
    attend(scene, core);
    events += await time.run(healedMs + HOPELESS_MS, () => bad() || settled());
    if (!settled() && demandOf(scene, core).sufficient)
      events += await time.run(healedMs + HORIZON_MS, () => bad() || settled());
    demand = demandOf(scene, core);
    if (settled()) settledAfterMs = time.now() - healedMs;
    else if (demand.sufficient && !bad()) await complain(scene, demand);
  }
  const stopsBy = time.now() + LAST_STOPS_MS;
  if (oracle.waits()) events += await time.run(stopsBy, () => bad() || !oracle.waits());
  if (events > MOST_EVENTS) oracle.violate(`${events} events: something runs hot`);
  note("over", `${events} ${oracle.opened().length}`);
  for (const node of nodes) node.end();
  const { counts } = trace;
  const formed = oracle.opened().length;
  const limited = electorate.isOver();
  return {
    ...{ seed, hash: trace.hash(), counts, violations: oracle.violations(), formed },
    ...{ demand: limited ? null : demand, settledAfterMs, events, limited },
  };
}

function shapeOf({ chance }: World, given: Mode | null): Shape {
  const drawn = chance.is(0.4) ? "names" : "store";
  const mode = given ?? drawn;
  const expect = mode === "store" && chance.is(0.15) ? 1 : chance.whole(2, 4);
  const wipes = mode === "store" && chance.is(0.3);
  const nonVoters = chance.is(0.3) ? 1 : 0;
  const most = 6 - nonVoters;
  const spare =
    mode === "store"
      ? Math.max(3, expect + chance.whole(0, 2))
      : expect + (chance.is(0.5) ? 0 : chance.whole(0, expect - 1));
  const voters = wipes ? expect : Math.min(most, spare);
  const formation = chance.is(0.5) ? "single" : "symmetric";
  return {
    ...{ mode, expect, voters, nonVoters, formation, wipes },
    initialises: formation === "single" && chance.is(0.5),
    chaosMs: chance.is(0.7) ? chance.between(3_000, 8_000) : chance.between(8_000, 30_000),
    live: chance.is(0.6),
  };
}

/** Some of it is bad in most schedules, and all of it in none. */
function setWeather({ chance, weather }: World): void {
  const calm = chance.is(0.3);
  for (const name of Object.keys(weather) as (keyof Weather)[])
    weather[name] = !calm && chance.is(0.3) ? chance.between(0.01, 0.25) : 0;
  // It happens once or twice in a schedule, where the others have hundreds of messages to choose from.
  weather.initFails = chance.is(0.6) ? chance.between(0.3, 0.9) : 0;
}

/** Most of what matters happens while the cluster forms, which takes less than a second. */
function atMs({ chance }: World, { chaosMs }: Shape, blow: Blow): number {
  if (blow.endsWith("at a vote") || blow === "voter's database wiped") return chance.between(0, 300);
  if (chance.is(0.15)) return 0;
  return chance.is(0.6) ? chance.between(0, 2_500) : chance.between(0, chaosMs);
}

/** Why nothing forms, in each agent's own words. */
async function complain({ nodes, network, oracle }: Scene, { missing }: Demand): Promise<void> {
  const words: string[] = [];
  for (const node of nodes) {
    const answer =
      node.isUp() && !node.life()?.isPaused()
        ? await network.askHere(node.flags().host, "/v1/explain")
        : null;
    const said =
      answer === null ? (node.ended() ?? "down") : (JSON.parse(answer.body) as Explanation).summary;
    words.push(`${node.name}: ${said}`);
  }
  oracle.violate(`not settled ${HORIZON_MS / 1_000} s after healing: ${missing.join()}; ${words.join("; ")}`);
}
