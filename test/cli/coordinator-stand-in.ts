/** A small HTTP server that speaks as a coordinator does, with what a test gives it to say. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ClusterDetail, ClusterItem, Node } from "../../src/coordinator/shapes.ts";
import { type Facts, type Marks, NO_MARKS } from "../../src/core/cluster.ts";
import { type ClusterSettings, syntheticSettings } from "../../src/core/settings.ts";
import { clusterView, type NodeView } from "../../src/core/view.ts";

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

type Known = { readonly facts: Facts | null; readonly marks: Marks };

/** What a coordinator that knows this much of a cluster serves of it: in the list, by itself, and its nodes. */
export function served(id: string, known: Known, treated: Partial<ClusterSettings> = {}) {
  const settings = { ...syntheticSettings(id), ...treated };
  const view = clusterView({ ...known, settings });
  const { nodes, members: _members, lag: _lag, ...summary } = view;
  const state = {
    ...{ cluster_id: id, enabled: settings.enabled, synthetic: false, refreshing: false },
    ...{ late_ms: 0, run: null, version: 1, seq: 1 },
  };
  return {
    item: ClusterItem.parse({ ...state, view: summary }),
    detail: ClusterDetail.parse({ ...state, view, settings }),
    nodes: nodes.map((node) => Node.parse(node)),
  };
}

/** A cluster that was listed and not refreshed yet. */
export const UNKNOWN: Known = { facts: null, marks: NO_MARKS };

/** A node that was listed and not asked yet, as `/v1/clusters/ID/nodes` has it. */
export function notAsked(agentAddr: string) {
  const node: Omit<NodeView, "agent"> = {
    ...{ node_id: null, agent_addr: agentAddr, listed: true, stale: false, leader: false, info: null },
    ...{ incarnation: null, report: null, shards: [], problem: null, misses: 0, seen_at: null },
  };
  return Node.parse({ ...node, agent: null });
}
