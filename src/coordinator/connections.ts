/**
 * Connections to agents: made to an address that the allow-list has just let through, and one of each agent kept for
 * its next poll.
 */
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls, type SecureContext } from "node:tls";
import { Client } from "undici";
import type { Address } from "../core/address.ts";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";
import { type AllowList, plainIp } from "./allow.ts";
import type { Limit } from "./limit.ts";

/** What a connection was made under. One that is kept serves only polls of the very same. */
export type Terms = {
  readonly allow: AllowList;
  readonly secure: boolean;
  readonly context: SecureContext | null;
};

/** Gives every IP address of a host name, in the order in which they should be tried. Rejects where there is none. */
export type LookUp = (host: string) => Promise<readonly string[]>;

/** A socket, and the client that speaks HTTP over it and over no other. */
export type Connection = {
  readonly socket: Socket;
  readonly client: Client;
  /** What went wrong with the socket first, used or not; the client tells of what came of it. */
  readonly failure: () => unknown;
};
type Kept = { readonly connection: Connection; readonly terms: Terms };
type Place = { readonly address: string; readonly family: 4 | 6 };

/** Of a name: more are not tried. */
const MOST_ADDRESSES = 16;
const MOST_HEADER_BYTES = 8 * 1024;
/** Without a poll, as long as the agent does not ask for less. */
const IDLE_MS = 600_000;

/** `mostKept`: connections without a poll; the one that waited longest is closed for a new one. */
export function openConnections({ mostKept, lookUp }: { mostKept: number; lookUp: LookUp }) {
  const idle = new Map<string, Kept>();
  const open = new Set<Socket>();
  const lookUpOnce = shared(lookUp);
  let closed = false;

  const drop = (agent: string, kept: Kept) => {
    if (idle.get(agent) === kept) idle.delete(agent);
    kept.connection.socket.destroy();
  };

  return {
    /** The kept connection of an agent, which is the caller's from now on; null: none that is alive and made under these terms. */
    take(agent: string, terms: Terms): Connection | null {
      const kept = idle.get(agent);
      if (kept === undefined) return null;
      idle.delete(agent);
      const { connection } = kept;
      if (connection.socket.writable && same(kept.terms, terms)) return connection;
      connection.socket.destroy();
      return null;
    },
    /** Rejects with `not_allowed`, `unauthorized` (trust), `not_an_agent` (no TLS there) or `unreachable`; with `own` when we have no more sockets. */
    async connect(agent: string, { host, port }: Address, terms: Terms, limit: Limit): Promise<Connection> {
      if (!terms.allow.port(port))
        throw new RollcallError("not_allowed", `port ${port} is not in the allow-list`);
      const places = isIP(host) === 0 ? await resolved(host, lookUpOnce, limit) : [host];
      const allowed = allowedOf(host, places, terms.allow);
      const over = limit.over();
      if (over !== null) throw over;
      if (closed) throw new RollcallError("closed", "the client is closed");
      const socket = begin(host, port, allowed, terms);
      open.add(socket);
      socket.once("close", () => {
        open.delete(socket);
        if (idle.get(agent)?.connection.socket === socket) idle.delete(agent);
      });
      const failure = await connected(socket, terms, limit);
      return { socket, client: clientOver(socket), failure };
    },
    /** Takes a connection back after a whole answer. */
    keep(agent: string, terms: Terms, connection: Connection): void {
      if (closed || !connection.socket.writable) return void connection.socket.destroy();
      const before = idle.get(agent);
      if (before !== undefined) drop(agent, before);
      idle.set(agent, { connection, terms });
      for (const [oldest, one] of idle) {
        if (idle.size <= mostKept) break;
        drop(oldest, one);
      }
    },
    kept: () => idle.size,
    /** Ends all, those in use too. Safe twice. */
    close(): void {
      closed = true;
      for (const socket of open) socket.destroy();
      idle.clear();
    },
  };
}
export type Connections = ReturnType<typeof openConnections>;

function same(a: Terms, b: Terms): boolean {
  return a.allow === b.allow && a.secure === b.secure && a.context === b.context;
}

/** Looks up a name once for all who want it at the same time: system look-ups cannot be aborted and share few threads. */
function shared(lookUp: LookUp): LookUp {
  const running = new Map<string, Promise<readonly string[]>>();
  return (host) => {
    const found = running.get(host) ?? lookUp(host).finally(() => running.delete(host));
    running.set(host, found);
    return found;
  };
}

async function resolved(host: string, lookUp: LookUp, limit: Limit): Promise<readonly string[]> {
  const cut = Promise.withResolvers<never>();
  limit.onOver(cut.reject);
  try {
    return await Promise.race([lookUp(host), cut.promise]);
  } catch (error) {
    if (error === limit.over()) throw error;
    throw new RollcallError("unreachable", `look up ${host}: ${reason(error)}`, { cause: error });
  } finally {
    limit.onOver(() => {});
  }
}

/** Those that may be connected to. None is an error that names what was refused. */
function allowedOf(host: string, addresses: readonly string[], allow: AllowList): Place[] {
  const found = addresses.slice(0, MOST_ADDRESSES);
  const allowed = found.filter((one) => allow.refuses(one) === null).map((one) => plainIp(one) ?? one);
  const first = found[0];
  if (first === undefined) throw new RollcallError("unreachable", `${host} has no address`);
  if (allowed.length === 0) {
    const name = host === first ? host : `${host} is ${first}, which`;
    throw new RollcallError("not_allowed", `${name} ${allow.refuses(first)}`);
  }
  return allowed.map((address) => ({ address, family: isIP(address) === 4 ? 4 : 6 }));
}

/** Begins to connect to the very addresses that were checked: the name is not looked up again. */
function begin(host: string, port: number, places: readonly Place[], { secure, context }: Terms): Socket {
  const first = places[0] ?? { address: host, family: 4 as const };
  const lookup: LookupFunction = (_host, options, done) =>
    options.all ? done(null, [...places]) : done(null, first.address, first.family);
  const to = { host: isIP(host) === 0 ? host : first.address, port, lookup, noDelay: true };
  if (!secure) return connectTcp(to);
  return connectTls({
    ...to,
    ...(context === null ? {} : { secureContext: context }),
    minVersion: "TLSv1.2",
    servername: isIP(host) === 0 ? host : "",
    ALPNProtocols: ["http/1.1"],
  });
}

/** HTTP over a socket that stands. It closes on an answer to nothing, and connects to nobody else. */
function clientOver(socket: Socket): Client {
  let next: Socket | null = socket;
  return new Client("http://agent", {
    connect(_to, done) {
      const given = next;
      next = null;
      const closed = new Error("the connection was closed");
      // It takes no answer before it has asked.
      queueMicrotask(() => (given === null ? done(closed, null) : done(null, given)));
    },
    maxHeaderSize: MOST_HEADER_BYTES,
    // A poll has its own limits.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
  });
}

/** Gives how to learn what goes wrong first, in all the socket's life. */
function connected(socket: Socket, { secure }: Terms, limit: Limit): Promise<() => unknown> {
  return new Promise((resolve, reject) => {
    const done = () => {
      limit.onOver(() => {});
      socket.off("close", ended);
      resolve(() => failure);
    };
    let failure: unknown = null;
    // Stays for the socket's life: what breaks while nobody uses it is nobody's error.
    socket.on("error", (error) => {
      failure ??= error;
    });
    const ended = () => {
      limit.onOver(() => {});
      reject(limit.over() ?? connectProblem(failure, socket));
    };
    socket.once("close", ended);
    socket.once(secure ? "secureConnect" : "connect", done);
    limit.onOver((why) => socket.destroy(why));
  });
}

/** Codes of what this process or machine has no more of: nobody else's failure. */
const OURS = new Set(["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"]);

function connectProblem(error: unknown, socket: Socket): RollcallError {
  const code = codeOf(error) ?? "";
  const text = error === null ? "closed while connecting" : reason(error);
  const more = { cause: error };
  if (OURS.has(code)) return new RollcallError("own", `open a connection: ${text}`, more);
  if ("authorizationError" in socket && socket.authorizationError)
    return new RollcallError("unauthorized", `its certificate is not trusted: ${text}`, more);
  const tls = brokenTls(error);
  return new RollcallError(tls?.code ?? "unreachable", tls?.text ?? text, more);
}

/**
 * What an error of the TLS layer says of the other side: it wants another certificate of ours, or speaks no TLS; and
 * in the library's words, without the places in its source. Null: it is none.
 */
export function brokenTls(
  error: unknown,
): { readonly code: "unauthorized" | "not_an_agent"; readonly text: string } | null {
  const code = codeOf(error) ?? "";
  if (code !== "EPROTO" && !code.startsWith("ERR_SSL_")) return null;
  const text = reason(error);
  const wants =
    /_ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED|DECRYPT_ERROR)/;
  return {
    code: wants.test(code) ? "unauthorized" : "not_an_agent",
    text: `TLS: ${/:SSL routines:[^:]*:([^:]+)/.exec(text)?.[1] ?? text}`,
  };
}
