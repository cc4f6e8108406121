/** `rollcall status`: what a running agent knows, for people. */
import * as z from "zod";
import type { Settings } from "../config.ts";
import { formatAddress } from "../core/address.ts";
import { decode } from "../core/model.ts";
import { RollcallError } from "../lib/errors.ts";
import { ask, request } from "./ask.ts";
import { clientConfig } from "./configs.ts";
import type { Io } from "./io.ts";
import { short } from "./records.ts";
import { columns } from "./table.ts";
import { printable } from "./usage.ts";

const Peer = z.looseObject({
  id: z.string(),
  incarnation: z.string(),
  agent_addr: z.string(),
  api_addr: z.string().default(""),
  addr: z.string().default(""),
  voter: z.boolean().nullable().default(null),
  status: z.string().nullable().default(null),
  reachable: z.boolean().nullable().default(null),
  problem: z.string().nullable().default(null),
  self: z.boolean().default(false),
});

const State = z.looseObject({
  summary: z.string(),
  code: z.string(),
  phase: z.string(),
  overdue: z.boolean().default(false),
  agent: z.looseObject({ node_id: z.string(), key: z.string(), mode: z.string(), version: z.string() }),
  outcome: z.looseObject({ kind: z.string(), genesis_id: z.string(), revision: z.int() }).nullable(),
  store: z.looseObject({ ok: z.boolean().nullable().default(null) }),
  node: z
    .looseObject({
      kind: z.string(),
      version: z.string().nullable(),
      status: z.string(),
      problem: z.string().nullable(),
      role: z.string(),
      term: z.number().nullable(),
    })
    .nullable()
    .default(null),
  leader: z
    .looseObject({
      record: z.looseObject({ id: z.string(), api_addr: z.string() }).nullable(),
      verified: z.boolean(),
    })
    .nullable()
    .default(null),
  peers: z.array(Peer),
});
type State = z.infer<typeof State>;

/** Prints /v1/state of the agent at -addr as sentences and a table, or as it came; with -check, one health answer. */
export async function run(settings: Settings, io: Io): Promise<number> {
  const config = clientConfig(settings, io.files);
  if (settings.check !== null) {
    const { status, body } = await request({ path: `/${settings.check}z` }, config, io);
    io.stdout(`${printable(body.trim())}\n`);
    return status === 200 ? 0 : 1;
  }
  const body = await ask("/v1/state", config, io);
  if (settings.output === "json") io.stdout(`${body.trimEnd()}\n`);
  else io.stdout(asText(parse(State, body, formatAddress(config.addr))));
  return 0;
}

/** An agent's answer by its schema, or one line that says whose answer makes no sense. */
export function parse<T>(schema: z.ZodType<T>, body: string, addr: string): T {
  const decoded = decode(schema, body);
  if (decoded.ok) return decoded.value;
  throw new RollcallError("ask", `ask ${addr}: the answer ${decoded.problem}; is it a rollcall agent?`, {
    hint: "-o=json prints it as it came",
  });
}

function asText(state: State): string {
  const { agent, outcome, store, peers } = state;
  const head = columns([
    ["node", `${agent.node_id} (rollcall ${agent.version})`],
    ["key", `${agent.key} (${agent.mode}${store.ok === false ? ", not answering" : ""})`],
    ["state", `${state.summary}${state.overdue ? " (overdue)" : ""}`],
    ["phase", `${state.phase}, ${state.code}`],
    [
      "outcome",
      outcome === null
        ? "none yet"
        : `${outcome.kind}, genesis ${outcome.genesis_id}, revision ${outcome.revision}`,
    ],
    ...databaseRows(state),
  ]);
  return `${head}\n${columns([
    ["ID", "INCARNATION", "AGENT", "DB", "VOTER", "STATUS", "REACHABLE"],
    ...peers.map((peer) => [
      peer.self ? `${peer.id} *` : peer.id,
      short(peer.incarnation),
      peer.agent_addr,
      peer.api_addr || peer.addr,
      yesNo(peer.voter),
      peer.status ?? "",
      peer.problem ?? yesNo(peer.reachable),
    ]),
  ])}`;
}

/** The database beside the agent and who leads; nothing where none is asked. */
function databaseRows({ node, leader }: State): readonly (readonly string[])[] {
  if (node === null || node.kind === "none") return [];
  const { kind, version, status, problem, role, term } = node;
  const is = [status, problem, role === "unknown" ? null : role, term === null ? null : `term ${term}`];
  const record = leader?.record ?? null;
  return [
    ["database", `${[kind, version].filter(Boolean).join(" ")}: ${is.filter(Boolean).join(", ")}`],
    [
      "leader",
      record === null
        ? "not known"
        : `${record.id} at ${record.api_addr}${leader?.verified === true ? "" : ", not verified"}`,
    ],
  ];
}

function yesNo(value: boolean | null): string {
  return value === null ? "" : value ? "yes" : "no";
}
