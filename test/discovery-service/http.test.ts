import { describe, expect, it } from "vitest";
import { inMemory } from "../../src/discovery-service/durable.ts";
import { createApp } from "../../src/discovery-service/http.ts";
import { LIST_LIMITS } from "../../src/discovery-service/lists.ts";
import {
  createRegisters,
  DEFAULT_LIMITS,
  digest,
  type Limits,
} from "../../src/discovery-service/registers.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { manualClock } from "../lib/manual-clock.ts";

type Sent = { headers?: Record<string, string>; body?: string | Uint8Array<ArrayBuffer> };

/** The application without a socket; `send` gives status, headers and body. */
function make(options: { limits?: Partial<Limits>; token?: string } = {}) {
  let made = 0;
  const clock = manualClock();
  const registers = createRegisters({ uuid: () => `u${++made}` }, { ...DEFAULT_LIMITS, ...options.limits });
  const failures: unknown[] = [];
  const log = { error: (fields: unknown) => void failures.push(fields) };
  const deps = { clock, log, uuid: () => `u${++made}` };
  const contents = inMemory(deps, registers);
  const { app, holds } = createApp({ ...contents, token: options.token ?? null }, deps);
  const send = async (line: string, { headers = {}, body }: Sent = {}) => {
    const [method = "", path = ""] = line.split(" ");
    const answer = await app.request(path, { method, headers, ...(body === undefined ? {} : { body }) });
    return { status: answer.status, headers: answer.headers, body: await answer.text() };
  };
  return { clock, registers, holds, send, failures };
}

const create = { "if-none-match": "*" };
const n1 = JSON.stringify({ id: "n1", incarnation: "i1", extra: [1] });
const errorOf = (body: string) => JSON.parse(body).error.code;

describe("registers over HTTP", () => {
  it("creates, reads and replaces a value, byte for byte", async () => {
    const { send } = make();
    const value = '\uFEFF{"é": 1}\n';
    const made = await send("PUT /a/registers/genesis", { headers: create, body: value });
    expect([made.status, made.headers.get("etag"), made.headers.get("rollcall-index")]).toEqual([
      201,
      '"u1-1"',
      "u1-1",
    ]);
    const read = await send("GET /a/registers/genesis");
    expect([read.status, read.headers.get("etag"), read.headers.get("rollcall-index")]).toEqual([
      200,
      '"u1-1"',
      "u1-1",
    ]);
    const headers = { "if-match": '"u1-1"', "rollcall-if-sha256": digest(value) };
    expect((await send("PUT /a/registers/genesis", { headers, body: "2" })).status).toBe(204);
    expect((await send("GET /a/registers/genesis")).body).toBe("2");
  });

  it("keeps a byte order mark", async () => {
    const { send, registers } = make();
    await send("PUT /a/registers/genesis", { headers: create, body: "\uFEFFx" });
    expect(registers.read("a", "genesis")?.value).toBe("\uFEFFx");
  });

  it("answers 412 with the current value and its ETag to whoever lost", async () => {
    const { send } = make();
    await send("PUT /a/registers/genesis", { headers: create, body: "x" });
    for (const headers of [
      create,
      { "if-match": '"u1-7"' },
      { "if-match": '"u1-1"', "rollcall-if-sha256": digest("y") },
    ]) {
      const lost = await send("PUT /a/registers/genesis", { headers, body: "z" });
      expect([lost.status, lost.headers.get("etag")]).toEqual([412, '"u1-1"']);
      expect(JSON.parse(lost.body)).toEqual({
        error: {
          code: "not_as_expected",
          message: "the register is not as expected",
          hint: "read it again and decide anew",
        },
        current: { value: "x", revision: "u1-1" },
      });
    }
    const absent = await send("PUT /b/registers/genesis", { headers: { "if-match": '"u1-1"' }, body: "z" });
    expect([absent.status, JSON.parse(absent.body).current]).toEqual([412, null]);
  });

  it("removes under If-Match only", async () => {
    const { send } = make();
    await send("PUT /a/registers/genesis", { headers: create, body: "x" });
    expect((await send("DELETE /a/registers/genesis")).status).toBe(428);
    expect((await send("DELETE /a/registers/genesis", { headers: create })).status).toBe(400);
    expect((await send("DELETE /a/registers/genesis", { headers: { "if-match": '"no"' } })).status).toBe(412);
    expect((await send("DELETE /a/registers/genesis", { headers: { "if-match": '"u1-1"' } })).status).toBe(
      204,
    );
    const gone = await send("GET /a/registers/genesis");
    expect([gone.status, errorOf(gone.body), gone.headers.get("rollcall-index")]).toEqual([
      404,
      "register_absent",
      "u1-0",
    ]);
  });

  it.each([
    ["nothing", {}, 428],
    ["a weak ETag", { "if-match": 'W/"u1-1"' }, 400],
    ["several ETags", { "if-match": '"u1-1", "u1-2"' }, 400],
    ["any version", { "if-match": "*" }, 400],
    ["an ETag without quotes", { "if-match": "u1-1" }, 400],
    ["no such version", { "if-none-match": '"u1-1"' }, 400],
    ["both preconditions", { "if-match": '"u1-1"', "if-none-match": "*" }, 400],
  ])("refuses a write that demands %s", async (_, headers, status) => {
    const { send, registers } = make();
    expect((await send("PUT /a/registers/genesis", { headers, body: "x" })).status).toBe(status);
    expect(registers.size().ids).toBe(0);
  });

  it("writes an id's slashes as ~ and takes no other spelling", async () => {
    const { send, registers } = make();
    await send("PUT /prod~orders~eu/registers/genesis", { headers: create, body: "x" });
    expect(registers.read("prod/orders/eu", "genesis")?.value).toBe("x");
    expect((await send("GET /prod%2Forders%2Feu/registers/genesis")).status).toBe(400);
    expect((await send("GET /a~b~c~d~e/registers/genesis")).status).toBe(400);
    expect((await send("GET /A/view")).status).toBe(400);
  });
});

describe("members over HTTP", () => {
  it("enters, renews and withdraws a member", async () => {
    const { send } = make();
    const put = await send("PUT /a/members/n1?ttl=10s", { body: n1 });
    expect([put.status, JSON.parse(put.body)]).toEqual([200, { lease: "u2", ttl_ms: 10_000 }]);
    const headers = { "rollcall-lease": "u2" };
    expect((await send("POST /a/members/n1/renew", { headers })).status).toBe(204);
    expect(JSON.parse((await send("GET /a/members")).body)).toEqual({ members: [JSON.parse(n1)] });
    expect((await send("DELETE /a/members/n1", { headers })).status).toBe(204);
    const again = await send("DELETE /a/members/n1", { headers });
    expect([again.status, errorOf(again.body)]).toEqual([404, "lease_gone"]);
    expect((await send("POST /a/members/n1/renew", { headers })).status).toBe(404);
    expect(JSON.parse((await send("GET /a/members")).body)).toEqual({ members: [] });
  });

  it("answers 409 with the holder's record to another incarnation", async () => {
    const { send } = make();
    await send("PUT /a/members/n1", { body: n1 });
    const other = await send("PUT /a/members/n1", { body: n1.replace("i1", "i2") });
    expect([other.status, errorOf(other.body), JSON.parse(other.body).holder]).toEqual([
      409,
      "taken",
      JSON.parse(n1),
    ]);
  });

  it("takes node ids that need escaping", async () => {
    const { send } = make();
    const id = "10.0.0.1:4002/é %2F";
    const body = JSON.stringify({ id, incarnation: "i1" });
    expect((await send(`PUT /a/members/${encodeURIComponent(id)}`, { body })).status).toBe(200);
    const { lease } = JSON.parse((await send(`PUT /a/members/${encodeURIComponent(id)}`, { body })).body);
    const headers = { "rollcall-lease": lease };
    expect((await send(`POST /a/members/${encodeURIComponent(id)}/renew`, { headers })).status).toBe(204);
  });

  it.each([
    ["not JSON", "{", "bad_json"],
    ["not an object", "[1]", "bad_json"],
    ["no incarnation", '{"id":"n1"}', "bad_json"],
    ["an empty incarnation", '{"id":"n1","incarnation":""}', "bad_json"],
    ["the record of another node", '{"id":"n2","incarnation":"i1"}', "bad_json"],
    ["not UTF-8", new Uint8Array([0x22, 0xff, 0x22]), "bad_json"],
  ])("refuses a body that is %s", async (_, body, code) => {
    const { send, registers } = make();
    const answer = await send("PUT /a/members/n1", { body });
    expect([answer.status, errorOf(answer.body), registers.size().ids]).toEqual([400, code, 0]);
  });

  it.each(["", "10", "x", "0", "999ms", "11m", "-1s", "1e9s"])("refuses ttl=%s", async (ttl) => {
    const answer = await make().send(`PUT /a/members/n1?ttl=${ttl}`, { body: n1 });
    expect([answer.status, errorOf(answer.body)]).toEqual([400, "bad_duration"]);
  });

  it("needs a lease to renew or withdraw", async () => {
    const { send } = make();
    expect(errorOf((await send("POST /a/members/n1/renew")).body)).toBe("bad_lease");
    expect(errorOf((await send("DELETE /a/members/n1")).body)).toBe("bad_lease");
  });
});

describe("views and long polls", () => {
  it("shows members, genesis and leader at one moment", async () => {
    const { send } = make();
    const empty = await send("GET /a/view");
    expect([empty.status, empty.headers.get("rollcall-index")]).toEqual([200, "u1-0"]);
    expect(empty.headers.get("content-type")).toContain("application/json");
    expect(JSON.parse(empty.body)).toEqual({ members: [], genesis: null, leader: null });
    await send("PUT /a/registers/genesis", { headers: create, body: '{"g"}' });
    await send("PUT /a/registers/leader", { headers: create, body: "l" });
    await send("PUT /a/members/n1", { body: n1 });
    const view = await send("GET /a/view");
    expect(view.headers.get("rollcall-index")).toBe("u1-3");
    expect(JSON.parse(view.body)).toEqual({
      members: [JSON.parse(n1)],
      genesis: { value: '{"g"}', revision: "u1-1" },
      leader: { value: "l", revision: "u1-2" },
    });
  });

  it.each(["/a/view", "/a/members", "/a/registers/genesis"])("holds GET %s until a change", async (path) => {
    const { send, registers, clock } = make();
    const held = send(`GET ${path}?wait=30s&index=u1-0`);
    await Promise.resolve();
    expect(registers.size().waiters).toBe(1);
    registers.put({ id: "a", name: "genesis", value: "x", expected: null });
    expect((await held).headers.get("rollcall-index")).toBe("u1-1");
    expect([registers.size().waiters, clock.pending()]).toEqual([0, 0]);
  });

  it("answers the same when the wait ends, after a minute at most", async () => {
    const { send, clock, registers } = make();
    const held = send("GET /a/registers/genesis?wait=10h&index=u1-0");
    await Promise.resolve();
    clock.advance(59_999);
    expect(registers.size().waiters).toBe(1);
    clock.advance(1);
    const answer = await held;
    expect([answer.status, answer.headers.get("rollcall-index")]).toEqual([404, "u1-0"]);
    expect([registers.size().waiters, clock.pending()]).toEqual([0, 0]);
  });

  it.each(["?wait=30s", "?wait=30s&index=u0-0", "?wait=0&index=u1-0", "?index=u1-0"])(
    "answers /a/view%s at once",
    async (query) => {
      expect((await make().send(`GET /a/view${query}`)).status).toBe(200);
    },
  );

  it.each(["10", "x", "-1s", ""])("refuses wait=%s", async (wait) => {
    const answer = await make().send(`GET /a/view?wait=${wait}&index=u1-0`);
    expect([answer.status, errorOf(answer.body)]).toEqual([400, "bad_duration"]);
  });

  it("frees the place of an asker who went away", async () => {
    const clock = manualClock();
    const deps = { clock, uuid: () => "u1", log: { error: () => {} } };
    const registers = createRegisters(deps);
    const { app } = createApp({ ...inMemory(deps, registers), token: null }, deps);
    const asker = new AbortController();
    const held = app.request("/a/view?wait=30s&index=u1-0", { signal: asker.signal });
    await Promise.resolve();
    expect(registers.size().waiters).toBe(1);
    asker.abort();
    await held;
    expect([registers.size().waiters, clock.pending()]).toEqual([0, 0]);
  });

  it("ends with 503 when the service closes, and holds nothing after that", async () => {
    const { send, holds, registers } = make();
    const held = send("GET /a/view?wait=30s&index=u1-0");
    await Promise.resolve();
    holds.close();
    for (const answer of [await held, await send("GET /a/view?wait=30s&index=u1-0")]) {
      expect([answer.status, errorOf(answer.body), answer.headers.get("connection")]).toEqual([
        503,
        "shutting_down",
        "close",
      ]);
    }
    expect(registers.size().waiters).toBe(0);
    expect((await send("GET /a/view")).status).toBe(200);
  });

  it("refuses more waiters than the bound with 503", async () => {
    const { send } = make({ limits: { waiters: 0 } });
    const answer = await send("GET /a/view?wait=30s&index=u1-0");
    expect([answer.status, errorOf(answer.body)]).toEqual([503, "too_many_waiters"]);
  });
});

describe("every path", () => {
  it("answers HEAD like GET, without the body", async () => {
    const { send } = make();
    await send("PUT /a/registers/genesis", { headers: create, body: "x" });
    for (const path of ["/a/registers/genesis", "/a/members", "/a/view"]) {
      const [get, head] = [await send(`GET ${path}`), await send(`HEAD ${path}`)];
      expect([head.status, head.body, [...head.headers]]).toEqual([get.status, "", [...get.headers]]);
    }
  });

  it.each([
    ["GET /a/", 404],
    ["GET /a/view/", 404],
    ["GET /a/registers", 404],
    ["GET /a/registers/b/c", 404],
    ["GET /a/../b/views", 404],
    ["POST /a/view", 405],
    ["DELETE /a/members", 405],
    ["GET /a/members/n1", 405],
    ["PATCH /a/registers/genesis", 405],
    ["GET /a/members/n1/renew", 405],
  ])("answers %s with %i", async (line, status) => {
    const answer = await make().send(line);
    expect([answer.status, errorOf(answer.body)]).toEqual([
      status,
      status === 404 ? "unknown_path" : "wrong_method",
    ]);
    if (status === 405) expect(answer.headers.get("allow")).toMatch(/^[A-Z]+(, [A-Z]+)*$/);
  });

  it("refuses a body over 64 KiB with 413, and takes one of 64 KiB", async () => {
    const { send } = make();
    const body = "x".repeat(64 * 1024);
    expect((await send("PUT /a/registers/genesis", { headers: create, body: `${body}x` })).status).toBe(413);
    expect((await send("PUT /a/members/n1", { body: `${body}x` })).status).toBe(413);
    expect((await send("PUT /a/registers/genesis", { headers: create, body })).status).toBe(201);
  });

  it.each([
    ["PUT /a/members/n1?tll=60s", "there is no tll", "this path takes ttl"],
    ["GET /a/view?wiat=1s", "there is no wiat", "this path takes wait, index"],
    ["HEAD /a/members?ttl=1s", "there is no ttl", "this path takes wait, index"],
    ["POST /a/members/n1/renew?ttl=60s", "there is no ttl", "this path takes no query"],
    ["PUT /a/registers/genesis?wait=1s", "there is no wait", "this path takes no query"],
  ])("refuses %s, and changes nothing", async (line, message, hint) => {
    const { send, registers } = make();
    const headers = { ...create, "rollcall-lease": "l" };
    const answer = await send(line, { headers, ...(line.startsWith("PUT") ? { body: n1 } : {}) });
    expect([answer.status, registers.size().ids]).toEqual([400, 0]);
    if (answer.body !== "")
      expect(JSON.parse(answer.body).error).toEqual({ code: "bad_query", message, hint });
  });

  it("answers 507 when the store is full, and takes more once the registers of an id were removed", async () => {
    const { send, registers } = make({ limits: { ids: 1 } });
    const made = await send("PUT /a/registers/genesis", { headers: create, body: "x" });
    const full = await send("PUT /b/registers/genesis", { headers: create, body: "x" });
    expect([full.status, JSON.parse(full.body).error]).toEqual([
      507,
      {
        code: "store_full",
        message: "the store is full: it takes 1 ids with registers or members",
        hint: "remove the registers of ids that are no longer used, or use another Discovery Service",
      },
    ]);
    const headers = { "if-match": String(made.headers.get("etag")) };
    expect((await send("DELETE /a/registers/genesis", { headers })).status).toBe(204);
    expect((await send("PUT /b/registers/genesis", { headers: create, body: "x" })).status).toBe(201);
    expect(registers.size().ids).toBe(1);
  });

  it("has room for agents under every id that was made", () => {
    expect(DEFAULT_LIMITS.ids).toBeGreaterThanOrEqual(LIST_LIMITS.ids);
  });

  it.each([new TypeError("the inside of it"), new RollcallError("file", "the inside of it")])(
    "answers 500 to its own failure, says it in the log and not to the asker: %s",
    async (failure) => {
      const { send, registers, failures } = make();
      registers.view = () => {
        throw failure;
      };
      const answer = await send("GET /a/view");
      expect([answer.status, errorOf(answer.body)]).toEqual([500, "internal"]);
      expect(answer.body).not.toContain("inside");
      expect(failures).toEqual([{ error: "the inside of it", method: "GET", path: "/a/view" }]);
    },
  );

  it("may be stored by nobody on the way", async () => {
    const { send } = make();
    for (const line of ["GET /a/view", "GET /nothing", "PUT /a/registers/genesis"]) {
      expect((await send(line)).headers.get("cache-control")).toBe("no-store");
    }
  });

  it("is answered to no web page, whoever's browser it asks by", async () => {
    const { send, registers } = make();
    const headers = { ...create, origin: "http://evil.test" };
    for (const line of [
      "GET /a/view",
      "PUT /a/registers/genesis",
      "DELETE /a/registers/genesis",
      "GET /livez",
    ]) {
      const answer = await send(line, { headers });
      expect([answer.status, JSON.parse(answer.body)]).toEqual([
        403,
        line === "GET /livez"
          ? { error: "requests of web pages are not answered" }
          : { error: { code: "forbidden", message: "requests of web pages are not answered", hint: null } },
      ]);
    }
    const made = await send("POST /", { headers });
    expect([made.status, JSON.parse(made.body)]).toEqual([
      403,
      { error: "requests of web pages are not answered" },
    ]);
    expect(registers.size().ids).toBe(0);
  });

  it("wants the token everywhere, where there is one", async () => {
    const { send } = make({ token: "secret" });
    for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: "secret" }]) {
      const answer = await send("GET /a/view", { headers });
      expect([answer.status, errorOf(answer.body)]).toEqual([401, "unauthorized"]);
    }
    expect((await send("GET /", { headers: {} })).status).toBe(401);
    expect((await send("GET /a/view", { headers: { authorization: "Bearer secret" } })).status).toBe(200);
  });
});
