/**
 * Every flag of this release, once: parsing, help, environment names, the keys of a `-config` file and the
 * README's tables come from these rows.
 */

import {
  AGENT,
  CLIENT,
  COORDINATOR,
  COORDINATOR_CLIENT,
  type CommandName,
  DISCOVERY_SERVICE,
  STORE,
} from "./command.ts";
import { COMMAND_FLAGS } from "./command-flags.ts";
import { COORDINATOR_FLAGS } from "./coordinator-flags.ts";
import { DISCOVERY_SERVICE_FLAGS } from "./discovery-service-flags.ts";
import { type Flag, rows } from "./flag.ts";

export type { Flag, Kind, Section } from "./flag.ts";

const BESIDE_AGENT: readonly CommandName[] = [...STORE, ...CLIENT];

/** All flags, in the order of help. */
export const FLAGS: readonly Flag[] = [
  ...rows("node", AGENT, {
    "node-id": {
      word: "ID",
      defaultText: "the id kept in -data-dir, else the host's name",
      meaning: "this node's name, unique under the key and stable; never changed once kept",
    },
    "http-addr": {
      kind: "address",
      word: "HOST:PORT",
      default: "127.0.0.1:4100",
      commands: [...AGENT, ...CLIENT],
      meaning:
        "where the agent listens; beyond this machine it needs TLS with -tls-client-auth, a cluster secret or -insecure",
    },
    "http-adv-addr": {
      kind: "address",
      word: "HOST:PORT",
      defaultText: "same as -http-addr",
      commands: [...AGENT, ...CLIENT],
      meaning: "what the other agents connect to; never 0.0.0.0 or [::]",
    },
    "dns-addr": {
      kind: "address",
      word: "HOST:PORT",
      defaultText: "none: no DNS",
      meaning: "where the agent answers DNS, UDP and TCP, to anybody: leader.KEY.rollcall and the like",
    },
    "data-dir": {
      word: "DIR",
      default: "./rollcall-data",
      commands: [...AGENT, "genesis restore"],
      meaning: "identity, marker and promises of this node; locked against a second agent",
    },
  }),
  ...rows("discovery", STORE, {
    "disco-mode": {
      kind: "enum",
      word: "MODE",
      values: ["consul-kv", "etcd-kv", "disco", "dns", "dns-srv", "consul-service", "file", "http"],
      defaultText: "required unless -join is given",
      meaning: "where the peers are found and, where that is a store, the genesis is agreed upon",
    },
    "disco-config": {
      kind: "json",
      word: "JSON|FILE",
      default: "{}",
      secret: true,
      meaning:
        "how to reach it: JSON when it begins with {, else a JSON or YAML file; $VAR, ${VAR:-default} and $$ expand in its strings",
    },
    "disco-key": {
      word: "KEY",
      defaultText: "rollcall; in mode disco, -disco-id",
      commands: [...STORE, "leave", "genesis assume-lost"],
      meaning: "the cluster's name everywhere: 1 to 4 segments of [a-z0-9._-] joined by /",
    },
    "disco-id": { word: "ID", meaning: "mode disco: the id that a Discovery Service gave" },
    "disco-url": { word: "URL", meaning: "mode disco: where the Discovery Service is" },
    join: {
      word: "LIST",
      meaning:
        "the agents instead of -disco-mode: HOST:PORT,… with port 4100 where none is given; self alone: a single node",
    },
  }),
  ...rows("bootstrap", AGENT, {
    "bootstrap-expect": {
      kind: "int",
      word: "N",
      defaultText: "1 with a store or -join=self, else required of voters; the genesis commands have none",
      range: [1, 99],
      commands: [...AGENT, "genesis init", "genesis rebirth"],
      meaning: "voters that must be there before a cluster is created; the same on every node",
    },
    "bootstrap-expect-timeout": {
      kind: "duration",
      word: "DURATION",
      default: "120s",
      range: [1, 7 * 24 * 3_600_000],
      meaning: "after this the node is reported as overdue; it never goes on alone",
    },
    "exit-on-timeout": { kind: "bool", word: "", meaning: "end with 3 when overdue" },
    "non-voter": { kind: "bool", word: "", meaning: "join, never create a cluster, never be counted" },
    genesis: {
      kind: "enum",
      word: "WHO",
      values: ["auto", "strict", "never"],
      default: "auto",
      meaning:
        "who creates the genesis record: auto, a node that sees none; strict, only `rollcall genesis init`; never, not this node",
    },
    formation: {
      kind: "enum",
      word: "HOW",
      values: ["single", "symmetric"],
      defaultText: "symmetric with -db=rqlite, else single",
      meaning: "one node creates and the others join, or all start with the identical list",
    },
  }),
  ...rows("database", [...AGENT, "genesis adopt"], {
    db: {
      kind: "enum",
      word: "KIND",
      values: ["rqlite", "http", "none"],
      default: "none",
      meaning: "the database beside the agent; none: the agent asks nothing and writes no leader key",
    },
    "db-addr": {
      word: "HOST:PORT|URL",
      defaultText: "as in COMMAND; rqlite: 127.0.0.1:4001",
      meaning: "where the agent asks its database",
    },
    "db-adv-addr": {
      word: "HOST:PORT|URL",
      commands: AGENT,
      defaultText: "as in COMMAND, else -db-addr's port on the host of -http-adv-addr",
      meaning: "the database's address for clients, as others get it",
    },
    "db-peer-addr": {
      word: "HOST:PORT",
      commands: AGENT,
      defaultText: "as in COMMAND; rqlite: port 4002 on the host of -http-adv-addr",
      meaning: "the database's own peer address, as others get it",
    },
    "db-data-dir": {
      word: "DIR",
      commands: AGENT,
      defaultText: "as in COMMAND; required with -db=rqlite",
      meaning: "the database's directory, looked at (never into) to tell blank from used",
    },
    "db-config": {
      kind: "json",
      word: "JSON|FILE",
      default: "{}",
      secret: true,
      meaning: "credentials and TLS of the database, written as -disco-config is",
    },
    "probe-interval": {
      commands: AGENT,
      kind: "duration",
      word: "DURATION",
      defaultText: "250ms with -db=rqlite, else 1s",
      range: [50, 3_600_000],
      meaning: "how often the database is asked",
    },
  }),
  ...rows("supervision", AGENT, {
    "stop-timeout": {
      kind: "duration",
      word: "DURATION",
      default: "25s",
      range: [0, 3_600_000],
      meaning: "how long the database may take to stop before it is killed",
    },
    restart: {
      kind: "enum",
      word: "WHEN",
      values: ["on-failure", "always", "never"],
      default: "on-failure",
      meaning: "whether COMMAND is started again when it ends; if not, the agent ends with its exit code",
    },
  }),
  ...rows("hooks", AGENT, {
    "on-init": {
      kind: "list",
      word: "COMMAND",
      meaning:
        "initialises the database once, before the cluster is sealed: split at white space, or a JSON array; no shell",
    },
    "on-bootstrap": {
      kind: "list",
      word: "COMMAND",
      meaning: "runs once this node is to create the cluster",
    },
    "on-join": { kind: "list", word: "COMMAND", meaning: "runs once this node is to join a cluster" },
    "on-members-change": { kind: "list", word: "COMMAND", meaning: "runs when members come, go or move" },
    "on-leader-change": { kind: "list", word: "COMMAND", meaning: "runs when another node leads" },
    "on-role-change": {
      kind: "list",
      word: "COMMAND",
      meaning: "runs when this node's database gets another role",
    },
    "on-leave": {
      kind: "list",
      word: "COMMAND",
      meaning: "runs when `rollcall leave` has taken the node out",
    },
    "output-env": { word: "FILE", meaning: "kept with the outcome for a shell to source" },
    "output-json": { word: "FILE", meaning: "kept with the outcome as JSON" },
    "output-hosts": { word: "FILE", meaning: "kept with the members as lines of a hosts file" },
  }),
  ...rows("security", AGENT, {
    "tls-cert": {
      word: "FILE",
      commands: [...AGENT, ...CLIENT, ...COORDINATOR, ...COORDINATOR_CLIENT, ...DISCOVERY_SERVICE],
      meaning: "this node's certificate, PEM; needs -tls-key",
    },
    "tls-key": {
      word: "FILE",
      commands: [...AGENT, ...CLIENT, ...COORDINATOR, ...COORDINATOR_CLIENT, ...DISCOVERY_SERVICE],
      meaning: "its private key, PEM",
    },
    "tls-ca": {
      word: "FILE",
      commands: [...AGENT, ...CLIENT],
      meaning: "who signs the certificates of all agents, PEM",
    },
    "tls-client-auth": {
      kind: "bool",
      word: "",
      commands: [...AGENT, ...COORDINATOR, ...DISCOVERY_SERVICE],
      meaning: "callers must show a certificate; needs -tls-ca",
    },
    "token-file": {
      word: "FILE",
      commands: [...AGENT, ...CLIENT],
      meaning: "holds the bearer token that readers must show",
    },
    "cluster-secret-file": {
      word: "FILE",
      meaning: "holds the secret that the agents share, at least 16 bytes",
    },
    insecure: {
      kind: "bool",
      word: "",
      meaning: "listen beyond this machine without client certificates or secret; not with -tls-client-auth",
    },
  }),
  ...rows("log", [...AGENT, ...COORDINATOR, ...DISCOVERY_SERVICE], {
    "log-level": {
      kind: "enum",
      word: "LEVEL",
      values: ["debug", "info", "warn", "error"],
      default: "info",
      meaning: "the least that is logged",
    },
    "log-format": {
      kind: "enum",
      word: "FORMAT",
      values: ["text", "json"],
      defaultText: "text on a terminal, else json",
      meaning: "how lines look",
    },
  }),
  ...COORDINATOR_FLAGS,
  ...DISCOVERY_SERVICE_FLAGS,
  ...COMMAND_FLAGS,
];

/** The flag of that name as a command takes it, or null. Commands beside an agent take every flag of it, so that its line serves. */
export function findFlag(command: CommandName, name: string): Flag | null {
  const named = FLAGS.filter((flag) => flag.name === name);
  return named.find((flag) => uses(command, flag)) ?? named.find((flag) => takes(command, flag)) ?? null;
}

/** The flags that `command` uses, in the order of help. */
export function flagsOf(command: CommandName): readonly Flag[] {
  return FLAGS.filter((flag) => uses(command, flag));
}

/** The names a command accepts, for suggestions. */
export function namesFor(command: CommandName): readonly string[] {
  return FLAGS.filter((flag) => takes(command, flag)).map((flag) => flag.name);
}

/** True where the flag makes a difference to the command. */
export function uses(command: CommandName, flag: Flag): boolean {
  return flag.commands.includes(command);
}

/** `ROLLCALL_DISCO_MODE`; null for flags that only the command line takes. */
export function envName(flag: Flag): string | null {
  return flag.lineOnly === true ? null : `ROLLCALL_${flag.name.toUpperCase().replaceAll("-", "_")}`;
}

function takes(command: CommandName, flag: Flag): boolean {
  return uses(command, flag) || (BESIDE_AGENT.includes(command) && uses("agent", flag));
}
