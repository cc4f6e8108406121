import { writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { accessOf, serveView, viewOf } from "../agent/support/view.ts";
import { freePort } from "../support/loopback.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { at, client, never, opened, pollOf, strange, within } from "./polling.ts";
import { answer, likeAnAgent, SHARDS, stateOf } from "./strange-server.ts";

afterEach(() => opened.close());

const silentAfter = (text: string) => (socket: Socket) => void socket.write(text);

describe("a poll of an agent", () => {
  it("gives its state with its shards, then only that nothing changed, on one connection", async () => {
    const server = await strange(likeAnAgent());
    const { poll, counts } = client();
    const seen = await poll(at(server), never);
    expect(seen).toEqual({
      agent_addr: server.addr,
      at: expect.any(Number),
      kind: "state",
      boot_id: "boot-1",
      seq: 7,
      key: "c1",
      node_id: "n1",
      incarnation: "i1",
      version: "1.2.3",
      voter: true,
      api_addr: "10.0.0.1:4001",
      addr: "10.0.0.1:4002",
      genesis_id: "g1",
      report: {
        kind: "rqlite",
        version: "8.26.8",
        status: "healthy",
        problem: null,
        role: "leader",
        term: 4,
        leader: { id: "n1", addr: "10.0.0.1:4002", api_addr: "10.0.0.1:4001", voter: null, reachable: true },
        members: [{ id: "n1", addr: "10.0.0.1:4002", api_addr: "", voter: true, reachable: null }],
      },
      peers: ["n1", "n2"],
      transitions: [{ seq: 7, kind: "role", before: "replica", after: "leader" }],
      shards: SHARDS.shards,
    });
    const known = { boot_id: "boot-1", seq: 7 };
    const unchanged = { agent_addr: server.addr, at: expect.any(Number), kind: "unchanged", ...known };
    expect(await poll(at(server, { known }), never)).toEqual({ ...unchanged, shards: null });
    expect(await poll(at(server, { known, shards: true }), never)).toEqual({
      ...unchanged,
      shards: SHARDS.shards,
    });
    expect(await poll(at(server, { known: { boot_id: "boot-0", seq: 7 } }), never)).toMatchObject({
      kind: "state",
    });
    expect(server.requests.map((head) => head.split(" ")[1])).toEqual(
      ["state", "shards", "state", "state", "shards", "state", "shards"].map((page) => `/v1/${page}`),
    );
    expect([server.connections(), counts()]).toEqual([1, { kept: 1, polls: 0, failing: 0 }]);
  });

  it("takes the state where the shards cannot be had", async () => {
    const replies: ((socket: Socket) => void)[] = [
      (socket) => socket.write(answer(404, "no")),
      (socket) => socket.write(answer(200, "{}")),
      (socket) => socket.resetAndDestroy(),
    ];
    for (const reply of replies) {
      const server = await strange((socket, head) =>
        head.includes("/v1/shards") ? reply(socket) : socket.write(answer(200, JSON.stringify(stateOf()))),
      );
      expect(await client().poll(at(server), never)).toMatchObject({ kind: "state", shards: null });
    }
  });

  it("asks a real agent", async () => {
    const { view, shown } = viewOf({
      access: accessOf({ token: async () => "s3cret" }),
      stateText: () => JSON.stringify(stateOf({ seq: shown.seq })),
    });
    const server = await serveView(view, null, () => ({ loopback: false, certified: false }));
    opened.push(() => server.close(0));
    const file = join(tempDir(), "token");
    writeFileSync(file, "s3cret\n");
    const settings = { token_file: file };
    const { poll } = client();
    expect(await poll(pollOf(server, server.addr, { settings }), never)).toMatchObject({
      kind: "state",
      node_id: "n1",
      shards: [],
    });
    const known = { boot_id: "boot-1", seq: 1 };
    expect(await poll(pollOf(server, server.addr, { settings, known }), never)).toMatchObject({
      kind: "unchanged",
    });
    shown.seq = 2;
    expect(await poll(pollOf(server, server.addr, { settings, known }), never)).toMatchObject({
      kind: "state",
      seq: 2,
    });
    expect(await poll(pollOf(server, server.addr), never)).toMatchObject({
      kind: "failed",
      code: "unauthorized",
      problem: "answers 401: it wants a token, and there is no token_file",
    });
  });
});

describe("what answers otherwise", () => {
  const bytes = (count: number) => "x".repeat(count);
  const later = JSON.stringify(stateOf({ v: 2 }));
  const cases: readonly [name: string, said: string, code: string, problem: string | RegExp][] = [
    [
      "a redirect",
      answer(302, "", ["location: http://127.0.0.1:1/"]),
      "not_an_agent",
      "answers 302; redirects are not followed",
    ],
    ["a 401", answer(401, "no"), "unauthorized", /^answers 401/],
    ["a 403", answer(403, "no"), "unauthorized", /^answers 403/],
    ["a 404", answer(404, "no"), "not_an_agent", "answers 404"],
    ["a 304 that nobody asked for", answer(304), "not_an_agent", "answers 304"],
    ["a 503", answer(503, "no"), "unreachable", "answers 503"],
    ["no JSON", answer(200, "<html>"), "not_an_agent", "its answer is not JSON"],
    ["a list", answer(200, "[]"), "not_an_agent", "its answer is no object"],
    ["an object without a version", answer(200, "{}"), "not_an_agent", "its state has no version"],
    ["a later version", answer(200, later), "not_an_agent", "its state has v 2; this rollcall reads v 1"],
    ["too much", answer(200, bytes(1024 * 1024 + 1)), "not_an_agent", "its answer is over 1048576 bytes"],
    [
      "too much, said before",
      `HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n${bytes(1024 * 1024 + 1)}`,
      "not_an_agent",
      /over 1048576/,
    ],
    [
      "endless headers",
      `HTTP/1.1 200 OK\r\nx: ${bytes(20_000)}\r\n\r\n`,
      "not_an_agent",
      /^its answer is not HTTP: .*overflow/i,
    ],
    ["another protocol", "220 smtp.example.com ESMTP\r\n", "not_an_agent", /^its answer is not HTTP/],
    ["nothing", "", "unreachable", "no answer in 0.3 s"],
    ["half a head", "HTTP/1.1 200 OK\r\ncontent-le", "unreachable", "no answer in 0.3 s"],
    [
      "half a body",
      "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
      "unreachable",
      "no whole answer in 0.4 s",
    ],
  ];
  it.each(cases)("is data: %s", async (_name, said, code, problem) => {
    const server = await strange(silentAfter(said));
    const { poll, counts } = client({ headersMs: 300 });
    expect(await poll(at(server, { timeoutMs: 400 }), never)).toEqual({
      agent_addr: server.addr,
      at: expect.any(Number),
      kind: "failed",
      code,
      problem: typeof problem === "string" ? problem : expect.stringMatching(problem),
    });
    expect(server.requests).toHaveLength(1);
    await until(() => server.standing() === 0, within("the connection to be closed"));
    expect(counts()).toMatchObject({ kept: 0, polls: 0 });
  });

  it("is given up at the end although it goes on byte by byte", async () => {
    const server = await strange((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
      const timer = setInterval(() => socket.write(" "), 10);
      socket.once("close", () => clearInterval(timer));
    });
    expect(await client().poll(at(server, { timeoutMs: 300 }), never)).toMatchObject({
      code: "unreachable",
      problem: "no whole answer in 0.3 s",
    });
  });

  it("is unreachable when it breaks off or is not there", async () => {
    const server = await strange((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", () => socket.resetAndDestroy());
    });
    const { poll } = client();
    expect(await poll(at(server), never)).toMatchObject({ code: "unreachable" });
    expect(server.requests).toHaveLength(1);
    const port = await freePort(server.address);
    expect(await poll(pollOf({ port }, `${server.address}:${port}`), never)).toMatchObject({
      code: "unreachable",
      problem: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("cannot speak to a terminal or fill the memory", async () => {
    const node = { ...(stateOf().node as object), problem: `\u001b[2J\u202e${"x".repeat(5_000)}` };
    const transitions = Array.from({ length: 90 }, (_, seq) => ({
      seq,
      kind: "k\n",
      before: "deep",
      after: 1,
    }));
    const text = JSON.stringify(stateOf({ node, transitions })).replaceAll(
      '"deep"',
      `${"[".repeat(2_000)}${"]".repeat(2_000)}`,
    );
    const liar = await strange((socket, head) =>
      socket.write(answer(200, head.includes("shards") ? JSON.stringify(SHARDS) : text)),
    );
    const seen = await client().poll(at(liar), never);
    if (seen.kind !== "state") throw new Error(JSON.stringify(seen));
    expect(seen.report.problem).toHaveLength(1_001);
    expect(JSON.stringify(seen)).not.toMatch(/\\u001b|\u202e|\\n/);
    expect(seen.transitions).toHaveLength(64);
  });

  it("may have a name that no header can carry", async () => {
    const server = await strange(likeAnAgent(stateOf({ boot_id: "日本" })));
    const { poll } = client();
    expect(await poll(at(server), never)).toMatchObject({ boot_id: "日本" });
    expect(await poll(at(server, { known: { boot_id: "日本", seq: 7 } }), never)).toMatchObject({
      kind: "state",
    });
  });
});
