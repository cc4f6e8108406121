/** What those who run the service ask: whether it lives, whether it is ready, and how much it holds. */
import type { Hono } from "hono";
import { gauge, type Metric, metricsPage } from "../lib/metrics.ts";
import type { Contents } from "./durable.ts";
import { openapi } from "./openapi.ts";

/** What is told. `counts` are answers by status. */
export type Operations = Contents & {
  readonly counts: ReadonlyMap<number, number>;
  readonly stopping: () => boolean;
  readonly version?: string;
  readonly base?: string;
};

/** Adds the paths. They come before ids, none of which can be asked for by these names. */
export function addOperations(app: Hono, operations: Operations): void {
  app.get("/livez", (c) => c.text("ok"));
  // What was not synced before this answer makes it an error instead.
  app.get("/readyz", (c) => {
    if (operations.stopping()) return c.text("stopping", 503);
    return operations.writable() ? c.text("ok") : c.text("store", 503);
  });
  app.get("/openapi.json", (c) => c.json(openapi(operations.version ?? "", operations.base ?? "")));
  app.get("/metrics", (c) =>
    c.body(metricsPage(metricsOf(operations)), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    }),
  );
}

/** How much is held, and what was answered. */
export function metricsOf({ registers, lists, counts, version = "" }: Operations): readonly Metric[] {
  const held = registers.size();
  const listed = lists.size();
  return [
    gauge("discovery_service_info", "The Discovery Service; always 1.", 1, { version }),
    gauge("discovery_service_ids", "Ids that hold registers or members.", held.ids),
    gauge("discovery_service_bytes", "What registers and members hold, with their names.", held.bytes),
    gauge("discovery_service_waiters", "Long polls that are held.", held.waiters),
    gauge("discovery_service_created_ids", "Ids that were created by POST /.", listed.ids),
    gauge("discovery_service_nodes", "Nodes that are registered under those.", listed.nodes),
    {
      name: "rollcall_discovery_service_answers_total",
      help: "Answers by status.",
      type: "counter",
      values: [...counts].map(([status, value]) => ({ labels: { status: String(status) }, value })),
    },
  ];
}
