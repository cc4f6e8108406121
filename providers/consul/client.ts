/** The npm package's client, made from a configuration and the texts of its files. */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { isIP, isIPv6 } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type Consul from "consul";
import { type Address, formatAddress } from "../../src/core/address.ts";
import type { ProviderContext } from "../../src/core/provider.ts";
import { type Pems, readPems } from "../tls.ts";
import type { Config } from "./config.ts";

/** The package's class, which the mode's file imports lazily. */
export type ConsulClass = typeof Consul;

/** What is used of it. Its own types leave out half of the options and tell transactions wrongly. */
export interface ConsulClient {
  readonly kv: { get(options: object): Promise<unknown> };
  readonly health: { service(options: object): Promise<unknown> };
  readonly session: {
    create(options: object): Promise<unknown>;
    renew(options: object): Promise<unknown>;
    destroy(options: object): Promise<unknown>;
  };
  readonly transaction: { create(operations: readonly object[], options: object): Promise<unknown> };
  destroy(): void;
}

/** Sockets at once: a held watch takes one, and what does not fit waits for a free one within its own time-out. */
const MAX_SOCKETS = 8;
/** First TCP keep-alive probe after this much silence, so that a vanished machine ends a held request in 20 s. */
const KEEP_ALIVE_MS = 10_000;

/** The texts a client is made from. Secret. */
export type Ingredients = Pems & { readonly token: string | null };

/** Reads the files that the configuration names. Throws one line when one cannot be read. */
export async function readIngredients(config: Config, { file }: ProviderContext): Promise<Ingredients> {
  const { tls_config: tls } = config;
  const pems = await readPems(
    {
      caFile: tls?.ca_file,
      caPath: tls?.ca_path,
      caPem: tls?.ca_pem,
      certFile: tls?.cert_file,
      certPem: tls?.cert_pem,
      keyFile: tls?.key_file,
      keyPem: tls?.key_pem,
    },
    file,
  );
  // The file wins over the inline token unless it is empty, as in Consul's own client.
  const kept = config.token_file ? (await file(config.token_file)).trim() : "";
  return { ...pems, token: kept || config.token || null };
}

/** Connects to nothing yet. */
export function makeClient(Class: ConsulClass, config: Config, made: Ingredients): ConsulClient {
  const secure = config.scheme === "https";
  const pool = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, maxSockets: MAX_SOCKETS, maxFreeSockets: 2 };
  const { username = "", password = "" } = config.basic_auth ?? {};
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const options = {
    ...reach(config.address),
    secure,
    agent: secure ? new HttpsAgent({ ...pool, ...tlsOptions(config, made) }) : new HttpAgent(pool),
    headers: {
      host: formatAddress(config.address),
      ...(config.basic_auth ? { authorization: basic } : {}),
      // The package has no option for the namespace; Consul takes this header for `?ns=`.
      ...(config.namespace ? { "x-consul-namespace": config.namespace } : {}),
    },
    defaults: {
      ...(made.token === null ? {} : { token: made.token }),
      ...(config.datacenter ? { dc: config.datacenter } : {}),
      ...(config.partition ? { partition: config.partition } : {}),
    },
  };
  return new Class(options);
}

/**
 * The package puts the host into a URL and takes it out with its brackets, so that no IPv6 address is found. It
 * gets a name instead, and a `lookup` that answers with the address.
 */
function reach({ host, port }: Address): { host: string; port: number } {
  if (!isIPv6(host)) return { host, port };
  type Found = (error: null, addresses: { address: string; family: number }[]) => void;
  const lookup = (_name: string, _options: object, found: Found) =>
    found(null, [{ address: host, family: 6 }]);
  const options = { host: "consul.invalid", port, lookup };
  return options;
}

function tlsOptions({ address, tls_config: tls }: Config, { ca, cert, key }: Pems): object {
  const expected = tls?.address?.host ?? address.host;
  return {
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    rejectUnauthorized: tls?.insecure_skip_verify !== true,
    // A server name must not be an address (RFC 6066 §3), and the host of the URL may be made up.
    servername: isIP(expected) === 0 ? expected : "",
    checkServerIdentity: (_host: string, peer: PeerCertificate) => checkServerIdentity(expected, peer),
  };
}
