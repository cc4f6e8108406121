/**
 * One life of a coordinator: whatever it asks of the world goes through here. It may die at any call, before or after
 * what it asked for was done; then nothing of what it waits for ever comes. A paused one gets it all later.
 */
import type { View } from "../../src/coordinator/pages.ts";
import { type Clock, clockOf } from "../../src/lib/clock.ts";
import type { Time } from "../sim/time.ts";
import type { Kind, Tally } from "./faults.ts";

export type Incarnation = {
  readonly number: number;
  readonly clock: Clock;
  readonly stop: AbortController;
  view: View | null;
  /** It runs no more, of itself. */
  ended: boolean;
  dead: boolean;
  /** Its successor has begun, and it does not know. */
  replaced: boolean;
  /** Calls until it dies; null: it lives on. */
  callsLeft: number | null;
  timers: number;
  /** When what it asked of the store is done, and answered, at the earliest: nothing overtakes. */
  storeAt: number;
  answerAt: number;
  /** Commits and reads under way that may have changed what it knows. */
  unsure: number;
  /** When the last of these came back: who acts in the same moment may not have heard of it yet. */
  sureAt: number;
  /** When it last could not read the store back, or came to have to, and until when it cannot. */
  unreadAt: number;
  blindUntil: number;
  readonly beganAt: number;
  resumedAt: number;
  paused: boolean;
};

export type Life = Incarnation & {
  /** Runs `then` in it: at once, when it goes on, or never. */
  deliver(then: () => void): void;
  pause(): void;
  resume(): void;
  die(): void;
  /** Whether it dies at this call, and on which side of the work. */
  fate(): "lives" | "before" | "after";
};

export type LifeOptions = {
  readonly number: number;
  readonly time: Time;
  readonly wallMs: number;
  readonly flip: () => boolean;
  readonly tally: Tally;
  readonly died: (life: Life) => void;
};

export function beginLife({ number, time, wallMs, flip, tally, died }: LifeOptions): Life {
  const held: (() => void)[] = [];
  const beganAt = time.now();
  const deliver = (then: () => void): void => {
    if (life.dead) return;
    if (life.paused) held.push(then);
    else then();
  };
  const clock = clockOf({
    now: () => time.now() - beganAt,
    wall: () => wallMs + (time.now() - beganAt),
    after(ms, then) {
      if (life.dead || life.fate() !== "lives") {
        if (!life.dead) fall("killed at another call");
        return () => {};
      }
      life.timers += 1;
      let over = false;
      const end = () => {
        if (!over) life.timers -= 1;
        over = true;
      };
      const cancel = time.after(ms, () =>
        deliver(() => {
          if (over) return;
          end();
          then();
        }),
      );
      return () => {
        end();
        cancel();
      };
    },
  });
  const fall = (kind: Kind) => {
    tally.hit(kind);
    life.die();
  };
  const life: Life = {
    ...{ number, clock, stop: new AbortController(), view: null, ended: false, dead: false, replaced: false },
    ...{ callsLeft: null, timers: 0, storeAt: 0, answerAt: 0, unsure: 0, sureAt: 0 },
    unreadAt: 0,
    blindUntil: 0,
    ...{ beganAt, resumedAt: beganAt, paused: false, deliver },
    pause() {
      life.paused = true;
    },
    resume() {
      life.paused = false;
      life.resumedAt = time.now();
      for (const then of held.splice(0)) deliver(then);
    },
    die() {
      if (life.dead) return;
      life.dead = true;
      held.length = 0;
      died(life);
    },
    fate() {
      if (life.callsLeft === null) return "lives";
      life.callsLeft -= 1;
      if (life.callsLeft >= 0) return "lives";
      return flip() ? "before" : "after";
    },
  };
  return life;
}

/** What never comes. */
export function never<T>(): Promise<T> {
  return new Promise(() => {});
}
