/** What one look asks and makes of the answers, on a made-up rqlited: elections and clocks that real ones cannot be told to have. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Database } from "../../src/databases/database.ts";
import { adapter } from "./rqlite-nodes.ts";

const ADDR = (id: string) => `${id}:4002`;
type World = {
  self: string;
  /** Marked in `/nodes`, and named by `/status`. */
  marked: string | null;
  leader: string | null;
  leaderAddr: string | null;
  state: string;
  term: number;
  ids: string[];
  away: string[];
  lastIndex: number;
  nodesStatus: number;
  nodesBody: string | null;
};

let world: World;
let asked: string[];
let now: number;
let server: Server;
let db: Database;
/** Something that happens between the first question of a look and the second. */
let meanwhile: (() => void) | null;

beforeEach(async () => {
  world = {
    self: "n1",
    marked: "n2",
    leader: "n2",
    leaderAddr: null,
    state: "Follower",
    term: 4,
    ids: ["n2", "n1", "n3"],
    away: [],
    lastIndex: 10,
    nodesStatus: 200,
    nodesBody: null,
  };
  asked = [];
  now = 0;
  meanwhile = null;
  server = createServer((question, reply) => {
    const path = (question.url ?? "").split("?")[0] ?? "";
    let body = "";
    question.on("data", (part) => {
      body += part;
    });
    question.on("end", () => {
      asked.push(`${question.method} ${path}${body}`);
      reply.setHeader("x-rqlite-version", "v8.26.8");
      if (path === "/nodes") reply.statusCode = world.nodesStatus;
      reply.end(path === "/nodes" ? (world.nodesBody ?? nodes()) : path === "/status" ? status() : "");
      if (path === "/nodes") meanwhile?.();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const addr = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  db = adapter(addr, "n1", {}, () => now);
});
afterEach(async () => {
  db.close();
  await new Promise((resolve) => server.close(resolve));
});

function nodes(): string {
  const list = world.ids.map((id) => ({
    id,
    addr: ADDR(id),
    ...(world.away.includes(id) ? {} : { api_addr: `http://${id}:4001` }),
    voter: true,
    reachable: !world.away.includes(id),
    leader: id === world.marked,
  }));
  return JSON.stringify({ nodes: list });
}

function status(): string {
  const { self, leader, leaderAddr, state, term, lastIndex } = world;
  const raft = {
    state,
    term,
    last_log_index: lastIndex,
    commit_index: lastIndex,
    applied_index: 8,
    transport: { leader_commit_index: 9 },
  };
  const named = { node_id: leader ?? "", addr: leader === null ? "" : (leaderAddr ?? ADDR(leader)) };
  return JSON.stringify({ store: { node_id: self, leader: named, raft } });
}

const look = () => db.probe(AbortSignal.timeout(2_000));
const questions = () => asked.splice(0);

describe("a look", () => {
  it("asks for the status first, then only every 30 s", async () => {
    expect(await look()).toMatchObject({ status: "healthy", role: "replica", term: 4, version: "8.26.8" });
    expect(questions()).toEqual(["GET /nodes", "GET /status"]);
    world.term = 5;
    now = 29_999;
    expect((await look()).term).toBe(4);
    expect(questions()).toEqual(["GET /nodes"]);
    now = 30_000;
    expect((await look()).term).toBe(5);
    expect(questions()).toEqual(["GET /nodes", "GET /status"]);
  });

  it("reads role and term again at once when another leads", async () => {
    await look();
    Object.assign(world, { marked: "n1", leader: "n1", state: "Leader", term: 5 });
    expect(await look()).toMatchObject({ role: "leader", term: 5, leader: { id: "n1" } });
    Object.assign(world, { marked: null, leader: null, state: "Candidate", term: 6 });
    expect(await look()).toMatchObject({ role: "unknown", term: null, leader: null, status: "unhealthy" });
    Object.assign(world, { marked: "n1", leader: "n1", state: "Leader", term: 7 });
    expect(await look()).toMatchObject({ role: "leader", term: 7 });
  });

  it("does not say that this node leads before its Raft does", async () => {
    Object.assign(world, { marked: "n1", leader: "n1", state: "Candidate" });
    expect(await look()).toMatchObject({ role: "unknown", leader: null, term: null });
    world.state = "Leader";
    expect(await look()).toMatchObject({ role: "leader", leader: { id: "n1" } });
  });

  it("asks who leads once more when there was an election between its two questions", async () => {
    meanwhile = () => {
      Object.assign(world, { marked: "n3", leader: "n3", term: 5 });
      meanwhile = null;
    };
    expect(await look()).toMatchObject({ leader: { id: "n3" }, term: 5, role: "replica" });
    expect(questions()).toEqual(["GET /nodes", "GET /status", "GET /nodes"]);
  });

  it("never gives a term with a leader of another moment", async () => {
    meanwhile = () => Object.assign(world, { marked: "n2", leader: "n3", term: 5 });
    expect(await look()).toMatchObject({ leader: null, term: null, role: "unknown" });
    meanwhile = null;
    world.marked = "n3";
    expect(await look()).toMatchObject({ leader: { id: "n3" }, term: 5 });
  });

  it("asks for the status once a second while nobody in reach leads, and keeps client addresses", async () => {
    await look();
    Object.assign(world, { marked: null, away: ["n2"] });
    const report = await look();
    expect(report).toMatchObject({
      status: "unhealthy",
      problem: "nobody in reach leads; no answer from n2",
    });
    expect(report.members?.map((m) => m.api_addr)).toEqual(
      ["n1", "n2", "n3"].map((id) => `http://${id}:4001`),
    );
    questions();
    for (const at of [250, 500, 750]) {
      now = at;
      await look();
    }
    expect(questions()).toEqual(Array(3).fill("GET /nodes"));
    now = 1_000;
    await look();
    expect(questions()).toEqual(["GET /nodes", "GET /status"]);
  });

  it("is of a cluster in the making until a leader has written there", async () => {
    Object.assign(world, { marked: null, leader: null, lastIndex: 1 });
    expect((await look()).status).toBe("joining");
  });

  it("is of a database that opens its data, or joins, or was taken out", async () => {
    Object.assign(world, { nodesStatus: 503, nodesBody: "store nodes: store not open\n" });
    expect(await look()).toMatchObject({ status: "joining", problem: "rqlited is opening its data" });
    Object.assign(world, { nodesStatus: 200, nodesBody: '{"nodes":[]}', leader: null });
    expect(await look()).toMatchObject({ status: "joining", members: [] });
    Object.assign(world, { nodesBody: null, leader: "n2", ids: ["n2", "n3"] });
    expect(await look()).toMatchObject({
      status: "joining",
      problem: "it is not a member of its cluster yet",
    });
    world.ids = ["n1", "n2", "n3"];
    expect((await look()).status).toBe("healthy");
    world.ids = ["n2", "n3"];
    expect((await look()).status).toBe("not_in_cluster");
  });

  it("gives rqlited's own words for any other refusal, and throws for what it cannot read", async () => {
    Object.assign(world, { nodesStatus: 500, nodesBody: "it broke\nbadly" });
    expect(await look()).toMatchObject({ status: "unavailable", problem: "rqlited answers 500: it broke" });
    Object.assign(world, { nodesStatus: 200, nodesBody: "[]" });
    await expect(look()).rejects.toThrow(/^\/nodes of rqlited at 127\.0\.0\.1:\d+ is not as in version 8$/);
  });

  it("forgets what it knew when the database did not answer", async () => {
    await look();
    questions();
    world.nodesBody = "[]";
    await expect(look()).rejects.toThrow();
    Object.assign(world, { nodesBody: null, ids: ["n2", "n3"], term: 9 });
    expect(await look()).toMatchObject({ status: "joining", term: 9 });
    expect(questions()).toContain("GET /status");
  });

  it("reports offset and lag of its shard in log entries", async () => {
    expect((await look()).shards).toEqual([
      {
        id: "rqlite",
        role: "secondary",
        commit_offset: { unit: "index", value: 8 },
        lag: { unit: "index", value: 1 },
      },
    ]);
  });
});

describe("a list of members that is out of date", () => {
  const REMOVAL = 'DELETE /remove{"id":"(nobody)"}';

  it("is renewed when two looks in a row find the leader at another address, and rarely", async () => {
    Object.assign(world, { marked: null, leaderAddr: "moved:4002" });
    expect((await look()).status).toBe("unhealthy");
    expect(questions()).not.toContain(REMOVAL);
    await look();
    expect(questions()).toContain(REMOVAL);
    for (let i = 0; i < 5; i += 1) await look();
    now = 29_000;
    await look();
    expect(questions()).not.toContain(REMOVAL);
    now = 30_000;
    for (let i = 0; i < 2; i += 1) {
      now += 1_000;
      await look();
    }
    expect(questions()).toContain(REMOVAL);
  });

  it("is left alone when the second look finds it right", async () => {
    Object.assign(world, { marked: null, leaderAddr: "moved:4002" });
    await look();
    Object.assign(world, { marked: "n2", leaderAddr: null });
    for (let i = 0; i < 3; i += 1) await look();
    expect(questions().filter((q) => q === REMOVAL)).toEqual([]);
  });
});
