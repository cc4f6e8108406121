import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { agentApp } from "../../src/agent/http.ts";
import type { View } from "../../src/agent/pages.ts";
import { openPeerClient } from "../../src/agent/peer-client.ts";
import { openPeers } from "../../src/agent/peers.ts";
import { readCall } from "../../src/agent/signature.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { callerOf, listen, type ServerTls } from "../../src/lib/http-server.ts";
import type { ClientTls } from "../../src/lib/request.ts";
import { releasers } from "../../src/lib/run.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { silentLog } from "./support/log.ts";
import { helloOf, refTo } from "./support/records.ts";
import { accessOf, KEY, serveView, viewOf } from "./support/view.ts";

const SECRET = "the secret of this cluster";
const soon = () => AbortSignal.timeout(5_000);

const opened = releasers((error) => {
  throw error;
});
afterEach(() => opened.close());

type Serving = {
  readonly secret?: string | null;
  readonly tls?: ServerTls | null;
  readonly view?: Partial<View>;
  readonly bootId?: string;
  readonly private?: boolean;
};

/** A listening agent, with the counters of its own life. */
async function serving({ secret = null, tls = null, view = {}, bootId = "boot-1", ...more }: Serving = {}) {
  const now = { secret };
  const access = accessOf({ bootId, secret: async () => now.secret, private: more.private ?? true });
  const made = viewOf({
    bootId,
    access,
    secret: async () => now.secret,
    hello: () => helloOf("n1", { boot_id: bootId }),
    ...view,
  });
  const server = await serveView(made.view, tls);
  opened.push(() => server.close(0));
  return { ...server, now, shown: made.shown };
}

/** A client of node n2. */
function client(options: { secret?: string | null; tls?: ClientTls | null; key?: string } = {}) {
  const now = { secret: options.secret ?? null, tls: options.tls ?? null };
  let nonces = 0;
  const made = openPeerClient({
    key: options.key ?? KEY,
    self: () => refTo("n2"),
    credentials: { secret: async () => now.secret, clientTls: async () => now.tls },
    uuid: () => `nonce-of-16-or-more-${++nonces}`,
  });
  opened.push(() => made.close());
  return { ...made, now, calls: () => nonces };
}

/** Something else that listens: any HTTP server. */
async function other(listener: RequestListener): Promise<string> {
  const server = createHttp(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  });
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

/** A port that takes connections and never says a word. */
async function blackHole(): Promise<{ addr: string; connections: () => number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket
      .on("error", () => {})
      .on("close", () => sockets.delete(socket))
      .resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  });
  return {
    addr: `127.0.0.1:${(server.address() as { port: number }).port}`,
    connections: () => sockets.size,
  };
}

describe("hello without a secret", () => {
  it("gives the other's hello and introduces this agent", async () => {
    const { addr, shown } = await serving();
    const hello = await client().hello(addr, soon());
    expect(hello).toMatchObject({ node_id: "n1", boot_id: "boot-1", key: KEY });
    expect(shown.met).toEqual([{ id: "n2", incarnation: "n2-1", agent_addr: "n2.test:4100" }]);
  });

  it("is refused by an agent that wants a secret, which is said", async () => {
    const { addr } = await serving({ secret: SECRET });
    await expect(client().hello(addr, soon())).rejects.toMatchObject({
      code: "refused",
      message: `${addr} refuses: the call is not signed with a cluster secret`,
    });
  });

  it("gives the hello of another cluster, but does not introduce this agent", async () => {
    const { addr, shown } = await serving();
    expect(await client({ key: "another" }).hello(addr, soon())).toMatchObject({ key: KEY });
    expect(shown.met).toEqual([]);
  });
});

describe("hello with a secret", () => {
  it("learns the boot id with the first call, and needs one request from then on", async () => {
    const { addr } = await serving({ secret: SECRET });
    const one = client({ secret: SECRET });
    await one.hello(addr, soon());
    expect(one.calls()).toBe(2);
    await one.hello(addr, soon());
    expect(one.calls()).toBe(3);
  });

  it("finds the other again after it restarted", async () => {
    const first = await serving({ secret: SECRET });
    const one = client({ secret: SECRET });
    await one.hello(first.addr, soon());
    // The same port, another life.
    const { port } = first;
    await first.close(0);
    const view = viewOf({
      bootId: "boot-2",
      access: accessOf({ bootId: "boot-2", secret: async () => SECRET }),
      secret: async () => SECRET,
      hello: () => helloOf("n1", { boot_id: "boot-2" }),
    });
    const second = await listen({
      app: agentApp(view.view, callerOf),
      addr: { host: "127.0.0.1", port },
      tls: null,
      clock: systemClock,
    });
    opened.push(() => second.close(0));
    // The kept connection may have ended unnoticed.
    const hello = await until(() => one.hello(first.addr, soon()), { deadlineMs: 2_000, what: "the other" });
    expect(hello).toMatchObject({ boot_id: "boot-2" });
  });

  it("is taken again after this agent restarted, although it counts from 1 again", async () => {
    const { addr } = await serving({ secret: SECRET });
    const before = client({ secret: SECRET });
    for (let i = 0; i < 100; i++) await before.hello(addr, soon());
    const after = client({ secret: SECRET });
    expect(await after.hello(addr, soon())).toMatchObject({ node_id: "n1" });
    expect(await after.hello(addr, soon())).toMatchObject({ node_id: "n1" });
    expect(after.calls()).toBe(3);
  });

  it("is taken by everybody when many are asked at once", async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => serving({ secret: SECRET })));
    const one = client({ secret: SECRET });
    for (let round = 0; round < 20; round++) {
      const asked = [...all, ...all, ...all];
      expect(await Promise.all(asked.map(({ addr }) => one.hello(addr, soon())))).toHaveLength(24);
    }
  });

  it("is refused for another secret, and says what to do", async () => {
    const { addr } = await serving({ secret: SECRET });
    await expect(client({ secret: "another secret here" }).hello(addr, soon())).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining("another cluster secret"),
    });
  });

  it("is refused for another key", async () => {
    const { addr } = await serving({ secret: SECRET });
    await expect(client({ secret: SECRET, key: "another" }).hello(addr, soon())).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining(`another key than ${KEY}`),
    });
  });

  it("believes no answer that is not signed with it", async () => {
    const unsigned = await serving();
    await expect(client({ secret: SECRET }).hello(unsigned.addr, soon())).rejects.toMatchObject({
      code: "forged",
      message: `${unsigned.addr} answers without our cluster secret`,
    });
    const forger = await other((_, answer) => {
      answer.setHeader("rollcall-answer", "c2lnbmF0dXJl");
      answer.end(JSON.stringify(helloOf("n1")));
    });
    await expect(client({ secret: SECRET }).hello(forger, soon())).rejects.toMatchObject({ code: "forged" });
  });

  it("does not take a boot id, or a counter, from an answer that is not signed", async () => {
    let calls = 0;
    const liar = await other((_, answer) => {
      calls += 1;
      answer.statusCode = 401;
      answer.end(
        JSON.stringify({ error: { code: "boot_id", message: "x", boot_id: "b", counter: 2 ** 50 } }),
      );
    });
    await expect(client({ secret: SECRET }).hello(liar, soon())).rejects.toMatchObject({ code: "refused" });
    await expect(client().hello(liar, soon())).rejects.toMatchObject({ code: "refused" });
    expect(calls).toBe(2);
  });

  it("does not ask for ever when the other wants another boot id each time", async () => {
    const all: View["access"] = {
      ...accessOf(),
      peer: async (_caller, header) => {
        const call = readCall(header, { method: "POST", path: "/", key: KEY, body: "" })?.call ?? null;
        const repeat = { boot_id: `boot-${Math.random()}`, counter: 0 };
        return { ok: false, code: "boot_id", message: "another one", hint: "", call, repeat };
      },
    };
    const { addr } = await serving({ secret: SECRET, view: { access: all } });
    const one = client({ secret: SECRET });
    await expect(one.hello(addr, soon())).rejects.toMatchObject({ code: "refused" });
    expect(one.calls()).toBe(2);
  });

  it("uses the secret that replaced it, on both sides", async () => {
    const { addr, now } = await serving({ secret: SECRET });
    const one = client({ secret: SECRET });
    await one.hello(addr, soon());
    now.secret = "the secret that replaced it";
    await expect(one.hello(addr, soon())).rejects.toMatchObject({ code: "refused" });
    one.now.secret = now.secret;
    expect(await one.hello(addr, soon())).toMatchObject({ node_id: "n1" });
  });
});

describe("hello over TLS", () => {
  let certificates: Certificates;
  const ready = makeCertificates(["127.0.0.1"]).then((made) => {
    certificates = made;
  });
  const server = (clientAuth: boolean): ServerTls => ({
    cert: certificates.server.cert,
    key: certificates.server.key,
    ca: certificates.ca.cert,
    clientAuth,
  });
  const shown = () => ({
    ca: certificates.ca.cert,
    cert: certificates.client.cert,
    key: certificates.client.key,
  });

  it("is taken with a client certificate", async () => {
    await ready;
    const { addr } = await serving({ tls: server(true), private: false });
    expect(await client({ tls: shown() }).hello(addr, soon())).toMatchObject({ node_id: "n1" });
  });

  it("is refused without one, or with one of another authority, where nothing else is agreed", async () => {
    await ready;
    const { addr } = await serving({ tls: server(true), private: false });
    const stranger = await makeCertificates(["127.0.0.1"]);
    for (const tls of [
      { ca: certificates.ca.cert },
      { ca: certificates.ca.cert, cert: stranger.client.cert, key: stranger.client.key },
    ])
      await expect(client({ tls }).hello(addr, soon())).rejects.toMatchObject({
        code: "refused",
        message: expect.stringContaining("client certificate"),
      });
  });

  it("is taken with the secret instead", async () => {
    await ready;
    const { addr } = await serving({ tls: server(false), secret: SECRET, private: false });
    const tls = { ca: certificates.ca.cert };
    expect(await client({ tls, secret: SECRET }).hello(addr, soon())).toMatchObject({ node_id: "n1" });
  });

  it("does not trust a server of another authority", async () => {
    await ready;
    const { addr } = await serving({ tls: server(false), private: false });
    const stranger = await makeCertificates(["127.0.0.1"]);
    await expect(client({ tls: { ca: stranger.ca.cert } }).hello(addr, soon())).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/certificate/),
    });
  });

  it("names what is wrong when one side speaks TLS and the other does not", async () => {
    await ready;
    const secure = await serving({ tls: server(false) });
    await expect(client().hello(secure.addr, soon())).rejects.toMatchObject({ code: "unreachable" });
    const plain = await serving();
    await expect(
      client({ tls: { ca: certificates.ca.cert } }).hello(plain.addr, soon()),
    ).rejects.toMatchObject({
      code: "unreachable",
    });
  });

  it("uses certificates that were replaced, on both sides, without a restart", async () => {
    await ready;
    const first = await serving({ tls: server(true), private: false });
    const one = client({ tls: shown() });
    await one.hello(first.addr, soon());
    const next = await makeCertificates(["127.0.0.1"]);
    first.renew({ cert: next.server.cert, key: next.server.key, ca: next.ca.cert, clientAuth: true });
    one.now.tls = { ca: next.ca.cert, cert: next.client.cert, key: next.client.key };
    expect(await one.hello(first.addr, soon())).toMatchObject({ node_id: "n1" });
  });
});

describe("what is no agent", () => {
  it("is named by what it is", async () => {
    const rqlited = await other((_, answer) => {
      answer.setHeader("X-RQLITE-VERSION", "v8.43.4");
      answer.statusCode = 404;
      answer.end("404 page not found");
    });
    await expect(client().hello(rqlited, soon())).rejects.toMatchObject({
      code: "not_an_agent",
      message: `${rqlited} is rqlited, not a rollcall agent`,
    });
    await expect(client({ secret: SECRET }).hello(rqlited, soon())).rejects.toMatchObject({
      message: `${rqlited} is rqlited, not a rollcall agent`,
    });
    const nginx = await other((_, answer) => {
      answer.setHeader("server", "nginx");
      answer.statusCode = 405;
      answer.end("<html>");
    });
    await expect(client().hello(nginx, soon())).rejects.toMatchObject({
      message: `${nginx} is nginx, not a rollcall agent`,
    });
    const silent = await other((_, answer) => answer.writeHead(503).end());
    await expect(client().hello(silent, soon())).rejects.toMatchObject({
      message: `${silent} is a server that answers 503, not a rollcall agent`,
    });
  });

  it.each([
    ["no JSON", "<html>", /is not JSON/],
    ["another shape", '{"status":"ok"}', /invalid|expected/i],
    ["a version alone", '{"v":2}', /not as a rollcall agent/],
  ])("is told from one that answers 200 with %s", async (_, text, problem) => {
    const addr = await other((_request, answer) => answer.end(text));
    await expect(client().hello(addr, soon())).rejects.toMatchObject({
      code: "not_an_agent",
      message: expect.stringMatching(problem),
    });
  });

  it("is told from a later rollcall", async () => {
    const later = JSON.stringify({ ...helloOf("n1"), v: 2, marker: "of another shape" });
    const addr = await other((_request, answer) => answer.end(later));
    await expect(client().hello(addr, soon())).rejects.toMatchObject({
      code: "refused",
      message: `${addr} is a later rollcall: its hello has v 2; this rollcall reads v 1`,
    });
  });

  it("is nothing at a closed port, at a bad address, and where the connection breaks", async () => {
    const { addr, close } = await serving();
    await close(0);
    await expect(client().hello(addr, soon())).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
    await expect(client().hello("::1", soon())).rejects.toMatchObject({ code: "unreachable" });
    const breaks = await other((_, answer) => {
      answer.writeHead(200, { "content-length": "100" });
      answer.write("{");
      answer.socket?.destroy();
    });
    await expect(client().hello(breaks, soon())).rejects.toMatchObject({ code: "unreachable" });
  });

  it("is cut off when it answers with more than 1 MiB", async () => {
    let sent = 0;
    const endless = await other((_, answer) => {
      const more = () => {
        while (!answer.destroyed && sent < 64 * 1024 * 1024) {
          sent += 65_536;
          if (!answer.write("x".repeat(65_536))) return void answer.once("drain", more);
        }
        answer.end();
      };
      more();
    });
    await expect(client().hello(endless, soon())).rejects.toMatchObject({
      code: "too_large",
      message: "the answer is over 1048576 bytes",
    });
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  it("is not waited for after the signal aborts", async () => {
    const hole = await blackHole();
    const began = performance.now();
    await expect(client().hello(hole.addr, AbortSignal.timeout(100))).rejects.toMatchObject({
      name: "TimeoutError",
    });
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe("asking everybody", () => {
  it("is not delayed by one that swallows everything, and names it", async () => {
    const hole = await blackHole();
    const good = await Promise.all(
      ["n3", "n4", "n5"].map(async (id) => {
        const at = { agent_addr: "" };
        const { addr } = await serving({ view: { hello: () => helloOf(id, at) } });
        at.agent_addr = addr;
        return { id, incarnation: `${id}-1`, agent_addr: addr };
      }),
    );
    const peers = openPeers({
      path: `${tempDir("peers")}/peers.json`,
      clock: systemClock,
      client: client(),
      log: silentLog,
      self: () => refTo("n2"),
    });
    peers.meet({ id: "hole", incarnation: "hole-1", agent_addr: hole.addr });
    for (const ref of good) peers.meet(ref);
    const began = performance.now();
    const hellos = await peers.askAll(soon());
    const took = performance.now() - began;
    expect(hellos.map((h) => h.node_id).sort()).toEqual(["n3", "n4", "n5"]);
    expect(took).toBeLessThan(2_500);
    expect(peers.contact(hole.addr)).toMatchObject({
      ok: false,
      problem: `hello to ${hole.addr}: no answer in 1 s`,
    });
    for (const { agent_addr } of good)
      expect(peers.contact(agent_addr)).toMatchObject({ ok: true, problem: null });
    await until(() => hole.connections() === 0, { deadlineMs: 2_000, what: "the connection to be given up" });
  });
});
