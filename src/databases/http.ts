/**
 * `-db http`: any database that says at a URL how it is. A 200 is a healthy one, a 503 one that cannot serve; a
 * JSON object in the body may say more, in the words of a node report. README, "Any other database", has it all.
 */
import * as z from "zod";
import { formatAddress } from "../core/address.ts";
import { decode } from "../core/model.ts";
import { blankReport, type DatabaseMember, type NodeReport, Role, StatusCode } from "../core/node-report.ts";
import { RollcallError } from "../lib/errors.ts";
import type { Answer } from "../lib/request.ts";
import { CONNECTION, checkConnection, openDatabaseClient, parseEndpoint, wantsTls } from "./client.ts";
import type { Database, DatabaseContext, DatabaseModule } from "./database.ts";

/** The JSON of `-db-config`: how to get in. */
export const Config = z
  .strictObject({
    ...CONNECTION,
    /** Holds a bearer token; read again when it changes. */
    token_file: z.string().min(1, "must not be empty").optional(),
  })
  .superRefine((config, context) => {
    checkConnection(config, context);
    if (config.token_file && config.username)
      context.addIssue({ code: "custom", path: ["token_file"], message: "excludes username" });
  });
export type Config = z.infer<typeof Config>;

export const formation: DatabaseModule["formation"] = "single";
export const probeIntervalMs: DatabaseModule["probeIntervalMs"] = 1_000;
// It has no command line that the agent would know.
export { addresses, argumentsAt, checkCommand } from "./none.ts";

const text = z.string().nullish();
const gauge = z.object({ unit: z.string(), value: z.number() }).nullish();
const member = z.looseObject({
  id: text,
  addr: text,
  api_addr: text,
  voter: z.boolean().nullish(),
  reachable: z.boolean().nullish(),
});

/** What the body may say. Every part may be missing. */
const Said = z.looseObject({
  kind: text,
  version: text,
  status: StatusCode.nullish(),
  problem: text,
  role: Role.nullish(),
  term: z.int().min(0).nullish(),
  leader: member.nullish(),
  members: z.array(member).nullish(),
  shards: z
    .array(
      z.looseObject({
        id: z.string(),
        role: z.enum(["primary", "secondary", "recovering", "other"]).default("other"),
        commit_offset: gauge,
        lag: gauge,
      }),
    )
    .nullish(),
});
type Said = z.infer<typeof Said>;

/** Connects to nothing yet. Throws `bad_address` for a `-db-addr` that is no URL. */
export function open(config: unknown, { addr, file }: DatabaseContext): Database {
  const settings = Config.parse(config);
  const { endpoint, path } = urlOf(addr, wantsTls(settings));
  const client = openDatabaseClient(settings, file);
  return {
    kind: "http",
    async probe(signal) {
      const token = settings.token_file ? (await file(settings.token_file)).trim() : null;
      const headers = { accept: "application/json", ...(token && { authorization: `Bearer ${token}` }) };
      const answer = await client
        .send(endpoint, { method: "GET", path, headers }, signal)
        .catch((cause: unknown) => {
          if (signal.aborted || !(cause instanceof RollcallError)) throw cause;
          throw new RollcallError(cause.code, `ask the database at ${cause.message}`, { cause });
        });
      return reportOf(answer, formatAddress(endpoint));
    },
    clientAddress: (advAddr) => advAddr,
    close: () => client.close(),
  };
}

function urlOf(addr: string, secure: boolean) {
  const [, origin, path = ""] = /^(https?:\/\/[^/?#]+)([/?][^#]*)?$/i.exec(addr) ?? [];
  if (origin === undefined || origin.includes("@"))
    throw new RollcallError(
      "bad_address",
      `${addr.replace(/\/\/.*@/, "//…@")} must be a URL, as http://127.0.0.1:8080/health`,
    );
  const port = /^https/i.test(origin) ? 443 : 80;
  return { endpoint: parseEndpoint(origin, port, secure), path: path.startsWith("/") ? path : `/${path}` };
}

/** Outcomes: a refusal; a body that cannot be read; the body's own words; else the status alone. */
function reportOf({ status, body }: Answer, address: string): NodeReport {
  if (status === 401 || status === 403)
    return blankReport("http", "unavailable", `${address} refuses the credentials of -db-config (${status})`);
  const problem = status === 200 ? null : `${address} answers ${status}`;
  if (status !== 200 && status !== 503) return blankReport("http", "unhealthy", problem);
  const plain = blankReport("http", status === 200 ? "healthy" : "unhealthy", problem);
  if (!body.trimStart().startsWith("{")) return plain;
  const said = decode(Said, body);
  if (!said.ok) return { ...plain, status: "unhealthy", problem: `the JSON of ${address}: ${said.problem}` };
  return { ...plain, ...inWords(said.value, plain) };
}

function inWords(said: Said, plain: NodeReport): Partial<NodeReport> {
  const status = said.status ?? plain.status;
  return {
    kind: said.kind || plain.kind,
    version: said.version ?? null,
    status,
    problem: status === "healthy" ? null : (said.problem ?? plain.problem),
    role: said.role ?? "unknown",
    term: said.term ?? null,
    leader: said.leader ? memberOf(said.leader) : null,
    members: said.members?.map(memberOf).sort((a, b) => (a.id < b.id ? -1 : 1)) ?? null,
    shards: (said.shards ?? []).map(({ id, role, commit_offset, lag }) => ({
      id,
      role,
      commit_offset: commit_offset ?? null,
      lag: lag ?? null,
    })),
  };
}

function memberOf({ id, addr, api_addr, voter, reachable }: z.infer<typeof member>): DatabaseMember {
  return {
    id: id ?? "",
    addr: addr ?? "",
    api_addr: api_addr ?? "",
    voter: voter ?? null,
    reachable: reachable ?? null,
  };
}
