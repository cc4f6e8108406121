/**
 * The virtual store: the Discovery Service's own register, whose calls go over the virtual network. It may be away,
 * slow or wiped; its acknowledgements get lost, writes land after their caller has given up, watches lag behind.
 */
import { aborted, unreachable } from "../../providers/failure.ts";
import type { Lookup, Provider } from "../../src/core/provider.ts";
import { createRegisters, type Registers } from "../../src/discovery-service/registers.ts";
import { openProvider, type Store } from "../support/memory.ts";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** The name of the store on the network. */
export const STORE = "store";
const KEY = "rollcall";
const TTL_MS = 10_000;
/** Looks that a watch may show again when it lags behind. */
const MOST_OLD = 6;

export type VirtualStore = {
  /** The store as one process at `host` sees it. */
  open(host: string, life: Life): Provider;
  setDown(down: boolean): void;
  wipe(): void;
  /** Every lease is over at once, as when the store loses its sessions. */
  lapse(): void;
  /** The genesis record's text as it is; null: absent. */
  genesis(): string | null;
};

export function virtualStore(world: World): VirtualStore {
  const { time, chance, weather, count, note } = world;
  const old: Lookup[] = [];
  let registers: Registers = createRegisters({ uuid: chance.uuid });
  let turn = new AbortController();
  let down = false;
  let sweepAt: number | null = null;

  const disturb = (change: () => void) => {
    const before = turn;
    change();
    turn = new AbortController();
    before.abort();
  };
  const sweep = () => {
    const nextMs = registers.expire(time.now());
    if (nextMs === null || (sweepAt !== null && sweepAt <= nextMs && sweepAt > time.now())) return;
    sweepAt = nextMs;
    time.after(nextMs - time.now(), sweep);
  };
  const does = <T>(work: () => T): T => {
    const value = work();
    sweep();
    return value;
  };

  const perform = <T>(
    [host, life]: readonly [string, Life],
    call: string,
    signal: AbortSignal,
    work: () => T,
  ) =>
    new Promise<T>((resolve, reject) => {
      if (signal.aborted) return reject(aborted(call, signal));
      if (!life.step(`${call}…`)) return;
      let done = false;
      const settle = (then: () => void) => {
        if (done) return;
        done = true;
        signal.removeEventListener("abort", abort);
        then();
      };
      const abort = () => settle(() => reject(aborted(call, signal)));
      signal.addEventListener("abort", abort, { once: true });
      const fail = (what: string, ms: number) =>
        time.after(ms, () => life.reach(() => settle(() => reject(unreachable(call, what, STORE)))));
      const there = chance.between(0.3, 4) + slowness();
      const trouble = troubleOf(call);
      note(call, host);
      if (world.isCut(host, STORE)) return count("store cut from a node");
      if (trouble === "unavailable") return void fail("503 Service Unavailable", there);
      if (trouble === "late") {
        // The caller may hear of a failure, or of nothing.
        if (chance.is(0.5)) fail("connection reset", there);
        time.after(chance.between(50, 12_000), () => {
          count("write lands late");
          note("late", `${call} ${host}`);
          does(work);
        });
        return;
      }
      time.after(there, () => {
        if (down) {
          count("store down");
          return void fail("connection refused", 1);
        }
        let end: { readonly value: T } | { readonly error: unknown };
        try {
          end = { value: does(work) };
        } catch (error) {
          end = { error };
        }
        if (trouble === "ackLost") {
          count("write acknowledged to nobody");
          if (chance.is(0.5)) fail("connection reset", 1);
          return;
        }
        if (world.isCut(STORE, host)) return count("store cut from a node");
        time.after(chance.between(0.3, 4), () => {
          if (!life.step(call)) return;
          life.reach(() => settle(() => ("value" in end ? resolve(end.value) : reject(end.error))));
        });
      });
    });

  const slowness = () => {
    if (!chance.is(weather.slow)) return 0;
    count("store slow");
    return chance.between(100, 6_000);
  };
  const troubleOf = (call: string): "unavailable" | "ackLost" | "late" | null => {
    const writes = call !== "read" && call !== "lookup" && call !== "watch";
    if (chance.is(weather.unavailable)) {
      count("store unavailable (5xx)");
      return "unavailable";
    }
    if (writes && chance.is(weather.ackLost)) return "ackLost";
    return writes && chance.is(weather.late) ? "late" : null;
  };

  return {
    open(host, life) {
      const store: Store = {
        id: KEY,
        ttlMs: TTL_MS,
        registers: () => registers,
        nowMs: time.now,
        turn: () => turn.signal,
        perform: (call, signal, work) => perform([host, life], call, signal, work),
      };
      const provider = openProvider(store);
      return {
        ...provider,
        watch: (signal) => lagging({ world, life, old, signal }, provider.watch?.(signal) ?? none()),
      };
    },
    setDown: (next) => disturb(() => (down = next)),
    wipe: () => disturb(() => (registers = createRegisters({ uuid: chance.uuid }))),
    lapse() {
      registers.expire(time.now() + TTL_MS + 1);
    },
    genesis: () => registers.read(KEY, "genesis")?.value ?? null,
  };
}

async function* none(): AsyncGenerator<Lookup> {}

type Lag = {
  readonly world: World;
  readonly life: Life;
  /** Earlier looks of any node. */
  readonly old: Lookup[];
  readonly signal: AbortSignal;
};

/** A watch that may show first how things were. */
async function* lagging(
  { world, life, old, signal }: Lag,
  watch: AsyncIterable<Lookup>,
): AsyncGenerator<Lookup> {
  const { chance, weather, count } = world;
  for await (const lookup of watch) {
    if (old.length > 0 && chance.is(weather.stale)) {
      count("stale watch");
      yield chance.pick(old);
      await life.clock.sleep(chance.between(10, 3_000), signal);
    }
    old.push(lookup);
    if (old.length > MOST_OLD) old.shift();
    yield lookup;
  }
}
