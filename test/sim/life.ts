/**
 * One life of a process: its clock, and the gate through which everything reaches it. A dead one is reached by
 * nothing and does nothing more, wherever it was; a stopped one (SIGSTOP) gets all that came when it goes on.
 */
import { type Clock, clockOf } from "../../src/lib/clock.ts";
import type { Time } from "./time.ts";

/** 1 January 2026. */
const EPOCH_MS = 1_767_225_600_000;

export type Life = {
  readonly clock: Clock;
  isAlive(): boolean;
  isPaused(): boolean;
  /** When it last went on after having been stopped; 0: never. */
  resumedAtMs(): number;
  /** Passes a point at which the process may be killed; false: it is dead, and the caller must do nothing. */
  step(what: string): boolean;
  /** Calls `work` in the process: at once, when it goes on, or never. */
  reach(work: () => void): void;
  /**
   * Work that the machine does for the process: `effect` is done after `ms` unless the process is dead by then,
   * and the process is told. It can be killed before, between and after.
   */
  perform<T>(what: string, ms: number, effect: () => T): Promise<T>;
  kill(): void;
  pause(): void;
  resume(): void;
};

/** A life that begins now. `stepped` is told each point that is passed, and may kill. */
export function beginLife(time: Time, stepped: (what: string) => void): Life {
  let alive = true;
  let held: (() => void)[] | null = null;
  let resumedAtMs = 0;
  const reach = (work: () => void) => {
    if (!alive) return;
    if (held === null) work();
    else held.push(work);
  };
  const after = (ms: number, then: () => void) => {
    let gone = false;
    const cancel = time.after(ms, () =>
      reach(() => {
        if (!gone) then();
      }),
    );
    return () => {
      gone = true;
      cancel();
    };
  };
  const life: Life = {
    clock: clockOf({ now: time.now, wall: () => EPOCH_MS + time.now(), after }),
    isAlive: () => alive,
    isPaused: () => held !== null,
    resumedAtMs: () => resumedAtMs,
    step(what) {
      if (alive) stepped(what);
      return alive;
    },
    reach,
    perform: (what, ms, effect) =>
      new Promise((resolve, reject) => {
        if (!life.step(`${what}…`)) return;
        time.after(ms, () => {
          if (!alive) return;
          const end = outcomeOf(effect);
          if (life.step(what)) reach(() => ("value" in end ? resolve(end.value) : reject(end.error)));
        });
      }),
    kill() {
      alive = false;
      held = null;
    },
    pause() {
      if (alive) held ??= [];
    },
    resume() {
      if (held === null) return;
      const works = held;
      resumedAtMs = time.now();
      held = null;
      for (const work of works) reach(work);
    },
  };
  return life;
}

function outcomeOf<T>(effect: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: effect() };
  } catch (error) {
    return { error };
  }
}
