/**
 * The store as one incarnation has it: the real one, behind which it may die, fail, be slow, and not know. What is asked
 * for in order is done in order, as the real one does.
 */
import { codeOf, RollcallError } from "../../src/lib/errors.ts";
import type { Commit, Store } from "../../src/store/store.ts";
import type { Chance } from "../sim/chance.ts";
import type { Time } from "../sim/time.ts";
import type { Tally } from "./faults.ts";
import { type Life, never } from "./incarnation.ts";
import type { Ledger } from "./ledger.ts";

/** How the store does, for as long as somebody says so. */
export type StoreTrouble = { failing: number; unknown: number; unread: number; slowMs: number };

export type StoredOptions = {
  readonly store: Store;
  readonly life: Life;
  readonly time: Time;
  readonly chance: Chance;
  readonly tally: Tally;
  readonly trouble: StoreTrouble;
  readonly ledger: Ledger;
};

export function storeFor(options: StoredOptions): Store {
  const { store, life, chance, tally, trouble, ledger } = options;
  const ask = asking(options);
  const read = <T>(work: () => Promise<T>): Promise<T> =>
    ask(async () => {
      if (options.time.now() >= life.blindUntil && !chance.is(trouble.unread)) return work();
      tally.hit("the store could not be read");
      life.unreadAt = options.time.now();
      throw new RollcallError("store", "read the store: disk I/O error");
    });
  return {
    async commit(commits) {
      const isWide = commits.some(({ kind }) => kind !== "run");
      const before = ledger.asked(life, commits);
      if (isWide) life.unsure += 1;
      try {
        return await ask(() => commit(commits));
      } catch (error) {
        // It is to be read back first.
        if (codeOf(error) === "store_unknown") life.unreadAt = options.time.now();
        throw error;
      } finally {
        if (isWide) {
          life.unsure -= 1;
          life.sureAt = options.time.now();
        }
      }
      async function commit(all: readonly Commit[]) {
        if (life.replaced && all.some(({ kind }) => kind !== "cluster"))
          throw new RollcallError("locked", "the store is in use by another coordinator");
        const fault = faultOf(chance, trouble);
        // A store that cannot tell what became of a commit often cannot be read either.
        if ((fault === "done" || fault === "unknown") && isWide && chance.is(0.4))
          life.blindUntil = options.time.now() + chance.between(20, 5_000);
        if (fault === "failed") {
          tally.hit("the store failed");
          throw new RollcallError("store", "write to the store: disk I/O error");
        }
        if (fault === "unknown") {
          tally.hit("the store failed, and nobody knew whether");
          throw new RollcallError("store_unknown", "write to the store: disk I/O error");
        }
        const events = await store.commit(all).catch((error: unknown) => {
          ledger.refused(life, all, error);
          throw error;
        });
        ledger.committed(life, all, before, events);
        if (fault === "done") {
          tally.hit("the store failed, and had done it");
          throw new RollcallError("store_unknown", "write to the store: disk I/O error");
        }
        return events;
      }
    },
    fence: (id) =>
      ask(async () => {
        if (life.replaced) throw new RollcallError("locked", "the store is in use by another coordinator");
        if (chance.is(trouble.failing))
          throw new RollcallError("store", "write to the store: disk I/O error");
        const fence = await store.fence(id);
        ledger.granted(id, fence);
        if (chance.is(trouble.unknown)) throw new RollcallError("store_unknown", "write to the store");
        return fence;
      }),
    discoveries: () => read(store.discoveries),
    records: () => read(store.records),
    settings: () => read(store.settings),
    clusters: () => read(store.clusters),
    discovery: (name) => read(() => store.discovery(name)),
    recordsOf: (name) => read(() => store.recordsOf(name)),
    settingsOf: (id) => read(() => store.settingsOf(id)),
    cluster: (id) => read(() => store.cluster(id)),
    retain: (retention) => ask(() => (life.replaced ? Promise.resolve(0) : store.retain(retention))),
    events: store.events,
    extent: store.extent,
    position: store.position,
    snapshot: store.snapshot,
    close: async () => {},
  };
}

function faultOf(chance: Chance, trouble: StoreTrouble): "none" | "failed" | "unknown" | "done" {
  if (chance.is(trouble.failing)) return "failed";
  if (!chance.is(trouble.unknown)) return "none";
  return chance.is(0.6) ? "done" : "unknown";
}

/** Does `work` when its turn comes, and answers after; the incarnation may die on either side of it. */
function asking({ life, time, chance, tally, trouble }: StoredOptions) {
  const delay = (): number => {
    if (trouble.slowMs > 0 && chance.is(0.5)) {
      tally.hit("the store was slow");
      return chance.between(0, trouble.slowMs);
    }
    return chance.is(0.7) ? 0 : chance.between(0, 8);
  };
  return <T>(work: () => Promise<T>): Promise<T> => {
    const fate = life.dead ? "before" : life.fate();
    if (fate === "before") {
      if (!life.dead) tally.hit("killed before the store did it");
      life.die();
      return never();
    }
    return new Promise<T>((resolve, reject) => {
      life.storeAt = Math.max(life.storeAt, time.now() + delay());
      time.after(life.storeAt - time.now(), () => life.deliver(() => void begin()));
      const begin = async () => {
        const tell = await work().then(
          (value) => () => resolve(value),
          (error: unknown) => () => reject(error),
        );
        if (fate === "after" && !life.dead) {
          tally.hit("killed after the store did it");
          life.die();
        }
        life.answerAt = Math.max(life.answerAt, time.now() + delay());
        time.after(life.answerAt - time.now(), () => life.deliver(tell));
      };
    });
  };
}
