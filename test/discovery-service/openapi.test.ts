import { describe, expect, it } from "vitest";
import { inMemory } from "../../src/discovery-service/durable.ts";
import { createApp } from "../../src/discovery-service/http.ts";
import { manualClock } from "../lib/manual-clock.ts";

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
});
