/** Everything around a coordinator, on one clock: agents, inventories, its store, and whoever starts it again. */
import type { Coordinator, CoordinatorDeps } from "../../src/coordinator/coordinator.ts";
import type { Room } from "../../src/coordinator/scheduler.ts";
import type { Inventory } from "../../src/core/inventory.ts";
import type { DiscoverySettings } from "../../src/core/settings.ts";
import { reason } from "../../src/lib/errors.ts";
import type { Log } from "../../src/lib/log.ts";
import type { Store } from "../../src/store/store.ts";
import type { Chance } from "../sim/chance.ts";
import { type Time, virtualTime } from "../sim/time.ts";
import { agentsFor, type PollTrouble } from "./agents.ts";
import { openTally, type Tally } from "./faults.ts";
import { type Fleet, openFleet } from "./fleet.ts";
import { beginLife, type Life, never } from "./incarnation.ts";
import { lookAt, type Source } from "./inventories.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import { type StoreTrouble, storeFor } from "./stored.ts";
import { openWatch, type Watch } from "./watch.ts";

/** The coordinator that is tried. */
export type Program = {
  readonly openCoordinator: (deps: CoordinatorDeps, signal: AbortSignal) => Promise<Coordinator>;
};

export type World = {
  readonly time: Time;
  readonly chance: Chance;
  readonly tally: Tally;
  readonly fleet: Fleet;
  readonly sources: Map<string, Source>;
  readonly ledger: Ledger;
  readonly watch: Watch;
  readonly trouble: { readonly store: StoreTrouble; readonly poll: PollTrouble };
  /** What operators accept just now. */
  readonly accepting: Set<{ readonly name: string }>;
  readonly room: Room | null;
  /** Nothing new goes wrong. */
  quiet: boolean;
  life: Life | null;
  /** All so far, the last one too. */
  readonly lives: Life[];
  /** The clock of the wall, against the world's own. */
  wallMs: number;
  violate(what: string): void;
  note(what: string): void;
  begin(): void;
};

export type WorldOptions = {
  readonly chance: Chance;
  readonly store: Store;
  readonly program: Program;
  readonly log: Log;
  readonly retention: CoordinatorDeps["retention"];
  /** For tasks; null: as much as the coordinator is shipped with. */
  readonly room: Room | null;
  readonly violate: (what: string) => void;
  readonly note: (what: string) => void;
};

const START = Date.UTC(2026, 0, 1);

export function openWorld(options: WorldOptions): World {
  const { chance, violate } = options;
  const time = virtualTime();
  const tally = openTally();
  const fleet = openFleet(chance);
  const watch = openWatch({ time, violate, tally, room: options.room, ledger: () => world.ledger });
  const accepting = new Set<{ readonly name: string }>();
  const ledger = openLedger({
    ...{ fleet, tally, violate, seen: watch.seen, said: watch.said },
    accepting: (name) => [...accepting].some((one) => one.name === name),
    source: (name) => world.sources.get(name) ?? null,
    emptied: watch.emptied,
  });
  const world: World = {
    ...{
      time,
      chance,
      tally,
      fleet,
      sources: new Map(),
      ledger,
      watch,
      accepting,
      quiet: false,
      life: null,
      lives: [],
    },
    trouble: {
      store: { failing: 0, unknown: 0, unread: 0, slowMs: 0 },
      poll: { own: 0, earlier: 0, allSilent: false },
    },
    ...{ wallMs: START, violate, room: options.room },
    note: (what) => options.note(`${(time.now() / 1_000).toFixed(3)} ${what}`),
    begin: () => begin(world, options),
  };
  return world;
}

function begin(world: World, options: WorldOptions): void {
  const { time, chance, tally, fleet, watch, ledger, trouble } = world;
  const life = beginLife({
    ...{ number: world.lives.length + 1, time, tally, wallMs: world.wallMs + time.now() },
    flip: () => chance.is(0.5),
    died(dead) {
      world.note(`coordinator ${dead.number} is dead`);
      if (world.life === dead)
        soon(world, chance.is(0.7) ? chance.between(10, 2_000) : chance.between(0, 20_000));
    },
  });
  world.life = life;
  world.lives.push(life);
  world.accepting.clear();
  world.note(`coordinator ${life.number} begins`);
  const looking = new Set<string>();
  const deps: CoordinatorDeps = {
    ...{ name: "sim", version: "0", retention: options.retention, log: options.log },
    store: storeFor({
      ...{ store: options.store, life, time, chance, tally, ledger },
      trouble: trouble.store,
    }),
    client: agentsFor({ ...{ life, fleet, time, chance, tally, watch, ledger }, trouble: trouble.poll }),
    openInventory: async (settings) => inventoryOf(world, life, settings, looking),
    checkInventory: async () => ({ ok: true }),
    pacing: { clock: life.clock, random: chance.next },
    ...(options.room === null ? {} : { room: options.room }),
  };
  const ended = (error: unknown) => {
    if (life.dead) return;
    world.note(`coordinator ${life.number} ended: ${error === null ? "in order" : reason(error)}`);
    life.ended = true;
    if (error === null && !life.stop.signal.aborted) world.violate("it ended by itself");
    life.die();
  };
  options.program
    .openCoordinator(deps, life.stop.signal)
    .then((coordinator) => {
      life.view = coordinator.view;
      return coordinator.run();
    })
    .then(
      () => ended(null),
      (error: unknown) => {
        if (life.view !== null) world.violate(`it ended by itself: ${reason(error)}`);
        ended(error);
      },
    );
}

/** Whoever runs it starts it again. */
function soon(world: World, delayMs: number): void {
  const before = world.life;
  world.time.after(delayMs, () => {
    if (world.life === before) world.begin();
  });
}

function inventoryOf(world: World, life: Life, settings: DiscoverySettings, looking: Set<string>): Inventory {
  const { name } = settings;
  return {
    look(signal) {
      const source = world.sources.get(name);
      if (life.dead || life.fate() !== "lives") {
        if (!life.dead) world.tally.hit("killed at another call");
        life.die();
        return never();
      }
      if (source === undefined) return Promise.reject(new Error(`no source ${name}`));
      if (looking.has(name)) world.violate(`${name} is looked at twice at once`);
      looking.add(name);
      const { delayMs, answer } = lookAt(source, world.fleet, world.chance, world.tally);
      return new Promise((resolve, reject) => {
        const end = (tell: () => void) => {
          looking.delete(name);
          signal.removeEventListener("abort", abort);
          cancel();
          tell();
        };
        const abort = () => end(() => reject(signal.reason));
        const cancel = world.time.after(delayMs ?? 3_600_000, () =>
          life.deliver(() =>
            end(() => {
              try {
                resolve(answer());
              } catch (error) {
                reject(error);
              }
            }),
          ),
        );
        if (signal.aborted) abort();
        else signal.addEventListener("abort", abort, { once: true });
      });
    },
    close: async () => {},
  };
}
