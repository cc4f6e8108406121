import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createRegisters, type Registers } from "../../src/discovery-service/registers.ts";
import { type Discovery, serve } from "../../src/discovery-service/serve.ts";
import { type ManualClock, manualClock } from "../lib/manual-clock.ts";
import { request } from "../support/http.ts";
import { until } from "../support/wait.ts";

const failures: unknown[] = [];
const log = { error: (what: unknown) => void failures.push(what) };
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

type Started = { service: Discovery; registers: Registers; clock: ManualClock };

async function start(): Promise<Started> {
  let made = 0;
  const clock = manualClock();
  const deps = { clock, log, uuid: () => `u${++made}` };
  const registers = createRegisters(deps);
  const service = await serve({ host: "127.0.0.1", port: 0, token: null, registers }, deps);
  ends.push(async () => {
    const closed = service.close();
    clock.advance(1_000);
    await closed;
  });
  return { service, registers, clock };
}

/** A bare connection: what was sent back so far, and whether it has ended. */
async function dial(port: number): Promise<{ socket: Socket; said: () => string; ended: () => boolean }> {
  const socket = connect(port, "127.0.0.1");
  ends.push(() => socket.destroy());
  let said = "";
  let ended = false;
  socket.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    ended = true;
  });
  await new Promise((resolve) => socket.once("connect", resolve));
  return { socket, said: () => said, ended: () => ended };
}

const soon = (what: string) => ({ deadlineMs: 2_000, what });

describe("the service on a socket", () => {
  it("holds a long poll until the id changes", async () => {
    const { service, registers } = await start();
    const held = request(`${service.url}/a/view?wait=30s&index=u1-0`);
    await until(() => registers.size().waiters === 1, soon("the long poll"));
    const headers = { "if-none-match": "*" };
    const put = await request(`${service.url}/a/registers/genesis`, { method: "PUT", headers, body: "x" });
    expect(put.status).toBe(201);
    expect(JSON.parse((await held).body).genesis).toEqual({ value: "x", revision: "u1-1" });
  });

  it("forgets a long poll whose asker hung up", async () => {
    const { service, registers, clock } = await start();
    const { socket } = await dial(service.port);
    socket.write("GET /a/view?wait=30s&index=u1-0 HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => registers.size().waiters === 1, soon("the long poll"));
    socket.destroy();
    await until(() => registers.size().waiters === 0, soon("it to be forgotten"));
    expect(clock.pending()).toBe(0);
  });

  it("ends a lease when its time is over, and tells who waits", async () => {
    const { service, registers, clock } = await start();
    const put = async (node: string, ttl: string) => {
      const body = JSON.stringify({ id: node, incarnation: "i" });
      await request(`${service.url}/a/members/${node}?ttl=${ttl}`, { method: "PUT", body });
    };
    await put("n1", "20s");
    await put("n2", "10s");
    const index = registers.index("a");
    const held = request(`${service.url}/a/members?wait=60s&index=${index}`);
    await until(() => registers.size().waiters === 1, soon("the long poll"));
    clock.advance(9_999);
    expect(registers.view("a").members.length).toBe(2);
    clock.advance(1);
    expect(JSON.parse((await held).body)).toEqual({ members: [{ id: "n1", incarnation: "i" }] });
    clock.advance(10_000);
    expect([registers.size().ids, clock.pending()]).toEqual([0, 0]);
  });

  it("begins with an empty store of its own unless one is given", async () => {
    const { clock } = await start();
    const options = { host: "127.0.0.1", port: 0, token: null };
    const service = await serve(options, { clock, log, uuid: () => "own" });
    ends.push(service.close);
    expect((await request(`${service.url}/a/view`)).headers["rollcall-index"]).toBe("own-0");
  });

  it("refuses a port in use in one line", async () => {
    const { service, clock } = await start();
    const options = { host: "127.0.0.1", port: service.port, token: null };
    const again = serve(options, { clock, log, uuid: () => "u" });
    await expect(again).rejects.toMatchObject({
      code: "listen",
      message: expect.stringMatching(`^-http-addr: cannot listen on 127.0.0.1:${service.port}: .*EADDRINUSE`),
    });
  });
});

describe("close", () => {
  it("ends long polls at once and then the server, and is safe twice", async () => {
    const { service, registers, clock } = await start();
    const polls = [1, 2, 3].map(() => request(`${service.url}/a/view?wait=30s&index=u1-0`));
    await until(() => registers.size().waiters === 3, soon("the long polls"));
    const closing = [service.close(), service.close()];
    for (const poll of await Promise.all(polls)) expect(poll.status).toBe(503);
    await Promise.all(closing);
    await service.close();
    expect(clock.pending()).toBe(0);
    await expect(request(`${service.url}/a/view`)).rejects.toThrow("ECONNREFUSED");
  });

  it("drops idle connections at once and unfinished requests after a second", async () => {
    const { service, clock } = await start();
    const idle = await dial(service.port);
    idle.socket.write("GET /a/view HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => idle.said().includes("200 OK"), soon("an answer"));
    const unfinished = await dial(service.port);
    const head = "PUT /a/members/n1?ttl=10s HTTP/1.1\r\nHost: a\r\nExpect: 100-continue";
    unfinished.socket.write(`${head}\r\nContent-Length: 9\r\n\r\nx`);
    await until(() => unfinished.said().includes("100 Continue"), soon("the request to be read"));
    const closing = service.close();
    await until(idle.ended, soon("the idle connection to end"));
    expect(unfinished.ended()).toBe(false);
    clock.advance(1_000);
    await closing;
    await until(unfinished.ended, soon("the unfinished request to end"));
  });

  it("answers a request that ends meanwhile, and leaves no timer for its lease", async () => {
    const { service, clock, registers } = await start();
    const slow = await dial(service.port);
    const body = JSON.stringify({ id: "n1", incarnation: "i" });
    const head = "PUT /a/members/n1?ttl=10s HTTP/1.1\r\nHost: a\r\nExpect: 100-continue";
    slow.socket.write(`${head}\r\nContent-Length: ${body.length}\r\n\r\n`);
    await until(() => slow.said().includes("100 Continue"), soon("the request to be read"));
    const closing = service.close();
    slow.socket.write(body);
    await closing;
    await until(slow.ended, soon("the connection to end"));
    expect(slow.said()).toContain("200 OK");
    expect([registers.size().ids, clock.pending()]).toEqual([1, 0]);
  });
});

describe("hostile input", () => {
  it.each([
    ["no HTTP at all", "\x16\x03\x01\x02\x00\r\n\r\n", "400"],
    ["a bad content length", "PUT /a/registers/b HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"],
    ["a missing host", "GET /a/view HTTP/1.1\r\n\r\n", "400"],
    ["huge headers", `GET /a/view HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(32 * 1024)}\r\n\r\n`, "431"],
    ["a bad escape", "GET /%ff/view HTTP/1.1\r\nHost: a\r\n\r\n", "400"],
    ["dots in the path", "GET /a/../../view HTTP/1.1\r\nHost: a\r\n\r\n", "404"],
    [
      "an announced body of 1 GB",
      "PUT /a/members/b HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n",
      "413",
    ],
  ])("answers %s with %s and lives on", async (_, bytes, status) => {
    const { service } = await start();
    const { socket, said } = await dial(service.port);
    socket.write(bytes);
    await until(() => said().startsWith(`HTTP/1.1 ${status}`), soon(`${status}, got ${said()}`));
    expect(JSON.parse(said().split("\r\n\r\n")[1] ?? "")).toHaveProperty("error");
    expect((await request(`${service.url}/a/view`)).status).toBe(200);
  });

  it("takes a body that its sender breaks off for no failure of its own", async () => {
    const { service } = await start();
    failures.splice(0);
    const { socket, said } = await dial(service.port);
    socket.write("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n1234");
    await until(() => said().includes("100 Continue"), soon("the request to be read"));
    socket.destroy();
    const counted = async () => (await request(`${service.url}/metrics`)).body.includes('{status="500"} 1');
    await until(counted, soon("it to be over"));
    expect(failures).toEqual([]);
  });

  it("stops reading a body without a length after 64 KiB", async () => {
    const { service, registers } = await start();
    const { socket, said } = await dial(service.port);
    socket.write(
      "PUT /a/registers/b HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
    for (let i = 0; i < 5; i++) socket.write(chunk);
    await until(() => said().startsWith("HTTP/1.1 413"), soon("413"));
    expect(registers.size().ids).toBe(0);
  });
});
