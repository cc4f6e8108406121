import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Config, open } from "../../src/databases/http.ts";
import { databases } from "../../src/databases/index.ts";
import { fileCache } from "../../src/lib/files.ts";
import { tempDir } from "../support/temp.ts";

let server: Server;
let url: string;
let answer: { status: number; body: string };
let question: Pick<IncomingMessage, "url" | "headers"> | null = null;

beforeAll(async () => {
  server = createServer((request, reply) => {
    question = { url: request.url, headers: request.headers };
    reply.statusCode = answer.status;
    reply.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

async function look(status: number, body: string | object, { path = "/rollcall", config = {} } = {}) {
  answer = { status, body: typeof body === "string" ? body : JSON.stringify(body) };
  const db = open(config, { addr: `${url}${path}`, nodeId: "n1", now: () => 0, file: fileCache() });
  try {
    return await db.probe(AbortSignal.timeout(2_000));
  } finally {
    db.close();
  }
}

describe("the http adapter", () => {
  it("takes a 200 for health and a 503 for its absence, whatever the body", async () => {
    expect(await look(200, "OK")).toMatchObject({
      kind: "http",
      status: "healthy",
      problem: null,
      role: "unknown",
    });
    expect(await look(200, "")).toMatchObject({ status: "healthy" });
    expect(await look(503, "no")).toMatchObject({
      status: "unhealthy",
      problem: `${url.slice(7)} answers 503`,
    });
    expect(await look(500, { status: "healthy" })).toMatchObject({ status: "unhealthy" });
  });

  it("takes in all that the body says", async () => {
    const body = {
      kind: "mydb",
      version: "1.2",
      role: "leader",
      term: 7,
      leader: { id: "n1", addr: "h:2", api_addr: "h:1", voter: true },
      members: [{ id: "n2" }, { id: "n1", addr: "h:2", voter: false, more: 1 }],
      shards: [{ id: "s", role: "primary", lag: { unit: "seconds", value: 0.5 } }],
      more: true,
    };
    const unknown = { api_addr: "", reachable: null };
    expect(await look(200, body)).toEqual({
      kind: "mydb",
      version: "1.2",
      status: "healthy",
      problem: null,
      role: "leader",
      term: 7,
      leader: { id: "n1", addr: "h:2", api_addr: "h:1", voter: true, reachable: null },
      members: [
        { ...unknown, id: "n1", addr: "h:2", voter: false },
        { ...unknown, id: "n2", addr: "", voter: null },
      ],
      shards: [{ id: "s", role: "primary", commit_offset: null, lag: { unit: "seconds", value: 0.5 } }],
    });
  });

  it("believes the status that the body gives", async () => {
    expect(await look(503, { status: "joining", problem: "copying" })).toMatchObject({
      status: "joining",
      problem: "copying",
    });
    expect(await look(200, { status: "unhealthy" })).toMatchObject({ status: "unhealthy" });
    expect(await look(200, { role: "replica" })).toMatchObject({ status: "healthy", role: "replica" });
  });

  it("says what it cannot read", async () => {
    expect(await look(200, { role: "boss" })).toMatchObject({
      status: "unhealthy",
      problem: expect.stringContaining("role: "),
    });
    expect((await look(200, "{")).problem).toBe(`the JSON of ${url.slice(7)}: is not JSON`);
  });

  it("asks at the path, with its query, and shows credentials", async () => {
    const token = join(tempDir("http-token"), "token");
    writeFileSync(token, "t0ken\n");
    await look(200, "", { path: "/a/b?c=d", config: { token_file: token } });
    expect(question).toMatchObject({ url: "/a/b?c=d", headers: { authorization: "Bearer t0ken" } });
    await look(200, "", { path: "", config: { username: "u", password: "p" } });
    expect(question).toMatchObject({ url: "/", headers: { authorization: `Basic ${btoa("u:p")}` } });
    expect(await look(401, "")).toMatchObject({
      status: "unavailable",
      problem: `${url.slice(7)} refuses the credentials of -db-config (401)`,
    });
  });

  it("throws when nobody answers, and for an address that is no URL", async () => {
    const context = { nodeId: "n1", now: () => 0, file: fileCache() };
    const db = open({}, { ...context, addr: "http://127.0.0.1:1/" });
    await expect(db.probe(AbortSignal.timeout(2_000))).rejects.toThrow(
      "ask the database at 127.0.0.1:1: connection refused",
    );
    db.close();
    for (const addr of ["127.0.0.1:80", "ftp://h/", "http://u:secret@h/", "http://h:0/"])
      expect(() => open({}, { ...context, addr })).toThrow(/must/);
    expect(() => open({}, { ...context, addr: "http://u:secret@h/" })).not.toThrow(/secret/);
  });

  it("refuses two kinds of credentials", () => {
    expect(Config.safeParse({ token_file: "/t", username: "u", password: "p" }).success).toBe(false);
    expect(Config.safeParse({ token: "t" }).success).toBe(false);
  });
});

describe("databases", () => {
  it("has the modules by kind, and each opens", async () => {
    const context = { addr: "http://127.0.0.1:1/", nodeId: "n1", now: () => 0, file: fileCache() };
    const opened = await Promise.all(
      Object.entries(databases).map(async ([kind, load]) => {
        const module = await load();
        const db = module.open(module.Config.parse({}), context);
        db.close();
        db.close();
        return [kind === db.kind, module.formation, module.probeIntervalMs, db.clientAddress("h:1")];
      }),
    );
    expect(opened).toEqual([
      [true, "symmetric", 250, "http://h:1"],
      [true, "single", 1_000, "h:1"],
      [true, "single", 1_000, "h:1"],
    ]);
  });

  it("knows nothing where there is no database", async () => {
    const none = await databases.none();
    const context = { addr: "", nodeId: "n1", now: () => 0, file: fileCache() };
    const report = await none.open({}, context).probe(AbortSignal.timeout(1_000));
    expect(report).toMatchObject({ kind: "none", status: "unknown", problem: null, leader: null });
    expect(none.addresses(["x"], "h")).toEqual({
      addr: null,
      advAddr: null,
      peerAddr: null,
      dataDir: null,
      nodeId: null,
    });
    expect([none.checkCommand(["x"], true), none.argumentsAt(["x"])]).toEqual([null, null]);
  });
});
