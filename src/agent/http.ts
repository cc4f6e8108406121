/** The agent's HTTP: every path, its answer, and who may ask. Nothing changes state by GET. */
import { type Context, Hono } from "hono";
import * as z from "zod";
import { decode } from "../core/model.ts";
import { fits, type Want } from "../core/node-report.ts";
import { parseDuration } from "../lib/duration.ts";
import type { Caller } from "../lib/http-server.ts";
import { problem } from "../lib/problem.ts";
import { refuseWebPages } from "../lib/web-pages.ts";
import type { View } from "./pages.ts";
import { servePeers } from "./peer-calls.ts";

const MOST_WAIT_MS = 300_000;

const Leave = z.looseObject({ key: z.string() });
const AssumeLost = z.looseObject({ key: z.string(), incarnation: z.string().min(1) });

/** For load balancers, by Patroni's convention. */
const roles: readonly (readonly [string, Want])[] = [
  ["/leader", "leader"],
  ["/primary", "leader"],
  ["/replica", "replica"],
  ["/health", "health"],
];

/** The agent's routes. `callerOf` reads the connection; tests give their own. */
export function agentApp(view: View, callerOf: (env: unknown) => Caller): Hono {
  const app = new Hono();
  app.notFound((c) =>
    c.json(problem("not_found", `there is no ${c.req.method} ${c.req.path}`, "GET /v1/state shows all"), 404),
  );
  app.onError((error, c) => {
    view.failed(error);
    // The log has the reason: a caller who has shown no credential is told nothing of our files.
    return c.json(problem("internal", "the agent cannot answer", "its log says why"), 500);
  });

  app.use(refuseWebPages((c, message) => c.json(problem("forbidden", message), 403)));
  app.get("/livez", (c) => c.text("ok\n"));
  app.get("/startupz", (c) =>
    view.outcome() === null ? c.text(`${view.explanation().code}\n`, 503) : c.text("ok\n"),
  );
  app.get("/readyz", (c) => {
    const { code } = view.explanation();
    const settled = code === "settled" || (code === "store" && view.outcome() !== null);
    if (!settled) return c.text(`${code}\n`, 503);
    const report = view.report();
    if (report.kind === "none" || report.status === "healthy") return c.text("ok\n");
    return c.text(`database_${report.status}\n`, 503);
  });
  for (const [path, want] of roles)
    app.get(path, (c) => {
      const { ok, word } = fits(view.report(), want);
      return c.text(`${word}\n`, ok ? 200 : 503);
    });

  app.use("*", async (c, next) => {
    if (c.req.path.startsWith("/v1/peer/")) return next();
    const verdict = await view.access.read(callerOf(c.env), c.req.header("authorization"));
    if (verdict.ok) return next();
    c.header("www-authenticate", "Bearer");
    return c.json(problem(verdict.code, verdict.message, verdict.hint), 401);
  });

  app.get("/v1/state", (c) => giveState(c, view));
  app.get("/v1/agent", (c) => c.json(view.agent()));
  app.get("/v1/explain", (c) => c.json(view.explanation()));
  app.get("/v1/peers", (c) => givePeers(c, view));
  app.get("/v1/outcome", (c) => giveOutcome(c, view));
  app.get("/v1/node", (c) => c.json(view.node()));
  app.get("/v1/shards", (c) => c.json({ shards: view.report().shards }));
  app.get("/v1/leader", (c) => c.json(view.leader()));
  app.get("/v1/events", (c) => giveEvents(c, view));
  app.post("/v1/leave", (c) => takeLeave(c, view, callerOf(c.env)));
  app.post("/v1/assume-lost", (c) => takeLost(c, view, callerOf(c.env)));
  app.get("/metrics", (c) =>
    c.text(view.metrics(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
  );
  servePeers(app, view, callerOf);
  return app;
}

/** The whole state; 304 for whoever has it already, by `?since=` or by ETag. */
function giveState(c: Context, view: View): Response {
  const tag = `${view.bootId}-${view.seq()}`;
  c.header("etag", `"${tag}"`);
  c.header("cache-control", "no-cache");
  const since = c.req.query("since");
  const known = since === undefined ? (c.req.header("if-none-match") ?? "").split(",") : [`"${since}"`];
  return known.some((one) => one.trim().replace(/^W\//, "") === `"${tag}"`)
    ? c.body(null, 304)
    : c.body(view.stateText(), 200, { "content-type": "application/json" });
}

const addressFields = new Map([
  ["db", "api_addr"],
  ["peer", "addr"],
  ["agent", "agent_addr"],
] as const);

/** Members as rows, or one kind of address of each that has it, one a line or in one line. */
function givePeers(c: Context, view: View): Response {
  const address = c.req.query("address") ?? "db";
  const field = addressFields.get(address as "db");
  if (field === undefined)
    return c.json(problem("bad_request", `address=${address}`, "one of db, peer, agent"), 400);
  const plain = /\btext\/plain\b/.test(c.req.header("accept") ?? "");
  const format = c.req.query("format") ?? (plain ? "text" : "json");
  const rows = view.peers();
  const addresses = rows.map((row) => row[field]).filter((one) => one !== "");
  switch (format) {
    case "json":
      return c.json({ peers: rows });
    case "text":
      return c.text(addresses.map((one) => `${one}\n`).join(""));
    case "csv":
      return c.text(`${addresses.join(",")}\n`);
    default:
      return c.json(problem("bad_request", `format=${format}`, "one of json, text, csv"), 400);
  }
}

/** The outcome, once it is newer than `?revision=`, waiting for that up to `?wait=`; 204 without, 409 while it refuses. */
async function giveOutcome(c: Context, view: View): Promise<Response> {
  const wait = c.req.query("wait");
  const ms = wait === undefined ? 0 : parseDuration(wait);
  if (ms === null || ms > MOST_WAIT_MS)
    return c.json(problem("bad_request", `wait=${wait}`, "a duration up to 300s, as in 60s"), 400);
  const given = c.req.query("revision") ?? "0";
  if (!/^\d{1,15}$/.test(given))
    return c.json(problem("bad_request", `revision=${given}`, "the revision of the last answer"), 400);
  const revision = Number(given);
  if (ms > 0 && view.refusal() === null)
    await view.newer(revision, ms, AbortSignal.any([view.stopping, c.req.raw.signal]));
  const outcome = view.outcome();
  if (outcome !== null && outcome.revision > revision) return c.json(outcome);
  if (view.stopping.aborted)
    return c.json(problem("stopping", "the agent is being stopped", "ask again"), 503);
  const refusal = view.refusal();
  return refusal === null || outcome !== null
    ? c.body(null, 204)
    : c.json(problem(refusal.code, refusal.message, refusal.hint), 409);
}

/** The transitions as they come, from after `Last-Event-ID` or `?since=`. */
function giveEvents(c: Context, view: View): Response {
  const last = c.req.header("last-event-id") ?? c.req.query("since") ?? null;
  const headers = { "content-type": "text/event-stream", "cache-control": "no-cache" };
  if (c.req.method === "HEAD") return c.body(null, 200, headers);
  const stream = view.events(last, AbortSignal.any([view.stopping, c.req.raw.signal]));
  return stream === null
    ? c.json(problem("too_many", "too many streams are open", "poll /v1/state?since=ID instead"), 503)
    : c.body(stream, 200, headers);
}

/** Only somebody on this machine may make the node leave, and must name its cluster. */
async function takeLeave(c: Context, view: View, caller: Caller): Promise<Response> {
  if (!caller.loopback)
    return c.json(problem("forbidden", "only from the agent's own machine", "run rollcall leave there"), 403);
  const given = decode(Leave, await c.req.text());
  const { key } = view.hello();
  if (given.ok && given.value.key !== key) return otherKey(c, key, given.value.key);
  if (!given.ok)
    return c.json(problem("bad_request", 'must be {"key": the cluster\'s key}', "as confirmation"), 400);
  const refusal = await view.leave();
  return refusal === null
    ? c.json({ left: true })
    : c.json(problem(refusal.code, refusal.message, refusal.hint), 409);
}

function otherKey(c: Context, key: string, given: string): Response {
  const hint = "name the cluster's own key, as confirmation";
  return c.json(problem("other_key", `this agent's key is ${key}, not ${given}`, hint), 400);
}

/** An operator's word, on this machine only, and with the cluster's key as confirmation. */
async function takeLost(c: Context, view: View, caller: Caller): Promise<Response> {
  if (!caller.loopback)
    return c.json(
      problem("forbidden", "only from the agent's own machine", "run rollcall genesis assume-lost there"),
      403,
    );
  const given = decode(AssumeLost, await c.req.text());
  const { key } = view.hello();
  if (given.ok && given.value.key !== key) return otherKey(c, key, given.value.key);
  if (!given.ok || given.value.key !== view.hello().key)
    return c.json(
      problem("bad_request", 'must be {"key": the cluster\'s key, "incarnation": that of the lost voter}'),
      400,
    );
  if (view.assumeLost === null)
    return c.json(problem("has_store", "this agent agrees in a store, where no voter can be lost"), 409);
  const word = await view.assumeLost(given.value.incarnation, c.req.raw.signal);
  if (word.noted) return c.json({ assumed_lost: word.incarnation, known: word.known });
  return c.json(problem(word.code, word.message, word.hint), word.refused === "input" ? 400 : 409);
}
