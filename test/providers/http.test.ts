/** Agents in a list that a server answers with. What a server may do wrong is in http-inventory.test.ts too. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import * as http from "../../providers/http.ts";
import { patient } from "../contract/stage.ts";
import { soon } from "../support/wait.ts";
import { opener, problemOf } from "./opener.ts";

const open = opener(http);
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A server, and what it was asked with. */
async function serverOf(answer: (response: ServerResponse, request: IncomingMessage) => void) {
  const asked: IncomingMessage["headers"][] = [];
  const server = createServer((request, response) => {
    request.resume();
    asked.push(request.headers);
    answer(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const where = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { asked, where, url: `http://${where}/agents?zone=1` };
}

describe("the configuration of http", () => {
  it("asks by GET, within 3 s, for everybody", () => {
    const config = http.Config.parse({ url: "http://a/" });
    expect(config).toMatchObject({ method: "GET", timeout: 3_000, labels: {}, body: null });
  });

  it.each([
    [{}, "url: must be an http or https URL"],
    [{ url: "http://u:hunter2@a/" }, "url: must have no user and no fragment"],
    [{ url: "http://a/", body: {} }, "body: is not sent with GET"],
    [{ url: "http://a/", tls: {} }, "tls: needs https:// in url"],
    [{ url: "http://a/", labels: [] }, "labels: Invalid input: expected record, received array"],
    [{ url: "http://a/", path: "b" }, ': Unrecognized key: "path"'],
  ])("refuses %j", (config, problem) => {
    expect(problemOf(http.Config, config)).toBe(problem);
  });
});

describe("a list of agents at a URL", () => {
  it("is sent once for each ETag, and asked for again without one that is gone", async () => {
    const list = { body: '["10.0.0.1"]', etag: '"1"' as string | null };
    const { asked, url } = await serverOf((response, { headers }) => {
      if (list.etag !== null && headers["if-none-match"] === list.etag) return response.writeHead(304).end();
      response.writeHead(200, list.etag === null ? {} : { etag: list.etag }).end(list.body);
    });
    const provider = await open({ url, headers: { "x-team": "db" } });
    const agents = async () => (await provider.lookup(patient())).addresses.join();
    expect([await agents(), await agents()]).toEqual(["10.0.0.1:4100", "10.0.0.1:4100"]);
    Object.assign(list, { body: '["10.0.0.2"]', etag: 'W/"2"' });
    expect([await agents(), await agents()]).toEqual(["10.0.0.2:4100", "10.0.0.2:4100"]);
    Object.assign(list, { body: '["10.0.0.3"]', etag: null });
    expect([await agents(), await agents()]).toEqual(["10.0.0.3:4100", "10.0.0.3:4100"]);
    const sent = asked.map((headers) => headers["if-none-match"] ?? null);
    expect(sent).toEqual([null, '"1"', '"1"', 'W/"2"', 'W/"2"', null]);
    expect(asked[0]).toMatchObject({ "x-team": "db", accept: "application/json" });
  });

  it("may be the targets of a coordinator, of which the labels choose the cluster", async () => {
    const group = (cluster: string, agent: string) => ({
      targets: [agent],
      labels: { __meta_rollcall_cluster_id: cluster, __meta_rollcall_role: "unknown" },
    });
    const list = [group("orders", "10.0.0.1:4100"), group("users", "10.0.0.9:4100")];
    const { url } = await serverOf((response) => response.end(JSON.stringify(list)));
    const provider = await open({ url, labels: { __meta_rollcall_cluster_id: "orders" } });
    expect(await provider.lookup(patient())).toEqual({ kind: "complete", addresses: ["10.0.0.1:4100"] });
  });

  it.each<[string, (response: ServerResponse) => void, string]>([
    ["fails", (r) => r.writeHead(503).end(), "store_unreachable: look for agents: 503 (WHERE)"],
    ["is not there", (r) => r.writeHead(404).end(), "store_error: look for agents: 404 (WHERE)"],
    [
      "redirects",
      (r) => r.writeHead(302, { location: "http://169.254.169.254/" }).end(),
      "store_error: look for agents: 302, and redirects are not followed (WHERE)",
    ],
    [
      "says that nothing changed, unasked",
      (r) => r.writeHead(304).end(),
      "store_error: look for agents: 304 to a question without If-None-Match (WHERE)",
    ],
    [
      "sends half a list",
      (r) => r.end('["10.0'),
      "bad_record: look for agents: the answer is not JSON (WHERE)",
    ],
    [
      "sends a word",
      (r) => r.end('"10.0.0.1"'),
      "bad_record: look for agents: the answer must be a list (WHERE)",
    ],
    [
      "has more pages",
      (r) => r.end('{"clusters":[],"cursor":"2"}'),
      "store_error: look for agents: the answer has a cursor, which GET cannot send back (WHERE)",
    ],
    ["breaks off", (r) => r.destroy(), "store_unreachable: look for agents: connection reset (WHERE)"],
    ["is silent", () => {}, "store_timeout: look for agents: no answer in 0.2 s (WHERE)"],
  ])("cannot be told where the server %s", async (_what, answer, line) => {
    const { url, where } = await serverOf(answer);
    const provider = await open({ url, timeout: 200 });
    const ended = provider
      .lookup(patient())
      .catch((e: { code: string; message: string }) => `${e.code}: ${e.message}`);
    expect(await soon(ended)).toBe(line.replace("WHERE", where));
  });

  it("is not waited for when nobody wants it any more, or when it is closed", async () => {
    const { url } = await serverOf(() => {});
    const provider = await open({ url });
    const stop = new AbortController();
    const waiting = provider.lookup(stop.signal);
    stop.abort();
    expect(await soon(waiting)).toMatchObject({ code: "aborted" });
    const another = provider.lookup(patient());
    await provider.close();
    expect(await soon(another)).toMatchObject({ code: "closed" });
  });
});
