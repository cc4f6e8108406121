/** Something that listens where an agent should, and does what the test says with every request that reaches it. */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTls, type TlsOptions } from "node:tls";
import { loopbackAddress } from "../support/loopback.ts";

export type Strange = {
  readonly address: string;
  readonly port: number;
  readonly addr: string;
  /** The heads of the requests so far. */
  readonly requests: readonly string[];
  /** Connections so far, and those that stand. */
  readonly connections: () => number;
  readonly standing: () => number;
  /** Ends the standing ones without a word. */
  cut(): void;
  close(): Promise<void>;
};

/** `behave` gets the connection and the head of each request on it; null: it takes connections and says nothing. */
export async function strangeServer(
  behave: ((socket: Socket, head: string) => void) | null,
  { tls, address, port = 0 }: { tls?: TlsOptions; address?: string; port?: number } = {},
): Promise<Strange> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  let taken = 0;
  const take = (socket: Socket) => {
    taken += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    if (behave === null) return void socket.resume();
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        requests.push(head);
        behave(socket, head);
      }
    });
  };
  const server: Server = tls === undefined ? createServer(take) : createTls(tls, take);
  server.on("tlsClientError", () => {});
  const host = address ?? (await loopbackAddress());
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const bound = server.address();
  const at = typeof bound === "object" && bound !== null ? bound.port : 0;
  return {
    address: host,
    port: at,
    addr: `${host}:${at}`,
    requests,
    connections: () => taken,
    standing: () => sockets.size,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** An HTTP answer with its length. */
export function answer(status: number, body = "", headers: readonly string[] = []): string {
  const lines = [`HTTP/1.1 ${status} Said`, `content-length: ${Buffer.byteLength(body)}`, ...headers];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** A state as an agent gives it, with the fields that are read. */
export function stateOf(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    v: 1,
    boot_id: "boot-1",
    seq: 7,
    agent: { key: "c1", version: "1.2.3", voter: true, api_addr: "10.0.0.1:4001", addr: "10.0.0.1:4002" },
    node: {
      node_id: "n1",
      incarnation: "i1",
      kind: "rqlite",
      version: "8.26.8",
      status: "healthy",
      problem: null,
      role: "leader",
      term: 4,
      leader: { id: "n1", addr: "10.0.0.1:4002", api_addr: "10.0.0.1:4001", voter: null, reachable: true },
      members: [{ id: "n1", addr: "10.0.0.1:4002", api_addr: "", voter: true, reachable: null }],
    },
    outcome: { genesis_id: "g1", kind: "bootstrap" },
    peers: [{ id: "n1", self: true, genesis_id: "g1" }, { id: "n2" }],
    transitions: [{ seq: 7, at: "2026-01-01T00:00:00Z", kind: "role", before: "replica", after: "leader" }],
    ...more,
  };
}

export const SHARDS = {
  shards: [{ id: "main", role: "primary", commit_offset: { unit: "index", value: 12 }, lag: null }],
};

/** Answers as an agent would: 304 where the caller has this state. */
export function likeAnAgent(state = stateOf()): (socket: Socket, head: string) => void {
  const tag = `"${state.boot_id}-${state.seq}"`;
  return (socket, head) => {
    if (head.startsWith("GET /v1/shards ")) socket.write(answer(200, JSON.stringify(SHARDS)));
    else if (head.includes(`If-None-Match: ${tag}`)) socket.write(answer(304, "", [`etag: ${tag}`]));
    else socket.write(answer(200, JSON.stringify(state)));
  };
}
