/** `/openapi.json`: OpenAPI 3.1 of the service's paths. */
import * as z from "zod";
import { Node, Wish } from "./legacy.ts";

type Schema = Readonly<Record<string, unknown>>;
/** What a request does, the statuses of its success and of its own refusals, and its body. */
type Operation = readonly [summary: string, success: number, refusals: readonly number[], body?: Schema];

const Listed = z.strictObject({ created_at: z.string(), disco_id: z.string(), nodes: z.array(z.string()) });
const legacy = (shape: z.ZodType): Schema => ({ "application/json": { schema: z.toJSONSchema(shape) } });
const text: Schema = { "text/plain": { schema: { type: "string" } } };
const record: Schema = {
  "application/json": { schema: { type: "object", required: ["id", "incarnation"] } },
};

const paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  "/": { post: ["Makes an id.", 200, [400, 413, 507], legacy(Wish)] },
  "/{id}": {
    get: ["Lists the nodes of an id in order of arrival.", 200, [400, 404]],
    post: [
      "Registers a node, once; Rollcall-Position says its place.",
      ...([200, [400, 404, 409, 413, 507], legacy(Node)] as const),
    ],
    delete: ["Removes a node.", 200, [400, 404, 413], legacy(Node)],
  },
  "/{id}/registers/{name}": {
    get: ["Reads a record; its ETag is the revision.", 200, [400, 404]],
    put: ["Writes a record under If-Match, or If-None-Match: *.", 204, [400, 412, 413, 428, 507], text],
    delete: ["Removes a record under If-Match.", 204, [400, 412, 428]],
  },
  "/{id}/members": { get: ["Lists the members.", 200, [400]] },
  "/{id}/members/{node}": {
    put: ["Enters a member under a lease of ?ttl.", 200, [400, 409, 413, 507], record],
    delete: ["Takes a member out that Rollcall-Lease holds.", 204, [400, 404]],
  },
  "/{id}/members/{node}/renew": { post: ["Renews the lease Rollcall-Lease.", 204, [400, 404]] },
  "/{id}/view": { get: ["Members, genesis and leader at one moment.", 200, [400]] },
  "/livez": { get: ["Says that the process lives.", 200, []] },
  "/readyz": {
    get: [
      "Says whether the service answers and can keep what it is told; else 503 and why, in a word.",
      200,
      [],
    ],
  },
  "/metrics": { get: ["Metrics for Prometheus.", 200, []] },
  "/openapi.json": { get: ["This document.", 200, []] },
};

/** The document. */
export function openapi(version: string): Schema {
  return {
    openapi: "3.1.0",
    info: {
      title: "rollcall Discovery Service",
      version,
      description:
        "In a path an id has `~` for `/`. Errors are {error: text} on `/` and `/{id}`, and {error: {code, message, hint}} elsewhere.",
    },
    paths: pathsBelow(""),
    components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
  };
}

/** The paths of the document as they are below `base`, for the document of a server that serves others too. */
export function pathsBelow(base: string): Readonly<Record<string, Schema>> {
  const entries = Object.entries(paths).map(([path, operations]) => [
    base !== "" && path === "/" ? base : base + path,
    Object.fromEntries(
      Object.entries(operations).map(([method, one]) => [method, operation(path, method, one)]),
    ),
  ]);
  return Object.fromEntries(entries);
}

function operation(path: string, method: string, [summary, success, refusals, body]: Operation): Schema {
  const parameter = (name: string, where: string) => ({
    ...{ name, in: where, required: where === "path", schema: { type: "string" } },
  });
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => parameter(name ?? "", "path"));
  // What is under an id may be waited for.
  const held = method === "get" && path.startsWith("/{id}/");
  const query = held ? ["wait", "index"].map((name) => parameter(name, "query")) : [];
  const ttl = path.endsWith("{node}") && method === "put" ? [parameter("ttl", "query")] : [];
  const parameters = [...inPath, ...query, ...ttl];
  const error = { description: "refused", content: { "application/json": { schema: { type: "object" } } } };
  const said = (status: number) => [String(status), status === success ? { description: summary } : error];
  return {
    summary,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: path !== "/", content: body } }),
    responses: {
      ...Object.fromEntries([success, ...refusals, 401, 403, 503].map(said)),
      ...(path === "/" || path === "/{id}" ? { 200: { description: summary, content: legacy(Listed) } } : {}),
    },
    security: [{ bearer: [] }, {}],
  };
}
