import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll } from "vitest";
import { Config, open } from "../../providers/http.ts";
import { addressContract } from "./addresses.ts";
import { contextFor } from "./stage.ts";

let body = "";
const server = createServer((request, response) => {
  request.resume();
  const etag = `"${body.length}-${body}"`;
  if (request.headers["if-none-match"] === etag) response.writeHead(304, { etag }).end();
  else response.writeHead(200, { etag }).end(body);
});
beforeAll(() => new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve)));
afterAll(() => new Promise<void>((resolve) => void server.close(() => resolve())));
const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/agents`;

for (const [form, config, listOf] of [
  ["a plain list", {}, (agents: readonly string[]) => agents],
  ["http_sd", {}, (agents: readonly string[]) => agents.map((agent) => ({ targets: [agent], labels: {} }))],
  [
    "Replicante's pages",
    { method: "POST" },
    (agents: readonly string[]) => ({ clusters: [{ cluster_id: "k", nodes: agents }], cursor: null }),
  ],
] as const)
  addressContract(`http, ${form}`, () => ({
    live: true,
    set: async (agents) => {
      body = JSON.stringify(listOf(agents));
    },
    open: () => open(Config.parse({ url: url(), ...config }), contextFor("k")),
  }));
