/**
 * Calls to etcd through the npm package `etcd3`, one endpoint at a time: deadlines, aborting, logging in, and the
 * next endpoint after a failure. Of the package only its plain calls and streams are used: its login leaks a
 * connection each time and repeats without end, its watches and leases wedge, and its retries repeat writes.
 */
import type { Etcd3, ILeaseKeepAliveRequest, IWatchRequest } from "etcd3";
import type { ProviderContext } from "../../src/core/provider.ts";
import { RollcallError, reason } from "../../src/lib/errors.ts";
import { createClients } from "../clients.ts";
import { aborted, closed, type Doing } from "../failure.ts";
import { callOptions } from "./call.ts";
import { type Client, type EtcdClass, makeClient, readIngredients } from "./client.ts";
import type { Config } from "./config.ts";
import { type Fault, faultOf } from "./failure.ts";

/** What a call is for. `repeat`: it may be sent again after a failure; never true for a transaction. */
export type Call = Doing & { readonly repeat: boolean };

/** A stream of the package in both directions. */
export type Stream<Sent, Received> = {
  on(event: "data", then: (received: Received) => void): unknown;
  on(event: "end", then: () => void): unknown;
  on(event: "error", then: (error: Error) => void): unknown;
  write(sent: Sent): void;
};

type Options = { deadline?: number };
type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: Fault };

/** Every method throws a RollcallError; `lease_gone` when etcd does not know the lease. */
export interface Connection {
  /** How long one call may take. */
  readonly timeoutMs: number;
  /** One unary call; where it may be repeated, once on every endpoint, and once more after a new login. */
  call<T>(what: Call, signal: AbortSignal, send: (etcd: Etcd3, options: Options) => Promise<T>): Promise<T>;
  /** Opens a stream and runs `work` on it. The stream ends with `work`, on abort, and after `lastsMs`. */
  stream<Sent extends IWatchRequest | ILeaseKeepAliveRequest, Received, T>(
    what: Doing & { readonly lastsMs?: number },
    signal: AbortSignal,
    open: (etcd: Etcd3, options: Options) => Promise<Stream<Sent, Received>>,
    work: (stream: Stream<Sent, Received>) => Promise<T>,
  ): Promise<T>;
  close(): void;
}

/** Connects to nothing yet. */
export function createConnection(Class: EtcdClass, config: Config, context: ProviderContext): Connection {
  const closing = new AbortController();
  const timeoutMs = config.timeout ?? (config["dial-timeout"] || DEFAULT_TIMEOUT_MS);
  const endpoints = config.endpoints.list.length;
  const username = config.username || null;
  let turn = 0;
  const clients = createClients({
    ingredients: () => readIngredients(config, turn, context),
    make: (ingredients) => makeClient(Class, config, ingredients),
    close: (client) => client.etcd.close(),
  });

  async function logIn(client: Client, name: string): Promise<string> {
    const deadlineMs = context.now() + timeoutMs;
    const options = callOptions({ deadlineMs, signals: [closing.signal], metadata: {} });
    try {
      const { token } = await client.etcd.auth.authenticate(
        { name, password: client.password ?? "" },
        options,
      );
      return token;
    } catch (error) {
      // A server without users takes every call, as long as it carries no token.
      if (/authentication is not enabled/.test(reason(error))) return "";
      client.login = null;
      throw error;
    }
  }

  /** The token to send, "" for none. One login serves all calls that wait for it, so it does not end with one of them. */
  async function tokenFor(client: Client, signal: AbortSignal): Promise<string> {
    if (username === null) return config.token ?? "";
    client.login ??= logIn(client, username);
    return unlessAborted(client.login, signal);
  }

  /** One try on the current endpoint. A failure that another endpoint may not have makes the next one current. */
  function attempt<T>(
    what: Doing,
    { signals, lastsMs }: { signals: readonly [AbortSignal, ...AbortSignal[]]; lastsMs: number | null },
    send: (etcd: Etcd3, options: Options) => Promise<T>,
  ): Promise<Outcome<T>> {
    const [signal] = signals;
    return clients.use(what.doing, async (client): Promise<Outcome<T>> => {
      if (signal.aborted) throw aborted(what.doing, signal);
      try {
        const token = await tokenFor(client, signal);
        const metadata = { ...REQUIRE_LEADER, ...(token === "" ? {} : { token }) };
        const more = lastsMs === null ? {} : { deadlineMs: context.now() + lastsMs };
        const options = callOptions({ ...more, signals: [...signals, closing.signal], metadata });
        return { ok: true, value: await send(client.etcd, options) };
      } catch (cause) {
        // An abort may be the caller's own deadline, met because this endpoint hangs; of a watch it is the usual end.
        const fault = faultOf(what, cause, { where: client.where, timeoutMs, username });
        const suspect = fault.kind === "broken" || (signal.aborted && endpoints > 1 && lastsMs !== null);
        if (suspect && client.turn === turn) turn += 1;
        if (fault.kind === "token") client.login = null;
        if (closing.signal.aborted) throw closed(what.doing);
        if (signal.aborted) throw aborted(what.doing, signal);
        return { ok: false, fault };
      }
    });
  }

  return {
    timeoutMs,

    async call(what, signal, send) {
      let loggedInAgain = false;
      for (let tries = 1; ; tries++) {
        const outcome = await attempt(what, { signals: [signal], lastsMs: timeoutMs }, send);
        if (outcome.ok) return outcome.value;
        const { kind, error } = outcome.fault;
        const again = (kind === "broken" && tries < endpoints) || (kind === "token" && !loggedInAgain);
        if (!what.repeat || !again) throw error;
        loggedInAgain ||= kind === "token";
      }
    },

    async stream(what, signal, open, work) {
      const ended = new AbortController();
      const shape = { signals: [signal, ended.signal] as const, lastsMs: what.lastsMs ?? null };
      const outcome = await attempt(what, shape, async (etcd, options) => {
        const stream = await open(etcd, options);
        // The first listener: a stream may fail at any time, also when nobody listens any more.
        stream.on("error", () => {});
        try {
          return await work(stream);
        } finally {
          ended.abort();
        }
      });
      if (!outcome.ok) throw outcome.fault.error;
      return outcome.value;
    },

    close() {
      closing.abort();
      clients.close();
    },
  };
}

/** etcd refuses a read of its own after 7 s without a quorum; ours is to be told before. */
const DEFAULT_TIMEOUT_MS = 5_000;
/** A member that is cut off from the others says so at once, instead of holding calls and silent watches. */
const REQUIRE_LEADER = { hasleader: "true" };

/** The result of `work`, or a throw as soon as the signal is aborted; `work` itself goes on. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(new RollcallError("aborted", "aborted"));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
