/** Refusals: the codes of what the coordinator does not do, and how HTTP says each. */
import { RollcallError } from "../lib/errors.ts";
import { problem } from "../lib/problem.ts";

/** The HTTP status of each code. */
export const refusals = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  disabled: 409,
  gone: 410,
  too_large: 413,
  internal: 500,
  /** An inventory failed, which is not the coordinator's. */
  discovery: 502,
  full: 503,
  too_many: 503,
  not_ready: 503,
  stopping: 503,
  store: 503,
  store_unknown: 503,
} as const;
export type RefusalCode = keyof typeof refusals;
export type RefusalStatus = (typeof refusals)[RefusalCode];

/** An error that is told to the caller. `problems`: one line each. */
export function refusal(
  code: RefusalCode,
  message: string,
  hint = "",
  problems?: readonly string[],
): RollcallError {
  return new RollcallError(code, message, {
    hint,
    ...(problems === undefined ? {} : { facts: { problems } }),
  });
}

/** What is answered for an error: its own words where it is a refusal, and nothing of it where it is our failure. */
export function refused(error: unknown): {
  readonly status: RefusalStatus;
  readonly body: object;
  readonly ours: boolean;
} {
  const code = error instanceof RollcallError ? error.code : "internal";
  if (!(error instanceof RollcallError) || !isRefusal(code) || code === "internal")
    return {
      status: refusals.internal,
      body: problem("internal", "the coordinator cannot answer", "its log says why"),
      ours: true,
    };
  // A store's own words name files, which are no business of a caller's.
  if (code === "store" || code === "store_unknown")
    return {
      status: refusals[code],
      body: problem(code, storeWords[code].message, storeWords[code].hint),
      ours: true,
    };
  const { error: told } = problem(code, error.message, error.hint ?? "");
  const problems = error.facts.problems === undefined ? {} : { problems: error.facts.problems };
  return { status: refusals[code], body: { error: { ...told, ...problems } }, ours: false };
}

const storeWords = {
  store: {
    message: "the store failed, and nothing was changed",
    hint: "ask again; the coordinator's log says why",
  },
  store_unknown: {
    message: "the store failed, and may have changed what was asked for",
    hint: "look whether it did",
  },
} as const;

function isRefusal(code: string): code is RefusalCode {
  return Object.hasOwn(refusals, code);
}

/** The refusal of a cluster's id that nobody lists. */
export function noCluster(id: string): RollcallError {
  return refusal("not_found", `there is no cluster ${id}`, "GET /v1/clusters lists them");
}

/** What became of a wish for a run, for the one who had it. Throws where nothing did. */
export function queued(asked: "queued" | "running" | "full" | "disabled", what: string) {
  if (asked === "disabled")
    throw refusal("disabled", `${what} is disabled`, "apply its settings with enabled: true");
  if (asked === "full") throw refusal("full", "the queue is full", "ask again");
  return { asked };
}
