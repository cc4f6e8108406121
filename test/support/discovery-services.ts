/** Real Discovery Services for end-to-end tests and benches: the shipped bundle as its own process. */
import { join } from "node:path";
import { PROGRAM } from "./agents.ts";
import { type Reply, type RequestOptions, request } from "./http.ts";
import { freePort, loopbackAddress } from "./loopback.ts";
import { type Exit, type Process, start } from "./processes.ts";
import { tempDir } from "./temp.ts";
import { until } from "./wait.ts";

/** Where a service runs: by itself, or in a coordinator below a path, where callers only have another base. */
export const PLACES = [{ place: "alone" }, { place: "coordinator" }] as const;

export type ServiceOptions = {
  /** `alone`: `rollcall discovery`; `coordinator`: `rollcall coordinator -discovery-service`. */
  readonly place?: (typeof PLACES)[number]["place"];
  /** The path of its database, if not a fresh one. */
  readonly store?: string;
  /** Where it listens, if not at an address of its own. */
  readonly address?: string;
  /** How to ask it when it serves TLS; undefined: plain HTTP. */
  readonly tls?: RequestOptions["tls"];
};

export type DiscoveryService = {
  /** Where its paths begin. */
  readonly url: string;
  /** `host:port`. */
  readonly addr: string;
  readonly port: number;
  /** The path of the database that its process was given. */
  readonly store: string;
  process(): Process;
  ask(path: string, options?: RequestOptions): Promise<Reply>;
  kill(): Promise<Exit>;
  stop(): Promise<Exit>;
  /** Starts it again after its end, on the same address and database. */
  restart(): Promise<void>;
};

/** Starts one, with flags beside -http-addr and -store; resolves when it is ready. Throws with what it said when it ends instead. */
export async function startDiscoveryService(
  args: readonly string[] = [],
  { place = "alone", tls, ...options }: ServiceOptions = {},
): Promise<DiscoveryService> {
  const address = options.address ?? (await loopbackAddress());
  const port = await freePort(address);
  const addr = `${address}:${port}`;
  const alone = place === "alone";
  const url = `${tls ? "https" : "http"}://${addr}${alone ? "" : "/discovery"}`;
  const command = alone ? ["discovery"] : ["coordinator", "-discovery-service"];
  const secured = tls ? { tls } : {};
  const store = options.store ?? join(tempDir("discovery"), "discovery.db");
  let child: Process;
  const restart = async () => {
    child = await start({
      name: `rollcall ${command[0]}`,
      program: process.execPath,
      args: [PROGRAM, ...command, "-http-addr", addr, "-store", `sqlite:${store}`, ...args],
      env: { NODE_EXTRA_CA_CERTS: undefined },
    });
    const ready = () =>
      request(`${url}/readyz`, secured).then(
        ({ status }) => status === 200,
        () => false,
      );
    await until(ready, {
      deadlineMs: 15_000,
      what: "the Discovery Service to listen",
      giveUp: () => (child.exit() === null ? null : `it has ended: ${child.stderr().slice(-1_000)}`),
    });
  };
  await restart();
  return {
    ...{ url, addr, port, store, restart },
    process: () => child,
    ask: (path, options) => request(`${url}${path}`, { ...secured, ...options }),
    kill: () => child.kill(),
    stop: () => child.stop(),
  };
}
