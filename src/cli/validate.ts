/** `rollcall validate`: what an agent would do with these flags, and where its safety ends. Contacts nobody. */
import { type AgentConfig, type DiscoConfig, hasStore, type ProviderMode } from "../config.ts";
import { formatAddress } from "../core/address.ts";
import { nodeNameOf, zoneOf } from "../core/dns-names.ts";
import { formatDuration } from "../lib/duration.ts";
import { codeOf } from "../lib/errors.ts";
import type { Io } from "./io.ts";
import { columns, wrap } from "./table.ts";
import type { Files } from "./usage.ts";

/** Prints `ok`, what will be used, the limits that apply, and which files of a provider are missing. The configuration was checked before. */
export async function run(config: AgentConfig, io: Io): Promise<number> {
  const limits = [...limitsOf(config), ...dnsLimits(config)].map((limit) => `limit: ${limit}`);
  const notes = missingFiles(config.disco, io.files).map((missing) => `note: ${missing}`);
  const said = [...limits, ...notes]
    .flatMap((text) => wrap(text, 100).map((line, at) => `${at === 0 ? "" : "  "}${line}\n`))
    .join("");
  io.stdout(`ok\n${columns(used(config))}${said}`);
  return 0;
}

function used(config: AgentConfig): readonly (readonly string[])[] {
  const { disco, httpAddr, httpAdvAddr, bootstrapExpect, bootstrapExpectTimeoutMs, db } = config;
  const waits = formatDuration(bootstrapExpectTimeoutMs);
  return [
    ["node id", config.nodeId ?? `kept in ${config.dataDir}, else the host's name`],
    ["listens", `${formatAddress(httpAddr)}, ${security(config)}`],
    ["others use", formatAddress(httpAdvAddr)],
    ["DNS", dnsOf(config)],
    ["data", config.dataDir],
    ["key", `${disco.key} (${disco.mode})`],
    ["votes", config.voter ? `yes, of ${bootstrapExpect}, overdue after ${waits}` : "no, it joins only"],
    ["genesis", `${config.genesis}, ${config.formation}`],
    [
      "database",
      [...(db.kind === "none" ? [] : [db.kind]), db.advAddr, db.peerAddr, db.dataDir]
        .filter((part) => part !== null)
        .join(", ") || "none named",
    ],
    ...(db.addr === null ? [] : [["asked", `at ${db.addr}, every ${formatDuration(db.probeIntervalMs)}`]]),
    // Only the programs: their arguments may hold a password.
    ["started", config.supervision?.command[0] ?? "not by the agent"],
    ["hooks", hooksOf(config)],
    [
      "files",
      Object.values(config.outputs)
        .filter((path) => path !== null)
        .join(", ") || "none",
    ],
    ["log", `${config.log.level}, ${config.log.format}`],
  ];
}

function dnsOf({ dnsAddr, disco }: AgentConfig): string {
  if (dnsAddr === null) return "none";
  const zone = zoneOf(disco.key);
  return `${formatAddress(dnsAddr)}, ${zone.ok ? `leader.${zone.name}` : "no name to serve"}`;
}

function hooksOf({ hooks }: AgentConfig): string {
  const programs = Object.values(hooks).flatMap((command) => (command === null ? [] : [command[0] ?? ""]));
  return [...new Set(programs)].join(", ") || "none";
}

function security({ tls, clusterSecretFile, tokenFile, insecure }: AgentConfig): string {
  const parts = [
    tls && (tls.clientAuth ? "TLS with client certificates" : "TLS"),
    clusterSecretFile && "cluster secret",
    tokenFile && "token for readers",
    insecure && "INSECURE",
  ].filter((part) => typeof part === "string");
  return parts.length === 0 ? "this machine only" : parts.join(", ");
}

/** The cases in which two clusters can come of one key, as far as the flags leave them open. */
export function limitsOf(config: AgentConfig): readonly string[] {
  return hasStore(config.disco.mode) ? withStore(config) : withoutStore(config);
}

function withStore({ genesis, bootstrapExpect, voter }: AgentConfig): readonly string[] {
  const lone = "any one blank node";
  const group = `${bootstrapExpect} blank voters that reach each other but no node of the old cluster`;
  const wiped = `a wiped store and ${bootstrapExpect === 1 ? lone : group} make a second cluster; -genesis=strict closes it`;
  return [
    ...(genesis === "auto" && voter ? [wiped] : []),
    ...(genesis === "auto" && voter && bootstrapExpect === 1
      ? [
          "-bootstrap-expect=1: the first node alone creates the cluster; give the number of voters on every node if there are more",
        ]
      : []),
    "a store rolled back to a backup from before the cluster was sealed, with no node of the cluster in reach, allows a second one",
    "`rollcall genesis rebirth` while nodes of the old cluster run leaves both running until those are stopped; so does a foreign program that forms clusters under the key",
  ];
}

function withoutStore({ bootstrapExpect, disco, voter }: AgentConfig): readonly string[] {
  const alone = disco.mode === "static" && isNobody(disco.provider.addresses);
  const foreign = "a foreign program that forms clusters under the key makes a second one";
  if (alone)
    return [
      "-join=self: this node alone is the cluster, and every other node started so is another",
      foreign,
    ];
  const twice = `without a store, ${2 * bootstrapExpect} or more voters under the key, or voters with different -bootstrap-expect that do not see each other, can make two clusters`;
  return [...(voter ? [twice] : []), foreign];
}

function isNobody(addresses: unknown): boolean {
  return Array.isArray(addresses) && addresses.length === 0;
}

/** What of a cluster's key and of this node's id has no name in DNS, where DNS is asked for. */
function dnsLimits({ dnsAddr, disco, nodeId }: AgentConfig): readonly string[] {
  if (dnsAddr === null) return [];
  const zone = zoneOf(disco.key);
  if (!zone.ok) return [`-dns-addr serves nothing: the key ${disco.key} ${zone.problem}`];
  const name = nodeId === null ? null : nodeNameOf(nodeId, zone.name);
  return name === null || name.ok
    ? []
    : [`-dns-addr serves no name for this node alone: the node id ${nodeId} ${name.problem}`];
}

/** Files that -disco-config names and that cannot be read now. Whoever writes them may still do so: an agent tries again. */
function missingFiles({ mode, provider }: DiscoConfig, files: Files): readonly string[] {
  return filesIn(provider, mode, []).flatMap(({ key, path }) => {
    try {
      files.list(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT")
        return [`-disco-config: ${key}: ${path}: no such file; the agent waits for it`];
    }
    return [];
  });
}

type NamedFile = { readonly key: string; readonly path: string };

function filesIn(value: unknown, mode: ProviderMode, keys: readonly string[]): readonly NamedFile[] {
  if (typeof value === "object" && value !== null)
    return Object.entries(value).flatMap(([key, inner]) => filesIn(inner, mode, [...keys, key]));
  const [key, above] = [keys.at(-1) ?? "", keys.at(-2)];
  const isFile = /_file$|^ca_cert$|^client_cert$/.test(key) || above === "headers_file";
  const named = isFile || (mode === "file" && key === "path" && above === undefined);
  return named && typeof value === "string" && value !== "" ? [{ key: keys.join("."), path: value }] : [];
}
