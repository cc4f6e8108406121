/**
 * Listening as many agents: one socket an address, and as much of HTTP/1.1 as a poller needs, so that the process
 * costs little beside what is measured.
 */
import { createServer, type Server, type Socket } from "node:net";
import { pagesOf, type SimulatedNode } from "./simulated.ts";

export type Listening = {
  /** Answered so far: with a state or shards, and with "not modified". */
  counts(): { readonly full: number; readonly unchanged: number };
  close(): Promise<void>;
};

const MOST_HEAD = 16_384;
/** As many bytes as a state has, for pollers that want metrics. */
const METRICS = Array.from(
  { length: 33 },
  (_, at) => `simulated_gauge{of="an agent that is none",number="${at}"} ${at}\n`,
).join("");

/** Listens on every node's address. `polled` is called before each answer with a state. */
export async function listenAsAgents(
  nodes: readonly SimulatedNode[],
  polled: (node: SimulatedNode) => void,
): Promise<Listening> {
  const counts = { full: 0, unchanged: 0 };
  const sockets = new Set<Socket>();
  const answer = (node: SimulatedNode, head: string): string => {
    const path = head.slice(head.indexOf(" ") + 1, head.indexOf(" HTTP/"));
    if (path === "/v1/shards") {
      counts.full += 1;
      return whole(pagesOf(node).shards, null);
    }
    if (path === "/metrics") return whole(METRICS, null);
    if (path !== "/v1/state") return "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    polled(node);
    const { tag, state } = pagesOf(node);
    if (/\r\nif-none-match: *(\S+)/i.exec(head)?.[1] === tag) {
      counts.unchanged += 1;
      return `HTTP/1.1 304 Not Modified\r\netag: ${tag}\r\n\r\n`;
    }
    counts.full += 1;
    return whole(state, tag);
  };
  const serve = (node: SimulatedNode) => (socket: Socket) => {
    sockets.add(socket);
    let head = "";
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      head += chunk.toString("latin1");
      if (head.length > MOST_HEAD) return socket.destroy();
      for (let end = head.indexOf("\r\n\r\n"); end !== -1 && !node.silent; end = head.indexOf("\r\n\r\n")) {
        const one = head.slice(0, end);
        head = head.slice(end + 4);
        socket.write(answer(node, one));
      }
    });
  };
  const servers = await Promise.all(nodes.map((node) => listen(node, serve(node))));
  return {
    counts: () => ({ ...counts }),
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

function whole(body: string, tag: string | null): string {
  const etag = tag === null ? "" : `etag: ${tag}\r\n`;
  return `HTTP/1.1 200 OK\r\ncontent-type: ${body.startsWith("{") ? "application/json" : "text/plain"}\r\n${etag}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

function listen(node: SimulatedNode, serve: (socket: Socket) => void): Promise<Server> {
  const at = node.address.lastIndexOf(":");
  const server = createServer({ noDelay: true }, serve);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(node.address.slice(at + 1)), node.address.slice(0, at), () => resolve(server));
  });
}
