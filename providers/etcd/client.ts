/** The npm package's client, made for one endpoint from a configuration and the texts of its files. */
import { getCACertificates } from "node:tls";
import type { Etcd3, IOptions } from "etcd3";
import { formatAddress } from "../../src/core/address.ts";
import type { ProviderContext } from "../../src/core/provider.ts";
import { type Pems, readPems } from "../tls.ts";
import type { Config } from "./config.ts";

/** The package's class, which the mode's file imports lazily. */
export type EtcdClass = typeof Etcd3;

/** The texts a client is made from. Secret. `turn` counts the clients: each has the next endpoint. */
export type Ingredients = Pems & { readonly password: string | null; readonly turn: number };

/** One client. `login` holds the token that is being, or has been, fetched; null: none yet. */
export type Client = {
  readonly etcd: Etcd3;
  readonly where: string;
  readonly turn: number;
  readonly password: string | null;
  login: Promise<string> | null;
};

/** Reads the files that the configuration names. Throws one line when one cannot be read. */
export async function readIngredients(
  config: Config,
  turn: number,
  context: ProviderContext,
): Promise<Ingredients> {
  const { ca_file: caFile, cert_file: certFile, key_file: keyFile } = config;
  const pems = await readPems({ caFile, certFile, keyFile }, context.file);
  const kept = config.password_file ? (await context.file(config.password_file)).replace(/\r?\n$/, "") : null;
  return { ...pems, password: kept ?? (config.password || null), turn };
}

/** Connects to nothing yet. */
export function makeClient(Class: EtcdClass, config: Config, made: Ingredients): Client {
  const { list, scheme } = config.endpoints;
  // A schema that lets no empty list pass cannot say so in the type.
  const endpoint = list[made.turn % list.length] ?? { host: "localhost", port: 2379 };
  const where = formatAddress(endpoint);
  const configured = Boolean(config.TLS) || made.ca !== null || made.cert !== null;
  const tls = scheme === "https" || (scheme === "unsaid" && configured);
  const options: IOptions = {
    hosts: `${tls ? "https" : "http"}://${where}`,
    grpcOptions: grpcOptions(config),
    // One attempt a call, on the one host: repeating is the caller's, and a transaction is never repeated.
    faultHandling: { host: () => once, global: once },
    ...credentials(made),
  };
  return { etcd: new Class(options), where, turn: made.turn, password: made.password, login: null };
}

/** A policy of cockatiel's that only calls. `_altReturn` exists in the type alone. */
const once = {
  get _altReturn(): never {
    throw new TypeError("_altReturn is never read");
  },
  onSuccess: () => ({ dispose() {} }),
  onFailure: () => ({ dispose() {} }),
  async execute<T>(call: (context: { signal: AbortSignal }) => PromiseLike<T> | T): Promise<T> {
    return call({ signal: new AbortController().signal });
  },
};

function credentials({ ca, cert, key }: Pems): Pick<IOptions, "credentials"> {
  // Without files the package takes TLS from the endpoint's scheme, and Node's own authorities.
  if (ca === null && cert === null) return {};
  return {
    credentials: {
      rootCertificate: Buffer.from(ca ?? getCACertificates("default").join("\n")),
      ...(cert === null || key === null
        ? {}
        : { certChain: Buffer.from(cert), privateKey: Buffer.from(key) }),
    },
  };
}

function grpcOptions(config: Config): NonNullable<IOptions["grpcOptions"]> {
  const serverName = config.TLS?.ServerName;
  return {
    // A half-open connection is noticed after the sum. etcd refuses pings more often than every 5 s by default.
    "grpc.keepalive_time_ms": config["dial-keep-alive-time"] || 10_000,
    "grpc.keepalive_timeout_ms": config["dial-keep-alive-timeout"] || 5_000,
    "grpc.keepalive_permit_without_calls": config["permit-without-stream"] ? 1 : 0,
    // The caller paces; a connection that backs off by itself would refuse calls for up to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.enable_retries": 0,
    // Neither a proxy from the environment nor a policy from DNS TXT records.
    "grpc.enable_http_proxy": 0,
    "grpc.service_config_disable_resolution": 1,
    "grpc.max_send_message_length":
      config.MaxCallSendMsgSize || config["max-call-send-msg-size"] || 2 * 1024 * 1024,
    "grpc.max_receive_message_length":
      config.MaxCallRecvMsgSize || config["max-call-recv-msg-size"] || 64 * 1024 * 1024,
    ...(serverName
      ? { "grpc.ssl_target_name_override": serverName, "grpc.default_authority": serverName }
      : {}),
  };
}
