/**
 * The Discovery Service over HTTP. An id stands in a path with `~` for `/`. Every GET answers the id's
 * `Rollcall-Index` and, with `?wait=30s&index=<that>`, is held until the id changes. An ETag is the revision.
 *
 *     GET, PUT, DELETE  /<id>/registers/<name>          one value, text; writes need If-Match or If-None-Match: *
 *     GET               /<id>/members                   {"members":[…]}
 *     PUT, DELETE       /<id>/members/<node-id>?ttl=10s {"lease","ttl_ms"}; DELETE needs Rollcall-Lease
 *     POST              /<id>/members/<node-id>/renew   needs Rollcall-Lease
 *     GET               /<id>/view                      {"members","genesis","leader"} at one moment
 *
 * The legacy paths, `/` and `/<id>`, are in legacy.ts; `/livez`, `/readyz`, `/metrics`, `/openapi.json` in operations.ts.
 */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { methodNotAllowed } from "hono/method-not-allowed";
import { getPath } from "hono/utils/url";
import type { Clock } from "../lib/clock.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Metric } from "../lib/metrics.ts";
import { refuseWebPages } from "../lib/web-pages.ts";
import { openAccess, type Token } from "./access.ts";
import type { Contents } from "./durable.ts";
import { createHolds, type Holds } from "./hold.ts";
import { addLegacy } from "./legacy.ts";
import { idFromPath } from "./names.ts";
import { addOperations, metricsOf } from "./operations.ts";
import type { Entry, Registers, Written } from "./registers.ts";
import { openSeats, type Seats } from "./seats.ts";
import * as wire from "./wire.ts";

/** What the service is given: time, chance, and where its own failures are told. */
export type Deps = {
  readonly clock: Pick<Clock, "now" | "wall" | "after">;
  readonly uuid: () => string;
  readonly log: Pick<Log, "error">;
};

/** What the application needs beside them. */
export type AppOptions = Contents & {
  /** The bearer token that every request must show, or null: none. */
  readonly token: Token;
  /** Callers must show a client certificate. */
  readonly certified?: boolean;
  /** Called after each new lease, and after each new id. */
  readonly leased?: () => void;
  readonly created?: () => void;
  readonly version?: string;
  /** Where its paths begin, as `/discovery`, in another's server. Empty: at the root. */
  readonly base?: string;
};

/** The application, what is told of it, and the long polls it holds; close those first when the server ends. */
export type App = { readonly app: Hono; readonly holds: Holds; readonly metrics: () => readonly Metric[] };

/** The application. Everything in it sees the path below `base`. */
export function createApp(options: AppOptions, deps: Deps): App {
  const { base = "" } = options;
  const app = new Hono({ getPath: (request) => getPath(request).slice(base.length) || "/" });
  const holds = createHolds(options.registers, deps);
  const counts = new Map<number, number>();
  app.use(async (c, next) => {
    await next();
    counts.set(c.res.status, (counts.get(c.res.status) ?? 0) + 1);
    c.header("cache-control", "no-store");
    c.header("x-content-type-options", "nosniff");
    // Kept-alive connections would outlast the server.
    if (holds.closed) c.header("connection", "close");
  });
  app.use(refuseWebPages((c, message) => wire.refuse(c, new RollcallError("forbidden", message))));
  // Also what a refusal shows must be so for good. Nothing turns the loop between the answer's making and this.
  app.use(async (_, next) => {
    await next();
    await options.synced();
  });
  app.use(openAccess(options, deps));
  app.use(methodNotAllowed({ app, onMethodNotAllowed: wrongMethod }));
  app.use(bodyLimit({ maxSize: wire.BODY_BYTES, onError: tooLarge }));
  const operations = { ...options, counts, stopping: () => holds.closed };
  addOperations(app, operations);
  const seats = openSeats(options);
  addLegacy(app, { ...options, ...deps, seats });
  addRegisters(app, options.registers, holds);
  addMembers(app, { ...options, seats }, deps);
  addViews(app, options.registers, holds);
  app.notFound((c) => wire.refuse(c, new RollcallError("unknown_path", "there is nothing at this path")));
  app.onError((error, c) => {
    if (wire.isRefusal(error)) return wire.refuse(c, withoutPaths(error));
    // A body that its sender broke off is no failure of ours.
    if (!c.req.raw.signal.aborted)
      deps.log.error({ error: reason(error), method: c.req.method, path: c.req.path }, "request failed");
    return wire.refuse(c, new RollcallError("internal", "the request failed"));
  });
  return { app, holds, metrics: () => metricsOf(operations) };
}

function addRegisters(app: Hono, registers: Registers, holds: Holds): void {
  const path = "/:id/registers/:name";
  app.get(path, async (c) => {
    const { id, name } = registerOf(c);
    await holds.until(id, wire.waitOf(c), c.req.raw.signal);
    const entry = registers.read(id, name);
    c.header("rollcall-index", registers.index(id));
    if (entry === null) return wire.refuse(c, new RollcallError("register_absent", `${name} is absent`));
    tag(c, entry);
    return c.body(entry.value, 200, { "content-type": "text/plain; charset=utf-8" });
  });
  app.put(path, async (c) => {
    const expected = wire.preconditionOf(c);
    const value = await wire.textOf(c);
    const written = registers.put({ ...registerOf(c), value, expected });
    return writtenAnswer(c, written, expected === null ? 201 : 204);
  });
  app.delete(path, (c) => {
    const expected = wire.preconditionOf(c);
    if (expected === null) {
      throw new RollcallError("bad_precondition", "a removal needs If-Match", {
        hint: "send If-Match with the ETag you read",
      });
    }
    return writtenAnswer(c, registers.remove({ ...registerOf(c), expected }), 204);
  });
}

type Membership = Pick<AppOptions, "registers" | "leased"> & { readonly seats: Seats };

function addMembers(app: Hono, { registers, leased, seats }: Membership, { clock }: Deps): void {
  const path = "/:id/members/:node";
  app.put(path, async (c) => {
    const at = memberOf(c);
    const ttlMs = wire.ttlOf(c);
    const record = await wire.textOf(c);
    const incarnation = wire.incarnationOf(record, at.nodeId);
    seats.member(at.id, record, clock.now());
    const announced = registers.announce({ ...at, incarnation, record, ttlMs }, clock.now());
    if (announced.kind === "taken") {
      const error = new RollcallError("taken", "another incarnation holds this node id");
      return wire.refuse(c, error, { holder: JSON.parse(announced.record) });
    }
    leased?.();
    return c.json({ lease: announced.lease, ttl_ms: ttlMs });
  });
  app.post(`${path}/renew`, (c) =>
    leaseAnswer(c, registers.renew({ ...memberOf(c), lease: wire.leaseOf(c) }, clock.now())),
  );
  app.delete(path, (c) => leaseAnswer(c, registers.withdraw({ ...memberOf(c), lease: wire.leaseOf(c) })));
}

/** Views carry the index in the header only: two bodies are equal when nothing in them changed. */
function addViews(app: Hono, registers: Registers, holds: Holds): void {
  async function viewOf(c: Context) {
    wire.checkQuery(c, HELD);
    const id = idFromPath(c.req.param("id") ?? "");
    await holds.until(id, wire.waitOf(c), c.req.raw.signal);
    const view = registers.view(id);
    c.header("rollcall-index", view.index);
    c.header("content-type", "application/json");
    return { members: `[${view.members.join(",")}]`, registers: view.registers };
  }
  app.get("/:id/members", async (c) => c.body(`{"members":${(await viewOf(c)).members}}`));
  app.get("/:id/view", async (c) => {
    const view = await viewOf(c);
    const [genesis, leader] = ["genesis", "leader"].map((name) => view.registers.get(name) ?? null);
    return c.body(
      `{"members":${view.members},"genesis":${JSON.stringify(genesis)},"leader":${JSON.stringify(leader)}}`,
    );
  });
}

/** A store's own words name files, which are no business of a caller's. */
function withoutPaths(error: RollcallError): RollcallError {
  if (error.code === "store")
    return new RollcallError("store", "the store failed, and nothing was changed", { hint: "ask again" });
  if (error.code === "store_unknown")
    return new RollcallError("store_unknown", "the store failed, and may have changed what was asked for");
  return error;
}

const HELD = ["wait", "index"];

function registerOf(c: Context): { id: string; name: string } {
  wire.checkQuery(c, ["GET", "HEAD"].includes(c.req.method) ? HELD : []);
  return { id: idFromPath(c.req.param("id") ?? ""), name: c.req.param("name") ?? "" };
}

function memberOf(c: Context): { id: string; nodeId: string } {
  wire.checkQuery(c, c.req.method === "PUT" ? ["ttl"] : []);
  return { id: idFromPath(c.req.param("id") ?? ""), nodeId: c.req.param("node") ?? "" };
}

function tag(c: Context, entry: { revision: string }): void {
  c.header("etag", `"${entry.revision}"`);
}

function writtenAnswer(c: Context, written: Written, status: 201 | 204): Response {
  if (written.kind === "won") {
    tag(c, written);
    c.header("rollcall-index", written.revision);
    return c.body(null, status);
  }
  const current: Entry | null = written.current;
  if (current !== null) tag(c, current);
  const error = new RollcallError("not_as_expected", "the register is not as expected", {
    hint: "read it again and decide anew",
  });
  return wire.refuse(c, error, { current });
}

function leaseAnswer(c: Context, held: boolean): Response {
  if (held) return c.body(null, 204);
  return wire.refuse(c, new RollcallError("lease_gone", "this lease does not hold the member's entry"));
}

function wrongMethod(c: Context, methods: string[]): Response {
  c.header("allow", methods.join(", "));
  return wire.refuse(c, new RollcallError("wrong_method", `this path takes ${methods.join(", ")}`));
}

function tooLarge(c: Context): Response {
  return wire.refuse(
    c,
    new RollcallError("value_too_large", `the body is larger than ${wire.BODY_BYTES} bytes`),
  );
}
