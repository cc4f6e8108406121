/** The configuration of mode consul-kv: rqlite's, plus `timeout`. */
import * as z from "zod";
import { parseAddress } from "../../src/core/address.ts";
import { Timeout } from "../duration.ts";

const text = z.string().optional();
/** PEM text in base64, which is what Go's JSON makes of bytes. Gives the PEM text. */
const pem = z
  .base64("must be base64")
  .transform((encoded) => Buffer.from(encoded, "base64").toString())
  .optional();
/** Gives host and port. */
const serverName = z.string().transform((given, context) => {
  const parsed = parseAddress(given, 443);
  if (parsed.ok) return parsed.value;
  context.addIssue({ code: "custom", message: `${JSON.stringify(given)} ${parsed.problem}` });
  return z.NEVER;
});

const Tls = z
  .strictObject({
    /** The name or address in the server's certificate, when it is not the one connected to. A port is ignored. */
    address: serverName.optional(),
    /** CA certificates: a file, a directory of files, PEM in base64. All that are given count. */
    ca_file: text,
    ca_path: text,
    ca_pem: pem,
    /** The certificate and key to show. */
    cert_file: text,
    cert_pem: pem,
    key_file: text,
    key_pem: pem,
    insecure_skip_verify: z.boolean().default(false),
  })
  .superRefine((tls, context) => {
    const refuse = (key: string, message: string) =>
      context.addIssue({ code: "custom", path: [key], message });
    if (tls.cert_file && tls.cert_pem) refuse("cert_pem", "excludes cert_file");
    if (tls.key_file && tls.key_pem) refuse("key_pem", "excludes key_file");
    const cert = tls.cert_file || tls.cert_pem;
    const key = tls.key_file || tls.key_pem;
    if (cert && !key) refuse(tls.cert_file ? "cert_file" : "cert_pem", "needs key_file or key_pem");
    if (key && !cert) refuse(tls.key_file ? "key_file" : "key_pem", "needs cert_file or cert_pem");
  });

/** The JSON of `-disco-config` for this mode: rqlite's keys and names. Empty strings count as not given. */
export const Config = z.strictObject({
  /** Consul's HTTP interface. Gives host and port. */
  address: z
    .string()
    .default("")
    .transform((given, context) => {
      const parsed = parseAddress(given === "" ? "127.0.0.1:8500" : given, 8500);
      if (parsed.ok) return parsed.value;
      const problem = /^https?:/i.test(given) ? `must be host:port; "scheme" chooses https` : parsed.problem;
      context.addIssue({ code: "custom", message: `${JSON.stringify(given)} ${problem}` });
      return z.NEVER;
    }),
  scheme: z.enum(["http", "https"]).default("http"),
  datacenter: text,
  basic_auth: z
    .strictObject({ username: z.string().default(""), password: z.string().default("") })
    .optional(),
  token: text,
  /** Holds the token; read again when it changes. */
  token_file: text,
  /** Consul Enterprise. */
  namespace: text,
  partition: text,
  tls_config: Tls.optional(),
  /** How long Consul may stay silent. Gives milliseconds. */
  timeout: Timeout.prefault("5s"),
});
export type Config = z.infer<typeof Config>;
