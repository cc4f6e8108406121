/**
 * From settings to what an agent or a command works with. Every problem is one usage line; nothing touches the
 * world but through `ConfigDeps`.
 */
import type {
  AgentConfig,
  ClientConfig,
  DiscoConfig,
  ProviderCheck,
  Settings,
  TlsConfig,
} from "../config.ts";
import { type Address, formatAddress, isLoopback, isWildcard } from "../core/address.ts";
import {
  advertisedAddress,
  checkApart,
  checkDirectories,
  checkDisco,
  checkFiles,
  checkHook,
  checkKeyPair,
  checkListening,
  checkTls,
  checkTlsPair,
} from "./checks.ts";
import { databasePart, hooksConfig, outputsConfig } from "./database.ts";
import { checkGenesis, expected, joined, providerMode } from "./discovery.ts";
import { type Files, usageError } from "./usage.ts";

/** What checking needs of the world; an Io is one. */
export type ConfigDeps = {
  readonly files: Files;
  readonly checkProviderConfig: ProviderCheck;
  /** The log goes to standard error, in colour and as text when that is a terminal. */
  readonly terminal: { readonly stderr: boolean };
};

/** Everything for `rollcall agent`. Throws a usage error. */
export async function agentConfig(s: Settings, deps: ConfigDeps): Promise<AgentConfig> {
  const disco = await discoConfig(s, deps);
  const bootstrapExpect = expected(s, disco.mode);
  checkGenesis(s, disco.mode);
  const httpAdvAddr = advertisedAddress(s);
  checkListening(s);
  checkTls(s);
  const { db, formation, supervision, nodeId } = await databasePart(s, httpAdvAddr);
  checkApart(s, httpAdvAddr, db);
  checkHook(s, formation);
  checkFiles(s, deps.files);
  checkKeyPair(s, deps.files);
  checkDirectories(s, db.dataDir, deps.files);
  return {
    nodeId: s.node_id ?? nodeId,
    httpAddr: s.http_addr,
    httpAdvAddr,
    dnsAddr: s.dns_addr,
    dataDir: s.data_dir,
    disco,
    bootstrapExpect,
    bootstrapExpectTimeoutMs: s.bootstrap_expect_timeout,
    exitOnTimeout: s.exit_on_timeout,
    voter: !s.non_voter,
    genesis: s.genesis,
    formation,
    db,
    supervision,
    hooks: hooksConfig(s),
    outputs: outputsConfig(s),
    tls: tlsConfig(s),
    tokenFile: s.token_file,
    clusterSecretFile: s.cluster_secret_file,
    insecure: s.insecure,
    log: { level: s.log_level, format: s.log_format ?? (deps.terminal.stderr ? "text" : "json") },
  };
}

/** Where peers are found, for the commands that need no more. Throws a usage error. */
export async function discoConfig(s: Settings, deps: ConfigDeps): Promise<DiscoConfig> {
  const mode = providerMode(s);
  checkDisco(s);
  const checked = await deps.checkProviderConfig(mode, providerSettings(s));
  const flag = mode === "static" ? "-join" : "-disco-config";
  if (!checked.ok) throw usageError(`${flag}: ${checked.problems.join("; ")}`);
  return { mode, key: s.disco_key ?? s.disco_id ?? "rollcall", provider: checked.value };
}

/** -disco-config, with what flags of their own say. */
function providerSettings(s: Settings): Readonly<Record<string, unknown>> {
  if (s.join !== null) return { addresses: joined(s.join) };
  return s.disco_mode === "disco" ? { ...s.disco_config, url: s.disco_url, id: s.disco_id } : s.disco_config;
}

/** How to reach a running agent: -addr, else where the agent's own flags say it is. Throws a usage error. */
export function clientConfig(s: Settings, files: Files): ClientConfig {
  checkTlsPair(s);
  checkFiles(s, files);
  checkKeyPair(s, files);
  const { tls_ca: caFile, tls_cert: certFile, tls_key: keyFile } = s;
  const secure = caFile !== null || certFile !== null;
  const addr = s.addr ?? nearestAddress(s, secure);
  return {
    asked: "agent",
    addr,
    name: formatAddress(addr),
    tls: secure ? { caFile, certFile, keyFile } : null,
    tokenFile: s.token_file,
  };
}

/** Reading on this machine needs no token, so it is preferred, except where a certificate names the advertised host. */
function nearestAddress(s: Settings, secure: boolean): Address {
  const { host, port } = s.http_addr;
  if (s.http_adv_addr !== null && (secure || !(isWildcard(host) || isLoopback(host)))) return s.http_adv_addr;
  return isWildcard(host) ? { host: host.includes(":") ? "::1" : "127.0.0.1", port } : s.http_addr;
}

/** The server's side of TLS, from files that were checked; null: plain HTTP. */
export function tlsConfig(s: Settings): TlsConfig | null {
  if (s.tls_cert === null || s.tls_key === null) return null;
  return { certFile: s.tls_cert, keyFile: s.tls_key, caFile: s.tls_ca, clientAuth: s.tls_client_auth };
}
