/**
 * What an agent and the commands beside it are told: `Settings`, one value a flag whoever gave it, and what is
 * made of them once every rule holds (src/cli/configs.ts). Trusted from then on.
 */
import * as z from "zod";
import type { Address } from "./core/address.ts";
import { ClusterKey } from "./core/cluster-key.ts";
import { Formation } from "./core/model.ts";

/** The lock in the data directory. It is a Unix socket, whose path may have 108 bytes on Linux and 104 elsewhere. */
export const LOCK = { name: "agent.lock", mostPathBytes: 100 } as const;

/** Where this release can look for peers: the values of `-disco-mode`. */
export const DiscoMode = z.enum([
  "consul-kv",
  "etcd-kv",
  "disco",
  "dns",
  "dns-srv",
  "consul-service",
  "file",
  "http",
]);
export type DiscoMode = z.infer<typeof DiscoMode>;

/** The modes of providers: those, and the one that `-join` makes. */
export type ProviderMode = DiscoMode | "static";

/** Whether agents have a store in this mode that keeps one record for all. Without it they agree among themselves. */
export function hasStore(mode: ProviderMode): boolean {
  return mode === "consul-kv" || mode === "etcd-kv" || mode === "disco";
}

/** Who may create the genesis record: any empty voter, only `rollcall genesis init`, or nobody here. */
export const GenesisMode = z.enum(["auto", "strict", "never"]);
export type GenesisMode = z.infer<typeof GenesisMode>;

/** The databases that this release has an adapter for. */
export const DatabaseKind = z.enum(["rqlite", "http", "none"]);
export type DatabaseKind = z.infer<typeof DatabaseKind>;

/** Whether a supervised database is started again when it ends. */
export const Restart = z.enum(["on-failure", "always", "never"]);
export type Restart = z.infer<typeof Restart>;

/** What a command prints: a table or sentences for people, or JSON or YAML for programs. */
export const Output = z.enum(["table", "json", "yaml"]);
export type Output = z.infer<typeof Output>;

// A node id is the last segment of a path in the store, so it must be one segment there.
const nodeId = z
  .string()
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._:@-]{1,128}$/, "must be 1 to 128 characters of [A-Za-z0-9._:@-]");
const address = z.strictObject({ host: z.string(), port: z.int() });
const text = z.string().nullable();
const words = z.array(z.string()).nullable();

/** One value a flag, keyed as a `-config` file is. Null: not given, and no default. */
export const Settings = z.strictObject({
  node_id: nodeId.nullable(),
  http_addr: address,
  http_adv_addr: address.nullable(),
  dns_addr: address.nullable(),
  data_dir: z.string(),
  disco_mode: DiscoMode.nullable(),
  disco_config: z.record(z.string(), z.unknown()),
  disco_key: ClusterKey.nullable(),
  disco_id: ClusterKey.nullable(),
  disco_url: text,
  join: text,
  /** Null: an agent with a store expects 1, and a genesis command is not told. */
  bootstrap_expect: z.int().nullable(),
  bootstrap_expect_timeout: z.number(),
  exit_on_timeout: z.boolean(),
  non_voter: z.boolean(),
  genesis: GenesisMode,
  /** Null: the adapter's. */
  formation: Formation.nullable(),
  db: DatabaseKind,
  db_addr: text,
  db_adv_addr: text,
  db_peer_addr: text,
  db_data_dir: text,
  db_config: z.record(z.string(), z.unknown()),
  /** Null: the adapter's. */
  probe_interval: z.number().nullable(),
  stop_timeout: z.number(),
  restart: Restart,
  on_init: words,
  on_bootstrap: words,
  on_join: words,
  on_members_change: words,
  on_leader_change: words,
  on_role_change: words,
  on_leave: words,
  output_env: text,
  output_json: text,
  output_hosts: text,
  tls_cert: text,
  tls_key: text,
  tls_ca: text,
  tls_client_auth: z.boolean(),
  token_file: text,
  cluster_secret_file: text,
  insecure: z.boolean(),
  log_level: z.enum(["debug", "info", "warn", "error"]),
  log_format: z.enum(["text", "json"]).nullable(),
  /** Of the commands, not of the agent: */
  addr: address.nullable(),
  output: Output,
  check: z.enum(["live", "startup", "ready"]).nullable(),
  confirm: text,
  old_genesis: text,
  forget_leader: text,
  incarnation: text,
  /** Of `rollcall coordinator`: */
  store: z.string(),
  apply: text,
  name: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,128}$/, "must be 1 to 128 characters of [A-Za-z0-9._-]")
    .nullable(),
  token_for_reads: z.boolean(),
  retain: z.number(),
  retain_events: z.int(),
  discovery_service: z.boolean(),
  /** Of `rollcall discovery`, and of a coordinator that is one too: */
  forget_unused: z.number().nullable(),
  /** Of the commands that ask a coordinator: */
  coordinator: z.string(),
  file: text,
  cluster: text,
  discovery: text,
  type: text,
  after: text,
  follow: z.boolean(),
  /** What follows `--`: the database to supervise; empty: none. */
  command: z.array(z.string()),
});
export type Settings = z.infer<typeof Settings>;

/** Where peers are found: which store or resolver, how to reach it, and the cluster's key. */
export type DiscoConfig = {
  readonly mode: ProviderMode;
  readonly key: string;
  /** The provider's configuration, checked by its schema. May hold secrets: never print or log it. */
  readonly provider: Readonly<Record<string, unknown>>;
};

/** Files of this node's certificate and key, and of the authority that signs everybody's. Read again when they change. */
export type TlsConfig = {
  readonly certFile: string;
  readonly keyFile: string;
  /** Null: the system's authorities. */
  readonly caFile: string | null;
  /** Callers must show a certificate signed by `caFile`. */
  readonly clientAuth: boolean;
};

/** Everything an agent is told. Null: not given. */
export type AgentConfig = {
  /** Null: the id kept in the data directory, else the host's name. */
  readonly nodeId: string | null;
  readonly httpAddr: Address;
  /** What others use; never a wildcard. */
  readonly httpAdvAddr: Address;
  /** Where it answers DNS; null: nowhere. */
  readonly dnsAddr: Address | null;
  readonly dataDir: string;
  readonly disco: DiscoConfig;
  readonly bootstrapExpect: number;
  readonly bootstrapExpectTimeoutMs: number;
  /** End with 3 once overdue. */
  readonly exitOnTimeout: boolean;
  readonly voter: boolean;
  readonly genesis: GenesisMode;
  readonly formation: Formation;
  readonly db: DatabaseConfig;
  readonly supervision: SupervisionConfig | null;
  /** Each a command and its arguments; run without a shell. */
  readonly hooks: HooksConfig;
  readonly outputs: OutputsConfig;
  readonly tls: TlsConfig | null;
  readonly tokenFile: string | null;
  readonly clusterSecretFile: string | null;
  readonly insecure: boolean;
  readonly log: LogConfig;
};

/** The database beside the agent. */
export type DatabaseConfig = {
  readonly kind: DatabaseKind;
  /** Where the agent asks it; null with `none`. */
  readonly addr: string | null;
  /** The addresses as others get them (`api_addr`, `addr`), as typed. */
  readonly advAddr: string | null;
  readonly peerAddr: string | null;
  readonly dataDir: string | null;
  /** Checked by the adapter's schema. May hold secrets: never print or log it. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly probeIntervalMs: number;
};

/** The database as a child of the agent. */
export type SupervisionConfig = {
  /** The program and its arguments, placeholders not yet filled. */
  readonly command: readonly string[];
  /** Where the adapter's arguments are inserted; null: only where `{{args}}` stands, or it has none. */
  readonly argumentsAt: number | null;
  readonly stopTimeoutMs: number;
  readonly restart: Restart;
};

export type HooksConfig = {
  readonly init: readonly string[] | null;
  readonly bootstrap: readonly string[] | null;
  readonly join: readonly string[] | null;
  readonly membersChange: readonly string[] | null;
  readonly leaderChange: readonly string[] | null;
  readonly roleChange: readonly string[] | null;
  readonly leave: readonly string[] | null;
};

/** Paths of the files kept with the outcome. */
export type OutputsConfig = {
  readonly env: string | null;
  readonly json: string | null;
  readonly hosts: string | null;
};

export type LogConfig = {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly format: "text" | "json";
};

/** Everything a coordinator is told. Null: not given. */
export type CoordinatorConfig = {
  /** The last part of its events' source. */
  readonly name: string;
  readonly httpAddr: Address;
  readonly store: { readonly kind: "sqlite"; readonly path: string };
  /** A file or a directory of settings, applied and watched. */
  readonly apply: string | null;
  readonly tls: TlsConfig | null;
  /** Who changes something must show the token in it; who reads too, with `tokenForReads`. */
  readonly tokenFile: string | null;
  readonly tokenForReads: boolean;
  /** What -insecure lets others do, in words; null: nothing. */
  readonly exposure: string | null;
  /** Events that are older or more go. */
  readonly retain: { readonly ms: number; readonly events: number };
  /** What its server serves beside it; null: nothing. */
  readonly discoveryService: MountedServiceConfig | null;
  readonly log: LogConfig;
};

/** A Discovery Service below a path of another server, which has the rest of its settings. */
export type MountedServiceConfig = {
  readonly base: `/${string}`;
  readonly store: { readonly kind: "sqlite"; readonly path: string };
  /** How long an id is kept that nobody asks for. */
  readonly unusedMs: number;
};

/** Everything a Discovery Service is told. Null: not given. */
export type DiscoveryServiceConfig = {
  readonly httpAddr: Address;
  readonly store: { readonly kind: "sqlite"; readonly path: string };
  /** How long an id is kept that nobody asks for. */
  readonly unusedMs: number;
  readonly tls: TlsConfig | null;
  /** Everybody must show the token in it. */
  readonly tokenFile: string | null;
  /** What -insecure lets others do, in words; null: nothing. */
  readonly exposure: string | null;
  readonly log: LogConfig;
};

/** How a command asks a running agent or coordinator. */
export type ClientConfig = {
  readonly asked: "agent" | "coordinator";
  readonly addr: Address;
  /** As messages name it: `host:port`, or the coordinator's URL. */
  readonly name: string;
  /** Null: plain HTTP. */
  readonly tls: {
    readonly caFile: string | null;
    readonly certFile: string | null;
    readonly keyFile: string | null;
  } | null;
  readonly tokenFile: string | null;
};

/**
 * What a provider's own schema says of its configuration. A problem is `key: what is wrong`, without values;
 * `value` is what `openProvider` takes.
 */
export type ProviderCheck = (
  mode: ProviderMode,
  value: Readonly<Record<string, unknown>>,
) => Promise<
  | { readonly ok: true; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly problems: readonly string[] }
>;
