/** What the flags, the database's own command line and its adapter say together of the database beside an agent. */
import type { DatabaseConfig, HooksConfig, OutputsConfig, Settings, SupervisionConfig } from "../config.ts";
import type { Address } from "../core/address.ts";
import type { Formation } from "../core/model.ts";
import type { NodeReport } from "../core/node-report.ts";
import { type DatabaseModule, databases } from "../databases/index.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import { withDeadline } from "../lib/loop.ts";
import { checkDatabaseAddress } from "./checks.ts";
import type { Io } from "./io.ts";
import { issueLines } from "./issues.ts";
import { usageError } from "./usage.ts";

const ASK_LIMIT_MS = 5_000;

/** The database's part of an agent's configuration. */
export type DatabasePart = {
  readonly db: DatabaseConfig;
  readonly formation: Formation;
  readonly supervision: SupervisionConfig | null;
  /** The node id that the database's command line has; null: none. */
  readonly nodeId: string | null;
};

/** Flag, then the database's command line, then the adapter's own default. Throws a usage error. */
export async function databasePart(s: Settings, advertised: Address): Promise<DatabasePart> {
  checkDatabaseAddress("-db-adv-addr", s.db_adv_addr);
  checkDatabaseAddress("-db-peer-addr", s.db_peer_addr);
  if (s.db === "none") checkNothingAsked(s);
  const module = await adapterOf(s);
  const supervision = await supervisionOf(s, module);
  const host = advertised.host.includes(":") ? `[${advertised.host}]` : advertised.host;
  const own = module.addresses(s.command, host);
  const db: DatabaseConfig = {
    kind: s.db,
    addr: s.db_addr ?? own.addr,
    advAddr: s.db_adv_addr ?? own.advAddr,
    peerAddr: s.db_peer_addr ?? own.peerAddr,
    dataDir: s.db_data_dir ?? own.dataDir,
    config: s.db_config,
    probeIntervalMs: s.probe_interval ?? module.probeIntervalMs,
  };
  if (s.db !== "none" && db.addr === null) throw usageError(`-db-addr: is required with -db=${s.db}`);
  checkAddress(module, db);
  if (s.db === "rqlite" && db.dataDir === null)
    throw usageError("-db-data-dir: is required with -db=rqlite, unless the agent starts rqlited itself");
  if (s.node_id !== null && own.nodeId !== null && s.node_id !== own.nodeId)
    throw usageError(`-node-id: ${s.node_id} is not the -node-id after --, ${own.nodeId}`);
  return { db, formation: s.formation ?? module.formation, supervision, nodeId: own.nodeId };
}

/** The adapter that `-db` names, which takes `-db-config` as it is. */
async function adapterOf(s: Settings): Promise<DatabaseModule> {
  const module = await databases[s.db]();
  const config = module.Config.safeParse(s.db_config);
  if (!config.success) throw usageError(`-db-config: ${issueLines(module.Config, config.error).join("; ")}`);
  return module;
}

/** What the database beside an agent says of its cluster, asked once with the agent's own flags. Throws one line. */
export async function askDatabase(s: Settings, io: Io): Promise<NodeReport | null> {
  if (s.db === "none") throw usageError("-db: is required: the running cluster's database is asked");
  const module = await adapterOf(s);
  const addr = s.db_addr ?? module.addresses(s.command, "127.0.0.1").addr;
  if (addr === null) throw usageError(`-db-addr: is required with -db=${s.db}`);
  const { clock } = io.pacing;
  const database = module.open(s.db_config, { addr, nodeId: "", now: clock.now, file: io.file });
  const doing = `ask the database at ${addr}`;
  try {
    return await withDeadline(clock, new AbortController().signal, ASK_LIMIT_MS, doing, async (signal) =>
      database.ask === undefined ? database.probe(signal) : database.ask(addr, signal),
    );
  } catch (error) {
    throw new RollcallError(
      "ask",
      error instanceof RollcallError && error.code === "deadline"
        ? error.message
        : `${doing}: ${reason(error)}`,
    );
  } finally {
    database.close();
  }
}

/** The adapter itself says whether it can ask there; nothing is asked yet. */
function checkAddress(module: DatabaseModule, { addr, config }: DatabaseConfig): void {
  const nobody = { nodeId: "", now: () => 0, file: async () => "" };
  try {
    module.open(config, { addr: addr ?? "", ...nobody }).close();
  } catch (error) {
    throw usageError(`-db-addr: ${reason(error)}`);
  }
}

/** What would be asked of a database that nobody named is a mistake. */
function checkNothingAsked(s: Settings): void {
  const given = [
    ["-db-addr", s.db_addr !== null],
    ["-db-config", Object.keys(s.db_config).length > 0],
    ["-probe-interval", s.probe_interval !== null],
    ["-on-leader-change", s.on_leader_change !== null],
    ["-on-role-change", s.on_role_change !== null],
  ] as const;
  const flag = given.find(([, is]) => is)?.[0];
  if (flag !== undefined) throw usageError(`${flag}: needs -db: without it no database is asked`);
}

async function supervisionOf(s: Settings, module: DatabaseModule): Promise<SupervisionConfig | null> {
  if (s.command.length === 0) return null;
  const { checkPlaceholders, takesArguments } = await import("../agent/command.ts");
  const argumentsAt = module.argumentsAt(s.command);
  const problem = checkPlaceholders(s.command) ?? module.checkCommand(s.command, !s.non_voter);
  if (problem !== null) throw usageError(`--: ${problem}`);
  if (s.db === "rqlite" && !takesArguments(s.command, argumentsAt))
    throw usageError("--: has no rqlited in it; {{args}} stands for where the agent's arguments to it go");
  return {
    command: s.command,
    argumentsAt,
    stopTimeoutMs: s.stop_timeout,
    restart: s.restart,
  };
}

export function hooksConfig(s: Settings): HooksConfig {
  return {
    init: s.on_init,
    bootstrap: s.on_bootstrap,
    join: s.on_join,
    membersChange: s.on_members_change,
    leaderChange: s.on_leader_change,
    roleChange: s.on_role_change,
    leave: s.on_leave,
  };
}

export function outputsConfig(s: Settings): OutputsConfig {
  const outputs = { env: s.output_env, json: s.output_json, hosts: s.output_hosts };
  const paths = Object.values(outputs).filter((path) => path !== null);
  const twice = paths.find((path, at) => paths.indexOf(path) !== at);
  if (twice !== undefined)
    throw usageError(`-output-env, -output-json, -output-hosts: ${twice} is given twice`);
  return outputs;
}
