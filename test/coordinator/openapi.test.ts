import { describe, expect, it } from "vitest";
import * as z from "zod";
import { type Route, routes } from "../../src/coordinator/routes.ts";
import { make } from "./support/view.ts";

type Json = Readonly<Record<string, unknown>>;

const Schema = z.record(z.string(), z.unknown());
const Content = z.record(z.string().regex(/^[a-z]+\/[a-z-]+(;.*)?$/), z.strictObject({ schema: Schema }));
const Parameter = z.strictObject({
  name: z.string().min(1),
  in: z.enum(["path", "query", "header"]),
  required: z.boolean(),
  description: z.string().min(1),
  schema: Schema,
  style: z.literal("form").optional(),
  explode: z.literal(false).optional(),
});
const Operation = z.strictObject({
  operationId: z.string().regex(/^[a-zA-Z]+$/),
  summary: z.string().min(1),
  parameters: z.array(Parameter).optional(),
  requestBody: z
    .strictObject({ required: z.boolean(), description: z.string().min(1), content: Content })
    .optional(),
  responses: z.record(
    z.string().regex(/^[2-5]\d\d$/),
    z.strictObject({ description: z.string().min(1), content: Content }),
  ),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
});
/** What the OpenAPI 3.1 specification asks of a document, as far as ours goes; anything else in it is an error. */
const Document = z.strictObject({
  openapi: z.string().regex(/^3\.1\.\d+$/),
  info: z.strictObject({ title: z.string().min(1), version: z.string().min(1), description: z.string() }),
  paths: z.record(z.string().startsWith("/"), z.partialRecord(z.enum(["get", "post", "delete"]), Operation)),
  components: z.strictObject({
    schemas: z.record(z.string().regex(/^[A-Za-z0-9._-]+$/), Schema),
    securitySchemes: z.strictObject({
      bearer: z.strictObject({ type: z.literal("http"), scheme: z.literal("bearer") }),
    }),
  }),
});

async function documented() {
  const { status, type, body } = await make().ask("/openapi.json");
  expect([status, type]).toEqual([200, "application/json"]);
  const value: unknown = JSON.parse(body);
  const document = Document.parse(value);
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  return { document, operations };
}

/** Every object in a JSON value. */
function* objectsIn(value: unknown): Generator<Json> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Json;
  for (const inner of Object.values(value)) yield* objectsIn(inner);
}

describe("/openapi.json", () => {
  it("is OpenAPI 3.1, with every route and no other", async () => {
    const { operations } = await documented();
    const told = operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`);
    expect(told.sort()).toEqual(
      Object.values<Route>(routes)
        .map(({ method, path }) => `${method} ${path}`)
        .sort(),
    );
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(ids.sort()).toEqual(Object.keys(routes).sort());
  });

  it("has each parameter of a path once, and demands it", async () => {
    for (const { path, operation } of (await documented()).operations) {
      const parameters = operation.parameters ?? [];
      const inPath = parameters.filter((one) => one.in === "path");
      expect([path, inPath.map((one) => one.name)]).toEqual([
        path,
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
      ]);
      expect(parameters.every((one) => one.required === (one.in === "path"))).toBe(true);
      const names = parameters.map((one) => `${one.in} ${one.name}`);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it("refers only to schemas that are there, and to all of them", async () => {
    const { document } = await documented();
    const refs = [...objectsIn(document)].flatMap(({ $ref }) => ($ref === undefined ? [] : [String($ref)]));
    const names = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect([...new Set(refs)].sort()).toEqual(names.sort());
    expect([...objectsIn(document)].filter((one) => "$id" in one || "$schema" in one)).toEqual([]);
  });

  it("says of each path what success, a refusal and our own failure look like", async () => {
    for (const { path, operation } of (await documented()).operations) {
      const statuses = Object.keys(operation.responses);
      expect([path, statuses.filter((status) => status.startsWith("2"))]).toHaveLength(2);
      expect([path, statuses.includes("500")]).toEqual([path, true]);
      const open = operation.security === undefined;
      expect([path, statuses.includes("401")]).toEqual([path, !open]);
    }
  });

  it("has schemas that say of real answers what ours say", async () => {
    const { document } = await documented();
    const { ask } = make();
    for (const [name, path] of [
      ["Clusters", "/v1/clusters"],
      ["ClusterDetail", "/v1/clusters/prod~orders"],
      ["Nodes", "/v1/clusters/prod~orders/nodes"],
      ["Discoveries", "/v1/discoveries"],
      ["SettingsList", "/v1/settings"],
      ["TargetGroups", "/v1/sd/prometheus"],
      ["Problem", "/v1/clusters/none"],
    ] as const) {
      const text = JSON.stringify(document.components.schemas).replaceAll(
        "#/components/schemas/",
        "#/$defs/",
      );
      const schema = z.fromJSONSchema({ $ref: `#/$defs/${name}`, $defs: JSON.parse(text) });
      const value: unknown = JSON.parse((await ask(path)).body);
      expect([name, schema.safeParse(value).error]).toEqual([name, undefined]);
      expect([name, schema.safeParse({ other: true }).success]).toEqual([name, false]);
    }
  });
});
