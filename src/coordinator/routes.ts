/**
 * Every path of the coordinator: one table that drives the wiring, what is checked of a request, and /openapi.json.
 * In a path a cluster's id has `~` (or `%2F`) for `/`, as in `/v1/clusters/prod~orders`.
 */
import * as z from "zod";
import { EventType } from "../core/events.ts";
import { Health } from "../core/health.ts";
import type { RefusalCode } from "./refusals.ts";
import * as shapes from "./shapes.ts";

/** The most of a list that is answered at once, and how much without `limit`. */
const MOST_LIMIT = 1_000;
const USUAL_LIMIT = 100;

/**
 * `open`: for everybody; `read`, `change`: as access.ts says. `answer`: the shape of the JSON, or null where the
 * media type is another. `refusals`: beside those that every path may give.
 */
export type Route = {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: `/${string}`;
  readonly summary: string;
  readonly access: "open" | "read" | "change";
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** What the request's body is; undefined: it is not read. */
  readonly body?: string;
  readonly status: 200 | 202;
  readonly media: string;
  readonly answer: z.ZodType | null;
  readonly refusals: readonly RefusalCode[];
};

// Descriptions are also what a caller is told is allowed.
const limit = z
  .string()
  .regex(/^\d{1,4}$/)
  .transform(Number)
  .pipe(z.int().min(1).max(MOST_LIMIT))
  .default(USUAL_LIMIT)
  .describe(`a whole number from 1 to ${MOST_LIMIT}`);
const after = z.string().min(1).max(1_000).optional().describe("what `next` of the page before was");
const page = z.strictObject({ limit, after });
const place = z.string().min(1).max(1_000).optional();
const eventTypes = z
  .string()
  .transform((text) => text.split(",").map((one) => one.trim().replace(/^rollcall\./, "")))
  .pipe(z.array(EventType).min(1))
  .optional()
  .describe("types of events with commas between them, each with or without `rollcall.` before it");
const eventsAfter = place.describe("the id of an event, or a position as `next` gives it");
const cluster = z.string().min(1).max(1_000).optional().describe("the id of a cluster");
const events = {
  limit,
  after: eventsAfter,
  type: eventTypes,
  order: z.enum(["asc", "desc"]).default("asc").describe("asc: oldest first; desc: newest first"),
};
const name = z.strictObject({ name: z.string().min(1).describe("the name of a discovery") });
const id = z.strictObject({
  id: z
    .string()
    .transform((text) => text.replaceAll("~", "/"))
    .pipe(z.string().min(1))
    .describe("the id of a cluster, with `~` for `/`"),
});

const json = { status: 200, media: "application/json" } as const;
const text = { status: 200, media: "text/plain; charset=utf-8", answer: null } as const;
const read = { ...json, method: "GET", access: "read" } as const;
const unknown = ["not_found"] as const;

/** The table, by the name of what each does. */
export const routes = {
  apply: {
    ...json,
    method: "POST",
    path: "/v1/apply",
    summary: "Applies settings: all that are told, or, where anything is wrong with any of them, none.",
    access: "change",
    body: "DiscoverySettings and ClusterSettings, any number of documents, as YAML or JSON",
    answer: shapes.Applied,
    refusals: ["bad_request", "too_large"],
  },
  discoveries: {
    ...read,
    path: "/v1/discoveries",
    summary: "Lists the discoveries by name.",
    query: page,
    answer: shapes.Discoveries,
    refusals: [],
  },
  discovery: {
    ...read,
    path: "/v1/discoveries/{name}",
    summary: "Shows a discovery, without the secrets of its configuration.",
    params: name,
    answer: shapes.Discovery,
    refusals: unknown,
  },
  removeDiscovery: {
    ...json,
    method: "DELETE",
    path: "/v1/discoveries/{name}",
    summary: "Removes a discovery and what it lists.",
    access: "change",
    params: name,
    answer: shapes.Removed,
    refusals: unknown,
  },
  accept: {
    ...json,
    method: "POST",
    path: "/v1/discoveries/{name}/accept",
    summary: "Takes what a discovery lists now for the truth, once, be it suspect or incomplete.",
    access: "change",
    params: name,
    answer: shapes.Accepted,
    refusals: ["not_found", "disabled", "discovery"],
  },
  discover: {
    method: "POST",
    status: 202,
    media: "application/json",
    path: "/v1/discoveries/{name}/discover",
    summary: "Looks at a discovery's inventory now.",
    access: "change",
    params: name,
    answer: shapes.Asked,
    refusals: ["not_found", "disabled", "full"],
  },
  clusters: {
    ...read,
    path: "/v1/clusters",
    summary: "Lists the clusters by id.",
    query: z.strictObject({
      ...page.shape,
      q: z.string().max(1_000).optional().describe("a part of the id or of the display name"),
      health: z
        .string()
        .transform((given) => given.split(","))
        .pipe(z.array(Health.shape.health))
        .optional()
        .describe("green, yellow or red, or several with commas between them"),
    }),
    answer: shapes.Clusters,
    refusals: [],
  },
  cluster: {
    ...read,
    path: "/v1/clusters/{id}",
    summary: "Shows a cluster and how it is treated.",
    params: id,
    answer: shapes.ClusterDetail,
    refusals: unknown,
  },
  nodes: {
    ...read,
    path: "/v1/clusters/{id}/nodes",
    summary: "Lists the nodes of a cluster by the addresses of their agents.",
    params: id,
    query: page,
    answer: shapes.Nodes,
    refusals: unknown,
  },
  clusterEvents: {
    ...read,
    path: "/v1/clusters/{id}/events",
    summary: "Lists the events of a cluster.",
    params: id,
    query: z.strictObject(events),
    answer: shapes.Events,
    refusals: ["not_found", "gone", "store"],
  },
  reports: {
    ...read,
    path: "/v1/clusters/{id}/reports",
    summary: "Lists how the last refreshes of a cluster went, newest first.",
    params: id,
    query: page,
    answer: shapes.RefreshReports,
    refusals: unknown,
  },
  refresh: {
    method: "POST",
    status: 202,
    media: "application/json",
    path: "/v1/clusters/{id}/refresh",
    summary: "Polls the agents of a cluster now.",
    access: "change",
    params: id,
    answer: shapes.Asked,
    refusals: ["not_found", "disabled", "full"],
  },
  settingsList: {
    ...read,
    path: "/v1/settings",
    summary: "Lists how clusters are treated, by their ids.",
    query: page,
    answer: shapes.SettingsList,
    refusals: [],
  },
  settings: {
    ...read,
    path: "/v1/settings/{id}",
    summary: "Shows how a cluster is treated.",
    params: id,
    answer: shapes.Settings,
    refusals: unknown,
  },
  removeSettings: {
    ...json,
    method: "DELETE",
    path: "/v1/settings/{id}",
    summary: "Removes the settings that were applied for a cluster; it gets synthetic ones.",
    access: "change",
    params: id,
    answer: shapes.Removed,
    refusals: unknown,
  },
  events: {
    ...read,
    path: "/v1/events",
    summary: "Lists events, as CloudEvents.",
    query: z.strictObject({ ...events, cluster }),
    answer: shapes.Events,
    refusals: ["gone", "store"],
  },
  stream: {
    method: "GET",
    status: 200,
    media: "text/event-stream",
    path: "/v1/events/stream",
    summary:
      "Tells events as they come, from after `Last-Event-ID` or `after`; without either those from now on, with 0 all that are kept.",
    access: "read",
    query: z.strictObject({ after: eventsAfter, type: eventTypes, cluster }),
    answer: null,
    refusals: ["gone", "too_many", "store", "stopping"],
  },
  tasks: {
    ...read,
    path: "/v1/tasks",
    summary: "Lists what is queued and what runs.",
    query: page,
    answer: shapes.Tasks,
    refusals: [],
  },
  prometheus: {
    ...read,
    path: "/v1/sd/prometheus",
    summary: "Lists targets for Prometheus' http_sd, one group a node.",
    query: z.strictObject({
      target: z
        .enum(["agent", "db"])
        .default("agent")
        .describe("agent: where agents answer; db: where databases answer their clients"),
      cluster,
    }),
    answer: shapes.TargetGroups,
    refusals: ["not_ready"],
  },
  livez: {
    ...text,
    method: "GET",
    path: "/livez",
    summary: "Answers while the process turns.",
    access: "open",
    refusals: [],
  },
  readyz: {
    ...text,
    method: "GET",
    path: "/readyz",
    summary: "200 when ready, else 503 with the reason in one word.",
    access: "open",
    refusals: [],
  },
  metrics: {
    ...text,
    method: "GET",
    path: "/metrics",
    summary: "Metrics in Prometheus' text format.",
    media: "text/plain; version=0.0.4; charset=utf-8",
    access: "read",
    refusals: ["store"],
  },
  openapi: {
    ...read,
    path: "/openapi.json",
    summary: "This description.",
    answer: z.record(z.string(), z.unknown()),
    refusals: [],
  },
} as const satisfies Readonly<Record<string, Route>>;

export type Routes = typeof routes;
export type RouteName = keyof Routes;
