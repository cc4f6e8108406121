/** Listening: the HTTP or HTTPS server around the routes, its limits, its certificates, and its end. */
import { createServer as createHttp, type Server } from "node:http";
import { createServer as createHttps, type Server as HttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import type { Clock } from "./clock.ts";
import { RollcallError, reason } from "./errors.ts";
import { failedRequest, refuseMalformed } from "./malformed.ts";
import { holdsCertificates } from "./pem.ts";

/** What a connection itself shows of its caller. */
export type Caller = {
  /** The caller is on this machine. */
  readonly loopback: boolean;
  /** The caller showed a client certificate that our authority signed. */
  readonly certified: boolean;
};

/** PEM texts of the server's own certificate and key, and of the authority that signs callers'. */
export type ServerTls = {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | null;
  readonly clientAuth: boolean;
};

export type Listening = {
  readonly port: number;
  /** Uses other certificates for connections made from now on. */
  renew(tls: ServerTls): void;
  /** Ends kept-alive connections at once and running requests after `graceMs`. Safe twice. */
  close(graceMs: number): Promise<void>;
};

/** Listens. Throws `listen` in one line when the address cannot be had. */
export async function listen(options: {
  app: Hono;
  addr: { readonly host: string; readonly port: number };
  tls: ServerTls | null;
  clock: Pick<Clock, "after">;
  mostConnections?: number;
}): Promise<Listening> {
  const { app, addr, tls, clock, mostConnections = 1_024 } = options;
  const server = createServer(app, tls);
  // Longer than any poll interval, or every poll would reconnect.
  server.keepAliveTimeout = 75_000;
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  server.maxConnections = mostConnections;
  refuseMalformed(server);
  // The HTTP server does not know of a connection that is still shaking hands, and would wait for it at the end.
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(
        new RollcallError("listen", `-http-addr: cannot listen on ${shown(addr)}: ${reason(error)}`, {
          cause: error,
        }),
      ),
    );
    server.listen(addr.port, addr.host, resolve);
  });
  // A connection that could not be taken is its caller's to repeat.
  server.on("error", () => {});
  let closing: Promise<void> | null = null;
  return {
    port: (server.address() as AddressInfo).port,
    renew: (next) => (server as unknown as HttpsServer).setSecureContext(tlsOptions(next)),
    close(graceMs) {
      closing ??= new Promise<void>((resolve) => {
        const cancel = clock.after(graceMs, () => {
          for (const socket of sockets) socket.destroy();
        });
        server.close(() => {
          cancel();
          resolve();
        });
        server.closeIdleConnections();
      });
      return closing;
    },
  };
}

function createServer(app: Hono, tls: ServerTls | null): Server {
  const listener = getRequestListener(app.fetch, {
    // The adapter's own Request and Response stand in for the global ones: three times the requests a second.
    overrideGlobalObjects: true,
    errorHandler: failedRequest,
  });
  const options = {
    // How late the slow are found out, beside 30 s that Node has.
    connectionsCheckingInterval: 1_000,
    // The adapter asks for it too, and its answer is ours.
    requireHostHeader: false,
  };
  try {
    if (tls === null) return createHttp(options, listener);
    return createHttps({ ...options, ...tlsOptions(tls) }, listener);
  } catch (error) {
    throw new RollcallError("listen", `-tls-cert, -tls-key: cannot be used: ${reason(error)}`, {
      cause: error,
    });
  }
}

/** What a connection shows of its caller. */
export function callerOf(env: unknown): Caller {
  const socket = (env as { incoming?: { socket?: Socket } } | undefined)?.incoming?.socket;
  const from = socket?.remoteAddress?.replace(/^::ffff:/, "") ?? "";
  // The kernel writes an address in one form only.
  return {
    loopback: from === "::1" || from.startsWith("127."),
    certified: socket instanceof TLSSocket && socket.authorized,
  };
}

function shown({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function tlsOptions({ cert, key, ca, clientAuth }: ServerTls) {
  if (ca !== null && !holdsCertificates(ca))
    throw new RollcallError("listen", "-tls-ca: is no certificate in PEM");
  // Health checks come without a certificate: it is asked for here, and demanded path by path.
  return {
    cert,
    key,
    ...(ca === null ? {} : { ca }),
    requestCert: clientAuth,
    rejectUnauthorized: false,
    minVersion: "TLSv1.2" as const,
    handshakeTimeout: 5_000,
  };
}
