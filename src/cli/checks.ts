/** The rules that concern more than one flag, each with its one line. All throw usage errors. */

import type { Settings } from "../config.ts";
import { type Address, formatAddress, isLoopback, isWildcard, parseAddress } from "../core/address.ts";
import { type Files, readGiven, usageError } from "./usage.ts";

/** Bytes a cluster secret has at least, white space around it not counted. */
export const MIN_SECRET_BYTES = 16;

/** What others connect to: -http-adv-addr, else -http-addr, and never a wildcard. */
export function advertisedAddress(s: Settings): Address {
  const advertised = s.http_adv_addr ?? s.http_addr;
  if (!isWildcard(advertised.host)) return advertised;
  const given =
    s.http_adv_addr === null ? `-http-addr ${formatAddress(advertised)}` : formatAddress(advertised);
  throw usageError(`-http-adv-addr: others cannot connect to ${given}; give this host's own address`);
}

/** Beyond loopback, somebody must be kept out, or the operator must say that nobody is. */
export function checkListening(s: Settings): void {
  const guarded = s.tls_cert !== null || s.cluster_secret_file !== null || s.insecure;
  if (guarded || isLoopback(s.http_addr.host)) return;
  throw usageError(
    `-http-addr: ${formatAddress(s.http_addr)} is open beyond this machine and needs -tls-cert and -tls-key, -cluster-secret-file, or -insecure`,
  );
}

/** A certificate and its key come together. */
export function checkTlsPair(s: Settings): void {
  if (s.tls_cert !== null && s.tls_key === null) throw usageError("-tls-cert: needs -tls-key");
  if (s.tls_key !== null && s.tls_cert === null) throw usageError("-tls-key: needs -tls-cert");
}

/** What an agent's TLS flags need of each other. */
export function checkTls(s: Settings): void {
  checkTlsPair(s);
  if (s.tls_client_auth && s.tls_ca === null) throw usageError("-tls-client-auth: needs -tls-ca");
  if (s.tls_ca !== null && s.tls_cert === null) throw usageError("-tls-ca: needs -tls-cert and -tls-key");
}

/** A database's address goes to others as it is: `host:port`, or a URL as rqlite writes it. */
export function checkDatabaseAddress(flag: string, text: string | null): void {
  if (text === null) return;
  const parsed = parseAddress(text.replace(/^https?:\/\//, "").replace(/\/$/, ""));
  if (!parsed.ok) throw usageError(`${flag}: ${JSON.stringify(text)} ${parsed.problem}`);
  if (isWildcard(parsed.value.host)) {
    throw usageError(`${flag}: others cannot connect to ${text}; give this host's own address`);
  }
}

/** -disco-id and -disco-url belong to mode disco, which needs both. */
export function checkDisco(s: Settings): void {
  const pair = [
    ["-disco-url", s.disco_url, "url"],
    ["-disco-id", s.disco_id, "id"],
  ] as const;
  for (const [flag, value, key] of pair) {
    if (s.disco_mode !== "disco" && value !== null) {
      throw usageError(`${flag}: belongs to -disco-mode=disco, not to ${s.disco_mode}`);
    }
    if (s.disco_mode !== "disco") continue;
    if (Object.hasOwn(s.disco_config, key)) throw usageError(`-disco-config: ${key}: is given with ${flag}`);
    if (value === null) throw usageError(`${flag}: is required with -disco-mode=disco`);
  }
  if (s.disco_url !== null) checkUrl(s.disco_url);
}

function checkUrl(url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  // Neither line repeats the URL: a password in it would end in logs.
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw usageError("-disco-url: must be a URL that begins with http:// or https://");
  }
  if (/[@?#]/.test(url)) throw usageError("-disco-url: must have no user, query or fragment");
}

/** Every file that a flag names is there, can be read and is not empty; a secret is long enough. */
export function checkFiles(s: Settings, files: Files): void {
  const named = [
    ["-tls-cert", s.tls_cert],
    ["-tls-key", s.tls_key],
    ["-tls-ca", s.tls_ca],
    ["-token-file", s.token_file],
    ["-cluster-secret-file", s.cluster_secret_file],
  ] as const;
  for (const [flag, path] of named) {
    if (path === null) continue;
    const bytes = Buffer.byteLength(readGiven(files, flag, path).trim());
    if (bytes === 0) throw usageError(`${flag}: ${path}: is empty`);
    if (flag === "-cluster-secret-file" && bytes < MIN_SECRET_BYTES) {
      throw usageError(`${flag}: ${path}: has ${bytes} bytes; a secret needs at least ${MIN_SECRET_BYTES}`);
    }
  }
}
