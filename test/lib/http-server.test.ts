import { createConnection, type Socket } from "node:net";
import { type DetailedPeerCertificate, connect as tlsConnect } from "node:tls";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { callerOf, type Listening, listen, type ServerTls } from "../../src/lib/http-server.ts";
import { serveView, viewOf } from "../agent/support/view.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { request } from "../support/http.ts";
import { until } from "../support/wait.ts";

const loopback = { host: "127.0.0.1", port: 0 };

/** A server whose one path answers with what it sees of its caller, and another that waits until it is let go. */
async function serve(
  tls: ServerTls | null = null,
): Promise<Listening & { release: () => void; url: string }> {
  const app = new Hono();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  app.get("/caller", (c) => c.json(callerOf(c.env)));
  app.get("/slow", async (c) => {
    await held;
    return c.text("at last");
  });
  app.post("/body", async (c) => c.text(await c.req.text()));
  app.get("/endless", (c) =>
    c.body(new ReadableStream({ start: (to) => to.enqueue(new TextEncoder().encode("begun")) })),
  );
  const listening = await listen({ app, addr: loopback, tls, clock: systemClock });
  const url = `${tls === null ? "http" : "https"}://127.0.0.1:${listening.port}`;
  return { ...listening, release: () => release(), url };
}

const shows = (certificates: Certificates, clientAuth = true): ServerTls => ({
  cert: certificates.server.cert,
  key: certificates.server.key,
  ca: certificates.ca.cert,
  clientAuth,
});

/** The certificate that a new connection is shown. */
function shownAt(port: number): Promise<DetailedPeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate(true));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

describe("listening", () => {
  it("fails in one line that names flag, address and reason", async () => {
    const first = await serve();
    await expect(
      listen({
        app: new Hono(),
        addr: { host: "127.0.0.1", port: first.port },
        tls: null,
        clock: systemClock,
      }),
    ).rejects.toMatchObject({
      code: "listen",
      message: expect.stringMatching(/^-http-addr: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/),
    });
    await first.close(0);
  });

  it("ends kept-alive connections at once, running requests after the grace, and is safe twice", async () => {
    const server = await serve();
    const idle: Socket = createConnection(server.port, "127.0.0.1");
    await new Promise<void>((resolve) => idle.once("connect", () => resolve()));
    idle.write("GET /caller HTTP/1.1\r\nhost: x\r\n\r\n");
    await new Promise<void>((resolve) => idle.once("data", () => resolve()));
    const slow = request(`${server.url}/slow`).then(
      (reply) => reply.status,
      () => "cut off",
    );
    await until(async () => (await request(`${server.url}/caller`)).status === 200, {
      deadlineMs: 2_000,
      what: "an answer",
    });
    const closed = new Promise((resolve) => idle.once("close", resolve));
    const began = performance.now();
    const closing = server.close(150);
    await closed;
    expect(performance.now() - began).toBeLessThan(140);
    await Promise.all([closing, server.close(0)]);
    expect(await slow).toBe("cut off");
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it("is not held by a connection that never finishes its TLS handshake", async () => {
    const server = await serve(shows(await makeCertificates([])));
    const silent = createConnection(server.port, "127.0.0.1");
    silent.on("error", () => {});
    await until(() => silent.readyState === "open", { deadlineMs: 2_000, what: "the connection" });
    let closed = false;
    void server.close(50).then(() => {
      closed = true;
    });
    await until(() => closed, { deadlineMs: 3_000, what: "the server to close" });
    silent.destroy();
  });

  it("lets a running request end within the grace", async () => {
    const server = await serve();
    const slow = request(`${server.url}/slow`);
    await until(async () => (await request(`${server.url}/caller`)).status === 200, {
      deadlineMs: 2_000,
      what: "an answer",
    });
    const closing = server.close(5_000);
    server.release();
    expect((await slow).body).toBe("at last");
    await closing;
  });

  it("is not taken down by callers that speak no HTTP or vanish", async () => {
    const server = await serve();
    for (let i = 0; i < 20; i++)
      await new Promise<void>((resolve) => {
        const socket = createConnection(server.port, "127.0.0.1", () => {
          if (i % 2 === 0) socket.write("\x16\x03\x01garbage\r\n\r\n");
          if (i % 3 === 0) socket.resetAndDestroy();
          else socket.end();
        });
        socket.on("error", () => {}).resume();
        socket.once("close", () => resolve());
      });
    expect((await request(`${server.url}/caller`)).status).toBe(200);
    await server.close(0);
  });
});

/** What a bare connection is told until the server ends it. */
function told(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let said = "";
    const socket = createConnection(port, "127.0.0.1", () => socket.write(bytes));
    socket.setEncoding("utf8").on("data", (text) => (said += text));
    socket.on("error", () => {}).on("close", () => resolve(said));
  });
}

describe("requests that reach no route", () => {
  const get = (path: string, headers: string, method = "GET") =>
    `${method} ${path} HTTP/1.1\r\n${headers}\r\n\r\n`;

  it.each([
    ["no HTTP", 400, "bad_request", "\x16\x03\x01garbage\r\n\r\n"],
    ["an unknown method", 400, "bad_request", get("/caller", "host: x", "FOO")],
    ["CONNECT", 400, "bad_request", get("a:1", "host: x", "CONNECT")],
    ["no host", 400, "bad_request", get("/caller", "a: b")],
    ["a bad host", 400, "bad_request", get("/caller", "host: a b")],
    ["a backslash in the path", 400, "bad_request", get("/a\\b", "host: x")],
    [
      "two lengths",
      ...([400, "bad_request", get("/caller", "host: x\r\ncontent-length: 1\r\ncontent-length: 2")] as const),
    ],
    ["headers that are too large", 431, "too_large", get("/caller", `host: x\r\na: ${"b".repeat(20_000)}`)],
    ["an expectation", 417, "expectation_failed", get("/caller", "host: x\r\nexpect: miracles")],
  ])("for %s get %i and an error in JSON, and the connection ends", async (_, status, code, bytes) => {
    const server = await serve();
    const said = await told(server.port, bytes);
    const [head = "", body = ""] = said.split("\r\n\r\n");
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head.toLowerCase()).toContain("content-type: application/json");
    const text = expect.stringMatching(/./);
    expect(JSON.parse(body)).toEqual({ error: { code, message: text, hint: text } });
    expect((await request(`${server.url}/caller`)).status).toBe(200);
    await server.close(0);
  });

  it("get 408 when they are slow, at whatever they stop", async () => {
    const server = await serve();
    const said = await Promise.all(
      [
        "",
        "GET /caller HTTP/1.1\r\nho",
        "POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345",
      ].map((bytes) => told(server.port, bytes)),
    );
    for (const one of said) {
      expect(one).toMatch(/^HTTP\/1.1 408 /);
      expect(JSON.parse(one.split("\r\n\r\n")[1] ?? "").error).toEqual({
        code: "timeout",
        message: "the request took too long",
        hint: "send the headers within 5 s, and all of it within 10 s",
      });
    }
    await server.close(0);
  });

  it("are told nothing in the middle of an answer", async () => {
    const server = await serve();
    const said = await told(server.port, `${get("/endless", "host: x")}\x16\x03garbage\r\n\r\n`);
    expect(said).toMatch(/^HTTP\/1.1 200 /);
    expect(said).not.toContain("bad_request");
    await server.close(0);
  });
});

describe("callers that wait and go away", () => {
  it("are noticed, so that nothing is kept for them", async () => {
    const { view, shown, stop } = viewOf();
    const server = await serveView(view);
    const waiting = Array.from({ length: 50 }, () => {
      const socket = createConnection(server.port, "127.0.0.1");
      socket.on("error", () => {}).write("GET /v1/outcome?wait=300s HTTP/1.1\r\nhost: x\r\n\r\n");
      return socket;
    });
    await until(() => shown.waiting() === 50, { deadlineMs: 5_000, what: "fifty to wait" });
    for (const socket of waiting) socket.destroy();
    await until(() => shown.waiting() === 0, { deadlineMs: 5_000, what: "nobody to wait" });
    stop.abort();
    await server.close(0);
  });
});

describe("what a connection shows of its caller", () => {
  it("is the machine it comes from", async () => {
    const server = await serve();
    expect(JSON.parse((await request(`${server.url}/caller`)).body)).toEqual({
      loopback: true,
      certified: false,
    });
    await server.close(0);
    const from = (remoteAddress: string | undefined) => callerOf({ incoming: { socket: { remoteAddress } } });
    expect(from("127.9.9.9").loopback).toBe(true);
    expect(from("::1").loopback).toBe(true);
    expect(from("::ffff:127.0.0.1").loopback).toBe(true);
    for (const address of ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "localhost.evil.test", undefined])
      expect([address, from(address).loopback]).toEqual([address, false]);
    expect(callerOf(undefined)).toEqual({ loopback: false, certified: false });
  });

  it("is a client certificate only when our authority signed it and it was asked for", async () => {
    const [ours, theirs] = await Promise.all([
      makeCertificates(["127.0.0.1"]),
      makeCertificates(["127.0.0.1"]),
    ]);
    const ask = async (clientAuth: boolean, by: Certificates | null) => {
      const server = await serve(shows(ours, clientAuth));
      const own = by === null ? {} : { cert: by.client.cert, key: by.client.key };
      const reply = await request(`${server.url}/caller`, { tls: { ca: ours.ca.cert, ...own } });
      await server.close(0);
      return JSON.parse(reply.body).certified;
    };
    expect(await ask(true, ours)).toBe(true);
    expect(await ask(true, theirs)).toBe(false);
    expect(await ask(true, null)).toBe(false);
    expect(await ask(false, ours)).toBe(false);
  });
});

describe("certificates", () => {
  it("are replaced for new connections, and a bad one changes nothing", async () => {
    const [old, next] = await Promise.all([makeCertificates(["127.0.0.1"]), makeCertificates(["127.0.0.1"])]);
    const server = await serve(shows(old));
    const before = (await shownAt(server.port)).fingerprint256;
    expect(() => server.renew({ ...shows(next), key: old.server.key })).toThrow();
    expect(() => server.renew({ ...shows(next), cert: "no certificate" })).toThrow();
    expect(() => server.renew({ ...shows(next), ca: "no certificate" })).toThrow("-tls-ca");
    expect((await shownAt(server.port)).fingerprint256).toBe(before);
    server.renew(shows(next));
    expect((await shownAt(server.port)).fingerprint256).not.toBe(before);
    // And with the authority that callers' certificates are checked by.
    const reply = await request(`${server.url}/caller`, {
      tls: { ca: next.ca.cert, cert: next.client.cert, key: next.client.key },
    });
    expect(JSON.parse(reply.body).certified).toBe(true);
    await server.close(0);
  });

  it("that do not fit are said in one line with their flags", async () => {
    const [one, two] = await Promise.all([makeCertificates(["127.0.0.1"]), makeCertificates(["127.0.0.1"])]);
    await expect(serve({ ...shows(one), key: two.server.key })).rejects.toMatchObject({
      code: "listen",
      message: expect.stringMatching(/^-tls-cert, -tls-key: cannot be used: .*key values mismatch/),
    });
  });
});
