/** What a request may be, who may make it, and what becomes of one that is malformed. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Route, routes } from "../../src/coordinator/routes.ts";
import { Problem } from "../../src/coordinator/shapes.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { make } from "./support/view.ts";

const table = Object.entries<Route>(routes);
const changes = table.filter(([, route]) => route.access === "change");
const away = { loopback: false, certified: false };

/** A path of a route that leads somewhere. */
const pathOf = (route: Route) => route.path.replace("{id}", "prod~users").replace("{name}", "main");
const errorOf = (body: string) => Problem.parse(JSON.parse(body)).error;

describe("every path", () => {
  it("answers HEAD as GET, without a body", async () => {
    for (const [name, route] of table.filter(([, one]) => one.method === "GET")) {
      const { app, ask, stop } = make();
      const head = await ask(pathOf(route), { method: "HEAD" });
      const whole = await app.request(pathOf(route));
      await whole.body?.cancel();
      expect([name, head.status, head.type, head.body]).toEqual([
        name,
        whole.status,
        whole.headers.get("content-type"),
        "",
      ]);
      stop.abort();
    }
  });

  it("answers another method with 405 and what it takes", async () => {
    const { ask } = make();
    for (const [method, path, allow] of [
      ["PUT", "/v1/clusters", "GET, HEAD"],
      ["OPTIONS", "/v1/events/stream", "GET, HEAD"],
      ["GET", "/v1/apply", "POST"],
      ["HEAD", "/v1/apply", "POST"],
      ["GET", "/v1/clusters/prod~orders/refresh", "POST"],
      ["PATCH", "/v1/discoveries/main", "GET, HEAD, DELETE"],
      ["POST", "/v1/settings/a%2Fb", "GET, HEAD, DELETE"],
    ] as const) {
      const { status, headers, body } = await ask(path, { method });
      expect([method, path, status, headers.get("allow")]).toEqual([method, path, 405, allow]);
      if (method !== "HEAD") expect(errorOf(body).code).toBe("method_not_allowed");
    }
  });

  it("that is not there is 404 in JSON", async () => {
    const { ask } = make();
    for (const path of [
      "/",
      "/v1",
      "/v1/",
      "/v1/clusters/",
      "/v1//clusters",
      "/V1/clusters",
      "/v1/clusters/a/b/c",
      "/v1/clusters/a/",
    ]) {
      const { status, body } = await ask(path);
      expect([path, status, errorOf(body).code]).toEqual([path, 404, "not_found"]);
    }
  });

  it("names the key, what was given and what is allowed", async () => {
    const { ask } = make();
    for (const [path, message, hint] of [
      ["/v1/clusters?limit=0", "limit=0", "a whole number from 1 to 1000"],
      ["/v1/clusters?limit=1e2", "limit=1e2", "a whole number from 1 to 1000"],
      ["/v1/clusters?limit=", "limit=", "a whole number from 1 to 1000"],
      ["/v1/clusters?limit=1&limit=2", "limit is given 2 times", "give it once"],
      ["/v1/clusters?health=blue", "health=blue", /^green, yellow/],
      ["/v1/clusters?page=2", "there is no page", "known are limit, after, q, health"],
      ["/v1/events?type=NODE_UP,NODE_AWAY", "type=NODE_UP,NODE_AWAY", /^types of events/],
      ["/v1/events?type=", "type=", /^types of events/],
      ["/v1/events?order=up", "order=up", /^asc: /],
      ["/v1/sd/prometheus?target=toString", "target=toString", /^agent: /],
    ] as const) {
      const { status, body } = await ask(path);
      expect([path, status]).toEqual([path, 400]);
      expect(errorOf(body)).toMatchObject({
        code: "bad_request",
        message,
        hint: typeof hint === "string" ? hint : expect.stringMatching(hint),
      });
    }
  });

  it("answers our own failure with 500, tells nothing of it, and passes it on to be logged", async () => {
    const { ask, shown } = make({
      view: {
        clusters: () => {
          throw new RollcallError("file", "read /etc/secret: no");
        },
      },
    });
    const { status, body } = await ask("/v1/clusters");
    expect([status, errorOf(body)]).toEqual([
      500,
      { code: "internal", message: "the coordinator cannot answer", hint: "its log says why" },
    ]);
    expect(shown.failures).toHaveLength(1);
  });

  it("answers no web page", async () => {
    for (const [, route] of table) {
      const { ask, shown } = make();
      const { method } = route;
      const { status } = await ask(pathOf(route), { method, headers: { origin: "http://evil.example" } });
      expect([route.path, status, shown.changes]).toEqual([route.path, 403, []]);
    }
  });
});

describe("who may ask", () => {
  const token = "let-me-in";
  const bearer = (given: string) => ({ headers: { authorization: `Bearer ${given}` } });

  it("changes from this machine only, where there is no token", async () => {
    for (const [name, route] of changes) {
      const { method } = route;
      const far = make({ caller: away });
      const { status, body } = await far.ask(pathOf(route), { method });
      expect([name, status, errorOf(body).code, far.shown.changes]).toEqual([name, 403, "forbidden", []]);
      const near = make();
      expect([name, (await near.ask(pathOf(route), { method })).status]).toEqual([name, route.status]);
      expect([name, near.shown.changes.length]).toEqual([name, 1]);
    }
    expect((await make({ caller: away }).ask("/v1/clusters")).status).toBe(200);
  });

  it("changes with the token only, where there is one, also from this machine", async () => {
    for (const [name, route] of changes) {
      const { method } = route;
      for (const caller of [away, { loopback: true, certified: true }]) {
        const made = make({ token: async () => token, caller });
        for (const wrong of [
          {},
          bearer("let-me-ix"),
          bearer(""),
          bearer(`${token}x`),
          { headers: { authorization: token } },
        ]) {
          const { status, headers } = await made.ask(pathOf(route), { method, ...wrong });
          expect([name, status, headers.get("www-authenticate")]).toEqual([name, 401, "Bearer"]);
        }
        expect(made.shown.changes).toEqual([]);
        const right = await made.ask(pathOf(route), { method, ...bearer(token) });
        expect([name, right.status]).toEqual([name, route.status]);
      }
    }
  });

  it("reads without the token, unless told so; health always", async () => {
    const told = make({ token: async () => token, reads: true });
    const untold = make({ token: async () => token, caller: away });
    for (const [name, route] of table.filter(([one, { method }]) => method === "GET" && one !== "stream")) {
      expect([name, (await untold.ask(pathOf(route))).status]).toEqual([name, 200]);
      const { status } = await told.ask(pathOf(route));
      expect([name, status]).toEqual([name, route.access === "open" ? 200 : 401]);
      expect([name, (await told.ask(pathOf(route), bearer(token))).status]).toEqual([name, 200]);
    }
  });

  it("uses the token as it is now, and lets nobody in when it cannot be read", async () => {
    let now: string | null = "old";
    const made = make({
      token: async () => {
        if (now === null) throw new RollcallError("file", "token.txt is empty");
        return now;
      },
    });
    const status = async (given: string) =>
      (await made.ask("/v1/discoveries/main/accept", { method: "POST", ...bearer(given) })).status;
    expect([await status("old"), await status("new")]).toEqual([200, 401]);
    now = "new";
    expect([await status("old"), await status("new")]).toEqual([401, 200]);
    now = null;
    expect(await status("new")).toBe(500);
    expect((await made.ask("/v1/clusters")).status).toBe(200);
  });
});

describe("a malformed request", () => {
  const word = fc.oneof(
    fc.constantFrom(
      "v1",
      "clusters",
      "prod~orders",
      "prod%2Forders",
      "events",
      "stream",
      "nodes",
      "refresh",
      "apply",
    ),
    fc.constantFrom(
      "discoveries",
      "main",
      "accept",
      "settings",
      "..",
      ".",
      "%",
      "%zz",
      "%00",
      "%2e%2e",
      "~",
      "__proto__",
    ),
    fc.string({ maxLength: 12 }).map(encodeURIComponent),
    fc.string({ maxLength: 12 }).map((text) => text.replace(/[\s?#\\]/g, "")),
  );
  const query = fc.array(
    fc.tuple(
      fc.constantFrom(
        "limit",
        "after",
        "q",
        "health",
        "type",
        "cluster",
        "order",
        "target",
        "__proto__",
        "x",
        "",
      ),
      fc.oneof(
        fc.constantFrom("0", "1", "-1", "1001", "NaN", "desc", "rollcall.", "%", "%ff", "a:b:1"),
        fc.string({ maxLength: 8 }).map(encodeURIComponent),
      ),
    ),
    { maxLength: 3 },
  );
  const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS");
  // A known path with something wrong in its query, or any path at all.
  const path = fc.oneof(
    fc.constantFrom(...table.map(([, route]) => pathOf(route))),
    fc.array(word, { maxLength: 5 }).map((words) => `/${words.join("/")}`),
  );

  it("gets its status and an error in JSON, and changes nothing", { timeout: 60_000 }, async () => {
    const seen = new Set<number>();
    const request = fc.record({ method, path, query, body: fc.string({ maxLength: 20 }) });
    await fc.assert(
      fc.asyncProperty(request, async ({ method, path, query, body }) => {
        const { app, shown, stop } = make({ caller: away });
        const asked = `${path}${query.length === 0 ? "" : "?"}${query.map((pair) => pair.join("=")).join("&")}`;
        const bodied = method === "GET" || method === "HEAD" ? {} : { body };
        const answer = await app.request(
          new Request(`http://coordinator.test${asked}`, { method, ...bodied }),
        );
        seen.add(answer.status);
        stop.abort();
        const text = await answer.text();
        expect([200, 400, 403, 404, 405, 410]).toContain(answer.status);
        if (answer.status !== 200 && method !== "HEAD") expect(errorOf(text).code).toMatch(/^[a-z_]+$/);
        if (method === "HEAD") expect(text).toBe("");
        expect(shown.changes).toEqual([]);
        expect(shown.failures).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
    expect([...seen]).toEqual(expect.arrayContaining([200, 400, 403, 404, 405]));
  });
});
