/** The rules that concern more than one flag, or what a flag names, each with its one line. All throw usage errors. */
import { join, relative, resolve, sep } from "node:path";
import { createSecureContext } from "node:tls";
import { type DatabaseConfig, LOCK, type Settings } from "../config.ts";
import {
  type Address,
  type AddressParsed,
  formatAddress,
  isLoopback,
  isWildcard,
  parseAddress,
} from "../core/address.ts";
import type { Formation } from "../core/model.ts";
import { isToken } from "../lib/bearer.ts";
import { codeOf } from "../lib/errors.ts";
import { holdsCertificates } from "../lib/pem.ts";
import { providerMode } from "./discovery.ts";
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

/**
 * Beyond loopback, somebody must be kept out, or the operator must say that nobody is. A certificate of its own
 * keeps nobody out: TLS without client certificates tells only who is being asked.
 */
export function checkListening(s: Settings): void {
  if (s.insecure && s.tls_client_auth) {
    throw usageError("-insecure: lets everybody in, -tls-client-auth does not; leave one of the two out");
  }
  const guarded = s.tls_client_auth || s.cluster_secret_file !== null || s.insecure;
  if (guarded || isLoopback(s.http_addr.host)) return;
  const open = `-http-addr: ${formatAddress(s.http_addr)} is open beyond this machine`;
  throw usageError(
    s.tls_cert === null
      ? `${open} and needs -cluster-secret-file, TLS with -tls-client-auth, or -insecure`
      : `${open}, and TLS alone keeps nobody out: it needs -tls-client-auth, -cluster-secret-file, or -insecure`,
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
  const parsed = parseDatabaseAddress(text, flag === "-db-peer-addr" ? 4002 : 4001);
  if (!parsed.ok) throw usageError(`${flag}: ${JSON.stringify(text)} ${parsed.problem}`);
  if (isWildcard(parsed.value.host)) {
    throw usageError(`${flag}: others cannot connect to ${text}; give this host's own address`);
  }
}

/** The agent and its database are on one machine, where a port is one program's, and one listener's of it. */
export function checkApart(s: Settings, advertised: Address, db: DatabaseConfig): void {
  const databases = [
    ["the database's", db.addr],
    ["the database's for clients", db.advAddr],
    ["the database's for its peers", db.peerAddr],
  ] as const;
  const listeners = [
    { flag: "-http-addr", at: advertised, taken: databases },
    { flag: "-http-addr", at: s.http_addr, taken: databases },
    {
      ...{ flag: "-dns-addr", at: s.dns_addr },
      taken: [["the agent's own, -http-addr", formatAddress(s.http_addr)] as const, ...databases],
    },
  ];
  for (const { flag, at, taken } of listeners)
    for (const [whose, text] of taken) {
      const parsed = parseDatabaseAddress(text ?? "");
      if (at !== null && parsed.ok && collide(parsed.value, at))
        throw usageError(`${flag}: ${formatAddress(at)} is also ${whose}; one of them needs another port`);
    }
}

/** Whether one who listens at the one is in the way of who does at the other. */
function collide(one: Address, other: Address): boolean {
  const plain = ({ host }: Address) => (host === "localhost" ? "127.0.0.1" : host);
  const covers = (all: string, host: string) => isWildcard(all) && (all.includes(":") || !host.includes(":"));
  const [a, b] = [plain(one), plain(other)];
  return one.port === other.port && (a === b || covers(a, b) || covers(b, a));
}

function parseDatabaseAddress(text: string, usualPort?: number): AddressParsed {
  return parseAddress(text.replace(/^https?:\/\//, "").replace(/\/$/, ""), undefined, usualPort);
}

/** -disco-id and -disco-url belong to mode disco, which needs both; -join needs no configuration. */
export function checkDisco(s: Settings): void {
  const mode = providerMode(s);
  if (mode === "static" && Object.keys(s.disco_config).length > 0) {
    throw usageError("-disco-config: belongs to -disco-mode, not to -join");
  }
  const pair = [
    ["-disco-url", s.disco_url, "url"],
    ["-disco-id", s.disco_id, "id"],
  ] as const;
  for (const [flag, value, key] of pair) {
    if (mode !== "disco" && value !== null) {
      throw usageError(`${flag}: belongs to -disco-mode=disco, not to ${s.disco_mode ?? "-join"}`);
    }
    if (mode !== "disco") continue;
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

/** Every file that a flag names is there, can be read and holds what it should; a secret is long enough. */
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
    const text = readGiven(files, flag, path).trim();
    const bytes = Buffer.byteLength(text);
    if (bytes === 0) throw usageError(`${flag}: ${path}: is empty`);
    if (flag === "-cluster-secret-file" && bytes < MIN_SECRET_BYTES) {
      throw usageError(`${flag}: ${path}: has ${bytes} bytes; a secret needs at least ${MIN_SECRET_BYTES}`);
    }
    if (flag === "-token-file" && !isToken(text))
      throw usageError(`${flag}: ${path}: must hold one token, in one line of ASCII`);
    if (flag === "-tls-ca" && !holdsCertificates(text))
      throw usageError(`${flag}: ${path}: is no certificate in PEM`);
  }
}

/** The certificate and the key, where they are given, can be read and belong together. */
export function checkKeyPair(s: Settings, files: Files): void {
  if (s.tls_cert === null || s.tls_key === null) return;
  const cert = readGiven(files, "-tls-cert", s.tls_cert);
  const key = readGiven(files, "-tls-key", s.tls_key);
  const works = (options: Parameters<typeof createSecureContext>[0]) => {
    try {
      createSecureContext(options);
      return true;
    } catch {
      return false; // The library's words are for programmers, and say nothing that the three lines below do not.
    }
  };
  if (works({ cert, key })) return;
  if (!works({ cert })) throw usageError(`-tls-cert: ${s.tls_cert}: is no certificate in PEM`);
  if (!works({ key }))
    throw usageError(`-tls-key: ${s.tls_key}: is no private key in PEM without a passphrase`);
  throw usageError(`-tls-key: ${s.tls_key}: is not the key of the certificate ${s.tls_cert}`);
}

/** The agent's own directory and the database's are two, each of which may be moved away without the other. */
export function checkDirectories(s: Settings, databaseDir: string | null, files: Files): void {
  if (Buffer.byteLength(join(s.data_dir, LOCK.name)) > LOCK.mostPathBytes) {
    throw usageError(
      `-data-dir: ${s.data_dir} is too long for the lock in it`,
      "use a path of at most 85 bytes, or a relative one",
    );
  }
  checkDirectory("-data-dir", s.data_dir, files);
  if (databaseDir === null) return;
  if (contains(s.data_dir, databaseDir) || contains(databaseDir, s.data_dir)) {
    throw usageError(
      `-db-data-dir: ${databaseDir} and -data-dir ${s.data_dir} are one, or one is in the other; each needs a place of its own`,
    );
  }
  checkDirectory("-db-data-dir", databaseDir, files);
}

function checkDirectory(flag: string, path: string, files: Files): void {
  try {
    // Says what is there without opening what is no directory.
    files.read(`${path}/.`);
  } catch (error) {
    if (codeOf(error) === "ENOTDIR") throw usageError(`${flag}: ${path}: is no directory`);
  }
}

/** One node initialises a database for the others to join; a symmetric cluster has no such node. */
export function checkHook(s: Settings, formation: Formation): void {
  if (s.on_init === null || formation !== "symmetric") return;
  const why = s.formation === null ? `, the default with -db=${s.db}` : "";
  throw usageError(
    `-on-init: does not go with -formation=symmetric${why}, where all start with the identical list and nobody initialises first`,
  );
}

function contains(outer: string, inner: string): boolean {
  const way = relative(resolve(outer), resolve(inner));
  return way !== ".." && !way.startsWith(`..${sep}`);
}
