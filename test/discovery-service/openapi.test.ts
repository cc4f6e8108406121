import { describe, expect, it } from "vitest";
import { inMemory } from "../../src/discovery-service/durable.ts";
import { createApp } from "../../src/discovery-service/http.ts";
import { digest } from "../../src/discovery-service/registers.ts";
import { manualClock } from "../lib/manual-clock.ts";

type Operation = {
  readonly parameters?: readonly { readonly name: string }[];
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly headers?: object;
        readonly content?: Readonly<Record<string, { readonly schema: { readonly properties?: object } }>>;
      }
    >
  >;
};
type Document = { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> };

describe("/openapi.json", () => {
  it("has every path and method of the service, and none that is not there", async () => {
    const deps = { clock: manualClock(), uuid: () => "u", log: { error: () => {} } };
    const { app } = createApp({ ...inMemory(deps), token: null, version: "1.2.3" }, deps);
    const document = (await (await app.request("/openapi.json")).json()) as {
      info: { version: string };
      paths: Record<string, object>;
    };
    expect(document.info.version).toBe("1.2.3");
    const told = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routed = app.routes
      .filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
    expect(new Set(told)).toEqual(new Set(routed));
  });

  it("says below which path it is, where that is not the root", async () => {
    const deps = { clock: manualClock(), uuid: () => "u", log: { error: () => {} } };
    for (const base of ["", "/discovery"]) {
      const { app } = createApp({ ...inMemory(deps), token: null, base }, deps);
      const document = (await (await app.request(`${base}/openapi.json`)).json()) as { servers?: unknown };
      expect(document.servers).toEqual(base === "" ? undefined : [{ url: "/discovery" }]);
    }
  });

  it("has every status, header, parameter and key of an answer that there is", async () => {
    let made = 0;
    const deps = { clock: manualClock(), uuid: () => `u${++made}`, log: { error: () => {} } };
    const { app } = createApp({ ...inMemory(deps), token: null }, deps);
    const { paths } = (await (await app.request("/openapi.json")).json()) as Document;
    const node = { body: '{"addr":"a:1"}' };
    const member = { body: '{"id":"n","incarnation":"i"}' };
    const register = "/{id}/registers/{name}";
    const leased = { headers: { "rollcall-lease": "u3" } };
    const requests: readonly [string, string, string, number, RequestInit?][] = [
      ["POST", "/", "/", 200, { body: '{"size":1}' }],
      ["POST", "/", "/", 400, { body: "{" }],
      ["POST", "/{id}", "/u2", 200, node],
      ["POST", "/{id}", "/u2", 409, { body: '{"addr":"b:1"}' }],
      ["GET", "/{id}", "/u2", 200],
      ["DELETE", "/{id}", "/u2", 200, node],
      ["GET", "/{id}", "/nobody", 404],
      ["GET", register, "/a/registers/genesis?wait=1s&index=no", 404],
      ["PUT", register, "/a/registers/genesis", 201, { body: "x", headers: { "if-none-match": "*" } }],
      ["PUT", register, "/a/registers/genesis", 412, { body: "x", headers: { "if-none-match": "*" } }],
      [
        ...(["PUT", register, "/a/registers/genesis", 204] as const),
        { body: "x", headers: { "if-match": '"u1-1"', "rollcall-if-sha256": digest("x") } },
      ],
      ["PUT", register, "/a/registers/genesis", 428, { body: "x" }],
      ["GET", register, "/a/registers/genesis", 200],
      ["PUT", "/{id}/members/{node}", "/a/members/n?ttl=10s", 200, member],
      ["PUT", "/{id}/members/{node}", "/a/members/n", 409, { body: member.body.replace('"i"', '"j"') }],
      ["GET", "/{id}/members", "/a/members", 200],
      ["GET", "/{id}/view", "/a/view?wait=1s&index=no", 200],
      ["POST", "/{id}/members/{node}/renew", "/a/members/n/renew", 204, leased],
      ["DELETE", "/{id}/members/{node}", "/a/members/n", 204, leased],
      ["DELETE", "/{id}/members/{node}", "/a/members/n", 404, leased],
      ["DELETE", register, "/a/registers/genesis", 412, { headers: { "if-match": '"u1-1"' } }],
      ["DELETE", register, "/a/registers/genesis", 204, { headers: { "if-match": '"u1-2"' } }],
      ["GET", "/readyz", "/readyz", 200],
    ];
    for (const [method, path, url, status, init = {}] of requests) {
      const answer = await app.request(url, { method, ...init });
      const body = await answer.text();
      expect([method, url, answer.status]).toEqual([method, url, status]);
      const operation = paths[path]?.[method.toLowerCase()];
      const told = operation?.responses[status];
      if (told === undefined) return expect.unreachable(`${method} ${path}: ${status} is not told`);
      const sent = [...Object.keys(init.headers ?? {}), ...new URL(url, "http://x").searchParams.keys()];
      const known = (operation?.parameters ?? []).map(({ name }) => name.toLowerCase());
      expect([method, url, known]).toEqual([method, url, expect.arrayContaining(sent)]);
      const shown = [...answer.headers.keys()].filter((name) => /^(etag|rollcall-.*)$/.test(name));
      expect([method, url, shown]).toEqual([
        ...[method, url],
        Object.keys(told.headers ?? {}).map((name) => name.toLowerCase()),
      ]);
      const type = answer.headers.get("content-type")?.split(";")[0];
      expect(Object.keys(told.content ?? {})).toEqual(type === undefined ? [] : [type]);
      if (type === "application/json")
        expect(Object.keys(told.content?.[type]?.schema.properties ?? {})).toEqual(
          expect.arrayContaining(Object.keys(JSON.parse(body))),
        );
    }
  });
});
