/** `/openapi.json`: OpenAPI 3.1 of the service's paths. */
import * as z from "zod";
import { Node, Wish } from "./legacy.ts";

type Schema = Readonly<Record<string, unknown>>;

/** What is answered, in a success or a refusal of its own shape. */
type Said = {
  readonly what: string;
  readonly headers?: readonly (keyof typeof headers)[];
  readonly content?: Schema;
};
type Operation = {
  readonly summary: string;
  readonly answers: Readonly<Record<number, Said>>;
  /** The statuses of its other refusals. */
  readonly refusals?: readonly number[];
  readonly sent?: readonly (keyof typeof parameters)[];
  readonly body?: Schema;
};

const headers = {
  ETag: "the register's revision, as If-Match takes it",
  "Rollcall-Index": "where the id is, as index takes it",
  "Rollcall-Position": "the node's place in the order of arrival, from 1",
} as const;

const parameters = {
  wait: ["query", "holds the request until the id's index is another one, as in 30s; 60s at most"],
  index: ["query", "the Rollcall-Index that the caller has; without it nothing is held"],
  ttl: ["query", "how long the lease lasts, from 1s to 10m; 10s unless given"],
  "If-Match": ["header", "the ETag that the register must still have"],
  "If-None-Match": ["header", "*: there must be no such register"],
  "Rollcall-If-Sha256": ["header", "with If-Match: the SHA-256 that the value must have, hexadecimal"],
  "Rollcall-Lease": ["header", "the lease that entering the member answered"],
} as const;

const json = (schema: Schema): Schema => ({ "application/json": { schema } });
const shaped = (shape: z.ZodType): Schema => {
  const { $schema, ...schema } = z.toJSONSchema(shape) as Record<string, unknown>;
  return json(schema);
};
const text: Schema = { "text/plain": { schema: { type: "string" } } };

const Failure = z.strictObject({
  error: z.strictObject({ code: z.string(), message: z.string(), hint: z.string().nullable() }),
});
const Register = z.strictObject({ value: z.string(), revision: z.string() }).nullable();
const Member = z.looseObject({ id: z.string(), incarnation: z.string() });

const failure = shaped(Failure);
const record = shaped(Member);
const listed: Said = {
  what: "The id and its nodes.",
  content: shaped(
    z.strictObject({ created_at: z.string(), disco_id: z.string(), nodes: z.array(z.string()) }),
  ),
};
const lost: Said = {
  what: "It is not as expected, but as `current` says.",
  headers: ["ETag"],
  content: shaped(Failure.extend({ current: Register })),
};
const written = (what: string): Said => ({ what, headers: ["ETag", "Rollcall-Index"] });
const found = (what: string, shape: z.ZodType): Said => ({
  ...{ what, headers: ["Rollcall-Index"], content: shaped(shape) },
});
const held = ["wait", "index"] as const;
const plain = (what: string): Readonly<Record<number, Said>> => ({ 200: { what, content: text } });

const paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  "/": {
    post: {
      ...{ summary: "Makes an id.", answers: { 200: listed } },
      ...{ refusals: [400, 413, 507], body: shaped(Wish) },
    },
  },
  "/{id}": {
    get: {
      ...{ summary: "Lists the nodes of an id in order of arrival.", answers: { 200: listed } },
      refusals: [400, 404],
    },
    post: {
      summary: "Registers a node, once.",
      answers: { 200: { ...listed, headers: ["Rollcall-Position"] } },
      ...{ refusals: [400, 404, 409, 413, 507], body: shaped(Node) },
    },
    delete: {
      ...{ summary: "Removes a node.", answers: { 200: listed } },
      ...{ refusals: [400, 404, 413], body: shaped(Node) },
    },
  },
  "/{id}/registers/{name}": {
    get: {
      summary: "Reads a record, or waits for a change of its id.",
      answers: {
        200: { what: "The record.", headers: ["ETag", "Rollcall-Index"], content: text },
        404: { what: "There is none.", headers: ["Rollcall-Index"], content: failure },
      },
      ...{ refusals: [400], sent: held },
    },
    put: {
      summary: "Writes a record under If-Match, or makes it under If-None-Match.",
      answers: { 201: written("It was made."), 204: written("It was replaced."), 412: lost },
      ...{ refusals: [400, 413, 428, 507], body: text },
      sent: ["If-Match", "If-None-Match", "Rollcall-If-Sha256"],
    },
    delete: {
      summary: "Removes a record under If-Match.",
      answers: { 204: written("It was removed."), 412: lost },
      ...{ refusals: [400, 428], sent: ["If-Match", "Rollcall-If-Sha256"] },
    },
  },
  "/{id}/members": {
    get: {
      summary: "Lists the members, or waits for a change of their id.",
      answers: { 200: found("The members.", z.strictObject({ members: z.array(Member) })) },
      ...{ refusals: [400], sent: held },
    },
  },
  "/{id}/members/{node}": {
    put: {
      summary: "Enters a member under a lease.",
      answers: {
        200: {
          what: "The lease, which only its holder knows.",
          content: shaped(z.strictObject({ lease: z.string(), ttl_ms: z.int() })),
        },
        409: {
          what: "`holder` has this node id; or the id is full.",
          content: shaped(Failure.extend({ holder: Member.optional() })),
        },
      },
      ...{ refusals: [400, 413, 507], sent: ["ttl"], body: record },
    },
    delete: {
      ...{ summary: "Takes out a member that the lease holds.", answers: { 204: { what: "It is out." } } },
      ...{ refusals: [400, 404], sent: ["Rollcall-Lease"] },
    },
  },
  "/{id}/members/{node}/renew": {
    post: {
      ...{ summary: "Renews a lease.", answers: { 204: { what: "It begins anew." } } },
      ...{ refusals: [400, 404], sent: ["Rollcall-Lease"] },
    },
  },
  "/{id}/view": {
    get: {
      summary: "Members, genesis and leader at one moment, or at the next change.",
      answers: {
        200: found(
          "All that the id holds for agents.",
          z.strictObject({ members: z.array(Member), genesis: Register, leader: Register }),
        ),
      },
      ...{ refusals: [400], sent: held },
    },
  },
  "/livez": { get: { summary: "Says that the process lives.", answers: plain("ok") } },
  "/readyz": {
    get: {
      summary: "Says whether the service answers and can keep what it is told.",
      answers: { ...plain("ok"), 503: { what: "Why not, in a word.", content: text } },
    },
  },
  "/metrics": { get: { summary: "Metrics for Prometheus.", answers: plain("The metrics.") } },
  "/openapi.json": {
    get: {
      summary: "This document.",
      answers: { 200: { what: "OpenAPI.", content: json({ type: "object" }) } },
    },
  },
};

/** The document of a service whose paths begin with `base`. */
export function openapi(version: string, base: string): Schema {
  return {
    openapi: "3.1.0",
    info: {
      title: "rollcall Discovery Service",
      version,
      description:
        "In a path an id has `~` for `/`. Every GET also takes HEAD. Errors are {error: text} on `/` and `/{id}`, and {error: {code, message, hint}} elsewhere and where a request is malformed.",
    },
    ...(base === "" ? {} : { servers: [{ url: base }] }),
    paths: pathsBelow(""),
    components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
  };
}

/** The paths of the document as they are below `base`, for the document of a server that serves others too. */
export function pathsBelow(base: string): Readonly<Record<string, Schema>> {
  const entries = Object.entries(paths).map(([path, operations]) => [
    base !== "" && path === "/" ? base : base + path,
    Object.fromEntries(Object.entries(operations).map(([method, one]) => [method, operation(path, one)])),
  ]);
  return Object.fromEntries(entries);
}

function operation(path: string, { summary, answers, refusals = [], sent = [], body }: Operation): Schema {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => parameter(name ?? "", "path"));
  const inRest = sent.map((name) => {
    const [place, what] = parameters[name];
    return parameter(name, place, what);
  });
  const all = [...inPath, ...inRest];
  const legacy = path === "/" || path === "/{id}";
  const refused = {
    description: "refused",
    content: legacy ? shaped(z.strictObject({ error: z.string() })) : failure,
  };
  return {
    summary,
    ...(all.length === 0 ? {} : { parameters: all }),
    ...(body === undefined ? {} : { requestBody: { required: path !== "/", content: body } }),
    responses: {
      ...Object.fromEntries([...refusals, 401, 403, 503].map((status) => [status, refused])),
      ...Object.fromEntries(Object.entries(answers).map(([status, one]) => [status, answer(one)])),
    },
    security: [{ bearer: [] }, {}],
  };
}

function parameter(name: string, place: string, description?: string): Schema {
  const required = place === "path" || name === "Rollcall-Lease";
  return {
    ...{ name, in: place, required, schema: { type: "string" } },
    ...(description === undefined ? {} : { description }),
  };
}

function answer({ what, headers: named = [], content }: Said): Schema {
  const shown = named.map((name) => [name, { description: headers[name], schema: { type: "string" } }]);
  return {
    description: what,
    ...(shown.length === 0 ? {} : { headers: Object.fromEntries(shown) }),
    ...(content === undefined ? {} : { content }),
  };
}
