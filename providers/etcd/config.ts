/** The configuration of mode etcd-kv: that of etcd's own Go client, as rqlite takes it, plus ours. */
import * as z from "zod";
import { type Address, parseAddress } from "../../src/core/address.ts";
import { Duration, Timeout } from "../duration.ts";

const text = z.string().optional();
const bytes = z.int().min(0).optional();

/** What the endpoints' schemes say. "unsaid": without a scheme TLS is used when it is configured. */
type Endpoints = { readonly list: readonly Address[]; readonly scheme: "https" | "http" | "unsaid" };

const Endpoints = z
  .array(z.string())
  .default(["localhost:2379"])
  .transform((given, context): Endpoints => {
    const refuse = (message: string): Endpoints => {
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    };
    const list: Address[] = [];
    const schemes = new Set<Endpoints["scheme"]>();
    for (const endpoint of given) {
      const [, scheme, rest = ""] = /^(?:(https?):\/\/)?(.*?)\/?$/.exec(endpoint) ?? [];
      const parsed = parseAddress(rest, 2379);
      if (!parsed.ok) return refuse(`${JSON.stringify(endpoint)} ${parsed.problem}`);
      schemes.add(scheme === "https" || scheme === "http" ? scheme : "unsaid");
      list.push(parsed.value);
    }
    const [scheme] = schemes;
    if (scheme === undefined) return refuse("must name at least one endpoint");
    if (schemes.size > 1) return refuse("must all be https://, all http://, or all without a scheme");
    return { list, scheme };
  });

/**
 * The JSON of `-disco-config` for this mode: the keys of etcd's Go client, as rqlite takes them, and ours with an
 * underscore. Empty strings and zeros count as not given. Accepted without effect, so that one file serves both:
 * - `auto-sync-interval`, `reject-old-cluster`: the endpoints are those given, and nothing asks for their version;
 * - `max-unary-retries`, `backoff-…`: no call is repeated on one endpoint; the agent paces its own tries;
 * - `TLS.InsecureSkipVerify`: the package has no such option. Name the authority in `ca_file` instead.
 */
export const Config = z
  .strictObject({
    endpoints: Endpoints,
    username: text,
    password: text,
    /** Holds the password; read again when it changes. */
    password_file: text,
    /** A token (JWT) to send instead of logging in. */
    token: text,
    /** The default of `timeout`. */
    "dial-timeout": Duration.optional(),
    /** An idle connection with a call on it is tested after this time; default 10 s. */
    "dial-keep-alive-time": Duration.optional(),
    /** It is given up when the test has no answer in this time; default 5 s. */
    "dial-keep-alive-timeout": Duration.optional(),
    /** Test idle connections without a call too; needs a server that permits it. */
    "permit-without-stream": z.boolean().optional(),
    /** Bytes of the largest request (default 2 MiB) and answer (64 MiB). Go's name, and the same in the other style. */
    MaxCallSendMsgSize: bytes,
    MaxCallRecvMsgSize: bytes,
    "max-call-send-msg-size": bytes,
    "max-call-recv-msg-size": bytes,
    "auto-sync-interval": Duration.optional(),
    "reject-old-cluster": z.boolean().optional(),
    "max-unary-retries": z.int().min(0).optional(),
    "backoff-wait-between": Duration.optional(),
    "backoff-jitter-fraction": z.number().optional(),
    "backoff-exponent": z.number().optional(),
    "backoff-max-wait-between": Duration.optional(),
    /** Go's tls.Config as far as JSON can say it. `ServerName`: the name in the server's certificate. */
    TLS: z.strictObject({ InsecureSkipVerify: z.boolean().optional(), ServerName: text }).nullish(),
    /** PEM files: the authorities to trust instead of Node's own, the certificate and key to show. */
    ca_file: text,
    cert_file: text,
    key_file: text,
    /** How long etcd may stay silent; `dial-timeout`, else 5 s. Gives milliseconds. */
    timeout: Timeout.optional(),
  })
  .superRefine((config, context) => {
    const refuse = (key: string, message: string) =>
      context.addIssue({ code: "custom", path: [key], message });
    if (config.password && config.password_file) refuse("password_file", "excludes password");
    const password = config.password ? "password" : config.password_file ? "password_file" : null;
    if (password !== null && !config.username) refuse(password, "needs username");
    if (password === null && config.username) refuse("username", "needs password or password_file");
    if (config.token && config.username) refuse("token", "excludes username");
    if (config.cert_file && !config.key_file) refuse("cert_file", "needs key_file");
    if (config.key_file && !config.cert_file) refuse("key_file", "needs cert_file");
    const file = config.ca_file ? "ca_file" : config.cert_file ? "cert_file" : null;
    if (file !== null && config.endpoints.scheme === "http") refuse(file, "needs https:// in endpoints");
  });
export type Config = z.infer<typeof Config>;
