/** The service below a path of a coordinator's server. */
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openAccess } from "../../src/coordinator/access.ts";
import { coordinatorApp } from "../../src/coordinator/http.ts";
import { openMounted } from "../../src/discovery-service/mounted.ts";
import { openLog } from "../../src/lib/log.ts";
import type { Mounted } from "../../src/lib/mounted.ts";
import { make as makeView } from "../coordinator/support/view.ts";
import { manualClock } from "../lib/manual-clock.ts";
import { tempDir } from "../support/temp.ts";

const opened: Mounted[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

type Sent = { readonly headers?: Record<string, string>; readonly body?: string };
type Options = { readonly token?: string; readonly certified?: boolean; readonly path?: string };

/** A coordinator's application with the service in it. */
async function make({ token, certified = false, path = join(tempDir("mounted"), "r.db") }: Options = {}) {
  let made = 0;
  const clock = manualClock();
  const said: string[] = [];
  const log = openLog({
    level: "warn",
    format: "json",
    write: (line) => void said.push(line),
    color: false,
  });
  const secret = token ?? null;
  const service = await openMounted(
    {
      ...{ base: "/discovery", store: { path }, unusedMs: 3_600_000, certified },
      tokenFile: secret === null ? null : "token",
    },
    { clock, log, version: "1.2.3", uuid: () => `u${++made}`, file: async () => secret ?? "" },
  );
  opened.push(service);
  const { view } = makeView();
  const access = openAccess({ token: async () => secret, reads: false, certificates: certified });
  const callerOf = () => ({ loopback: true, certified: true });
  const app = coordinatorApp(view, { access, clock, callerOf, mounted: service });
  const send = async (line: string, { headers = {}, body }: Sent = {}) => {
    const [method = "", at = ""] = line.split(" ");
    const pending = app.request(at, { method, headers, ...(body === undefined ? {} : { body }) });
    // What is written behind an answer waits for the clock.
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1_000);
    const answer = await pending;
    return { status: answer.status, headers: answer.headers, body: await answer.text() };
  };
  return { service, send, clock, said };
}

describe("the service in a coordinator", () => {
  it("answers as by itself, below its path", async () => {
    const { send } = await make();
    for (const line of ["POST /discovery", "POST /discovery/"]) {
      const { status, body } = await send(line);
      expect([status, Object.keys(JSON.parse(body))]).toEqual([200, ["created_at", "disco_id", "nodes"]]);
    }
    const id = JSON.parse((await send("POST /discovery")).body).disco_id;
    const made = await send(`POST /discovery/${id}`, { body: '{"addr":"http://a:4001"}' });
    expect([made.status, made.headers.get("rollcall-position")]).toEqual([200, "1"]);
    expect(JSON.parse((await send(`GET /discovery/${id}`)).body).nodes).toEqual(["http://a:4001"]);
    const gone = await send("GET /discovery/nobody");
    expect([gone.status, JSON.parse(gone.body)]).toEqual([404, { error: "nobody does not exist" }]);
    expect((await send(`PUT /discovery/${id}`)).status).toBe(405);
    expect((await send("HEAD /discovery/readyz")).status).toBe(200);
    const put = { headers: { "if-none-match": "*" }, body: "x" };
    expect((await send("PUT /discovery/prod~orders/registers/genesis", put)).status).toBe(201);
    expect(JSON.parse((await send("GET /discovery/prod~orders/view")).body).genesis.value).toBe("x");
    expect((await send("PUT /discovery/a/registers/x", { ...put, body: "x".repeat(70_000) })).status).toBe(
      413,
    );
  });

  it("takes no path of the coordinator, and none that only begins alike", async () => {
    const { send } = await make();
    expect((await send("GET /v1/clusters")).status).toBe(200);
    expect((await send("GET /readyz")).body).toBe("ok\n");
    for (const line of ["POST /", "GET /discovery-x", "GET /discoveryx/view"])
      expect(JSON.parse((await send(line)).body).error.code).toBe("not_found");
  });

  it("adds what it holds to /metrics, and its paths to /openapi.json", async () => {
    const { send } = await make();
    await send("POST /discovery");
    const page = (await send("GET /metrics")).body;
    expect(page).toContain("\nrollcall_discovery_service_created_ids 1\n");
    expect(page).toContain('\nrollcall_discovery_service_answers_total{status="200"} 1\n');
    expect(page).toContain("\nrollcall_clusters ");
    const names = [...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(new Set(names).size).toBe(names.length);
    const { paths } = JSON.parse((await send("GET /openapi.json")).body);
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining(["/v1/clusters", "/discovery", "/discovery/{id}", "/discovery/{id}/view"]),
    );
  });

  it("is opened by the coordinator's token, and an id of it by that id's own", async () => {
    const { send } = await make({ token: "the coordinator's" });
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    expect((await send("POST /discovery")).status).toBe(401);
    const wish = { headers: bearer("the coordinator's"), body: '{"token":"0123456789abcdef"}' };
    const id = JSON.parse((await send("POST /discovery", wish)).body).disco_id;
    const own = bearer("0123456789abcdef");
    expect((await send(`GET /discovery/${id}/view`, { headers: own })).status).toBe(200);
    expect((await send("GET /discovery/other/view", { headers: own })).status).toBe(401);
    // It opens nothing of the coordinator.
    expect((await send("POST /v1/apply", { headers: own, body: "" })).status).toBe(401);
  });

  it("lets nobody in while its token file is empty, and names that file in the log only", async () => {
    const { send, said } = await make({ token: "" });
    for (const path of ["/a", "/a/view"]) {
      const { status, body } = await send(`GET /discovery${path}`);
      expect([status, body]).toEqual([500, expect.stringContaining("the request failed")]);
      expect(body).not.toContain("token");
      expect(said.splice(0).map((line) => JSON.parse(line))).toEqual([
        expect.objectContaining({ error: "token is empty", method: "GET", path }),
      ]);
    }
  });

  it("wants a certificate where the coordinator does", async () => {
    const { send } = await make({ certified: true });
    expect((await send("GET /discovery/a/view")).status).toBe(401);
    expect((await send("GET /discovery/livez")).status).toBe(200);
  });

  it("warns where neither a token nor a certificate keeps anybody out", async () => {
    const { said } = await make();
    expect(said.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({
        ...{ level: "warn", path: "/discovery" },
        msg: "open to everybody who can reach it: neither -token-file nor -tls-client-auth",
      }),
    ]);
    for (const kept of [{ token: "the coordinator's" }, { certified: true }])
      expect((await make(kept)).said).toEqual([]);
  });

  it("answers no web page", async () => {
    const { send } = await make();
    expect((await send("POST /discovery", { headers: { origin: "http://evil.test" } })).status).toBe(403);
  });

  it("keeps what it answered, and ends what it holds", async () => {
    const path = join(tempDir("mounted"), "r.db");
    const first = await make({ path });
    const id = JSON.parse((await first.send("POST /discovery")).body).disco_id;
    const index = String((await first.send("GET /discovery/a/view")).headers.get("rollcall-index"));
    const held = first.service.fetch(new Request(`http://x/discovery/a/view?wait=60s&index=${index}`), {});
    first.service.end();
    expect((await held).status).toBe(503);
    first.service.close();
    first.service.close();
    expect(first.clock.pending()).toBe(0);
    expect((await (await make({ path })).send(`GET /discovery/${id}`)).status).toBe(200);
  });
});
