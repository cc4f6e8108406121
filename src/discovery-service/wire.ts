/** How requests are read and errors are written: the parts of HTTP that are the same on every path. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import * as z from "zod";
import { parseDuration } from "../lib/duration.ts";
import { RollcallError } from "../lib/errors.ts";
import type { Wait } from "./hold.ts";
import type { Expected } from "./registers.ts";

/** The longest body, in bytes. */
export const BODY_BYTES = 64 * 1024;
/** A longer `wait` is shortened to this. */
export const MAX_WAIT_MS = 60_000;
const TTL_MS = { least: 1_000, most: 600_000, unsaid: 10_000 };

const STATUS: Readonly<Record<string, ContentfulStatusCode>> = {
  bad_name: 400,
  bad_duration: 400,
  bad_query: 400,
  bad_precondition: 400,
  bad_json: 400,
  bad_lease: 400,
  bad_address: 400,
  unauthorized: 401,
  certificate_required: 401,
  forbidden: 403,
  unknown_path: 404,
  id_absent: 404,
  register_absent: 404,
  lease_gone: 404,
  wrong_method: 405,
  taken: 409,
  id_full: 409,
  not_as_expected: 412,
  value_too_large: 413,
  precondition_required: 428,
  too_many_waiters: 503,
  shutting_down: 503,
  store: 503,
  store_unknown: 503,
  store_full: 507,
};

/** Whether an error tells its caller something: one without a status of its own is a failure of the service. */
export function isRefusal(error: unknown): error is RollcallError {
  return error instanceof RollcallError && Object.hasOwn(STATUS, error.code);
}

/**
 * An answer that carries an error: `{"error":{"code","message","hint"}, …more}`, with the status of its code. The legacy
 * paths (`/`, `/<id>`) have `{"error":"<message>; <hint>"}`, a text, as they always had.
 */
export function refuse(c: Context, error: RollcallError, more: Record<string, unknown> = {}): Response {
  const { code, message, hint } = error;
  if (/^\/[^/]*$/.test(c.req.path))
    return c.json({ error: hint === null ? message : `${message}; ${hint}` }, STATUS[code] ?? 500);
  return c.json({ error: { code, message, hint }, ...more }, STATUS[code] ?? 500);
}

/** Throws `bad_query` for what is not among the `known` keys of the query: it would be ignored, and its sender not know. */
export function checkQuery(c: Context, known: readonly string[]): void {
  const other = Object.keys(c.req.query()).find((key) => !known.includes(key));
  if (other === undefined) return;
  throw new RollcallError("bad_query", `there is no ${other}`, {
    hint: `this path takes ${known.length === 0 ? "no query" : known.join(", ")}`,
  });
}

/** `?wait=30s&index=…`; no `wait` is none, and without an index nothing is held. Throws `bad_duration`. */
export function waitOf(c: Context): Wait {
  const index = c.req.query("index") ?? null;
  const text = c.req.query("wait");
  if (text === undefined) return { waitMs: 0, index };
  const ms = parseDuration(text);
  if (ms === null) throw badDuration("wait", "write it like wait=30s");
  return { waitMs: Math.min(ms, MAX_WAIT_MS), index };
}

/** `?ttl=10s` in milliseconds. Throws `bad_duration` outside 1 s to 10 min. */
export function ttlOf(c: Context): number {
  const text = c.req.query("ttl");
  const ms = text === undefined ? TTL_MS.unsaid : parseDuration(text);
  if (ms !== null && ms >= TTL_MS.least && ms <= TTL_MS.most) return ms;
  throw badDuration("ttl", "write it like ttl=10s, from 1s to 10m");
}

/**
 * What a write demands: `If-None-Match: *` gives null (absent), `If-Match: "<revision>"` that revision and,
 * with `Rollcall-If-Sha256`, a value with that digest. Throws `precondition_required` or `bad_precondition`.
 */
export function preconditionOf(c: Context): Expected | null {
  const match = c.req.header("if-match");
  const noneMatch = c.req.header("if-none-match");
  if (match === undefined && noneMatch === undefined) {
    throw new RollcallError("precondition_required", "a write needs If-Match or If-None-Match", {
      hint: "send If-None-Match: * to create, or If-Match with the ETag you read",
    });
  }
  if (match === undefined && noneMatch === "*") return null;
  // RFC 9110 also has lists, weak tags and `*` here; a check-and-set needs exactly one version.
  const revision = /^"([\x21\x23-\x7e]*)"$/.exec(match ?? "")?.[1];
  if (revision !== undefined && noneMatch === undefined) {
    return { revision, sha256: c.req.header("rollcall-if-sha256") ?? null };
  }
  throw new RollcallError("bad_precondition", "these preconditions are not supported", {
    hint: 'send either If-None-Match: * or If-Match with one strong ETag, as in If-Match: "abc-1"',
  });
}

/** The lease id that a request shows. Throws `bad_lease` when there is none. */
export function leaseOf(c: Context): string {
  const lease = c.req.header("rollcall-lease");
  if (lease !== undefined && lease !== "") return lease;
  throw new RollcallError("bad_lease", "the header Rollcall-Lease is missing", {
    hint: "send the lease that PUT /<id>/members/<node-id> answered",
  });
}

/** The body as text. Throws `bad_json` when it is not UTF-8: it would be stored as something else. */
export async function textOf(c: Context): Promise<string> {
  const bytes = await c.req.arrayBuffer();
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new RollcallError("bad_json", "the body is not UTF-8");
  }
}

// Only what the service itself compares: a record of a later version passes through an older service.
const MemberBody = z.looseObject({ id: z.string(), incarnation: z.string().min(1).max(255) });

/** The incarnation in a member's record, which must be of that node. Throws `bad_json`. */
export function incarnationOf(record: string, nodeId: string): string {
  let body: unknown;
  try {
    body = JSON.parse(record);
  } catch {
    throw new RollcallError("bad_json", "the body is not JSON");
  }
  const parsed = MemberBody.safeParse(body);
  if (parsed.success && parsed.data.id === nodeId) return parsed.data.incarnation;
  throw new RollcallError("bad_json", "the body is not a record of this member", {
    hint: 'send {"id":"<the node id of the path>","incarnation":"<uuid>",…}',
  });
}

function badDuration(name: string, hint: string): RollcallError {
  return new RollcallError("bad_duration", `${name} is not a duration that is allowed here`, { hint });
}
