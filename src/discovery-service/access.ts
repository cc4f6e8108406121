/** Who may ask: the service's token opens everything, an id's own token that id; without either the id is enough. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, Next } from "hono";
import { RollcallError } from "../lib/errors.ts";
import { callerOf } from "../lib/http-server.ts";
import type { Lists } from "./lists.ts";
import * as wire from "./wire.ts";

/** The service's bearer token, fixed or as its file has it now; null: none. A file that cannot be read lets nobody in. */
export type Token = string | null | (() => Promise<string | null>);

/** SHA-256 of a token, hexadecimal: all that is kept of an id's own. */
export function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Paths that say nothing of any id. */
const OPEN = ["/livez", "/readyz"];

/** The middleware before every path. `certified`: callers must show a certificate too. */
export function openAccess(token: Token, certified: boolean, lists: Pick<Lists, "find">) {
  return async (c: Context, next: Next) => {
    if (OPEN.includes(c.req.path)) return next();
    if (certified && !callerOf(c.env).certified)
      return wire.refuse(
        c,
        new RollcallError("certificate_required", "the client certificate is missing or wrong"),
      );
    const service = typeof token === "function" ? await token() : token;
    const own = ownOf(c, lists);
    const wanted = [service === null ? null : hashOf(service), own].filter((hash) => hash !== null);
    if (wanted.length === 0) return next();
    const given = hashOf(/^Bearer +(.+)$/i.exec(c.req.header("authorization") ?? "")?.[1] ?? "");
    if (wanted.some((hash) => timingSafeEqual(Buffer.from(hash), Buffer.from(given)))) return next();
    c.header("www-authenticate", "Bearer");
    return wire.refuse(c, new RollcallError("unauthorized", "the bearer token is missing or wrong"));
  };
}

/** What is kept of the token of the id in the path. */
function ownOf(c: Context, lists: Pick<Lists, "find">): string | null {
  const segment = c.req.path.split("/", 2)[1] ?? "";
  try {
    return lists.find(decodeURIComponent(segment).replaceAll("~", "/"))?.tokenHash ?? null;
  } catch {
    // What is no id has no token; the path itself refuses it.
    return null;
  }
}
