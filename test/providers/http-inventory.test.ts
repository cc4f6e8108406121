/** Clusters from an HTTP server, as Replicante's discovery has them. */

import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { Config } from "../../providers/http/inventory.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { tempDir } from "../support/temp.ts";
import { inventoryOpener, lackOf, lookOf, plainNode } from "./inventory-stage.ts";
import { problemOf } from "./opener.ts";

const openWith = inventoryOpener("http");
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

type Asked = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: unknown;
};

/** A server that remembers what it was asked, and answers the nth question with the nth reply, the last one for ever. */
async function serverOf(...replies: readonly ((response: ServerResponse, asked: Asked) => void)[]) {
  const asked: Asked[] = [];
  const listener: RequestListener = (request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const one = { method, url, headers, body: text === "" ? null : JSON.parse(text) };
      asked.push(one);
      replies[Math.min(asked.length, replies.length) - 1]?.(response, one);
    });
  };
  const port = await listen(createServer(listener));
  return { asked, where: `127.0.0.1:${port}`, url: `http://127.0.0.1:${port}/discover` };
}

const page =
  (clusters: readonly unknown[], cursor: string | null = null) =>
  (response: ServerResponse) =>
    response.end(JSON.stringify({ clusters, cursor }));
const status =
  (code: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    response.writeHead(code, headers).end("hunter2");
const orders = {
  cluster_id: "orders",
  display_name: "Orders",
  nodes: ["https://10.0.0.1:8000/", "http://10.0.0.2:80"],
};
const plain = (id: string) => ({ cluster_id: id, nodes: ["10.0.0.9"] });

describe("configuration of http", () => {
  it("has Replicante's defaults", () => {
    expect(Config.parse({ url: "http://host:9876/discover" })).toEqual({
      url: "http://host:9876/discover",
      method: "POST",
      body: null,
      headers: {},
      headers_file: {},
      timeout: 3_000,
      tls: null,
    });
  });

  it("takes a time-out in milliseconds, as Replicante has it, or with its unit", () => {
    expect(Config.parse({ url: "http://a/", timeout: 250 }).timeout).toBe(250);
    expect(Config.parse({ url: "http://a/", timeout: "2s" }).timeout).toBe(2_000);
  });

  const url = "http://a/";
  it.each<[object, string]>([
    [{}, "url: must be an http or https URL"],
    [{ url: "ftp://a/" }, "url: must be an http or https URL"],
    [{ url: "http://u:hunter2@a/" }, "url: must have no user and no fragment"],
    [{ url, method: "PUT" }, 'method: Invalid option: expected one of "GET"|"POST"'],
    [{ url, method: "GET", body: {} }, "body: is not sent with GET"],
    [{ url, headers: { "a b": "c" } }, "headers.a b: Invalid key in record"],
    [{ url, headers: { a: "b\r\nc: d" } }, "headers.a: must be one line of text"],
    [
      { url, timeout: 0 },
      'timeout: must be a duration from 1 ms to 5 minutes such as "3s", or whole milliseconds',
    ],
    [
      { url, timeout: "soon" },
      'timeout: must be a duration from 1 ms to 5 minutes such as "3s", or whole milliseconds',
    ],
    [{ url, tls: { ca_cert: "ca.pem" } }, "tls: needs https:// in url"],
  ])("refuses %j", (config, problem) => {
    expect(problemOf(Config, config)).toBe(problem);
  });
});

describe("the inventory http", () => {
  it("reads both forms of Replicante's records, and sorts and joins nodes", async () => {
    const later = {
      cluster_id: "prod/users",
      nodes: [
        { agent_address: "https://b.example:8000", node_id: "n2", node_class: "db", node_group: null },
        { agent_address: "[::1]:4101", node_id: "n1" },
        { agent_address: "[0:0::1]:4101", node_id: "n1" },
      ],
    };
    const server = await serverOf(page([orders, later]));
    expect(await lookOf(await openWith({ url: server.url }))).toEqual({
      kind: "complete",
      clusters: [
        {
          cluster_id: "orders",
          display_name: "Orders",
          nodes: [plainNode("10.0.0.1:8000", { secure: true }), plainNode("10.0.0.2:80")],
        },
        {
          cluster_id: "prod/users",
          display_name: null,
          nodes: [
            plainNode("[::1]:4101", { node_id: "n1" }),
            plainNode("b.example:8000", { secure: true, node_id: "n2" }),
          ],
        },
      ],
      lacking: [],
      leased: false,
      retired: [],
      foreign: [],
      problems: [],
    });
  });

  it("posts the body with the cursor in it, null at first, and the headers", async () => {
    const server = await serverOf(page([plain("a")], "next"), page([plain("b")]));
    const token = join(tempDir("http-inventory"), "token");
    writeFileSync(token, "Bearer hunter2\n");
    const inventory = await openWith({
      url: `${server.url}?zone=1`,
      body: { region: "eu", cursor: "ours is overwritten" },
      headers: { "x-team": "db" },
      headers_file: { authorization: token },
    });
    const { clusters } = await lookOf(inventory);
    expect(clusters.map((one) => one.cluster_id)).toEqual(["a", "b"]);
    expect(server.asked.map(({ method, url, body }) => ({ method, url, body }))).toEqual([
      { method: "POST", url: "/discover?zone=1", body: { region: "eu", cursor: null } },
      { method: "POST", url: "/discover?zone=1", body: { region: "eu", cursor: "next" } },
    ]);
    expect(server.asked[0]?.headers).toMatchObject({
      "x-team": "db",
      authorization: "Bearer hunter2",
      "content-type": "application/json",
    });
  });

  it("reads a header's file again when it changes", async () => {
    const server = await serverOf(page([]));
    const token = join(tempDir("http-inventory"), "token");
    const inventory = await openWith({ url: server.url, headers_file: { authorization: token } });
    expect(await lackOf(inventory)).toMatch(/^file: read .*token: ENOENT/);
    for (const text of ["one", "another"]) {
      writeFileSync(token, text);
      await lookOf(inventory);
    }
    expect(server.asked.map(({ headers }) => headers.authorization)).toEqual(["one", "another"]);
  });

  it("gets without a body where it is told to", async () => {
    const server = await serverOf(page([orders]));
    await lookOf(await openWith({ url: server.url, method: "GET" }));
    expect(server.asked).toMatchObject([{ method: "GET", body: null }]);
  });

  it("goes on after an empty page that has a cursor", async () => {
    const server = await serverOf(page([], "1"), page([], "2"), page([plain("a")]));
    expect((await lookOf(await openWith({ url: server.url }))).clusters).toHaveLength(1);
  });

  it("leaves out what it cannot understand, says so, and calls the rest partial", async () => {
    const odd = [
      { cluster_id: "Orders", nodes: [] },
      {
        cluster_id: "a",
        nodes: ["10.0.0.1:1", "http://u:hunter2@b/", "ftp://b", "b:0", 7, { node_id: "x" }],
      },
      { nodes: [] },
      { cluster_id: "b" },
      "c",
    ];
    const server = await serverOf(page(odd));
    const listing = await lookOf(await openWith({ url: server.url }));
    expect(listing).toMatchObject({ kind: "partial", lacking: ["a", "b"] });
    expect(listing.clusters).toEqual([
      { cluster_id: "a", display_name: null, nodes: [plainNode("10.0.0.1:1")] },
    ]);
    expect(listing.problems).toEqual([
      "cluster 1: cluster_id: must be 1 to 4 segments of [a-z0-9._-] joined by /, as in prod/orders",
      "cluster a: node 2: must be host:port, or an http or https URL without a path",
      "cluster a: node 3: must be host:port, or an http or https URL without a path",
      "cluster a: node 4: must have a port from 1 to 65535",
      "cluster a: node 5: must be an agent's address, or {agent_address, node_id}",
      "cluster a: node 6: must be an agent's address, or {agent_address, node_id}",
      "cluster 3: has no cluster_id",
      "cluster 4: must be {cluster_id, nodes: […]}",
      "cluster 5: must be {cluster_id, nodes: […]}",
    ]);
  });
});

describe("a server that fails", () => {
  const text = (body: string) => (response: ServerResponse) => response.end(body);
  it.each<[string, readonly ((response: ServerResponse) => void)[], string]>([
    ["answers 500", [status(500)], "store_unreachable: list clusters: 500 (WHERE)"],
    ["answers 429", [status(429)], "store_unreachable: list clusters: 429 (WHERE)"],
    ["answers 404", [status(404)], "store_error: list clusters: 404 (WHERE)"],
    [
      "wants a credential",
      [status(401)],
      "store_denied: list clusters: 401 (WHERE) — the server wants a credential",
    ],
    [
      "redirects",
      [status(302, { location: "http://169.254.169.254/" })],
      "store_error: list clusters: 302, and redirects are not followed (WHERE)",
    ],
    ["sends no JSON", [text("<html>")], "bad_record: list clusters: the answer is not JSON (WHERE)"],
    [
      "sends half of it",
      [text('{"clusters":[{"clus')],
      "bad_record: list clusters: the answer is not JSON (WHERE)",
    ],
    [
      "sends other JSON",
      [text("{}")],
      "bad_record: list clusters: the answer's clusters must be a list (WHERE)",
    ],
    [
      "repeats a cursor",
      [page([plain("a")], "1"), page([plain("b")], "2"), page([plain("c")], "1")],
      "store_error: list clusters: the server gave the same cursor twice (WHERE)",
    ],
    [
      "fails on a later page",
      [page([plain("a")], "1"), status(503)],
      "store_unreachable: list clusters: 503 (WHERE)",
    ],
    [
      "breaks off",
      [(response) => response.destroy()],
      "store_unreachable: list clusters: connection reset (WHERE)",
    ],
    [
      "breaks off within its answer",
      [
        (response) =>
          response.writeHead(200, { "content-length": "100" }).write("{", () => response.destroy()),
      ],
      "store_unreachable: list clusters: connection reset (WHERE)",
    ],
  ])("and %s gives one line and no cluster", async (_what, replies, line) => {
    const server = await serverOf(...replies);
    expect(await lackOf(await openWith({ url: server.url }))).toBe(line.replace("WHERE", server.where));
  });

  it("and never ends its pages is stopped", async () => {
    let pages = 0;
    const server = await serverOf((response) => page([], `${++pages}`)(response));
    expect(await lackOf(await openWith({ url: server.url }))).toBe(
      `store_error: list clusters: more than 1000 pages (${server.where})`,
    );
  });

  it("and wants GET to page gives nothing, since there is more than it told", async () => {
    const server = await serverOf(page([orders], "1"));
    expect(await lackOf(await openWith({ url: server.url, method: "GET" }))).toBe(
      `store_error: list clusters: the answer has a cursor, which GET cannot send back (${server.where})`,
    );
  });

  it("and sends too much is cut off, on one page or on many", async () => {
    const endless = await serverOf((response) => {
      const more = () => {
        while (response.write("x".repeat(65_536)));
        response.once("drain", more);
      };
      more();
    });
    expect(await lackOf(await openWith({ url: endless.url }))).toBe(
      `too_large: list clusters: the answer is over 33554432 bytes (${endless.where})`,
    );
    let pages = 0;
    const filler = "x".repeat(8 * 1024 * 1024);
    const many = await serverOf((response) =>
      response.end(JSON.stringify({ clusters: [], cursor: `${++pages}`, filler })),
    );
    expect(await lackOf(await openWith({ url: many.url }))).toBe(
      `too_large: list clusters: the pages are over 33554432 bytes (${many.where})`,
    );
  });

  it("and is slow, or drips, is not waited for longer than the time-out", async () => {
    const silent = await serverOf(() => {});
    const line = (where: string) => `store_timeout: list clusters: no answer in 0.1 s (${where})`;
    expect(await lackOf(await openWith({ url: silent.url, timeout: 100 }))).toBe(line(silent.where));
    const dripping = await serverOf((response) => {
      response.write("{");
      const drip = setInterval(() => response.write(" "), 10);
      response.once("close", () => clearInterval(drip));
    });
    expect(await lackOf(await openWith({ url: dripping.url, timeout: 100 }))).toBe(line(dripping.where));
  });

  it("and is not there is named", async () => {
    const server = await serverOf(page([]));
    for (const end of ends.splice(0)) await end();
    expect(await lackOf(await openWith({ url: server.url }))).toBe(
      `store_unreachable: list clusters: connection refused (${server.where})`,
    );
  });

  it("is left at once when nobody waits any more, or the inventory is closed", async () => {
    const server = await serverOf(() => {});
    const stop = new AbortController();
    const inventory = await openWith({ url: server.url });
    const looking = inventory.look(stop.signal);
    stop.abort();
    await expect(looking).rejects.toMatchObject({ code: "aborted" });
    const again = inventory.look(new AbortController().signal);
    await inventory.close();
    await inventory.close();
    await expect(again).rejects.toMatchObject({ code: "closed" });
    expect(await lackOf(inventory)).toBe("closed: list clusters: the provider is closed");
  });
});

describe("TLS to the server", () => {
  let made: Certificates;
  beforeAll(async () => {
    made = await makeCertificates([]);
    writeFileSync(join(made.folder, "identity.pem"), `${made.client.cert}${made.client.key}`);
  });

  async function secured() {
    const options = { cert: made.server.cert, key: made.server.key, ca: made.ca.cert, requestCert: true };
    const server = createSecureServer({ ...options, rejectUnauthorized: true }, (_request, response) =>
      page([orders])(response),
    );
    return `https://127.0.0.1:${await listen(server)}/`;
  }

  it("shows a certificate, and trusts the authority that is named", async () => {
    const tls = { ca_cert: made.ca.certFile, client_cert: join(made.folder, "identity.pem") };
    const { clusters } = await lookOf(await openWith({ url: await secured(), tls }));
    expect(clusters).toHaveLength(1);
  });

  it("fails in one line without either", async () => {
    const url = await secured();
    expect(await lackOf(await openWith({ url, tls: { ca_cert: made.ca.certFile } }))).toMatch(
      /^store_unreachable: list clusters: (TLS: .*certificate required|connection reset) \(127\.0\.0\.1:\d+\)$/,
    );
    expect(await lackOf(await openWith({ url }))).toMatch(
      /^store_unreachable: list clusters: self-signed certificate in certificate chain \(127\.0\.0\.1:\d+\)$/,
    );
    expect(await lackOf(await openWith({ url, tls: { ca_cert: made.server.keyFile } }))).toMatch(
      /^file: read \S+: is no certificate in PEM$/,
    );
  });
});
