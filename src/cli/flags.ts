/**
 * Every flag of this release, once: parsing, help, environment names, the keys of a `-config` file and the
 * README's tables come from these rows.
 */
import { type CommandName, GENESIS_COMMANDS } from "./commands.ts";

export type Kind = "string" | "bool" | "int" | "duration" | "enum" | "list" | "json" | "address";

export type Section = "node" | "discovery" | "bootstrap" | "database" | "security" | "log" | "command";

/** One flag. */
export type Flag = {
  /** As typed, without the dash. */
  readonly name: string;
  /** Its key in Settings and, unless `lineOnly`, in a `-config` file. */
  readonly key: string;
  readonly kind: Kind;
  /** What stands for the value in help: `HOST:PORT`. Empty for booleans. */
  readonly word: string;
  /** The default as it would be typed; null: none. */
  readonly default: string | null;
  /** What help says of the default, where that is not the value itself. */
  readonly defaultText?: string;
  /** What an enum may be. */
  readonly values?: readonly string[];
  /** The least and the most of an int or a duration (in milliseconds). */
  readonly range?: readonly [number, number];
  /** Its value may hold secrets: no message repeats it. */
  readonly secret?: boolean;
  /** Has no environment variable and no key in a file. */
  readonly lineOnly?: boolean;
  /** The commands that use it. */
  readonly commands: readonly CommandName[];
  readonly section: Section;
  /** One line, without a full stop. */
  readonly meaning: string;
};

type Row = Pick<Flag, "word" | "meaning"> & Partial<Flag>;

const AGENT = ["agent", "validate"] as const;
const CLIENT = ["status", "explain"] as const;
const STORE = [...AGENT, "discover", ...GENESIS_COMMANDS] as const;

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
      values: ["consul-kv", "etcd-kv", "disco"],
      defaultText: "required",
      meaning: "where the peers are found and the genesis is agreed upon",
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
      meaning: "the cluster's name everywhere: 1 to 4 segments of [a-z0-9._-] joined by /",
    },
    "disco-id": { word: "ID", meaning: "mode disco: the id that a Discovery Service gave" },
    "disco-url": { word: "URL", meaning: "mode disco: where the Discovery Service is" },
  }),
  ...rows("bootstrap", AGENT, {
    "bootstrap-expect": {
      kind: "int",
      word: "N",
      defaultText: "1; the genesis commands have none",
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
      default: "single",
      meaning: "one node creates and the others join, or all start with the identical list",
    },
    "on-init": {
      kind: "list",
      word: "COMMAND",
      meaning:
        "initialises the database once, before the cluster is sealed: split at white space, or a JSON array; no shell",
    },
  }),
  ...rows("database", AGENT, {
    "db-adv-addr": { word: "HOST:PORT|URL", meaning: "the database's address for clients, as others get it" },
    "db-peer-addr": { word: "HOST:PORT", meaning: "the database's own peer address, as others get it" },
    "db-data-dir": {
      word: "DIR",
      meaning: "the database's directory, looked at (never into) to tell blank from used",
    },
  }),
  ...rows("security", AGENT, {
    "tls-cert": {
      word: "FILE",
      commands: [...AGENT, ...CLIENT],
      meaning: "this node's certificate, PEM; needs -tls-key",
    },
    "tls-key": { word: "FILE", commands: [...AGENT, ...CLIENT], meaning: "its private key, PEM" },
    "tls-ca": {
      word: "FILE",
      commands: [...AGENT, ...CLIENT],
      meaning: "who signs the certificates of all agents, PEM",
    },
    "tls-client-auth": { kind: "bool", word: "", meaning: "callers must show a certificate; needs -tls-ca" },
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
  ...rows("log", AGENT, {
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
  ...rows("command", CLIENT, {
    addr: {
      kind: "address",
      word: "HOST:PORT",
      defaultText: "-http-addr on this machine; with TLS, -http-adv-addr",
      meaning: "the agent to ask",
    },
    o: {
      key: "output",
      kind: "enum",
      word: "FORMAT",
      values: ["table", "json"],
      default: "table",
      lineOnly: true,
      commands: [...CLIENT, "discover", "genesis show"],
      meaning: "for people, or for programs",
    },
  }),
  ...rows("command", ["status"], {
    check: {
      kind: "enum",
      word: "WHAT",
      values: ["live", "startup", "ready"],
      lineOnly: true,
      meaning: "print one word and answer by the exit code, 0 or 1: for health checks without curl",
    },
  }),
  ...rows("command", ["genesis rebirth"], {
    genesis: {
      key: "old_genesis",
      word: "OLD_ID",
      lineOnly: true,
      defaultText: "required",
      meaning: "the genesis that is given up",
    },
    confirm: {
      word: "KEY",
      lineOnly: true,
      commands: ["genesis init", "genesis restore", "genesis rebirth"],
      defaultText: "asked on a terminal",
      meaning: "the cluster's key once more, as confirmation",
    },
  }),
  ...rows("command", [...STORE, ...CLIENT], {
    config: {
      word: "FILE",
      meaning: "YAML or JSON with any of the flags that have an environment variable, named as in disco_mode",
    },
  }),
];

/** The flag of that name as a command takes it, or null. Each command takes every flag of the agent, so that an agent's line serves. */
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
  if (command === "version" || command === "help") return false;
  return uses(command, flag) || uses("agent", flag);
}

function rows(section: Section, commands: readonly CommandName[], table: Record<string, Row>): Flag[] {
  return Object.entries(table).map(([name, row]) => ({
    name,
    key: name.replaceAll("-", "_"),
    kind: "string",
    default: row.kind === "bool" ? "false" : null,
    commands,
    section,
    ...row,
  }));
}
