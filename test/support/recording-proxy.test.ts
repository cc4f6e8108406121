import { createServer } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { request } from "./http.ts";
import { type RecordingProxy, startRecordingProxy } from "./recording-proxy.ts";
import { until } from "./wait.ts";

describe("recording proxy", () => {
  const cancelled: string[] = [];
  const target = createServer((asked, answer) => {
    let body = "";
    answer.on("close", () => !answer.writableFinished && cancelled.push(asked.url ?? ""));
    asked.on("data", (chunk) => {
      body += String(chunk);
    });
    asked.on("end", () => {
      if (asked.url !== "/wait")
        answer.end(JSON.stringify({ body, password: asked.headers.authorization ?? null }));
    });
  });
  let plain: RecordingProxy;
  let guarded: RecordingProxy;

  beforeAll(async () => {
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    const bound = target.address();
    const url = `http://127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : 0}`;
    plain = await startRecordingProxy({ target: url });
    guarded = await startRecordingProxy({ target: url, basicAuth: { username: "u", password: "p:w" } });
  });
  afterAll(async () => {
    await Promise.all([plain.stop(), guarded.stop()]);
    target.closeAllConnections();
    await new Promise((resolve) => target.close(resolve));
  });
  beforeEach(() => {
    plain.clear();
    guarded.clear();
  });

  it("records method, path, query and headers, and passes bodies", async () => {
    const url = `${plain.url}/v1/kv/a?dc=dc2&ns=team`;
    const reply = await request(url, { method: "PUT", body: "value", headers: { "X-Consul-Token": "t" } });
    expect(JSON.parse(reply.body)).toMatchObject({ body: "value" });
    const [first] = plain.requests();
    expect(first).toMatchObject({ method: "PUT", path: "/v1/kv/a?dc=dc2&ns=team" });
    expect(first?.query.get("ns")).toBe("team");
    expect(first?.headers["x-consul-token"]).toBe("t");
    expect(first?.status()).toBe(200);
  });

  it("asks for the password and keeps it to itself", async () => {
    const ask = (login: string) => {
      return request(guarded.url, {
        headers: { Authorization: `Basic ${Buffer.from(login).toString("base64")}` },
      });
    };
    expect((await request(guarded.url)).status).toBe(401);
    expect((await ask("u:wrong")).status).toBe(401);
    const right = await ask("u:p:w");
    expect(JSON.parse(right.body)).toMatchObject({ password: null });
    expect(guarded.requests().map((one) => one.status())).toEqual([401, 401, 200]);
  });

  it("takes back a request whose client went away", async () => {
    await expect(request(`${plain.url}/wait`, { timeoutMs: 50 })).rejects.toThrow();
    await until(() => cancelled.includes("/wait"), { deadlineMs: 2_000, what: "the server to see it" });
  });
});
