/** A small HTTP server that speaks as a coordinator does, with what a test gives it to say. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What was asked, in order. `path` has the query. */
export type Asked = {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly headers: IncomingMessage["headers"];
};
export type Reply = { readonly status?: number; readonly body: unknown };
/** By `METHOD PATH` without the query; a function may look at the question, or answer by itself and give null. */
export type Pages = Readonly<
  Record<string, Reply | ((asked: Asked, response: ServerResponse) => Reply | null)>
>;

/** Listens on loopback; `flag` is how a command is told where. */
export async function standIn(pages: Pages) {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "", url = "", headers } = request;
    const question = { method, path: url, body: Buffer.concat(chunks).toString("utf8"), headers };
    asked.push(question);
    const page = pages[`${method} ${url.replace(/\?.*$/, "")}`];
    const missing = {
      status: 404,
      body: { error: { code: "not_found", message: "no such path", hint: "" } },
    };
    const reply = typeof page === "function" ? page(question, response) : (page ?? missing);
    if (reply === null) return;
    response.statusCode = reply.status ?? 200;
    response.end(typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    flag: `-coordinator=${url}`,
    asked,
    /** Every connection ends, too. */
    close(): void {
      server.close();
      server.closeAllConnections();
    },
  };
}
export type StandIn = Awaited<ReturnType<typeof standIn>>;

/** A node that is well, with what differs. */
export function node(id: string, more: Readonly<Record<string, unknown>> = {}) {
  const last = id.replaceAll(/\D/g, "") || "9";
  return {
    agent_addr: `10.0.0.${last}:4100`,
    node_id: id,
    agent: { status: "up", code: "ok" },
    stale: false,
    listed: true,
    status: "healthy",
    role: "replica",
    version: "9.1.0",
    lag: null,
    problem: null,
    ...more,
  };
}

/** A cluster of three that is well, with what differs. */
export function cluster(id: string, more: Readonly<Record<string, unknown>> = {}) {
  return {
    cluster_id: id,
    display_name: null,
    health: { status: "green", reasons: [] },
    counts: { expected: 3, discovered: 3, reached: 3, up: 3 },
    leader: { node_id: "n1" },
    discovery: "consul-prod",
    genesis_id: "0b5c4e1e-8d1f-4a57-9d5f-3f7c0a9b2f11",
    nodes: [node("n1", { role: "leader" }), node("n2"), node("n3")],
    ...more,
  };
}
