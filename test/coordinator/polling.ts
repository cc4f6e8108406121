/** A client with its servers, all closed after the test, and polls of them. */
import {
  AGENT_CLIENT,
  type AgentClientDeps,
  type AgentClientOptions,
  openAgentClient,
  type Poll,
} from "../../src/coordinator/agent-client.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { fileCache } from "../../src/lib/files.ts";
import { releasers } from "../../src/lib/run.ts";
import { silentLog } from "../agent/support/log.ts";
import { type Strange, strangeServer } from "./strange-server.ts";

/** What a test has opened: close it after each. */
export const opened = releasers((error) => {
  throw error;
});

/** A signal that is never aborted. */
export const never = new AbortController().signal;

/** How long `until` waits here. */
export const within = (what: string) => ({ deadlineMs: 5_000, what });

/** A client with the usual bounds unless told. */
export function client(options: Partial<AgentClientOptions> = {}, deps: Partial<AgentClientDeps> = {}) {
  const made = openAgentClient(
    { ...AGENT_CLIENT, ...options },
    { clock: systemClock, file: fileCache(), log: silentLog, ...deps },
  );
  opened.push(made.close);
  return made;
}

/** A server that does as it is told. */
export async function strange(...given: Parameters<typeof strangeServer>): Promise<Strange> {
  const server = await strangeServer(...given);
  opened.push(server.close);
  return server;
}

export type Asked = Partial<Omit<Poll, "settings">> & { readonly settings?: Partial<Poll["settings"]> };

/** A poll of an address, where all of 127/8 is allowed with the port. */
export function pollOf(
  { port }: { readonly port: number },
  agent_addr: string,
  { settings, ...more }: Asked = {},
): Poll {
  return {
    cluster_id: "c1",
    agent_addr,
    secure: false,
    timeoutMs: 3_000,
    known: null,
    shards: false,
    settings: { allow: { cidrs: ["127.0.0.0/8"], ports: [port] }, tls: null, token_file: null, ...settings },
    ...more,
  };
}

/** A poll of a server at its own address. */
export const at = (server: Strange, more: Asked = {}): Poll => pollOf(server, server.addr, more);
