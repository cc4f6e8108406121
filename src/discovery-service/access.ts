/** Who may ask: the service's token opens everything, an id's own token that id; without either the id is enough. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, Next } from "hono";
import type { Clock } from "../lib/clock.ts";
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

/** Whom to let in. `certified`: callers must show a certificate too. */
export type AccessOptions = {
  readonly token: Token;
  readonly certified?: boolean;
  readonly lists: Pick<Lists, "find" | "use">;
};

/** The middleware before every path. Whoever is let in uses the id in the path. */
export function openAccess(
  { token, certified = false, lists }: AccessOptions,
  { clock }: { readonly clock: Pick<Clock, "wall"> },
) {
  return async (c: Context, next: Next) => {
    if (OPEN.includes(c.req.path)) return next();
    if (certified && !callerOf(c.env).certified)
      return wire.refuse(
        c,
        new RollcallError("certificate_required", "the client certificate is missing or wrong"),
      );
    const service = typeof token === "function" ? await token() : token;
    const id = idIn(c);
    const enter = () => {
      if (id !== null) lists.use(id, clock.wall());
      return next();
    };
    const own = id === null ? null : (lists.find(id)?.tokenHash ?? null);
    const wanted = [service === null ? null : hashOf(service), own].filter((hash) => hash !== null);
    if (wanted.length === 0) return enter();
    const given = hashOf(/^Bearer +(.+)$/i.exec(c.req.header("authorization") ?? "")?.[1] ?? "");
    if (wanted.some((hash) => timingSafeEqual(Buffer.from(hash), Buffer.from(given)))) return enter();
    c.header("www-authenticate", "Bearer");
    return wire.refuse(c, new RollcallError("unauthorized", "the bearer token is missing or wrong"));
  };
}

/** The id in the path; null where there is none, and for what is no id, which the path itself refuses. */
function idIn(c: Context): string | null {
  const segment = c.req.path.split("/", 2)[1] ?? "";
  try {
    return decodeURIComponent(segment).replaceAll("~", "/");
  } catch {
    return null;
  }
}
