import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import { request } from "./http.ts";
import { freePort, loopbackAddress } from "./loopback.ts";
import { base64, type Consul, describeWith, type Etcd, startConsul, startEtcd } from "./servers/index.ts";
import { until } from "./wait.ts";

const SLOW = 30_000;

describe("fault proxy before an echo server", () => {
  let echo: Server;
  let atServer: Socket[];
  let proxy: FaultProxy;
  let clients: Socket[];

  beforeEach(async () => {
    atServer = [];
    clients = [];
    const address = await loopbackAddress();
    const port = await freePort(address);
    echo = createServer((socket) => {
      atServer.push(socket);
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    echo.listen(port, address);
    await once(echo, "listening");
    proxy = await startFaultProxy({ address, port });
  });
  afterEach(async () => {
    for (const socket of [...clients, ...atServer]) socket.destroy();
    await proxy.stop();
    await new Promise((resolve) => echo.close(resolve));
  });

  // A client that notes what it hears and how it ended.
  async function connect() {
    const socket = createConnection(proxy.port, proxy.address);
    clients.push(socket);
    const client = { socket, heard: "", error: "", closed: false };
    socket.on("data", (chunk) => {
      client.heard += String(chunk);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      client.error = error.code ?? "";
    });
    socket.on("close", () => {
      client.closed = true;
    });
    await until(() => !socket.connecting, { deadlineMs: 2_000, what: "the connection" });
    return client;
  }
  const soon = (what: string, condition: () => boolean) => until(condition, { deadlineMs: 2_000, what });

  it("passes bytes and the end of each direction", async () => {
    const client = await connect();
    client.socket.end("hello");
    await soon("the end", () => client.closed);
    expect(client).toMatchObject({ heard: "hello", error: "" });
    await soon("the link to be gone", () => proxy.connections() === 0);
  });

  it("passes a megabyte whole", async () => {
    const client = await connect();
    client.socket.end(Buffer.alloc(3_000_000, "x"));
    await soon("the end", () => client.closed);
    expect(client.heard.length).toBe(3_000_000);
  });

  it("refuses new connections, resets open ones, and listens again", async () => {
    const client = await connect();
    client.socket.write("a");
    await soon("the echo", () => client.heard === "a");
    await proxy.refuse();
    await soon("the reset", () => client.closed);
    expect(client.error).toBe("ECONNRESET");
    expect((await connect()).error).toBe("ECONNREFUSED");
    await proxy.pass();
    const later = await connect();
    later.socket.write("b");
    await soon("the echo", () => later.heard === "b");
  });

  it("holds everything in a black hole and delivers it late", async () => {
    const client = await connect();
    client.socket.write("a");
    await soon("the echo", () => client.heard === "a");
    await proxy.blackhole();
    client.socket.write("b");
    const another = await connect();
    another.socket.end("c");
    await expect(until(() => client.heard === "ab", { deadlineMs: 100, what: "b" })).rejects.toThrow(
      "100 ms",
    );
    expect(atServer.length).toBe(1);
    await proxy.pass();
    await soon("the late echoes", () => client.heard === "ab" && another.heard === "c");
  });

  it("delays each direction by itself and keeps the order", async () => {
    const client = await connect();
    proxy.delay({ requestMs: 60, responseMs: 60 });
    const began = performance.now();
    client.socket.write("a");
    await soon("the first echo", () => client.heard === "a");
    expect(performance.now() - began).toBeGreaterThanOrEqual(118);
    client.socket.write("b");
    await soon("b to be under way", () => atServer.length === 1);
    proxy.delay({});
    client.socket.write("c");
    await soon("both", () => client.heard === "abc");
  });

  it("leaves the client of a half-open connection in silence", async () => {
    const client = await connect();
    client.socket.write("a");
    await soon("the echo", () => client.heard === "a");
    await proxy.halfOpen();
    await soon("the server's side to be gone", () => atServer[0]?.destroyed === true);
    await proxy.pass();
    client.socket.write("b");
    const fresh = await connect();
    fresh.socket.write("c");
    await soon("the echo of a fresh connection", () => fresh.heard === "c");
    expect(client).toMatchObject({ heard: "a", closed: false });
  });

  it("resets the client when the server is down", async () => {
    await new Promise((resolve) => echo.close(resolve));
    const client = await connect();
    await soon("the reset", () => client.closed);
    expect(client.error).toBe("ECONNRESET");
  });
});

describeWith("consul", "a lost acknowledgement of Consul", () => {
  let consul: Consul;
  let proxy: FaultProxy;
  beforeAll(async () => {
    consul = await startConsul();
    proxy = await startFaultProxy({ address: consul.address, port: consul.ports.http });
  }, SLOW);
  afterAll(async () => {
    await proxy.stop();
    await consul.stop();
  });

  it("leaves a write done and its writer without an answer, once", async () => {
    const lost = proxy.dropResponses({ matching: /^PUT \/v1\/kv\/a\?cas=0 .*\r\n\r\nvalue/s });
    const put = (key: string) =>
      request(`http://${proxy.endpoint}/v1/kv/${key}?cas=0`, { method: "PUT", body: "value" });
    expect((await put("b")).body.trim()).toBe("true");
    await expect(put("a")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(lost.dropped()).toBe(1);
    expect((await consul.request("/v1/kv/a?raw")).body).toBe("value");
    expect((await put("a")).body.trim()).toBe("false");
  });
});

describeWith("etcd", "a lost acknowledgement of etcd over gRPC", () => {
  let etcd: Etcd;
  let proxy: FaultProxy;
  beforeAll(async () => {
    etcd = await startEtcd();
    proxy = await startFaultProxy({ address: etcd.address, port: etcd.ports.client });
  }, SLOW);
  afterAll(async () => {
    await proxy.stop();
    await etcd.stop();
  });

  // Without a client library: etcd3 repeats a write up to three times when its policy is not replaced.
  it(
    "leaves every write done, once, and its writer without an answer",
    async () => {
      for (let i = 0; i < 20; i += 1) {
        const session = connectHttp2(`http://${proxy.endpoint}`).on("error", () => {});
        const lost = proxy.dropResponses({ matching: new RegExp(`lost-${i}`) });
        await putByGrpc(session, `plain-${i}`);
        await expect(putByGrpc(session, `lost-${i}`)).rejects.toThrow("no answer");
        expect(lost.dropped()).toBe(1);
        const range = { key: base64(`lost-${i}`) };
        expect(await etcd.call("/v3/kv/range", range)).toMatchObject({ kvs: [{ version: "1" }] });
      }
    },
    SLOW,
  );
});

// A PutRequest of key and value, behind gRPC's five bytes of flag and length.
function putByGrpc(session: ClientHttp2Session, key: string): Promise<void> {
  const message = Buffer.concat([
    Buffer.from([0x0a, key.length]),
    Buffer.from(key),
    Buffer.from("\x12\x011"),
  ]);
  const call = session.request({
    ":method": "POST",
    ":path": "/etcdserverpb.KV/Put",
    "content-type": "application/grpc",
    te: "trailers",
  });
  call.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
  call.resume();
  return new Promise((resolve, reject) => {
    call.on("error", () => {});
    call.on("trailers", (trailers) => trailers["grpc-status"] === "0" && resolve());
    call.on("close", () => reject(new Error("no answer")));
  });
}
