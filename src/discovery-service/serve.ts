/** The Discovery Service as a listening server: sockets, the timers that end leases and ids, and an orderly end. */
import { formatAddress } from "../core/address.ts";
import { type Listening, listen, type ServerTls } from "../lib/http-server.ts";
import type { Token } from "./access.ts";
import { type Contents, inMemory } from "./durable.ts";
import { createApp, type Deps } from "./http.ts";
import type { Registers } from "./registers.ts";

/** A running service. */
export type Discovery = {
  /** Where it listens, as `http://127.0.0.1:4300`. */
  readonly url: string;
  readonly port: number;
  /** Uses other certificates for connections made from now on. */
  renew: Listening["renew"];
  /** Ends long polls at once (503), then requests in progress within 1 s, then the server. Safe twice. */
  close(): Promise<void>;
};

const GRACE_MS = 1_000;
/** Many leases that end together are one sweep. */
const SWEEP_MS = 50;
/** How often ids that nobody uses are looked for. */
const LOOK_MS = 3_600_000;
const UNUSED_MS = 720 * 3_600_000;

/** Where to listen (port 0: any free one), and what to serve: an empty store in memory unless another is given. */
export type ServeOptions = {
  readonly host: string;
  readonly port: number;
  readonly token: Token;
  readonly registers?: Registers;
  /** Instead of `registers`. */
  readonly contents?: Contents;
  readonly tls?: ServerTls | null;
  /** How long an id that was created is kept when nobody uses it; one with registers or members stays. */
  readonly unusedMs?: number;
  readonly version?: string;
};

/** Listens, and ends the leases and the unused ids in the store. Throws `listen`. */
export async function serve(options: ServeOptions, deps: Deps): Promise<Discovery> {
  const { host, token, tls = null, version = "" } = options;
  const contents = options.contents ?? inMemory(deps, options.registers);
  const sweeps = createSweeps(contents, deps);
  const looks = createLooks(contents, options.unusedMs ?? UNUSED_MS, deps);
  const hooks = { leased: sweeps.arm, created: looks.arm };
  const certified = tls?.clientAuth ?? false;
  const { app, holds } = createApp({ ...contents, ...hooks, token, certified, version }, deps);
  const server = await listen({ app, addr: options, tls, clock: deps.clock, mostConnections: 10_000 });
  sweeps.arm();
  looks.arm();
  let closing: Promise<void> | null = null;
  return {
    url: `${tls === null ? "http" : "https"}://${formatAddress({ host, port: server.port })}`,
    port: server.port,
    renew: server.renew,
    close() {
      if (closing !== null) return closing;
      sweeps.stop();
      looks.stop();
      holds.close();
      closing = server.close(GRACE_MS);
      return closing;
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
