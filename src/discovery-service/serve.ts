/** The Discovery Service as a listening server: sockets, the one timer that ends leases, and an orderly end. */
import { createServer, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { formatAddress } from "../core/address.ts";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";
import { createApp, type Deps } from "./http.ts";
import { createRegisters, type Registers } from "./registers.ts";

/** A running service. */
export type Discovery = {
  /** Where it listens, as `http://127.0.0.1:4300`. */
  readonly url: string;
  readonly port: number;
  /** Ends long polls at once (503), then requests in progress within 1 s, then the server. Safe twice. */
  close(): Promise<void>;
};

const GRACE_MS = 1_000;
/** A keep-alive longer than any agent's interval; the others bound how slowly a request may arrive. */
const LIMITS = { keepAliveTimeout: 75_000, headersTimeout: 10_000, requestTimeout: 30_000 };
/** Many leases that end together are one sweep. */
const SWEEP_MS = 50;

/** Where to listen (port 0: any free one), and what to serve: an empty store in memory unless another is given. */
export type ServeOptions = {
  readonly host: string;
  readonly port: number;
  readonly token: string | null;
  readonly registers?: Registers;
};

/** Listens over plain HTTP, and ends the leases in the store. Throws `listen_failed`. */
export async function serve(options: ServeOptions, deps: Deps & { uuid: () => string }): Promise<Discovery> {
  const registers = options.registers ?? createRegisters(deps);
  const sweeps = createSweeps(registers, deps);
  const { app, holds } = createApp({ registers, token: options.token, leased: sweeps.arm }, deps);
  const server = createServer(LIMITS, getRequestListener(app.fetch));
  server.maxConnections = 10_000;
  const port = await listen(server, options);
  server.on("error", (error) => deps.log.error({ error: reason(error) }, "discovery server failed"));
  sweeps.arm();
  let closing: Promise<void> | null = null;
  return {
    url: `http://${formatAddress({ host: options.host, port })}`,
    port,
    close() {
      closing ??= new Promise((resolve) => {
        sweeps.stop();
        holds.close();
        const cancel = deps.clock.after(GRACE_MS, () => server.closeAllConnections());
        server.close(() => {
          cancel();
          resolve();
        });
      });
      return closing;
    },
  };
}

/** Removes expired members when they expire: one timer, and none while nobody is a member. */
function createSweeps(registers: Registers, { clock }: Deps) {
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

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error) => {
      const why = codeOf(cause) === "EADDRINUSE" ? "the port is in use" : cause.message;
      const where = formatAddress({ host, port });
      reject(new RollcallError("listen_failed", `listen on ${where}: ${why}`, { cause }));
    };
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      const at = server.address();
      resolve(typeof at === "object" && at !== null ? at.port : port);
    });
  });
}
