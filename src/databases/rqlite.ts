/**
 * rqlite, 8 and later. A look is one `GET /nodes`, which names the leader; `/status`, which costs the database
 * twenty times as much, is read when the leader changed, and from time to time.
 */
import * as z from "zod";
import { formatAddress } from "../core/address.ts";
import { blankReport, type DatabaseMember, type NodeReport, type Role } from "../core/node-report.ts";
import { RollcallError } from "../lib/errors.ts";
import type { Answer } from "../lib/request.ts";
import {
  type Call,
  CONNECTION,
  checkConnection,
  type DatabaseClient,
  type Endpoint,
  openDatabaseClient,
  parseEndpoint,
  wantsTls,
} from "./client.ts";
import type { Database, DatabaseContext, DatabaseModule } from "./database.ts";
import { type Inside, type Listed, readNodes, readStatus } from "./rqlite-answers.ts";
import { startPlan } from "./rqlite-start.ts";

export { addresses, argumentsAt, checkCommand } from "./rqlite-command.ts";

/** The JSON of `-db-config`: how to get in. */
export const Config = z.strictObject(CONNECTION).superRefine(checkConnection);
export type Config = z.infer<typeof Config>;

export const formation: DatabaseModule["formation"] = "symmetric";
export const probeIntervalMs: DatabaseModule["probeIntervalMs"] = 250;

const PORT = 4001;
/** rqlited asks every member of its cluster, all at once: a frozen or cut-off one costs a look this long, in milliseconds. */
const REACH_MS = 500;
const NODES = `/nodes?ver=2&nonvoters&timeout=${REACH_MS}ms`;
/** How long what `/status` said may stand while the leader stays the same: it may have been elected again. */
const INSIDE_MS = 30_000;
/** The same while more is to come: nobody in reach leads, whom Raft may know all the same, or how far it is was not told. */
const EARLY_MS = 1_000;
/** No node's id: it has characters that a node id may not have. */
const NOBODY = "(nobody)";
/** rqlited says who it is in every answer. */
const VERSION_HEADER = "x-rqlite-version";

/** Connects to nothing yet. Throws `bad_address` for a `-db-addr` that is none. */
export function open(config: unknown, { addr, nodeId, now, file }: DatabaseContext): Database {
  const settings = Config.parse(config);
  const own = parseEndpoint(addr, PORT, wantsTls(settings));
  const client = openDatabaseClient(settings, file);
  const names = apiAddresses();
  let inside: (Inside & { readonly at: number }) | null = null;
  let belonged = false;
  /** When this node's list was first seen to be out of date, and when it was last renewed. */
  let outdatedAt: number | null = null;
  let renewedAt = Number.NEGATIVE_INFINITY;

  const look = async (signal: AbortSignal): Promise<NodeReport> => {
    const answer = await get(client, own, NODES, signal);
    const refused = refusal(answer, own, settings);
    if (refused !== null) return refused;
    let listed = readNodes(answer.body) ?? unreadable("/nodes", own);
    const another = inside?.leaderId !== (listed.leader?.id ?? null) || outdatedAt !== null;
    const standsMs = listed.leader && inside?.lag != null ? INSIDE_MS : EARLY_MS;
    if (inside === null || another || now() - inside.at >= standsMs) {
      const status = await get(client, own, "/status", signal);
      const denied = refusal(status, own, settings);
      if (denied !== null) return denied;
      inside = { ...(readStatus(status.body) ?? unreadable("/status", own)), at: now() };
      // There was an election between the two questions.
      if (inside.leaderId !== listed.leader?.id && inReach(listed, inside.leaderId))
        listed = await membersAt(client, own, signal);
    }
    listed = names.fill(listed);
    await renew(listed, inside, signal);
    const report = reportOf(nodeId, listed, inside, belonged, versionOf(answer));
    // Nobody in reach leads, or not who was named first: what `/status` said is of another moment, and read again.
    if (report.leader === null && inside.leaderId !== null) inside = { ...inside, leaderId: null };
    belonged = report.members?.some((m) => m.id === nodeId) === true || belonged;
    return report;
  };

  /**
   * After a recovery by `raft/peers.json` (rqlite-start.ts), a node that started without that file follows the
   * leader, but keeps the old addresses until the next change of membership. Taking out a member that does not
   * exist is one, and changes nothing. Done when two looks in a row find it so, and rarely.
   */
  const renew = async (listed: Listed, { leaderId, leaderAddr }: Inside, signal: AbortSignal) => {
    const leader = listed.members.find((m) => m.id === leaderId);
    const outdated = leader !== undefined && leaderAddr !== "" && leader.addr !== leaderAddr;
    const first = outdatedAt === null;
    outdatedAt = outdated && now() - renewedAt >= INSIDE_MS ? (outdatedAt ?? now()) : null;
    if (outdatedAt === null || first) return;
    outdatedAt = null;
    renewedAt = now();
    await send(client, own, removal(NOBODY), signal);
  };

  return {
    kind: "rqlite",
    async probe(signal) {
      try {
        return await look(signal);
      } catch (error) {
        // Whatever answers next may be another process, with other data.
        inside = null;
        outdatedAt = null;
        belonged = false;
        throw error;
      }
    },
    async ask(apiAddr, signal) {
      const at = parseEndpoint(apiAddr, PORT, own.secure);
      const answer = await get(client, at, NODES, signal);
      if (answer.headers[VERSION_HEADER] === undefined) return null;
      const refused = refusal(answer, at, settings);
      if (refused !== null) return refused;
      const listed = readNodes(answer.body) ?? unreadable("/nodes", at);
      const status = await get(client, at, "/status", signal);
      const denied = refusal(status, at, settings);
      if (denied !== null) return denied;
      const said = readStatus(status.body) ?? unreadable("/status", at);
      return reportOf(said.nodeId, listed, said, true, versionOf(answer));
    },
    start: startPlan,
    removeMember: (id, signal) => removeMember(client, own, id, signal),
    clientAddress: (advAddr) =>
      /^https?:\/\//i.test(advAddr) ? advAddr : `${own.secure ? "https" : "http"}://${advAddr}`,
    close: () => client.close(),
  };
}

async function get(client: DatabaseClient, at: Endpoint, path: string, signal: AbortSignal): Promise<Answer> {
  return send(client, at, { method: "GET", path }, signal);
}

async function send(client: DatabaseClient, at: Endpoint, call: Call, signal: AbortSignal): Promise<Answer> {
  try {
    return await client.send(at, call, signal);
  } catch (cause) {
    if (signal.aborted || !(cause instanceof RollcallError)) throw cause;
    throw new RollcallError(cause.code, `ask rqlited at ${cause.message}`, { cause });
  }
}

/** Why an answer says nothing about the cluster, as a report; null: it does say something. */
function refusal(answer: Answer, at: Endpoint, { username }: Config): NodeReport | null {
  const address = formatAddress(at);
  const report = (status: "unavailable" | "joining", problem: string): NodeReport => ({
    ...blankReport("rqlite", status, problem),
    version: versionOf(answer),
  });
  if (answer.headers[VERSION_HEADER] === undefined) {
    if (!at.secure && answer.status === 400 && /to an HTTPS server/i.test(answer.body))
      return report("unavailable", `${address} speaks TLS: write -db-addr https://${address}`);
    const agent = /^\s*\{\s*"error"\s*:\s*\{/.test(answer.body);
    return report("unavailable", `${address} is ${agent ? "a rollcall agent" : "not rqlited"}`);
  }
  if (answer.status === 200) return null;
  if (answer.status === 401)
    return report(
      "unavailable",
      username
        ? "rqlited refuses the credentials of -db-config (401), or does not grant them the permission `status`"
        : "rqlited wants credentials (401): -db-config takes username and password_file",
    );
  if (answer.status === 503 && /not open/.test(answer.body))
    return report("joining", "rqlited is opening its data");
  return report(
    "unavailable",
    `rqlited answers ${answer.status}: ${answer.body.trim().split("\n", 1)[0]?.slice(0, 200) ?? ""}`,
  );
}

function inReach({ members }: Listed, id: string | null): boolean {
  return members.some((m) => m.id === id && m.reachable !== false);
}

function unreadable(path: string, at: Endpoint): never {
  throw new RollcallError("unreadable", `${path} of rqlited at ${formatAddress(at)} is not as in version 8`);
}

function versionOf({ headers }: Answer): string | null {
  const version = headers[VERSION_HEADER];
  return typeof version === "string" && version !== "" ? version.replace(/^v(?=\d)/, "") : null;
}

/** `belonged`: it was in its own list before, so that its absence means it was removed. */
function reportOf(
  nodeId: string,
  { members, leader: named }: Listed,
  inside: Inside,
  belonged: boolean,
  version: string | null,
): NodeReport {
  const blank = { ...blankReport("rqlite", "healthy", null), version };
  // Before its data are open it knows no name.
  if (inside.nodeId !== nodeId && inside.nodeId !== "")
    return { ...blank, status: "not_in_cluster", problem: `its node id is ${inside.nodeId}, not ${nodeId}` };
  // Both questions must agree: between them there may have been an election.
  const leader = named !== null && inside.leaderId === named.id ? named : null;
  const claims = leader?.id === nodeId;
  const role: Role = leader === null || claims !== (inside.role === "leader") ? "unknown" : inside.role;
  const agreed = role === "unknown" ? null : leader;
  return {
    ...blank,
    ...statusOf(nodeId, members, agreed, inside.blank, belonged),
    role,
    term: agreed === null ? null : inside.term,
    leader: agreed,
    members,
    shards: [
      {
        id: "rqlite",
        role: role === "leader" ? "primary" : role === "replica" ? "secondary" : "recovering",
        commit_offset: inside.applied,
        lag: inside.lag,
      },
    ],
  };
}

function statusOf(
  nodeId: string,
  members: readonly DatabaseMember[],
  leader: DatabaseMember | null,
  blank: boolean,
  belonged: boolean,
): Pick<NodeReport, "status" | "problem"> {
  if (!members.some((m) => m.id === nodeId))
    return belonged
      ? { status: "not_in_cluster", problem: "it is no longer a member of its cluster" }
      : { status: "joining", problem: "it is not a member of its cluster yet" };
  if (leader !== null) return { status: "healthy", problem: null };
  const away = members.filter((m) => m.reachable === false).map((m) => m.id);
  const problem = `nobody in reach leads${away.length === 0 ? "" : `; no answer from ${away.join(", ")}`}`;
  return { status: blank ? "joining" : "unhealthy", problem };
}

/** Fills in client addresses: a node that is out of reach for a moment still has the one it had. */
function apiAddresses() {
  let known = new Map<string, string>();
  return {
    fill({ members, leader }: Listed): Listed {
      const filled = members.map((m) => ({ ...m, api_addr: m.api_addr || (known.get(keyOf(m)) ?? "") }));
      known = new Map(filled.map((m) => [keyOf(m), m.api_addr]));
      return { members: filled, leader: filled.find((m) => m.id === leader?.id) ?? null };
    },
  };
}

function keyOf({ id, addr }: DatabaseMember): string {
  return JSON.stringify([id, addr]);
}

/** Any node takes the call: it passes it on to the leader. rqlited also says 200 for an id that it does not know. */
async function removeMember(
  client: DatabaseClient,
  own: Endpoint,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const answer = await send(client, own, removal(id), signal);
  if (answer.status !== 200) {
    const said =
      answer.status === 401 ? "the credentials may not `remove`" : answer.body.trim().split("\n", 1)[0];
    throw new RollcallError("not_removed", `remove ${id}: rqlited answers ${answer.status}: ${said ?? ""}`);
  }
  const here = await membersAt(client, own, signal);
  if (!here.members.some((m) => m.id === id)) return;
  // This node may hear of it a moment later than the leader has done it.
  const leader = here.leader?.api_addr ? parseEndpoint(here.leader.api_addr, PORT, own.secure) : own;
  const there = await membersAt(client, leader, signal);
  if (there.members.some((m) => m.id === id))
    throw new RollcallError("not_removed", `remove ${id}: rqlited says it did, but still lists it`);
}

function removal(id: string): Call {
  return { method: "DELETE", path: "/remove", body: JSON.stringify({ id }) };
}

async function membersAt(client: DatabaseClient, at: Endpoint, signal: AbortSignal): Promise<Listed> {
  const answer = await get(client, at, NODES, signal);
  return (answer.status === 200 ? readNodes(answer.body) : null) ?? unreadable("/nodes", at);
}
