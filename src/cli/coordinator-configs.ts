/** From settings to what a coordinator and a Discovery Service work with, and to how the commands reach a coordinator. Every problem is one usage line. */
import { dirname, join, parse } from "node:path";
import type { ClientConfig, CoordinatorConfig, DiscoveryServiceConfig, Settings } from "../config.ts";
import { formatAddress, isLoopback } from "../core/address.ts";
import { codeOf } from "../lib/errors.ts";
import { checkFiles, checkKeyPair, checkTls, checkTlsPair } from "./checks.ts";
import { tlsConfig } from "./configs.ts";
import { UNUSED } from "./discovery-service-flags.ts";
import { type Files, readGiven, usageError } from "./usage.ts";

/** What checking needs of the world; an Io is one. */
export type CoordinatorDeps = {
  readonly files: Files;
  readonly hostName: string;
  /** The log goes to standard error, in colour and as text when that is a terminal. */
  readonly terminal: { readonly stderr: boolean };
};

/** Everything for `rollcall coordinator`. Throws a usage error. */
export function coordinatorConfig(s: Settings, deps: CoordinatorDeps): CoordinatorConfig {
  checkTls(s);
  if (s.token_for_reads && s.token_file === null) throw usageError("-token-for-reads: needs -token-file");
  if (s.forget_unused !== null && !s.discovery_service)
    throw usageError("-forget-unused: needs -discovery-service");
  checkReach(s);
  checkFiles(s, deps.files);
  checkKeyPair(s, deps.files);
  if (s.apply !== null) checkThere(s.apply, deps.files);
  const path = storePath(s.store, "rollcall.db", deps.files);
  return {
    name: s.name ?? nameOf(deps.hostName),
    httpAddr: s.http_addr,
    store: { kind: "sqlite", path },
    apply: s.apply,
    tls: tlsConfig(s),
    tokenFile: s.token_file,
    tokenForReads: s.token_for_reads,
    exposure: exposureOf(s, "read what it knows"),
    retain: { ms: s.retain, events: s.retain_events },
    discoveryService: s.discovery_service
      ? {
          base: "/discovery",
          store: { kind: "sqlite", path: besides(path) },
          unusedMs: s.forget_unused ?? UNUSED.ms,
        }
      : null,
    log: { level: s.log_level, format: s.log_format ?? (deps.terminal.stderr ? "text" : "json") },
  };
}

/** Everything for `rollcall discovery`. Throws a usage error. */
export function discoveryServiceConfig(
  s: Settings,
  { files, terminal }: Pick<CoordinatorDeps, "files" | "terminal">,
): DiscoveryServiceConfig {
  checkTls(s);
  checkReach(s);
  checkFiles(s, files);
  checkKeyPair(s, files);
  return {
    httpAddr: s.http_addr,
    store: { kind: "sqlite", path: storePath(s.store, "rollcall-discovery.db", files) },
    unusedMs: s.forget_unused ?? UNUSED.ms,
    tls: tlsConfig(s),
    tokenFile: s.token_file,
    exposure: exposureOf(s, "change what it keeps"),
    log: { level: s.log_level, format: s.log_format ?? (terminal.stderr ? "text" : "json") },
  };
}

/** How to reach the coordinator at -coordinator. Throws a usage error. */
export function coordinatorClient(s: Settings, files: Files): ClientConfig {
  const url = checkUrl(s.coordinator);
  checkTlsPair(s);
  checkFiles(s, files);
  checkKeyPair(s, files);
  const secure = url.protocol === "https:";
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  return {
    asked: "coordinator",
    addr: { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port },
    name: url.origin,
    tls: secure ? { caFile: s.tls_ca, certFile: s.tls_cert, keyFile: s.tls_key } : null,
    tokenFile: s.token_file,
  };
}

/** Beyond loopback everybody could change what is polled or kept, and read tokens on the way. */
function checkReach(s: Settings): void {
  if (s.insecure || isLoopback(s.http_addr.host)) return;
  const open = `-http-addr: ${formatAddress(s.http_addr)} is open beyond this machine`;
  if (s.token_file === null) throw usageError(`${open} and needs -token-file with TLS, or -insecure`);
  if (s.tls_cert === null)
    throw usageError(`${open}, where a token needs TLS: it needs -tls-cert and -tls-key, or -insecure`);
}

/** What others than this machine can do because of -insecure; null: nothing. `openly`: without token and certificates. */
function exposureOf(s: Settings, openly: string): string | null {
  if (!s.insecure || isLoopback(s.http_addr.host)) return null;
  if (s.token_file === null && !s.tls_client_auth) return `-insecure: anybody who reaches it can ${openly}`;
  return s.tls_cert === null ? "-insecure: whoever listens on the way can read the token" : null;
}

/** A file or a directory; what is in it is for those who apply it. */
function checkThere(path: string, files: Files): void {
  try {
    files.list(path);
  } catch (error) {
    if (codeOf(error) !== "ENOTDIR") throw usageError(`-apply: ${path}: no such file or directory`);
    readGiven(files, "-apply", path);
  }
}

function storePath(text: string, usual: string, files: Files): string {
  // Neither a URL nor one of SQLite's own words, which promise something else than a file.
  const path = /^sqlite:(?!\/\/|:memory:|file:)(.+)$/.exec(text)?.[1];
  // What is not understood is not repeated: it may be the URL of a database, with a password.
  if (path === undefined) throw usageError(`-store: must be sqlite:FILE, as in sqlite:./${usual}`);
  try {
    files.list(dirname(path));
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR")
      throw usageError(`-store: ${dirname(path)}: no such directory`);
  }
  return path;
}

/** Beside `rollcall.db`: `rollcall-discovery.db`, as `rollcall discovery` would name it there. */
function besides(path: string): string {
  const { dir, name, ext } = parse(path);
  return join(dir, `${name}-discovery${ext}`);
}

function checkUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  // Neither line repeats the URL: a password in it would end in logs.
  if (url === null || !/^https?:$/.test(url.protocol))
    throw usageError(
      "-coordinator: must be a URL that begins with http:// or https://, as in http://127.0.0.1:4200",
    );
  if (/[@?#]/.test(text) || url.pathname !== "/")
    throw usageError("-coordinator: must be only http(s)://HOST:PORT, without user, path, query or fragment");
  return url;
}

/** A host's name as `-name` may be. */
function nameOf(hostName: string): string {
  return hostName.replaceAll(/[^A-Za-z0-9._-]/g, "-").slice(0, 128) || "coordinator";
}
