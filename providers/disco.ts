/**
 * The Discovery Service as a provider: registers, leased members and look-ups over its HTTP paths
 * (src/discovery-service/http.ts). One server answers, so every read is linearizable.
 */
import { createHash } from "node:crypto";
import * as z from "zod";
import { decode, Member } from "../src/core/model.ts";
import type {
  Lookup,
  Members,
  Provider,
  ProviderContext,
  Register,
  Versioned,
} from "../src/core/provider.ts";
import { formatDuration } from "../src/lib/duration.ts";
import { RollcallError } from "../src/lib/errors.ts";
import type { Config } from "./disco/config.ts";
import { type Answer, type Connection, createConnection } from "./disco/connection.ts";
import { badRecord, denied, oneLine, unreachable } from "./failure.ts";

export { Config } from "./disco/config.ts";

/** How long a member's entry outlives its last renewal. */
const TTL_MS = 10_000;
/** How long the service holds a watch that has nothing new. A cut is noticed so much later, plus `timeout`. */
const HOLD_MS = 10_000;

/** Opens the provider. Connects to nothing yet, and throws nothing. `ttlMs` is for tests. */
export async function open(
  config: Config,
  context: ProviderContext,
  { ttlMs = TTL_MS } = {},
): Promise<Provider> {
  const connection = createConnection(config, context);
  return {
    mode: "disco",
    async lookup(signal) {
      return toLookup(await readView(connection, "look up", null, signal));
    },
    watch: (signal) => watch(connection, signal),
    members: createMembers(connection, ttlMs),
    genesis: createRegister(connection, { path: "/registers/genesis", called: "genesis" }),
    leaderKey: createRegister(connection, { path: "/registers/leader", called: "leader key" }),
    async close() {
      connection.close();
    },
  };
}

const Held = z.looseObject({ value: z.string(), revision: z.string().min(1) });
const Body = {
  view: z.looseObject({ members: z.array(z.unknown()), genesis: Held.nullable(), leader: Held.nullable() }),
  lost: z.looseObject({ current: Held.nullable() }),
  lease: z.looseObject({ lease: z.string().min(1) }),
  taken: z.looseObject({ holder: Member }),
  error: z.looseObject({
    error: z.looseObject({ code: z.string(), message: z.string(), hint: z.string().nullish() }),
  }),
};

/** A view as it came. The index is not part of the body, so equal bodies are equal views. */
type View = { readonly doing: string; readonly index: string; readonly body: string };

/** The id's view: at once, or held by the service while it is the one that was seen. */
async function readView(
  connection: Connection,
  doing: string,
  seen: View | null,
  signal: AbortSignal,
): Promise<View> {
  const held = seen !== null;
  const query = held ? `?wait=${formatDuration(HOLD_MS)}&index=${encodeURIComponent(seen.index)}` : "";
  const question = { doing, method: "GET", path: `/view${query}`, extraMs: held ? HOLD_MS : 0 } as const;
  const answer = await connection.ask(question, signal);
  // Somebody's change that the service could not keep, and took back: nothing is new.
  if (held && says(answer, 503, "store")) return seen;
  if (answer.status !== 200) throw unexpected(doing, answer, connection);
  return { doing, index: headerOf(answer, "rollcall-index", doing), body: answer.body };
}

async function* watch(connection: Connection, signal: AbortSignal): AsyncIterable<Lookup> {
  let seen: View | null = null;
  for (;;) {
    const view: View = await readView(connection, "watch", seen, signal);
    const same = view.body === seen?.body;
    seen = view;
    if (!same) yield toLookup(view);
  }
}

function createRegister(
  connection: Connection,
  { path, called }: { path: string; called: string },
): Register {
  return {
    async read(signal) {
      const doing = `read ${called}`;
      const answer = await connection.ask({ doing, method: "GET", path }, signal);
      if (says(answer, 404, "register_absent")) return null;
      if (answer.status !== 200) throw unexpected(doing, answer, connection);
      return { value: answer.body, revision: revisionOf(doing, answer) };
    },

    async swap(expected, next, signal) {
      const doing = `write ${called}`;
      try {
        const question = { doing, method: "PUT", path, headers: precondition(expected), body: next } as const;
        const answer = await connection.ask(question, signal);
        if (answer.status === 201 || answer.status === 204) {
          return { kind: "won", revision: revisionOf(doing, answer) };
        }
        if (!says(answer, 412, "not_as_expected")) throw unexpected(doing, answer, connection);
        return { kind: "lost", current: toVersioned(parse(Body.lost, doing, answer.body).current) };
      } catch (cause) {
        return { kind: "unknown", cause };
      }
    },
  };
}

/** Revision and value: the service compares both. */
function precondition(expected: Versioned | null): Record<string, string> {
  if (expected === null) return { "if-none-match": "*" };
  const sha256 = createHash("sha256").update(expected.value).digest("hex");
  return { "if-match": `"${expected.revision}"`, "rollcall-if-sha256": sha256 };
}

function createMembers(connection: Connection, ttlMs: number): Members {
  let held: { path: string; lease: string } | null = null;

  /** One request by the lease. False: there is none, or it is gone. */
  async function withLease(
    { doing, method, end }: { doing: string; method: "POST" | "DELETE"; end: string },
    signal: AbortSignal,
  ): Promise<boolean> {
    if (held === null) return false;
    const headers = { "rollcall-lease": held.lease };
    const answer = await connection.ask({ doing, method, path: held.path + end, headers }, signal);
    if (answer.status === 204) return true;
    if (says(answer, 404, "lease_gone")) return false;
    throw unexpected(doing, answer, connection);
  }

  return {
    ttlMs,
    async announce(member, signal) {
      const doing = `announce member ${member.id}`;
      const path = `/members/${encodeURIComponent(member.id)}`;
      const query = `?ttl=${formatDuration(ttlMs)}`;
      const question = { doing, method: "PUT", path: path + query, body: JSON.stringify(member) } as const;
      const answer = await connection.ask(question, signal);
      if (says(answer, 409, "taken"))
        return { kind: "taken", by: parse(Body.taken, doing, answer.body).holder };
      if (answer.status !== 200) throw unexpected(doing, answer, connection);
      held = { path, lease: parse(Body.lease, doing, answer.body).lease };
      return { kind: "held" };
    },
    renew: (signal) =>
      withLease({ doing: "renew the member's lease", method: "POST", end: "/renew" }, signal),
    async withdraw(signal) {
      await withLease({ doing: "withdraw the member", method: "DELETE", end: "" }, signal);
      held = null;
    },
  };
}

/** "partial": a member's record could not be decoded and is left out. */
function toLookup({ doing, body }: View): Lookup {
  const view = parse(Body.view, doing, body);
  const members = view.members.map((one) => Member.safeParse(one).data).filter((one) => one !== undefined);
  const addresses = members.map((member) => member.agent_addr).filter((address) => address !== "");
  return {
    kind: members.length === view.members.length ? "complete" : "partial",
    addresses: [...new Set(addresses)],
    members,
    genesis: toVersioned(view.genesis),
    leader: toVersioned(view.leader),
  };
}

function toVersioned(held: Versioned | null): Versioned | null {
  return held === null ? null : { value: held.value, revision: held.revision };
}

/** Whether the service itself says so: a proxy's 404 is not an absent register. */
function says(answer: Answer, status: number, code: string): boolean {
  if (answer.status !== status) return false;
  const said = decode(Body.error, answer.body);
  return said.ok && said.value.error.code === code;
}

/**
 * The error of an answer that the question does not allow. 401 and 403: we lack the token, or a certificate. 429 and 5xx pass by
 * themselves. Anything else is a mistake, of ours or of what stands between; redirects are not followed.
 */
function unexpected(doing: string, answer: Answer, { where }: Connection): RollcallError {
  const { status, body } = answer;
  if (status === 401 || status === 403) {
    const uncertified = says(answer, 401, "certificate_required");
    const wish = uncertified
      ? "a certificate that it trusts, in cert_file and key_file"
      : "its token in token_file";
    return denied(doing, `${status}`, `the Discovery Service (${where}) wants ${wish}`);
  }
  const said = decode(Body.error, body);
  const text = said.ok ? oneLine(said.value.error.message) : "not the answer of a Discovery Service";
  if (status === 429 || status >= 500) return unreachable(doing, `${status}, ${text}`, where);
  const hint = said.ok ? oneLine(said.value.error.hint ?? "") : "";
  return new RollcallError("store_error", `${doing}: ${status}, ${text} (${where})`, {
    facts: { status },
    hint: hint === "" ? null : hint,
  });
}

function parse<T>(schema: z.ZodType<T>, doing: string, body: string): T {
  const decoded = decode(schema, body);
  if (decoded.ok) return decoded.value;
  throw badRecord(doing, "the answer", decoded.problem);
}

function headerOf({ headers }: Answer, name: string, doing: string): string {
  const value = headers[name];
  if (typeof value === "string" && value !== "") return value;
  throw badRecord(doing, "the answer", `has no ${name} header`);
}

function revisionOf(doing: string, answer: Answer): string {
  const revision = /^"([^"]+)"$/.exec(headerOf(answer, "etag", doing))?.[1];
  if (revision !== undefined) return revision;
  throw badRecord(doing, "the answer", "has a weak ETag, which a proxy makes; let it pass answers unchanged");
}
