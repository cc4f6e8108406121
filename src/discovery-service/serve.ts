/** The Discovery Service as a listening server: its sockets, and an orderly end. */
import { formatAddress } from "../core/address.ts";
import { type Listening, listen, type ServerTls } from "../lib/http-server.ts";
import type { Token } from "./access.ts";
import { type Contents, inMemory } from "./durable.ts";
import type { Deps } from "./http.ts";
import type { Registers } from "./registers.ts";
import { openService } from "./service.ts";

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
/** Each agent holds a long poll. */
const MOST_CONNECTIONS = 10_000;

/** Where to listen (port 0: any free one), and what to serve: an empty store in memory unless another is given. */
export type ServeOptions = {
  readonly host: string;
  readonly port: number;
  readonly token: Token;
  readonly registers?: Registers;
  /** Instead of `registers`. */
  readonly contents?: Contents;
  readonly tls?: ServerTls | null;
  /** As `openService` has it. */
  readonly unusedMs?: number;
  readonly version?: string;
};

/** Listens, and ends the leases and the unused ids in the store. Throws `listen`. */
export async function serve(options: ServeOptions, deps: Deps): Promise<Discovery> {
  const { host, token, tls = null, version = "", unusedMs } = options;
  const contents = options.contents ?? inMemory(deps, options.registers);
  const certified = tls?.clientAuth ?? false;
  const unused = unusedMs === undefined ? {} : { unusedMs };
  const { app, end } = openService({ ...contents, ...unused, token, certified, version }, deps);
  const most = { mostConnections: MOST_CONNECTIONS };
  const server = await listen({ app, addr: options, tls, clock: deps.clock, ...most }).catch((error) => {
    end();
    throw error;
  });
  let closing: Promise<void> | null = null;
  return {
    url: `${tls === null ? "http" : "https"}://${formatAddress({ host, port: server.port })}`,
    port: server.port,
    renew: server.renew,
    close() {
      if (closing !== null) return closing;
      end();
      closing = server.close(GRACE_MS);
      return closing;
    },
  };
}
