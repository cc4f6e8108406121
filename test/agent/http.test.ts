import { describe, expect, it } from "vitest";
import { agentApp } from "../../src/agent/http.ts";
import type { View } from "../../src/agent/pages.ts";
import { HELLO_PATH } from "../../src/agent/peer-client.ts";
import { blankReport, type NodeReport } from "../../src/core/node-report.ts";
import { turns } from "../lib/manual-clock.ts";
import { until } from "../support/wait.ts";
import {
  accessOf,
  BOOT_ID,
  explanationOf,
  KEY,
  outcomeOf,
  rowOf,
  type Shown,
  viewOf,
} from "./support/view.ts";

/** The routes without a socket, for a caller on this machine. */
function make(more: Partial<View> = {}) {
  const { view, shown, stop } = viewOf(more);
  const app = agentApp(view, () => ({ loopback: true, certified: false }));
  const get = async (path: string, init: RequestInit = {}) => {
    const answer = await app.request(path, init);
    const body = await answer.text();
    return { status: answer.status, headers: answer.headers, body, type: answer.headers.get("content-type") };
  };
  return { app, get, shown, stop };
}

const errorOf = (body: string) => JSON.parse(body).error;

/** What a node may be doing, and what the probes say then. */
const phases: readonly {
  readonly name: string;
  readonly set: (shown: Shown) => void;
  readonly startup: [number, string];
  readonly ready: [number, string];
  readonly outcome: number;
}[] = [
  {
    name: "waiting",
    set: () => {},
    startup: [503, "voters\n"],
    ready: [503, "voters\n"],
    outcome: 204,
  },
  {
    name: "refused",
    set: (shown) => {
      shown.explanation = explanationOf({ phase: "refused", code: "foreign_data" });
      shown.refusal = { code: "foreign_data", message: "There are data.", hint: "Move them away." };
    },
    startup: [503, "foreign_data\n"],
    ready: [503, "foreign_data\n"],
    outcome: 409,
  },
  {
    name: "settled",
    set: (shown) => {
      shown.explanation = explanationOf({ phase: "open", code: "settled", settled: true });
      shown.outcome = outcomeOf(1);
    },
    startup: [200, "ok\n"],
    ready: [200, "ok\n"],
    outcome: 200,
  },
  {
    name: "settled, the store away",
    set: (shown) => {
      shown.explanation = explanationOf({ phase: "open", code: "store", settled: true });
      shown.outcome = outcomeOf(1);
    },
    startup: [200, "ok\n"],
    ready: [200, "ok\n"],
    outcome: 200,
  },
  {
    name: "waiting, the store away",
    set: (shown) => {
      shown.explanation = explanationOf({ code: "store" });
    },
    startup: [503, "store\n"],
    ready: [503, "store\n"],
    outcome: 204,
  },
  {
    name: "settled, another genesis in the record",
    set: (shown) => {
      shown.explanation = explanationOf({ phase: "open", code: "genesis_conflict", settled: true });
      shown.outcome = outcomeOf(1);
    },
    startup: [200, "ok\n"],
    ready: [503, "genesis_conflict\n"],
    outcome: 200,
  },
];

describe("what a load balancer gets", () => {
  const node = (more: Partial<NodeReport>): NodeReport => ({
    ...blankReport("rqlite", "healthy", null),
    role: "replica",
    ...more,
  });
  it.each([
    ["a leader", node({ role: "leader" }), [200, 200, 503, 200, 200]],
    ["a replica", node({}), [503, 503, 200, 200, 200]],
    ["a node that is ill", node({ status: "unhealthy" }), [503, 503, 503, 503, 503]],
    ["a database that does not answer", node({ status: "unavailable" }), [503, 503, 503, 503, 503]],
    ["no database", blankReport("none", "unknown", null), [503, 503, 503, 503, 200]],
  ])("of %s, whoever asks", async (_name, report, wanted) => {
    const { get, shown } = make({ access: accessOf({ private: false }) });
    shown.explanation = explanationOf({ phase: "open", code: "settled", settled: true });
    shown.outcome = outcomeOf(1);
    shown.report = report;
    const paths = ["/leader", "/primary", "/replica", "/health", "/readyz"];
    const got = await Promise.all(paths.map(async (path) => (await get(path)).status));
    expect(got).toEqual(wanted);
    if (report.kind === "none") expect((await get("/leader")).body).toBe("no_database\n");
    expect((await get("/leader", { method: "HEAD" })).status).toBe(wanted[0]);
  });
});

describe("what is told of the database", () => {
  it("is its report, and the shards apart", async () => {
    const { get, shown } = make();
    const shard = { id: "db", role: "primary" as const, commit_offset: null, lag: null };
    shown.report = { ...blankReport("rqlite", "healthy", null), shards: [shard] };
    expect(JSON.parse((await get("/v1/node")).body)).toEqual({ v: 1, node_id: "n1", kind: "rqlite" });
    expect(JSON.parse((await get("/v1/shards")).body)).toEqual({ shards: [shard] });
    expect(JSON.parse((await get("/v1/leader")).body)).toMatchObject({ verified: false });
  });

  it("comes as a stream, resumed by what the reader has seen, and bounded", async () => {
    const asked: (string | null)[] = [];
    const { get } = make({
      events(last) {
        asked.push(last);
        return last === "full" ? null : new ReadableStream({ start: (c) => c.close() });
      },
    });
    expect((await get("/v1/events")).type).toBe("text/event-stream");
    await get("/v1/events?since=boot-1-4");
    await get("/v1/events", { headers: { "last-event-id": "boot-1-7" } });
    expect(asked).toEqual([null, "boot-1-4", "boot-1-7"]);
    const full = await get("/v1/events?since=full");
    expect([full.status, errorOf(full.body).code]).toEqual([503, "too_many"]);
    expect((await get("/v1/events", { method: "HEAD" })).status).toBe(200);
    expect(asked).toHaveLength(4);
  });
});

describe("leaving", () => {
  const post = (body: string) => ({ method: "POST", body, headers: { "content-type": "application/json" } });

  it("needs the key as confirmation, and says why when the node stays", async () => {
    const { get, shown } = make();
    for (const body of ["", "{", "[]", "null", '{"key":"other"}', '"rollcall"'])
      expect((await get("/v1/leave", post(body))).status, body).toBe(400);
    for (const path of ["/v1/leave", "/v1/assume-lost"]) {
      const { body } = await get(path, post('{"key":"other","incarnation":"i"}'));
      expect(errorOf(body)).toMatchObject({
        code: "other_key",
        message: `this agent's key is ${KEY}, not other`,
      });
    }
    shown.stays = { code: "last_member", message: "the only member", hint: "stop it" };
    const stays = await get("/v1/leave", post(`{"key":"${KEY}"}`));
    expect([stays.status, errorOf(stays.body)]).toEqual([409, shown.stays]);
    shown.stays = null;
    const left = await get("/v1/leave", post(`{"key":"${KEY}"}`));
    expect([left.status, left.body]).toEqual([200, '{"left":true}']);
    expect((await get("/v1/leave")).status).toBe(404);
  });

  it("is only for somebody on this machine, whatever the credential", async () => {
    const { view, shown } = viewOf({ access: accessOf({ insecure: true }) });
    const app = agentApp(view, () => ({ loopback: false, certified: true }));
    shown.stays = null;
    const answer = await app.request("/v1/leave", post(`{"key":"${KEY}"}`));
    expect([answer.status, errorOf(await answer.text()).code]).toEqual([403, "forbidden"]);
  });
});

describe("the probes and the outcome", () => {
  it.each(phases)("of a node that is $name", async ({ set, startup, ready, outcome }) => {
    const { get, shown } = make();
    set(shown);
    const said = async (path: string) => {
      const { status, body, type } = await get(path);
      expect(type).toMatch(/^text\/plain/);
      return [status, body];
    };
    expect(await said("/livez")).toEqual([200, "ok\n"]);
    expect(await said("/startupz")).toEqual(startup);
    expect(await said("/readyz")).toEqual(ready);
    const answer = await get("/v1/outcome");
    expect(answer.status).toBe(outcome);
    if (outcome === 200) expect(JSON.parse(answer.body)).toEqual(outcomeOf(1));
    if (outcome === 204) expect([answer.body, answer.type]).toEqual(["", null]);
    if (outcome === 409)
      expect(errorOf(answer.body)).toEqual({
        code: "foreign_data",
        message: "There are data.",
        hint: "Move them away.",
      });
    for (const path of ["/v1/state", "/v1/agent", "/v1/explain", "/v1/peers"]) {
      const { status, type, body } = await get(path);
      expect([path, status, type]).toEqual([path, 200, "application/json"]);
      expect(typeof JSON.parse(body)).toBe("object");
    }
    expect(JSON.parse((await get("/v1/explain")).body)).toEqual(shown.explanation);
    const metrics = await get("/metrics");
    expect([metrics.status, metrics.type]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  });
});

describe("every path", () => {
  it("answers HEAD as GET without a body", async () => {
    const { get, shown } = make();
    for (const outcome of [null, outcomeOf(1)]) {
      shown.outcome = outcome;
      for (const path of [
        "/livez",
        "/startupz",
        "/readyz",
        "/v1/state",
        "/v1/agent",
        "/v1/explain",
        "/v1/peers",
        "/v1/outcome",
        "/metrics",
      ]) {
        const [whole, head] = [await get(path), await get(path, { method: "HEAD" })];
        expect([path, head.status, head.type, head.body]).toEqual([path, whole.status, whole.type, ""]);
      }
    }
  });

  it("answers what is not there with 404 in JSON", async () => {
    const { get } = make();
    for (const [method, path] of [
      ["GET", "/"],
      ["GET", "/v1"],
      ["GET", "/v1/nothing"],
      ["POST", "/v1/state"],
      ["DELETE", "/v1/outcome"],
      ["PUT", "/livez"],
      ["GET", HELLO_PATH],
      ["POST", "/v1/peer/other"],
    ] as const) {
      const { status, type, body } = await get(path, { method });
      expect([method, path, status, type]).toEqual([method, path, 404, "application/json"]);
      expect(errorOf(body)).toEqual({
        code: "not_found",
        message: `there is no ${method} ${path}`,
        hint: expect.any(String),
      });
    }
  });

  it("answers its own failure with 500, tells strangers nothing of it, and passes it on to be logged", async () => {
    const failures: unknown[] = [];
    const { get } = make({
      stateText: () => {
        throw new Error("broken\n  at secret place");
      },
      failed: (error) => void failures.push(error),
    });
    const { status, body } = await get("/v1/state");
    expect([status, errorOf(body)]).toEqual([
      500,
      { code: "internal", message: "the agent cannot answer", hint: "its log says why" },
    ]);
    expect(failures).toHaveLength(1);
  });
});

describe("a web page", () => {
  it("gets no answer, whatever it makes a browser ask", async () => {
    const { app } = make();
    for (const [path, method] of [
      ["/v1/state", "GET"],
      ["/v1/peer/hello", "POST"],
    ] as const) {
      const reply = await app.request(path, { method, headers: { origin: "http://evil.example" } });
      expect(reply.status).toBe(403);
    }
  });
});

describe("/v1/state", () => {
  it("is 304 while nothing has changed since, by query or by ETag", async () => {
    const { get, shown } = make();
    const first = await get("/v1/state");
    expect(first.headers.get("etag")).toBe(`"${BOOT_ID}-1"`);
    expect(first.headers.get("cache-control")).toBe("no-cache");
    const ways: readonly [string, RequestInit][] = [
      [`/v1/state?since=${BOOT_ID}-1`, {}],
      ["/v1/state", { headers: { "if-none-match": `"${BOOT_ID}-1"` } }],
      ["/v1/state", { headers: { "if-none-match": `W/"${BOOT_ID}-1"` } }],
      ["/v1/state", { headers: { "if-none-match": `"other-7", "${BOOT_ID}-1"` } }],
    ];
    for (const [path, init] of ways) {
      const same = await get(path, init);
      expect([same.status, same.body, same.headers.get("etag")]).toEqual([304, "", `"${BOOT_ID}-1"`]);
    }
    shown.seq = 2;
    for (const [path, init] of ways) {
      const next = await get(path, init);
      expect([next.status, JSON.parse(next.body).seq]).toEqual([200, 2]);
    }
  });

  it("is whole for a tag of another boot, a later one, and garbage", async () => {
    const { get } = make();
    for (const since of ["boot-0-1", `${BOOT_ID}-9`, "", "%00", BOOT_ID])
      expect([since, (await get(`/v1/state?since=${since}`)).status]).toEqual([since, 200]);
  });
});

describe("/v1/peers", () => {
  const rows = [
    rowOf("n1", { self: true }),
    rowOf("n2"),
    // An agent that was met and has not registered: where its database answers is not known.
    rowOf("n3", { api_addr: "", addr: "", registered: false }),
  ];
  const asked = async (query: string, accept?: string) => {
    const { get, shown } = make();
    shown.peers = rows;
    return await get(`/v1/peers${query}`, accept === undefined ? {} : { headers: { accept } });
  };

  it("lists rows as JSON", async () => {
    expect(JSON.parse((await asked("")).body)).toEqual({ peers: rows });
    expect(JSON.parse((await asked("", "application/json")).body)).toEqual({ peers: rows });
    expect(JSON.parse((await asked("", "*/*")).body)).toEqual({ peers: rows });
  });

  it.each([
    ["", "n1.test:4001\nn2.test:4001\n"],
    ["?address=db", "n1.test:4001\nn2.test:4001\n"],
    ["?address=peer", "n1.test:4002\nn2.test:4002\n"],
    ["?address=agent", "n1.test:4100\nn2.test:4100\nn3.test:4100\n"],
  ])("lists one address a line with Accept: text/plain, %s", async (query, text) => {
    const answer = await asked(query, "text/plain");
    expect([answer.status, answer.body]).toEqual([200, text]);
    expect(answer.type).toMatch(/^text\/plain/);
  });

  it("lists addresses in one line with format=csv", async () => {
    expect((await asked("?format=csv")).body).toBe("n1.test:4001,n2.test:4001\n");
    expect((await asked("?format=csv&address=agent")).body).toBe("n1.test:4100,n2.test:4100,n3.test:4100\n");
  });

  it("gives nothing at all where there is no address, not an empty line", async () => {
    const { get, shown } = make();
    shown.peers = [rowOf("n1", { api_addr: "" })];
    expect((await get("/v1/peers", { headers: { accept: "text/plain" } })).body).toBe("");
    expect((await get("/v1/peers?format=csv")).body).toBe("\n");
  });

  it.each(["?address=raft", "?address=", "?address=toString", "?format=xml", "?format="])(
    "answers 400 to %s",
    async (query) => {
      const answer = await asked(query);
      expect(answer.status).toBe(400);
      expect(errorOf(answer.body)).toMatchObject({
        code: "bad_request",
        hint: expect.stringMatching(/one of/),
      });
    },
  );
});

describe("/v1/outcome", () => {
  it("gives only what is newer than `revision`", async () => {
    const { get, shown } = make();
    shown.outcome = outcomeOf(3);
    expect((await get("/v1/outcome?revision=2")).status).toBe(200);
    expect((await get("/v1/outcome?revision=3")).status).toBe(204);
    expect((await get("/v1/outcome?revision=4")).status).toBe(204);
  });

  it("waits for it, and answers when it comes", async () => {
    const { get, shown } = make();
    const waiting = get("/v1/outcome?wait=60s");
    await until(() => shown.waiting(), { deadlineMs: 1_000, what: "the request to wait" });
    shown.outcome = outcomeOf(1);
    shown.wake();
    expect((await waiting).status).toBe(200);
  });

  it("waits for a newer one, and is 204 when none comes in time", async () => {
    const { get, shown } = make();
    shown.outcome = outcomeOf(1);
    const waiting = get("/v1/outcome?wait=60s&revision=1");
    await until(() => shown.waiting(), { deadlineMs: 1_000, what: "the request to wait" });
    shown.wake();
    expect((await waiting).status).toBe(204);
  });

  it("does not wait when it is there, and not for a node that refuses", async () => {
    const waits: number[] = [];
    const { get, shown } = make({
      newer: async (_revision, ms) => void waits.push(ms),
    });
    shown.outcome = outcomeOf(1);
    expect((await get("/v1/outcome?wait=60s")).status).toBe(200);
    shown.outcome = null;
    shown.refusal = { code: "foreign_data", message: "m", hint: "h" };
    expect((await get("/v1/outcome?wait=60s")).status).toBe(409);
    shown.refusal = null;
    expect((await get("/v1/outcome?wait=1.5s")).status).toBe(204);
    expect(waits.filter((ms) => ms !== 60_000)).toEqual([1_500]);
  });

  it("becomes 409 when the node refuses while somebody waits", async () => {
    const { get, shown } = make();
    const waiting = get("/v1/outcome?wait=60s");
    await until(() => shown.waiting(), { deadlineMs: 1_000, what: "the request to wait" });
    shown.refusal = { code: "reborn", message: "m", hint: "h" };
    shown.wake();
    const answer = await waiting;
    expect([answer.status, errorOf(answer.body).code]).toEqual([409, "reborn"]);
  });

  it("lets everybody go when the agent stops, or the caller hangs up", async () => {
    const { get, shown, stop } = make();
    const caller = new AbortController();
    const left = get("/v1/outcome?wait=60s", { signal: caller.signal });
    const other = get("/v1/outcome?wait=60s");
    await until(() => shown.waiting() === 2, { deadlineMs: 1_000, what: "two requests to wait" });
    caller.abort();
    await left.catch(() => {});
    await until(() => shown.waiting() === 1, { deadlineMs: 1_000, what: "one to be gone" });
    stop.abort();
    expect((await other).status).toBe(503);
    await turns();
    expect(shown.waiting()).toBe(0);
  });

  it.each([
    ["wait=60", "wait=60"],
    ["wait=", "wait="],
    ["wait=-1s", "wait=-1s"],
    ["wait=301s", "wait=301s"],
    ["wait=9999h", "wait=9999h"],
    ["wait=soon", "wait=soon"],
    ["revision=x", "revision=x"],
    ["revision=-1", "revision=-1"],
    ["revision=1.5", "revision=1.5"],
    ["revision=", "revision="],
    [`revision=${"9".repeat(16)}`, `revision=${"9".repeat(16)}`],
  ])("answers 400 to %s at once", async (query, message) => {
    const { get } = make();
    const answer = await get(`/v1/outcome?${query}`);
    expect(answer.status).toBe(400);
    expect(errorOf(answer.body)).toMatchObject({ code: "bad_request", message });
  });
});

describe("/v1/peer/hello", () => {
  const from = { id: "n2", incarnation: "n2-1", agent_addr: "n2.test:4100" };
  const hello = { v: 1, key: KEY, from };
  const say = async (body: string, made = make()) => {
    const answer = await made.get(HELLO_PATH, { method: "POST", body });
    return { ...answer, met: made.shown.met };
  };

  it("answers with this node's hello and remembers who asked", async () => {
    const answer = await say(JSON.stringify(hello));
    expect([answer.status, answer.type]).toEqual([200, "application/json"]);
    expect(JSON.parse(answer.body)).toMatchObject({ v: 1, key: KEY, node_id: "n1", boot_id: BOOT_ID });
    expect(answer.met).toEqual([from]);
    expect(answer.headers.get("rollcall-answer")).toBeNull();
  });

  it("keeps what it does not know", async () => {
    const answer = await say(JSON.stringify({ ...hello, later: 1, from: { ...from, later: 2 } }));
    expect(answer.status).toBe(200);
  });

  it("answers another cluster, but does not remember it", async () => {
    const answer = await say(JSON.stringify({ ...hello, key: "another" }));
    expect([answer.status, answer.met]).toEqual([200, []]);
  });

  it.each([
    ["no JSON", "hello", /is not JSON/],
    ["nothing", "", /is not JSON/],
    ["no object", "[]", /hello: /],
    ["no sender", JSON.stringify({ v: 1, key: KEY }), /from/],
    [
      "a sender without an address",
      JSON.stringify({ ...hello, from: { ...from, agent_addr: "" } }),
      /agent_addr/,
    ],
    ["a later version", JSON.stringify({ ...hello, v: 2 }), /has v 2; this rollcall reads v 1/],
  ])("answers 400 to %s", async (_, body, message) => {
    const answer = await say(body);
    expect([answer.status, answer.met]).toEqual([400, []]);
    expect(errorOf(answer.body)).toMatchObject({
      code: "bad_request",
      message: expect.stringMatching(message),
    });
  });

  it("answers 413 to more than 64 KiB, said beforehand or not", async () => {
    const large = JSON.stringify({ ...hello, padding: "x".repeat(70_000) });
    const answer = await say(large);
    expect([answer.status, errorOf(answer.body).code, answer.met]).toEqual([413, "too_large", []]);
    const { app } = make();
    const stream = new Blob([large]).stream();
    const streamed = await app.request(HELLO_PATH, {
      method: "POST",
      body: stream,
      duplex: "half",
    } as RequestInit);
    expect(streamed.status).toBe(413);
  });
});
