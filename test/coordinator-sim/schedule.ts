/** One schedule: a world made by a seed, a time in which things go wrong, one in which nothing does, and the truth at its end. */
import { createHash } from "node:crypto";
import { pino } from "pino";
import { openCoordinator } from "../../src/coordinator/coordinator.ts";
import { replayed } from "../../src/core/replay.ts";
import { clockOf } from "../../src/lib/clock.ts";
import { openStore } from "../../src/store/open.ts";
import { chanceOf } from "../sim/chance.ts";
import { accept, clusterDocument, discoveryDocument, strike, tries } from "./blows.ts";
import type { Kind } from "./faults.ts";
import { checkLog, checkMemory, checkTruth } from "./truth.ts";
import { openWorld, type Program, type World } from "./world.ts";

export type ScheduleOptions = {
  readonly seed: number;
  /** The shipped one where it is not given. */
  readonly program?: Program;
  readonly print?: (line: string) => void;
};

export type Result = {
  readonly seed: number;
  readonly happened: number;
  readonly committed: number;
  /** Of all that happened: the same for the same seed. */
  readonly hash: string;
  readonly counts: ReadonlyMap<Kind, number>;
  readonly violations: readonly string[];
};

const MOST_VIOLATIONS = 5;
const LOOK_MS = 500;
/** After everything is well: any look or refresh that still runs ends, and each runs again. */
const SETTLE_MS = 36_000;
const QUIET_MS = 16_000;

const log = pino({ enabled: false });

export async function runSchedule({
  seed,
  program = { openCoordinator },
  print,
}: ScheduleOptions): Promise<Result> {
  const chance = chanceOf(seed);
  const violations: string[] = [];
  const hash = createHash("sha256");
  let isOver = false;
  const note = (line: string) => {
    if (isOver) return;
    hash.update(line);
    print?.(line);
  };
  // The store's own clock only waits between commits, which one in memory does not.
  const clock = clockOf({ now: () => 0, wall: () => 0, after: () => () => {} });
  const store = await openStore("memory:", { source: "/rollcall/sim", clock, log, replayed });
  const retention = { ageMs: chance.pick([40_000, 3_600_000]), most: chance.pick([20, 100_000]) };
  // With less room than this, who is due just after two others would be left out each time.
  const room = chance.is(0.15) ? { most: 2, workers: chance.whole(1, 2) } : null;
  const world = openWorld({
    ...{ chance, store, program, log, retention, room, note },
    violate(what) {
      if (violations.length < MOST_VIOLATIONS && !violations.includes(what)) violations.push(what);
      world.note(`VIOLATION ${what}`);
    },
  });
  const over = () => violations.length >= MOST_VIOLATIONS;
  people(world);
  world.begin();
  watchOn(world);
  let happened = await world.time.run(50, over);
  begin(world);
  happened += await world.time.run(2_000, over);
  const lastsMs = chance.between(20_000, 90_000);
  blowOn(world, 2_000 + lastsMs, chance.between(400, 2_500));
  happened += await world.time.run(2_000 + lastsMs, over);
  happened += await heal(world, over);
  if (violations.length === 0) {
    checkTruth(world);
    await checkLog(world, store);
  }
  world.life?.stop.abort();
  await world.time.run(world.time.now() + 5_000, over);
  const { committed } = await store.extent().then(({ newest }) => ({ committed: newest }));
  await store.close();
  isOver = true;
  // What the killed ones wait for would never be let go of otherwise.
  for (const life of world.lives) life.stop.abort();
  return {
    seed,
    happened,
    committed,
    hash: hash.digest("hex").slice(0, 16),
    counts: world.tally.counts,
    violations,
  };
}

/** Clusters, and who lists them. */
function people({ chance, fleet, sources }: World): void {
  for (let left = chance.whole(1, 3); left > 0; left--) fleet.grow(`prod/c${left}`, chance.whole(1, 4));
  for (let left = chance.whole(1, 2); left > 0; left--) {
    const name = `d${left}`;
    const leased = chance.is(0.3);
    const naming = leased || chance.is(0.3);
    sources.set(name, {
      ...{ name, clusters: new Set(), naming, leased, retired: new Set(), trouble: "none" },
    });
  }
  for (const { id } of fleet.clusters) chance.pick([...sources.values()]).clusters.add(id);
}

function documents({ chance, fleet, sources }: World) {
  return {
    discoveries: [...sources.keys()].map((name) => discoveryDocument(name, chance.whole(1, 5))),
    clusters: fleet.clusters.map(({ id }) => clusterDocument(id, chance.whole(1, 5))),
  };
}

/** An operator says what is wanted: all at once, or of clusters only when they are first seen, or about then. */
function begin(world: World): void {
  const { discoveries, clusters } = documents(world);
  const say = (all: readonly object[]) => tries(world.life?.view?.apply(JSON.stringify(all)));
  const isWhole = world.chance.is(0.5);
  say(isWhole ? [...discoveries, ...clusters] : discoveries);
  for (const one of isWhole ? [] : clusters) world.time.after(world.chance.between(0, 100), () => say([one]));
}

function watchOn(world: World): void {
  world.time.after(LOOK_MS, () => {
    if (world.life !== null && !world.life.dead) world.watch.look(world.life, world.fleet.agents().length);
    if (world.life?.view?.inDoubt() === 0) checkMemory(world);
    watchOn(world);
  });
}

function blowOn(world: World, untilMs: number, meanMs: number): void {
  world.time.after(-Math.log(1 - world.chance.next()) * meanMs, () => {
    if (world.time.now() >= untilMs) return;
    strike(world);
    blowOn(world, untilMs, meanMs);
  });
}

/** Everything is put right, and an operator says once more what is wanted. Gives the events that it took. */
async function heal(world: World, over: () => boolean): Promise<number> {
  const { fleet, trouble, sources, time } = world;
  world.quiet = true;
  Object.assign(trouble.store, { failing: 0, unknown: 0, unread: 0, slowMs: 0 });
  Object.assign(trouble.poll, { own: 0, earlier: 0, allSilent: false });
  for (const source of sources.values()) source.trouble = "none";
  for (const agent of fleet.agents()) {
    agent.reach = "answers";
    if (agent.lie !== null) fleet.touch(agent);
    agent.lie = null;
  }
  if (world.life !== null) world.life.callsLeft = null;
  let events = await time.run(time.now() + SETTLE_MS, over);
  trouble.poll.allSilent = false;
  if (world.life === null || world.life.dead || world.life.view === null) {
    world.violate("it does not run though nothing keeps it from that");
    return events;
  }
  checkMemory(world);
  const { discoveries, clusters } = documents(world);
  const all = [...discoveries, ...clusters];
  const applied = await settled(world, world.life.view.apply(JSON.stringify(all)), over);
  if (!applied) world.violate("settings cannot be applied though the store is well");
  events += await time.run(time.now() + QUIET_MS, over);
  for (const name of sources.keys()) accept(world, name);
  events += await time.run(time.now() + QUIET_MS, over);
  return events;
}

/** Whether it ends well within some time. */
async function settled(world: World, work: Promise<unknown>, over: () => boolean): Promise<boolean> {
  let well: boolean | null = null;
  work.then(
    () => {
      well = true;
    },
    () => {
      well = false;
    },
  );
  await world.time.run(world.time.now() + 5_000, () => well !== null || over());
  return well === true;
}
