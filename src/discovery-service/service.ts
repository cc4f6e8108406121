/** The Discovery Service without a socket of its own: what answers, and the timers that end leases and ids. */
import type { Contents } from "./durable.ts";
import { type App, type AppOptions, createApp, type Deps } from "./http.ts";

/** Many leases that end together are one sweep. */
const SWEEP_MS = 50;
/** How often ids that nobody uses are looked for. */
const LOOK_MS = 3_600_000;
const UNUSED_MS = 720 * 3_600_000;

/** What it is made of. `unusedMs`: how long an id that was created is kept when nobody uses it; one with registers or members stays. */
export type ServiceOptions = Omit<AppOptions, "leased" | "created"> & { readonly unusedMs?: number };

/** A service that answers. `end` ends long polls at once (503) and leaves no timer; safe twice. */
export type Service = Pick<App, "app" | "metrics"> & { end(): void };

/** Answers from now on, and ends the leases and the unused ids in the contents. */
export function openService({ unusedMs = UNUSED_MS, ...options }: ServiceOptions, deps: Deps): Service {
  const sweeps = createSweeps(options, deps);
  const looks = createLooks(options, unusedMs, deps);
  const { app, holds, metrics } = createApp({ ...options, leased: sweeps.arm, created: looks.arm }, deps);
  sweeps.arm();
  looks.arm();
  return {
    app,
    metrics,
    end() {
      sweeps.stop();
      looks.stop();
      holds.close();
    },
  };
}

/** Removes expired members when they expire: one timer, and none while nobody is a member. */
function createSweeps({ registers }: Contents, { clock }: Deps) {
  let cancel = () => {};
  let stopped = false;
  function arm(): void {
    cancel();
    const nextMs = registers.expire(clock.now());
    if (stopped || nextMs === null) return;
    cancel = clock.after(Math.max(SWEEP_MS, nextMs - clock.now()), arm);
  }
  return {
    arm,
    stop() {
      stopped = true;
      cancel();
    },
  };
}

/** Forgets unused ids: one timer, and none while there is no id. What holds a genesis is in use, however long nobody asks. */
function createLooks({ registers, lists }: Contents, unusedMs: number, { clock }: Deps) {
  let cancel: (() => void) | null = null;
  let stopped = false;
  function arm(): void {
    if (stopped || cancel !== null || lists.size().ids === 0) return;
    cancel = clock.after(Math.min(LOOK_MS, unusedMs), () => {
      cancel = null;
      lists.expire(clock.wall(), unusedMs, registers.holds);
      arm();
    });
  }
  return {
    arm,
    stop() {
      stopped = true;
      cancel?.();
    },
  };
}
