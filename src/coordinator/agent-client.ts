/** Asking agents how they are: one HTTP client for all of them, bounded in everything, whatever they answer. */
import { lookup as systemLookUp } from "node:dns/promises";
import { parseAddress } from "../core/address.ts";
import type { Shard } from "../core/node-report.ts";
import type { Failed, Observation, Seen, Unchanged } from "../core/observation.ts";
import type { Allow, DiscoverySettings } from "../core/settings.ts";
import type { Clock } from "../lib/clock.ts";
import { codeOf, RollcallError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { line, readShards, readState } from "./agent-answer.ts";
import { openAgentCredentials } from "./agent-credentials.ts";
import { type AllowList, openAllowList } from "./allow.ts";
import { type Connection, type LookUp, openConnections, type Terms } from "./connections.ts";
import { type Answered, get } from "./exchange.ts";
import { type Limit, openLimit } from "./limit.ts";
import { openSlots } from "./slots.ts";
import { openStandings } from "./standing.ts";

export type AgentClientOptions = {
  /** Polls at the same time of agents that answered last time, and of those that did not. */
  readonly mostPolls: number;
  readonly mostFailing: number;
  /** Connections kept for the next poll. */
  readonly mostKept: number;
  /** Within the time of a poll: until a connection stands, the same for an agent that has been silent for long, and until an answer begins. */
  readonly connectMs: number;
  readonly probeConnectMs: number;
  readonly headersMs: number;
};

/**
 * A black-holed agent holds a slot for as long as it may take to connect or to begin an answer. 2,048 carry 400
 * newly silent agents a second; from the second poll on they are in slots of their own, where nobody else waits.
 * A probe's connection gets one repetition of a lost packet, which a system sends after a second.
 */
export const AGENT_CLIENT: AgentClientOptions = {
  mostPolls: 2_048,
  mostFailing: 1_024,
  mostKept: 16_384,
  connectMs: 3_000,
  probeConnectMs: 1_500,
  headersMs: 4_000,
};

export type AgentClientDeps = {
  readonly clock: Clock;
  /** A file's text, read again when it changed. */
  readonly file: (path: string) => Promise<string>;
  /** The system's where it is not given. */
  readonly lookUp?: LookUp;
  readonly log: Log;
};

export type Poll = {
  /** Whose turn it is when polls have to wait: clusters are let in one after another. */
  readonly cluster_id: string;
  readonly agent_addr: string;
  /** Whether the inventory asks for TLS itself. */
  readonly secure: boolean;
  readonly settings: Pick<DiscoverySettings, "allow" | "tls" | "token_file">;
  /** For the whole poll, from when it gets its slot. */
  readonly timeoutMs: number;
  /** What was taken last of this agent, so that it need not say it again. */
  readonly known: { readonly boot_id: string; readonly seq: number } | null;
  /** Reads the shards although nothing else changed. */
  readonly shards: boolean;
};

type Result = Seen | Unchanged;
type Line = {
  get(path: string, headers: readonly string[]): Promise<Answered>;
  shards(headers: readonly string[]): Promise<readonly Shard[] | null>;
};

const FAILURES = new Set(["unreachable", "unauthorized", "not_allowed", "not_an_agent"]);
/** Allow-lists that are kept read; one that was forgotten costs new connections. */
const MOST_LISTS = 256;
const MOST_FAILING_AGENTS = 65_536;
const MOST_PROBLEM = 300;

/**
 * One for a coordinator. `poll` gives what came of asking one agent, every failure of which is data. It rejects with
 * what `signal` was aborted with, with `own` where that fails by us (no more sockets, credentials that cannot be read), and with `closed`.
 */
export function openAgentClient(options: AgentClientOptions, deps: AgentClientDeps) {
  const { clock } = deps;
  const lookUp = deps.lookUp ?? bySystem;
  const connections = openConnections({ mostKept: options.mostKept, lookUp });
  const credentials = openAgentCredentials(clock, deps.file);
  const standings = openStandings(MOST_FAILING_AGENTS);
  const slots = { good: openSlots(options.mostPolls), failing: openSlots(options.mostFailing) };
  const allowList = allowLists();
  let closed = false;

  const ask = async (poll: Poll, limit: Limit, connectMs: number): Promise<Result> => {
    const { token, context } = await credentials.current(poll.settings);
    const secure = poll.secure || poll.settings.tls !== null;
    const terms = { allow: allowList(poll.settings.allow), secure, context };
    const line = openLine(poll, terms, connectMs, limit);
    try {
      const result = await read(poll, token, line);
      line.keep();
      return result;
    } finally {
      line.drop();
    }
  };

  /** The requests of one poll, one after another on one connection where the agent lets it stand. */
  const openLine = (poll: Poll, terms: Terms, connectMs: number, limit: Limit) => {
    const name = `${terms.secure ? "https" : "http"}://${poll.agent_addr}`;
    let connection: Connection | null = connections.take(name, terms);
    const fresh = (): Promise<Connection> => {
      const at = parseAddress(poll.agent_addr);
      if (!at.ok) throw new RollcallError("not_allowed", `its address ${at.problem}`);
      limit.phase("no connection", connectMs);
      return connections.connect(name, at.value, terms, limit);
    };
    const once = async (on: Connection, path: string, headers: readonly string[]): Promise<Answered> => {
      connection = null;
      const answer = await get(on, { path, headers, headersMs: options.headersMs }, limit);
      if (on.socket.writable) connection = on;
      return answer;
    };
    const send = async (path: string, headers: readonly string[]): Promise<Answered> => {
      if (connection === null) return once(await fresh(), path, headers);
      try {
        return await once(connection, path, headers);
      } catch (error) {
        // It closed the kept connection just when we used it. Nothing else is repeated.
        const raced = error instanceof RollcallError && error.facts.silent === true && limit.over() === null;
        if (!raced) throw error;
        return once(await fresh(), path, headers);
      }
    };
    return {
      get: send,
      /** Null: it has no such page, or it broke off; what it said of its state holds all the same. */
      async shards(headers: readonly string[]) {
        try {
          const { status, body } = await send("/v1/shards", headers);
          return status === 200 ? readShards(body) : null;
        } catch (error) {
          if (!FAILURES.has(codeOf(error) ?? "")) throw error;
          deps.log.debug({ agent: poll.agent_addr, problem: problemOf(error) }, "read shards");
          return null;
        }
      },
      /** Leaves its connection to the next poll. */
      keep: () => {
        if (connection !== null) connections.keep(name, terms, connection);
        connection = null;
      },
      /** Closes its connection if it is not kept. Safe twice. */
      drop: () => {
        connection?.socket.destroy();
        connection = null;
      },
    };
  };

  /** A poll that has its slot. */
  const made = async (poll: Poll, connectMs: number, signal: AbortSignal): Promise<Observation> => {
    const { agent_addr } = poll;
    const at = clock.wall();
    const limit = openLimit(clock, poll.timeoutMs, signal);
    let failure: Failed | null = null;
    let ours = true;
    try {
      const result = await ask(poll, limit, connectMs);
      ours = false;
      return { agent_addr, at, ...result };
    } catch (error) {
      if (signal.aborted || closed || !isFailure(error)) throw error;
      failure = failedBy(error);
      ours = false;
      return { agent_addr, at, ...failure };
    } finally {
      limit.end();
      // Only silence opens the breaker: who answers, however wrongly, costs no waiting.
      const silent = failure?.code === "unreachable";
      standings.came(agent_addr, ours ? "unknown" : silent ? "failed" : "answered", failure);
    }
  };

  return {
    async poll(poll: Poll, signal: AbortSignal): Promise<Observation> {
      signal.throwIfAborted();
      if (closed) throw new RollcallError("closed", "the client is closed");
      const { agent_addr } = poll;
      const last = standings.failure(agent_addr);
      const kind = last === null ? slots.good : slots.failing;
      // Nobody queues for a failing agent: were there no slot, there will be one when its next poll is due.
      if (last !== null && kind.free() === 0) return { agent_addr, at: clock.wall(), ...last };
      const turn = standings.turn(agent_addr);
      if (turn === "skip" && last !== null) return { agent_addr, at: clock.wall(), ...last };
      await kind.take(poll.cluster_id, signal);
      try {
        return await made(poll, turn === "probe" ? options.probeConnectMs : options.connectMs, signal);
      } finally {
        kind.release();
      }
    },
    /** Connections that wait for their next poll, polls under way, and agents that did not answer last. */
    counts: () => ({
      kept: connections.kept(),
      polls: options.mostPolls - slots.good.free() + options.mostFailing - slots.failing.free(),
      failing: standings.size(),
    }),
    /** Ends every connection; polls under way reject. Safe twice. */
    close(): void {
      closed = true;
      connections.close();
    },
  };
}
export type AgentClient = ReturnType<typeof openAgentClient>;

/** What the agent says on one line. */
async function read(poll: Poll, token: string | null, line: Line): Promise<Result> {
  const { known, agent_addr } = poll;
  const { status, body } = await line.get("/v1/state", headersOf(agent_addr, token, known));
  const shards = () => line.shards(headersOf(agent_addr, token, null));
  if (status === 304 && known !== null) {
    const { boot_id, seq } = known;
    return { kind: "unchanged", boot_id, seq, shards: poll.shards ? await shards() : null };
  }
  mustBeState(status, token !== null);
  const state = readState(body);
  return { ...state, shards: state.report.kind === "none" ? [] : await shards() };
}

/** A list of each text once, so that the same list is the same object as long as its text is. */
function allowLists(): (allow: Allow) => AllowList {
  const known = new WeakMap<Allow, AllowList>();
  const byText = new Map<string, AllowList>();
  return (allow) => {
    const found = known.get(allow);
    if (found !== undefined) return found;
    const text = JSON.stringify(allow);
    const list = byText.get(text) ?? openAllowList(allow);
    known.set(allow, list);
    byText.set(text, list);
    for (const oldest of byText.keys()) if (byText.size > MOST_LISTS) byText.delete(oldest);
    return list;
  };
}

function headersOf(host: string, token: string | null, known: Poll["known"]): string[] {
  const headers = ["Host", host];
  if (token !== null) headers.push("Authorization", `Bearer ${token}`);
  // A boot id is the agent's own text, and not every text may stand in a header.
  if (known !== null && /^[\x21-\x7e]+$/.test(known.boot_id))
    headers.push("If-None-Match", `"${known.boot_id}-${known.seq}"`);
  return headers;
}

/** Throws what an answer without a state says of who gave it. */
function mustBeState(status: number, tokenShown: boolean): void {
  if (status === 200) return;
  if (status === 401 || status === 403)
    throw new RollcallError(
      "unauthorized",
      `answers ${status}: ${tokenShown ? "our token is not the one it takes" : "it wants a token, and there is no token_file"}`,
    );
  // Its own trouble, or a proxy's before it.
  if (status === 429 || status >= 500) throw new RollcallError("unreachable", `answers ${status}`);
  const redirects = status >= 300 && status < 400 && status !== 304;
  throw new RollcallError(
    "not_an_agent",
    `answers ${status}${redirects ? "; redirects are not followed" : ""}`,
  );
}

function isFailure(error: unknown): boolean {
  return error instanceof RollcallError && FAILURES.has(error.code);
}

function failedBy(error: unknown): Failed {
  const code = codeOf(error) as Failed["code"];
  return { kind: "failed", code, problem: problemOf(error) };
}

function problemOf(error: unknown): string {
  return line(error instanceof Error ? error.message : String(error), MOST_PROBLEM) ?? "";
}

async function bySystem(host: string): Promise<readonly string[]> {
  return (await systemLookUp(host, { all: true })).map(({ address }) => address);
}
