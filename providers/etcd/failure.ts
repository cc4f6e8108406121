/** What a failed call to etcd means, and the error that says so. */
import { RollcallError } from "../../src/lib/errors.ts";
import { type Doing, denied, inWords, oneLine, timedOut, unreachable } from "../failure.ts";
import { TOKEN_REFUSED } from "./call.ts";

/**
 * `token`: the login is no longer valid, and a new one may be; nothing was done. `lease`: the lease is gone.
 * `other`: the server understood and said no. `broken`: another connection or endpoint may do better.
 */
export type Fault = { readonly kind: "token" | "lease" | "other" | "broken"; readonly error: RollcallError };

/** What the error's text needs beside the cause. */
export type Place = { readonly where: string; readonly timeoutMs: number; readonly username: string | null };

/**
 * The package turns gRPC's errors into classes of its own and keeps only the text: `14 UNAVAILABLE: no connection`,
 * with the class's name before it in some places. Texts of etcd are those of its `rpctypes/error.go`.
 */
export function faultOf({ doing, needs }: Doing, cause: unknown, place: Place): Fault {
  const text = cause instanceof Error ? cause.message : String(cause);
  const [, status = "UNKNOWN", details = text] = /\b\d+ ([A-Z_]+): (.*)$/s.exec(text) ?? [];
  const said = oneLine(details.replace(/^etcdserver: /, ""));
  const { where, timeoutMs } = place;
  if (cause instanceof RollcallError) return { kind: "other", error: cause };
  const fault = (kind: Fault["kind"], error: RollcallError): Fault => ({ kind, error });

  // No token was sent to a server with users, the token died with the server's memory, or users have changed.
  if (
    said.includes(TOKEN_REFUSED) ||
    /invalid auth token|user name is empty|revision of auth store is old/.test(said)
  ) {
    const kind = place.username === null ? "other" : "token";
    return fault(kind, denied(doing, said, "give username and password_file"));
  }
  if (/requested lease not found/.test(said)) {
    return fault("lease", new RollcallError("lease_gone", `${doing}: the lease is gone (${where})`));
  }
  if (/invalid user ID or password/.test(said)) {
    return fault(
      "other",
      denied(doing, "invalid user or password", `check username "${place.username ?? ""}" and its password`),
    );
  }
  switch (/permission denied/.test(said) ? "PERMISSION_DENIED" : status) {
    case "PERMISSION_DENIED":
    case "UNAUTHENTICATED":
      return fault(
        "other",
        denied(doing, said, `the user ${JSON.stringify(place.username ?? "")} lacks ${needs}`),
      );
    case "DEADLINE_EXCEEDED":
      return fault("broken", timedOut(doing, timeoutMs, where));
    case "UNAVAILABLE":
    case "INTERNAL":
    case "UNKNOWN":
    case "CANCELLED":
    case "ABORTED":
    case "DATA_LOSS":
    case "RESOURCE_EXHAUSTED":
      return fault("broken", unreachable(doing, brokenBy(said), where));
    default:
      return fault(
        "other",
        new RollcallError("store_error", `${doing}: ${said} (${where})`, { facts: { status } }),
      );
  }
}

/** grpc-js puts the system's words into a sentence: `No connection established. Last error: connect ECONNREFUSED …`. */
function brokenBy(said: string): string {
  const code = /\bE[A-Z_]{4,}\b/.exec(said)?.[0] ?? null;
  const last = /Last error: (?:Error: )?(.*?)\.?(?: Resolution note:.*)?$/.exec(said)?.[1];
  return inWords(code, last === undefined || last === "null" ? said : last);
}
