import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { rollcall, type World } from "./fake-io.ts";

const open: { close(): void }[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

/** A server on loopback, as `-addr` takes it. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const peer = {
  id: "n1",
  incarnation: "11111111-aaaa",
  agent_addr: "10.0.0.1:4100",
  api_addr: "",
  addr: "",
  voter: true,
  status: "waiting",
  reachable: true,
  problem: null,
  self: true,
};
const state = {
  v: 1,
  phase: "waiting",
  code: "voters",
  summary: "waits for 2 more voters",
  overdue: true,
  agent: { node_id: "n1", key: "prod/orders", mode: "etcd-kv", version: "0.1.0" },
  outcome: null,
  store: { ok: false },
  peers: [peer, { ...peer, id: "n2", reachable: false, problem: "connection refused", self: false }],
};
const explanation = {
  phase: "waiting",
  code: "voters",
  overdue: false,
  summary: "waits for 2 more voters",
  unblock: ["start the other voters", "or lower -bootstrap-expect on all"],
  expected: 3,
  seen: 2,
  reachable: 1,
  counted: ["n1"],
  not_counted: [{ id: "n2", why: "unreachable", text: "does not answer" }],
  next_try_ms: 1500,
};

/** Answers like an agent. */
function agent(pages: Record<string, { status?: number; body: unknown }>): RequestListener {
  return (request, response) => {
    const page = pages[request.url ?? ""] ?? {
      status: 404,
      body: { error: { code: "x", message: "no such path" } },
    };
    response.statusCode = page.status ?? 200;
    response.end(typeof page.body === "string" ? page.body : JSON.stringify(page.body));
  };
}

const ask = async (
  command: string,
  listener: RequestListener,
  flags: readonly string[] = [],
  world: World = {},
) => rollcall([command, `-addr=${await serve(listener)}`, ...flags], world);

describe("status", () => {
  it("prints sentences and a table", async () => {
    const { code, out } = await ask("status", agent({ "/v1/state": { body: state } }));
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "node     n1 (rollcall 0.1.0)
      key      prod/orders (etcd-kv, not answering)
      state    waits for 2 more voters (overdue)
      phase    waiting, voters
      outcome  none yet

      ID    INCARNATION  AGENT          DB  VOTER  STATUS   REACHABLE
      n1 *  11111111     10.0.0.1:4100  -   yes    waiting  yes
      n2    11111111     10.0.0.1:4100  -   yes    waiting  connection refused
      "
    `);
  });

  it("prints JSON as it came", async () => {
    const body = JSON.stringify(state);
    const { out } = await ask("status", agent({ "/v1/state": { body } }), ["-o=json"]);
    expect(out).toBe(`${body}\n`);
  });

  it.each([
    [200, "ok\n", 0],
    [503, "voters\n", 1],
  ])("answers a health check %i by the exit code", async (status, body, wanted) => {
    const pages = agent({ "/readyz": { status, body } });
    expect(await ask("status", pages, ["-check=ready"])).toMatchObject({ code: wanted, out: body, err: "" });
  });

  it("shows the token, and never prints it", async () => {
    const seen: (string | undefined)[] = [];
    const listener: RequestListener = (request, response) => {
      seen.push(request.headers.authorization);
      response.statusCode = 401;
      response.end(
        JSON.stringify({ error: { code: "unauthorized", message: "wrong token", hint: "use another" } }),
      );
    };
    const { code, out, err } = await ask("status", listener, ["-token-file=t"], {
      files: { t: "hunter2\n" },
    });
    expect(seen).toEqual(["Bearer hunter2"]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^rollcall: ask 127\.0\.0\.1:\d+: wrong token; use another\n$/);
  });

  it.each<[string, RequestListener, RegExp]>([
    [
      "another program",
      (_q, response) => response.end("<html>"),
      /the answer is not JSON; is it a rollcall agent\?/,
    ],
    ["another shape", (_q, response) => response.end("{}"), /the answer summary: /],
    [
      "an error without words",
      (_q, response) => response.writeHead(502).end("x".repeat(9)),
      /502 for \/v1\/state; is it/,
    ],
    [
      "a broken answer",
      (_q, response) => response.writeHead(200, { "content-length": 9 }).write("x", () => response.destroy()),
      /rollcall: ask /,
    ],
    [
      "an endless answer",
      (_q, response) => response.end(Buffer.alloc(9 * 1024 * 1024)),
      /the answer is too long/,
    ],
  ])("fails in one line for %s", async (_what, listener, line) => {
    const { code, out, err } = await ask("status", listener);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(line);
    expect(err).toMatch(/^rollcall: [^\n]+\n$/);
  });
});

describe("explain", () => {
  it("prints why, who is missing and what unblocks it", async () => {
    const { code, out } = await ask("explain", agent({ "/v1/explain": { body: explanation } }));
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "waits for 2 more voters

      phase     waiting, voters
      voters    3 expected
      agents    2 seen, 1 reachable
      counted   n1
      next try  in 1.5s

      not counted
        n2  does not answer

      what unblocks it
        - start the other voters
        - or lower -bootstrap-expect on all
      "
    `);
  });
});
