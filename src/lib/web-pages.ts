/** Web pages that make somebody's browser ask a server in its reach: none of them is answered. */
import type { Context, MiddlewareHandler } from "hono";

/** The middleware of every server. No program of ours and no tool sends an Origin; `refuse` answers who does, with 403. */
export function refuseWebPages(refuse: (c: Context, message: string) => Response): MiddlewareHandler {
  return (c, next) =>
    c.req.header("origin") === undefined
      ? next()
      : Promise.resolve(refuse(c, "requests of web pages are not answered"));
}
