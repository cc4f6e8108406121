import { randomUUID } from "node:crypto";
import { createServer, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { Config, open } from "../../providers/disco.ts";
import type { Member } from "../../src/core/model.ts";
import type { Lookup, Provider, ProviderContext } from "../../src/core/provider.ts";
import { createRegisters } from "../../src/discovery-service/registers.ts";
import { serve } from "../../src/discovery-service/serve.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { until } from "../support/wait.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const files = new Map<string, string>();
const context: ProviderContext = {
  key: "prod/orders",
  now: () => 0,
  file: async (path) => files.get(path) ?? "",
  uuid: () => "no uuid is needed",
};
const signal = () => AbortSignal.timeout(5_000);
const member: Member = {
  v: 1,
  id: "n1",
  incarnation: "i1",
  boot_id: "b1",
  agent_addr: "10.0.0.1:4100",
  api_addr: "10.0.0.1:4001",
  addr: "10.0.0.1:4002",
  voter: true,
  expect: 3,
  status: "waiting",
  genesis_id: null,
};

async function connectTo(url: string, more: Record<string, unknown> = {}): Promise<Provider> {
  const provider = await open(Config.parse({ url, ...more }), context);
  ends.push(() => provider.close());
  return provider;
}

async function service(options: { token?: string; port?: number } = {}) {
  const registers = createRegisters({ uuid: randomUUID });
  const { port = 0, token = null } = options;
  const deps = { clock: systemClock, log: { error: () => {} }, uuid: randomUUID };
  const started = await serve({ host: "127.0.0.1", port, token, registers }, deps);
  ends.push(() => started.close());
  return { ...started, registers };
}

/** A server of any kind on a free port, ended with its connections. Gives the port. */
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

/** A server that answers everything alike, and how often it was asked. */
async function fake(answer: RequestListener): Promise<{ url: string; asked: () => number }> {
  let asked = 0;
  const port = await listen(
    createServer((request, response) => {
      asked += 1;
      answer(request, response);
    }),
  );
  return { url: `http://127.0.0.1:${port}`, asked: () => asked };
}

/** The port without a listener that a server has just left. */
async function deadPort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("the configuration", () => {
  it("needs no more than a URL", () => {
    expect(Config.parse({ url: "http://127.0.0.1:4300" })).toEqual({
      url: "http://127.0.0.1:4300",
      timeout: 5_000,
    });
  });

  it.each([
    ["no url", {}],
    ["another scheme", { url: "ftp://a" }],
    ["a user in the url", { url: "http://me:secret@a" }],
    ["a query", { url: "http://a?b=c" }],
    ["no url at all", { url: "127.0.0.1:4300" }],
    ["an unknown key", { url: "http://a", tokn: "x" }],
    ["an id of five segments", { url: "http://a", id: "a/b/c/d/e" }],
    ["an id with dots", { url: "http://a", id: "a/.." }],
    ["an upper-case id", { url: "http://a", id: "A" }],
    ["no time", { url: "http://a", timeout: "0s" }],
    ["nanoseconds for milliseconds", { url: "http://a", timeout: 5000 }],
    ["a certificate without its key", { url: "https://a", cert_file: "c.pem" }],
    ["a key without its certificate", { url: "https://a", key_file: "c.key" }],
  ])("refuses %s", (_, config) => {
    expect(Config.safeParse(config).success).toBe(false);
  });
});

describe("the id", () => {
  it("is the cluster's key unless the configuration has one", async () => {
    const { url, registers } = await service();
    await (await connectTo(url)).genesis?.swap(null, "x", signal());
    await (await connectTo(`${url}/`, { id: "other" })).genesis?.swap(null, "y", signal());
    expect(registers.read("prod/orders", "genesis")?.value).toBe("x");
    expect(registers.read("other", "genesis")?.value).toBe("y");
  });

  it("comes after the URL's own path", async () => {
    const paths: unknown[] = [];
    const { url } = await fake((request, response) => {
      paths.push(request.url);
      response.writeHead(500).end();
    });
    const provider = await connectTo(`${url}/discovery/`);
    await expect(provider.genesis?.read(signal())).rejects.toThrow();
    expect(paths).toEqual(["/discovery/prod~orders/registers/genesis"]);
  });
});

describe("a service that cannot be reached", () => {
  it("is told in one line: what, why and where", async () => {
    const port = await deadPort();
    const provider = await connectTo(`http://127.0.0.1:${port}`);
    await expect(provider.genesis?.read(signal())).rejects.toMatchObject({
      code: "store_unreachable",
      message: `read genesis: connection refused (127.0.0.1:${port})`,
    });
    expect(await provider.leaderKey?.swap(null, "x", signal())).toMatchObject({
      kind: "unknown",
      cause: { message: `write leader key: connection refused (127.0.0.1:${port})` },
    });
  });

  it("times out in silence", async () => {
    const { url } = await fake(() => {});
    const provider = await connectTo(url, { timeout: "20ms" });
    const where = new URL(url).host;
    await expect(provider.lookup(signal())).rejects.toMatchObject({
      code: "store_timeout",
      message: `look up: no answer in 0.02 s (${where})`,
    });
    expect(await provider.genesis?.swap(null, "x", signal())).toMatchObject({
      kind: "unknown",
      cause: { code: "store_timeout" },
    });
  });

  it("times out when the answer stops in the middle", async () => {
    const { url } = await fake((_, response) => {
      response.writeHead(200, { "content-length": "9", etag: '"a"', "rollcall-index": "a" }).write("x");
    });
    const provider = await connectTo(url, { timeout: "20ms" });
    await expect(provider.genesis?.read(signal())).rejects.toMatchObject({ code: "store_timeout" });
  });

  it("is a lost connection when the answer ends in the middle", async () => {
    const { url } = await fake((_, response) => {
      response.writeHead(200, { "content-length": "9", etag: '"a"' }).write("x", () => response.destroy());
    });
    const provider = await connectTo(url);
    await expect(provider.genesis?.read(signal())).rejects.toMatchObject({
      code: "store_unreachable",
      message: `read genesis: connection reset (${new URL(url).host})`,
    });
  });

  it("settles soon after an abort, also before anything was sent", async () => {
    const { url, asked } = await fake(() => {});
    const provider = await connectTo(url);
    const own = new AbortController();
    const calls = [provider.lookup(own.signal), provider.genesis?.read(own.signal)];
    await until(() => asked() === 2, { deadlineMs: 2_000, what: "both requests" });
    own.abort();
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: "aborted" });
    await expect(provider.lookup(own.signal)).rejects.toMatchObject({ code: "aborted" });
    expect(await provider.genesis?.swap(null, "x", own.signal)).toMatchObject({ kind: "unknown" });
    expect(asked()).toBe(2);
  });

  it("ends requests in progress when the provider is closed", async () => {
    const { url, asked } = await fake(() => {});
    const provider = await connectTo(url);
    const call = provider.lookup(signal());
    await until(asked, { deadlineMs: 2_000, what: "the request" });
    await provider.close();
    await provider.close();
    await expect(call).rejects.toMatchObject({ code: "closed", message: "look up: the provider is closed" });
    await expect(provider.lookup(signal())).rejects.toMatchObject({ code: "closed" });
  });
});

describe("an answer that is not the service's", () => {
  const calls: [string, (provider: Provider) => Promise<unknown> | undefined][] = [
    ["read", (provider) => provider.genesis?.read(signal())],
    ["lookup", (provider) => provider.lookup(signal())],
    ["announce", (provider) => provider.members?.announce(member, signal())],
  ];

  it.each([
    [404, "", "store_error", "404, not the answer of a Discovery Service"],
    [301, "", "store_error", "301, not the answer of a Discovery Service"],
    [200, "<html>", "bad_record", "the answer"],
    [409, "{}", "store_error", "409, not the answer of a Discovery Service"],
    [503, '{"error":{"code":"x","message":"not\\nnow","hint":null}}', "store_unreachable", "503, not"],
    [429, "", "store_unreachable", "429, "],
    [401, "", "store_denied", "401 — the Discovery Service"],
    [403, "", "store_denied", "403 — the Discovery Service"],
  ])("%i %j is an error of every call and never 'none'", async (status, body, code, text) => {
    const { url, asked } = await fake(
      (_, response) => void response.writeHead(status, { location: "/elsewhere" }).end(body),
    );
    const provider = await connectTo(url);
    for (const [, call] of calls) {
      await expect(call(provider)).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
    }
    expect(await provider.genesis?.swap(null, "x", signal())).toMatchObject({ kind: "unknown" });
    expect(asked()).toBe(4);
  });

  it("brings the service's hint along with its refusal", async () => {
    const error = { code: "id_full", message: "this id is for 2 voters", hint: "create another id" };
    const { url } = await fake((_, response) => void response.writeHead(409).end(JSON.stringify({ error })));
    const provider = await connectTo(url);
    await expect(provider.members?.announce(member, signal())).rejects.toMatchObject({
      code: "store_error",
      message: expect.stringContaining("409, this id is for 2 voters"),
      hint: "create another id",
    });
  });

  it("leaves a swap unknown for a 412 and a 2xx that only look right", async () => {
    for (const [status, headers, body] of [
      [412, {}, ""],
      [412, {}, '{"error":{"code":"not_as_expected","message":"m","hint":null}}'],
      [201, {}, ""],
      [201, { etag: 'W/"a"' }, ""],
      [200, { etag: '"a"' }, ""],
    ] as const) {
      const { url } = await fake((_, response) => void response.writeHead(status, headers).end(body));
      const provider = await connectTo(url);
      expect(await provider.genesis?.swap(null, "x", signal())).toMatchObject({ kind: "unknown" });
    }
  });

  it("is cut off at 8 MiB", async () => {
    const { url } = await fake(
      (_, response) => void response.writeHead(200).end(Buffer.alloc(9 * 1024 * 1024)),
    );
    const provider = await connectTo(url);
    await expect(provider.lookup(signal())).rejects.toMatchObject({
      code: "store_error",
      message: `look up: the answer is larger than 8 MiB (${new URL(url).host})`,
    });
  });

  it("is a partial look-up where a member's record is not one", async () => {
    const body = JSON.stringify({ members: [member, { ...member, v: 2 }, 1], genesis: null, leader: null });
    const { url } = await fake(
      (_, response) => void response.writeHead(200, { "rollcall-index": "a" }).end(body),
    );
    expect(await (await connectTo(url)).lookup(signal())).toEqual({
      kind: "partial",
      addresses: ["10.0.0.1:4100"],
      members: [member],
      genesis: null,
      leader: null,
    });
  });
});

describe("members", () => {
  it("sees a service that restarted empty as one that knows neither its lease nor its revisions", async () => {
    const first = await service();
    const { members, genesis } = await connectTo(first.url);
    expect(await members?.renew(signal())).toBe(false);
    await members?.announce(member, signal());
    expect(await members?.renew(signal())).toBe(true);
    await genesis?.swap(null, "x", signal());
    const before = (await genesis?.read(signal())) ?? null;
    await first.close();

    const { registers } = await service({ port: first.port });
    // The first request may still go out on a connection that the first service has closed.
    const refused = async () => (await members?.renew(signal())) === false;
    await until(refused, { deadlineMs: 2_000, what: "the lease to be gone" });
    expect(await members?.announce(member, signal())).toEqual({ kind: "held" });
    registers.put({ id: "prod/orders", name: "genesis", value: "x", expected: null });
    expect(await genesis?.swap(before, "y", signal())).toMatchObject({
      kind: "lost",
      current: { value: "x" },
    });
  });

  it("withdraws nothing that another instance of the same incarnation has entered since", async () => {
    const { url, registers } = await service();
    const [old, fresh] = [(await connectTo(url)).members, (await connectTo(url)).members];
    await old?.announce(member, signal());
    await fresh?.announce({ ...member, boot_id: "b2" }, signal());
    await old?.withdraw(signal());
    expect(registers.view("prod/orders").members).toEqual([JSON.stringify({ ...member, boot_id: "b2" })]);
    expect(await old?.renew(signal())).toBe(false);
    expect(await fresh?.renew(signal())).toBe(true);
  });
});

describe("watch", () => {
  const next = async (watching: AsyncIterator<Lookup>) => (await watching.next()).value as Lookup;

  it("asks for nothing ahead of next, and shows a change that is held for it", async () => {
    const { url, registers } = await service();
    const provider = await connectTo(url);
    const watching = provider.watch?.(signal())[Symbol.asyncIterator]();
    if (watching === undefined) throw new TypeError("no watch");
    expect((await next(watching)).genesis).toBeNull();
    expect(registers.size().waiters).toBe(0);
    const following = next(watching);
    await until(() => registers.size().waiters === 1, { deadlineMs: 2_000, what: "the long poll" });
    registers.put({ id: "prod/orders", name: "unshown", value: "x", expected: null });
    expect(registers.size().waiters).toBe(0);
    await until(() => registers.size().waiters === 1, { deadlineMs: 2_000, what: "the next long poll" });
    registers.put({ id: "prod/orders", name: "genesis", value: "x", expected: null });
    expect((await following).genesis?.value).toBe("x");
  });

  it("gives a held answer more time than others", async () => {
    const body = (leader: string | null) =>
      JSON.stringify({ members: [], genesis: null, leader: leader && { value: leader, revision: "r" } });
    let release: (() => void) | undefined;
    const { url } = await fake((request, response) => {
      response.setHeader("rollcall-index", "a");
      if (request.url?.includes("wait=10s&index=a")) release = () => response.end(body("n1"));
      else response.end(body(null));
    });
    const watching = (await connectTo(url, { timeout: "20ms" })).watch?.(signal())[Symbol.asyncIterator]();
    if (watching === undefined) throw new TypeError("no watch");
    await next(watching);
    const following = next(watching);
    const began = performance.now();
    await until(() => release && performance.now() - began > 60, {
      deadlineMs: 2_000,
      what: "three time-outs",
    });
    release?.();
    expect((await following).leader).toEqual({ value: "n1", revision: "r" });
  });

  it("goes on where the service took back somebody's change: nothing is new", async () => {
    const view = (leader: string | null) =>
      JSON.stringify({ members: [], genesis: null, leader: leader && { value: leader, revision: "r" } });
    const refusal = { error: { code: "store", message: "the store failed, and nothing was changed" } };
    const answers = [
      [200, view(null)],
      [503, JSON.stringify(refusal)],
      [200, view("n1")],
    ] as const;
    const server = await fake((_, response) => {
      const [status, body] = answers[server.asked() - 1] ?? [500, ""];
      response.writeHead(status, { "rollcall-index": "a" }).end(body);
    });
    const watching = (await connectTo(server.url)).watch?.(signal())[Symbol.asyncIterator]();
    if (watching === undefined) throw new TypeError("no watch");
    await next(watching);
    expect((await next(watching)).leader).toEqual({ value: "n1", revision: "r" });
  });

  it("ends by throwing on abort, and leaves no request behind", async () => {
    const { url, registers } = await service();
    const own = new AbortController();
    const watching = (await connectTo(url)).watch?.(own.signal)[Symbol.asyncIterator]();
    if (watching === undefined) throw new TypeError("no watch");
    await next(watching);
    const following = next(watching);
    await until(() => registers.size().waiters === 1, { deadlineMs: 2_000, what: "the long poll" });
    own.abort();
    await expect(following).rejects.toMatchObject({ code: "aborted" });
    await until(() => registers.size().waiters === 0, { deadlineMs: 2_000, what: "its end" });
  });

  it("ends by throwing when the service closes", async () => {
    const started = await service();
    const watching = (await connectTo(started.url)).watch?.(signal())[Symbol.asyncIterator]();
    if (watching === undefined) throw new TypeError("no watch");
    await next(watching);
    const following = next(watching);
    await until(() => started.registers.size().waiters === 1, { deadlineMs: 2_000, what: "the long poll" });
    const told = expect(following).rejects.toMatchObject({
      code: "store_unreachable",
      message: expect.stringContaining("watch: 503, the Discovery Service is shutting down"),
    });
    await started.close();
    await told;
  });
});

describe("secrets", () => {
  it("shows the token, from the file first, and says what is wanted without one", async () => {
    const { url } = await service({ token: "secret" });
    files.set("/token", "secret\n");
    files.set("/empty", "\n");
    for (const more of [
      { token: "secret" },
      { token_file: "/token" },
      { token: "wrong", token_file: "/token" },
      { token: "secret", token_file: "/empty" },
    ]) {
      expect(await (await connectTo(url, more)).genesis?.read(signal())).toBeNull();
    }
    const denied = (await connectTo(url, { token: "wrong" })).genesis?.read(signal());
    await expect(denied).rejects.toMatchObject({
      code: "store_denied",
      message: `read genesis: 401 — the Discovery Service (${new URL(url).host}) wants its token in token_file`,
    });
  });
});

describe("https", () => {
  let certificates: Certificates;
  beforeAll(async () => {
    certificates = await makeCertificates([]);
  });

  it("trusts what ca_file says, and nothing else", async () => {
    const { cert, key } = certificates.server;
    const body = JSON.stringify({ members: [], genesis: null, leader: null });
    const port = await listen(
      createSecureServer({ cert, key }, (_, response) => {
        response.writeHead(200, { "rollcall-index": "a" }).end(body);
      }),
    );
    files.set("/ca", certificates.ca.cert);
    const url = `https://localhost:${port}`;
    expect((await (await connectTo(url, { ca_file: "/ca" })).lookup(signal())).kind).toBe("complete");
    await expect((await connectTo(url)).lookup(signal())).rejects.toMatchObject({
      code: "store_unreachable",
      message: expect.stringMatching(new RegExp(`^look up: .*certificate.* \\(localhost:${port}\\)$`)),
    });
    files.set("/no-ca", "no PEM");
    await expect((await connectTo(url, { ca_file: "/no-ca" })).lookup(signal())).rejects.toMatchObject({
      code: "file",
      message: "read /no-ca: is no certificate in PEM",
    });
  });
});
