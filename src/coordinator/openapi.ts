/** `/openapi.json`: OpenAPI 3.1 of the table of routes, made of the very schemas that check. */
import * as z from "zod";
import { ClusterDocument, DiscoveryDocument, ReplicanteDocument } from "./document-schemas.ts";
import { type RefusalCode, refusals } from "./refusals.ts";
import { type Route, routes } from "./routes.ts";
import { named } from "./shapes.ts";

type Schema = Readonly<Record<string, unknown>>;

const AT = "#/components/schemas/";

/** What may be applied. */
const documents = { DiscoveryDocument, ClusterDocument, ReplicanteDocument };

/** The document. `more`: paths of what else the server serves. */
export function openapi(
  version: string,
  more: Readonly<Record<string, Schema>> = {},
): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [name, route] of Object.entries<Route>(routes))
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(name, route) };
  return {
    openapi: "3.1.0",
    info: {
      title: "rollcall coordinator",
      version,
      description: "Every GET also takes HEAD. In a path the id of a cluster has `~` for `/`.",
    },
    paths: { ...paths, ...more },
    components: {
      schemas: components(),
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
    },
  };
}

function operation(name: string, route: Route): Schema {
  const parameters = [
    ...parametersOf(route.params, "path"),
    ...parametersOf(route.query, "query"),
    ...(route.media === "text/event-stream" ? [lastEventId] : []),
  ];
  return {
    operationId: name,
    summary: route.summary,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined ? {} : { requestBody: requestBody(route.body) }),
    responses: responses(route),
    // The empty one: without a token, and for reading where that was not asked for, none is wanted.
    ...(route.access === "open" ? {} : { security: [{ bearer: [] }, {}] }),
  };
}

const lastEventId = {
  name: "Last-Event-ID",
  in: "header",
  required: false,
  description: "as `after`, which it goes before",
  schema: { type: "string" },
};

function parametersOf(shape: z.ZodObject | undefined, place: "path" | "query"): Schema[] {
  return Object.entries(shape?.shape ?? {}).map(([name, field]) => {
    const schema = bare(z.toJSONSchema(field as z.ZodType));
    return {
      name,
      in: place,
      required: place === "path",
      description: (field as z.ZodType).description ?? "",
      schema,
      ...(schema.type === "array" ? { style: "form", explode: false } : {}),
    };
  });
}

/** Settings are the only bodies there are. */
function requestBody(description: string): Schema {
  const one = Object.keys(documents).map((name) => ({ $ref: `${AT}${name}` }));
  return {
    required: true,
    description,
    content: {
      "application/yaml": { schema: { type: "string" } },
      "application/json": { schema: { anyOf: one } },
    },
  };
}

function responses(route: Route): Schema {
  const codes: RefusalCode[] = [...route.refusals, "internal"];
  if (route.access !== "open") codes.push("unauthorized", "forbidden");
  if (route.query !== undefined) codes.push("bad_request");
  if (route.access === "change") codes.push("store", "store_unknown", "too_large");
  const said: Record<string, Schema> = {
    [route.status]: {
      description: route.summary,
      content: {
        [route.media]: { schema: route.answer === null ? { type: "string" } : schemaOf(route.answer) },
      },
    },
  };
  for (const status of new Set(codes.map((code) => refusals[code])))
    said[status] = {
      description: [...new Set(codes)].filter((code) => refusals[code] === status).join(", "),
      content: { "application/json": { schema: { $ref: `${AT}Problem` } } },
    };
  if (route.path === "/readyz")
    said[503] = { description: "not ready", content: { [route.media]: { schema: { type: "string" } } } };
  return said;
}

function schemaOf(shape: z.ZodType): Schema {
  const name = Object.entries(named).find(([, one]) => one === shape)?.[0];
  return name === undefined ? bare(z.toJSONSchema(shape)) : { $ref: `${AT}${name}` };
}

function components(): Schema {
  const registry = z.registry<{ id: string }>();
  for (const [id, shape] of Object.entries<z.ZodType>(named)) registry.add(shape, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `${AT}${id}` });
  // Documents as they are written, answers as they are read.
  const written = Object.entries<z.ZodType>(documents).map(([id, shape]): [string, object] => [
    id,
    z.toJSONSchema(shape, { io: "input" }),
  ]);
  const all: [string, object][] = [...Object.entries(schemas), ...written];
  return Object.fromEntries(all.map(([id, schema]) => [id, bare(schema)]));
}

/** Without what only stands in a document of its own. */
function bare(schema: object): Schema {
  const { $schema, $id, ...rest } = schema as Record<string, unknown>;
  return rest;
}
