/** The coordinator's HTTP: the table of routes wired to its answers. Nothing changes by GET. */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type * as z from "zod";
import type { Clock } from "../lib/clock.ts";
import type { Caller } from "../lib/http-server.ts";
import type { Mounted } from "../lib/mounted.ts";
import { refuseWebPages } from "../lib/web-pages.ts";
import type { Access } from "./access.ts";
import type { Answers } from "./answer.ts";
import { openAnswers } from "./answers.ts";
import { openStreams } from "./event-stream.ts";
import type { View } from "./pages.ts";
import { type RefusalStatus, refusal, refused } from "./refusals.ts";
import { type Route, type RouteName, routes } from "./routes.ts";
import { openViews } from "./views.ts";

/** The most that is taken as a body: some thousand documents. */
const MOST_BODY_BYTES = 1024 * 1024;

export type AppDeps = {
  readonly access: Access;
  readonly clock: Clock;
  /** Reads the connection; tests give their own. */
  readonly callerOf: (env: unknown) => Caller;
  /** Answers all below its path; null: nothing is there. */
  readonly mounted?: Pick<Mounted, "base" | "fetch" | "metrics" | "paths"> | null;
};

/** The coordinator's routes. */
export function coordinatorApp(view: View, { access, clock, callerOf, mounted = null }: AppDeps): Hono {
  const app = new Hono();
  const answers = openAnswers({ view, viewOf: openViews(), streams: openStreams(view, clock), mounted });
  app.onError((error, c) => {
    const { status, body, ours } = refused(error);
    if (ours) view.failed(error);
    if (status === 401) c.header("www-authenticate", "Bearer");
    return c.json(body, status);
  });
  app.notFound((c) => {
    const allowed = methodsOf(c.req.path);
    const { method, path } = c.req;
    if (allowed.length > 0) {
      c.header("allow", allowed.join(", "));
      return say(
        c,
        refusal("method_not_allowed", `${path} takes no ${method}`, `it takes ${allowed.join(", ")}`),
      );
    }
    return say(c, refusal("not_found", `there is no ${path}`, "GET /openapi.json lists all paths"));
  });
  app.use("*", (c, next) => {
    c.header("cache-control", "no-store");
    c.header("x-content-type-options", "nosniff");
    return next();
  });
  app.use(
    "*",
    refuseWebPages((c, message) => say(c, refusal("forbidden", message))),
  );
  // Before the limits of the coordinator's own bodies: it has its own of everything.
  if (mounted !== null) app.all(`${mounted.base}/*`, (c) => mounted.fetch(c.req.raw, c.env ?? {}));
  const tooLarge = () => {
    throw refusal("too_large", `the body is over ${MOST_BODY_BYTES} bytes`, "apply fewer documents at once");
  };
  app.use("*", bodyLimit({ maxSize: MOST_BODY_BYTES, onError: tooLarge }));
  for (const name of Object.keys(routes) as RouteName[]) wire(app, name, { answers, access, callerOf });
  return app;
}

type Wiring = Pick<AppDeps, "access" | "callerOf"> & { readonly answers: Answers };

function wire(app: Hono, name: RouteName, { answers, access, callerOf }: Wiring): void {
  const route: Route = routes[name];
  const answer = answers[name] as (given: object, c: Context) => unknown;
  app.on(route.method, route.path.replaceAll(/\{(\w+)\}/g, ":$1"), async (c) => {
    await access(route.access, callerOf(c.env), c.req.header("authorization"));
    const given = {
      params: route.params?.parse(c.req.param()) ?? {},
      query: queryOf(route.query, c),
      body: route.body === undefined ? "" : await textOf(c),
    };
    const said = await answer(given, c);
    return route.answer === null ? (said as Response) : c.json(said as object, route.status);
  });
}

/** The query, checked. Throws `bad_request` in one line that names the key, what was given and what is allowed. */
function queryOf(shape: z.ZodObject | undefined, c: Context): object {
  if (shape === undefined) return {};
  const given: Record<string, string> = {};
  for (const [key, values] of Object.entries(c.req.queries())) {
    if (!Object.hasOwn(shape.shape, key))
      throw refusal("bad_request", `there is no ${key}`, `known are ${Object.keys(shape.shape).join(", ")}`);
    if (values.length > 1)
      throw refusal("bad_request", `${key} is given ${values.length} times`, "give it once");
    given[key] = values[0] ?? "";
  }
  const read = shape.safeParse(given);
  if (read.success) return read.data;
  const key = String(read.error.issues[0]?.path[0]);
  const field = shape.shape[key] as z.ZodType | undefined;
  throw refusal("bad_request", `${key}=${given[key]}`, field?.description ?? "");
}

async function textOf(c: Context): Promise<string> {
  const bytes = await c.req.arrayBuffer();
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw refusal("bad_request", "the body is not UTF-8", String(cause));
  }
}

/** What a path takes, in the words of `Allow`; nothing where there is no such path. */
function methodsOf(path: string): string[] {
  const found = Object.values<Route>(routes).filter((route) => {
    const [mine, theirs] = [route.path.split("/"), path.split("/")];
    return (
      mine.length === theirs.length &&
      mine.every((part, at) => (part.startsWith("{") && theirs[at] !== "") || part === theirs[at])
    );
  });
  return found.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]));
}

function say(c: Context, error: unknown): Response {
  const { status, body }: { status: RefusalStatus; body: object } = refused(error);
  return c.json(body, status);
}
