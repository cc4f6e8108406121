/** The parts of one agent, wired to each other; nothing runs yet. */
import { type AgentConfig, hasStore } from "../config.ts";
import { formatAddress } from "../core/address.ts";
import type { Rules, Settled } from "../core/genesis-state.ts";
import { decode, type MemberRef, Outcome } from "../core/model.ts";
import { leadIn } from "../core/node-report.ts";
import { databaseAddresses } from "../core/reasons-voters.ts";
import type { Database } from "../databases/database.ts";
import type { Clock } from "../lib/clock.ts";
import { readIfThere } from "../lib/files.ts";
import { openKeptFile } from "../lib/kept-file.ts";
import type { Log } from "../lib/log.ts";
import { openBeside } from "./beside.ts";
import { openByStore } from "./by-store.ts";
import { openByVotes } from "./by-votes.ts";
import { openCluster } from "./cluster.ts";
import { openCredentials } from "./credentials.ts";
import type { NodeDeps } from "./deps.ts";
import type { DataDir } from "./identity.ts";
import type { Looks } from "./native.ts";
import { openOutcome } from "./outcome.ts";
import { openPeerClient } from "./peer-client.ts";
import { openPeers } from "./peers.ts";
import { openView } from "./view.ts";

/** Wires a node whose data directory is open. */
export async function openNode(config: AgentConfig, deps: NodeDeps, dataDir: DataDir, database: Database) {
  const { pacing, uuid, log } = deps;
  const { disk, openClient } = deps.machine;
  const { clock } = pacing;
  const part = (name: string) => log.child({ part: name });
  const { nodeId, kept } = dataDir.identity;
  const bootId = uuid();
  const rules = rulesOf(config, nodeId);
  const credentials = openCredentials(config, deps.file);
  // The incarnation changes when the database's disk turns out to be another one.
  let incarnation = () => kept.incarnation;
  const self = selfOf(config, nodeId, () => incarnation());
  const genesisId = () => way.genesis.state().settled?.record.genesis_id ?? null;
  const leader = () => leadIn(beside.report(), nodeId);
  const about = { key: rules.key, self, genesis: genesisId, leader };
  const client = openPeerClient({ ...about, credentials, uuid, openClient });
  const path = dataDir.path("peers.json");
  const keepsMembers = !hasStore(config.disco.mode);
  const peers = openPeers({ path, clock, client, log: part("peers"), self, disk, keepsMembers });
  await peers.load();
  const { outcome, keptOutcome } = await openKeptOutcome(dataDir, clock, part("outcome"));
  const common = {
    ...{ rules, dataDir, pacing, uuid, self, peers, part },
    dbDataDir: config.db.dataDir,
    log: part("genesis"),
    entry: () => view.entry(),
    onInit: initHook(config, deps, self),
    settled(settled: Settled) {
      cluster.settled(settled);
      saySettled(log, settled);
      beside.told();
    },
    changed: () => view.touch(),
  };
  const way = hasStore(config.disco.mode)
    ? await openByStore({
        ...common,
        database: looksOf(database, (signal) => beside.look(signal)),
        looked(lookup) {
          cluster.saw(lookup);
          beside.sawLeader(lookup.leader ?? null);
          beside.told();
        },
      })
    : await openByVotes({
        ...common,
        client,
        leader,
        mode: config.disco.mode,
        ownAddress: formatAddress(config.httpAdvAddr),
        databases: databasesOf(config),
        heard() {
          cluster.heard();
          beside.told();
        },
      });
  incarnation = () => way.genesis.state().kept.incarnation;

  const cluster = openCluster({ settled: way.genesis.state, peers, outcome, self });
  const beside = await openBeside({
    config,
    deps,
    dataDir,
    database,
    self,
    peers,
    outcome,
    ...{ cluster, part, present: way.present },
    changed: () => view.touch(),
  });
  const parts = { rules, bootId, self, peers, outcome, way, beside };
  const view = openView({ ...parts, config, clock, version: deps.version, memory: deps.memory });
  return { ...parts, credentials, client, keptOutcome, view };
}
export type Node = Awaited<ReturnType<typeof openNode>>;

/** The ways to the database beside this agent (`look`) and to others of its kind; null: there is none. */
function looksOf(database: Database, look: Looks["look"]): Looks | null {
  if (database.kind === "none") return null;
  return { look, ask: async (address, signal) => (await database.ask?.(address, signal)) ?? null };
}

/** This node as members carry it, with the incarnation of the moment. */
function selfOf({ db, httpAdvAddr }: AgentConfig, id: string, incarnation: () => string): () => MemberRef {
  const addresses = {
    agent_addr: formatAddress(httpAdvAddr),
    api_addr: db.advAddr ?? "",
    addr: db.peerAddr ?? "",
  };
  return () => ({ id, incarnation: incarnation(), ...addresses });
}

/** Where the database is, for telling it from an agent. */
function databasesOf({ db, httpAdvAddr }: AgentConfig) {
  const flags = [
    ["-db-addr", db.addr],
    ["-db-adv-addr", db.advAddr],
    ["-db-peer-addr", db.peerAddr],
  ] as const;
  return databaseAddresses(flags, formatAddress(httpAdvAddr));
}

/** The outcome, and the file that carries its revision to the next agent; a damaged file costs only that. */
async function openKeptOutcome({ path: within, disk }: DataDir, clock: Clock, log: Log) {
  const path = within("outcome.json");
  const text = await readIfThere(path, disk).catch(() => null);
  const earlier = text === null ? null : decode(Outcome, text);
  const outcome = openOutcome(earlier?.ok ? earlier.value : null, () => keptOutcome.changed());
  const now = () => outcome.current() && `${JSON.stringify(outcome.current())}\n`;
  const keptOutcome = openKeptFile({ path, text: now, clock, log, disk });
  return { outcome, keptOutcome };
}

function rulesOf(config: AgentConfig, nodeId: string): Rules {
  return {
    key: config.disco.key,
    nodeId,
    voter: config.voter,
    expect: config.bootstrapExpect,
    genesis: config.genesis,
    formation: config.formation,
    initialises: config.hooks.init !== null,
  };
}

/** Runs `-on-init`. */
function initHook({ hooks }: AgentConfig, { machine, pacing, hookEnv }: NodeDeps, self: () => MemberRef) {
  return (claim_id: string, signal: AbortSignal) =>
    machine.runHook(
      hooks.init ?? [],
      { event: "init", claim_id, node: self() },
      { clock: pacing.clock, signal, env: hookEnv },
    );
}

function saySettled(log: Log, { kind, record }: Settled): void {
  log.info(
    {
      kind,
      genesis_id: record.genesis_id,
      formation: record.formation,
      members: record.members.map((m) => m.id).join(","),
    },
    "settled",
  );
}
