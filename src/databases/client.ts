/** What adapters that ask over HTTP have in common: their part of `-db-config`, addresses, and a client with both. */
import { Buffer } from "node:buffer";
import * as z from "zod";
import { type Address, formatAddress, parseAddress } from "../core/address.ts";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";
import { type Answer, type Ask, type Client, type ClientTls, openClient } from "../lib/request.ts";

const text = z.string().min(1, "must not be empty").optional();

/** The keys of every configuration here. Nothing is transformed, so it may be parsed twice. */
export const CONNECTION = {
  username: text,
  password: z.string().optional(),
  /** Holds the password; read again when it changes. */
  password_file: text,
  /** PEM: whom to trust instead of the system's authorities. */
  ca_file: text,
  /** PEM: what to show. */
  cert_file: text,
  key_file: text,
  insecure_skip_verify: z.boolean().default(false),
};
const Connection = z.object(CONNECTION);
export type Connection = z.infer<typeof Connection>;

/** What the keys of a connection say together; for `superRefine`. */
export function checkConnection(config: Connection, context: z.RefinementCtx): void {
  const refuse = (key: keyof Connection, message: string) =>
    context.addIssue({ code: "custom", path: [key], message });
  const { username, password, password_file, cert_file, key_file } = config;
  if (password !== undefined && password_file) refuse("password_file", "excludes password");
  if (username && password === undefined && !password_file)
    refuse("username", "needs password or password_file");
  if (!username && password !== undefined) refuse("password", "needs username");
  if (!username && password_file) refuse("password_file", "needs username");
  if (cert_file && !key_file) refuse("cert_file", "needs key_file");
  if (key_file && !cert_file) refuse("key_file", "needs cert_file");
}

/** Whether the configuration makes sense over TLS only. */
export function wantsTls({ ca_file, cert_file, insecure_skip_verify }: Connection): boolean {
  return Boolean(ca_file || cert_file) || insecure_skip_verify;
}

/** Where to ask. */
export type Endpoint = Address & { readonly secure: boolean };

/**
 * Reads `host:port`, with `http://` or `https://` before it or not: `secure` is for those without. Throws
 * `bad_address` with what is wrong.
 */
export function parseEndpoint(address: string, defaultPort: number, secure: boolean): Endpoint {
  const [, scheme, rest = ""] = /^(?:(https?):\/\/)?(.*?)\/?$/is.exec(address) ?? [];
  const parsed = parseAddress(rest, defaultPort);
  if (!parsed.ok) throw new RollcallError("bad_address", `${address} ${parsed.problem}`);
  return { ...parsed.value, secure: scheme === undefined ? secure : scheme.toLowerCase() === "https" };
}

/** One request, beside where it goes. */
export type Call = Pick<Ask, "method" | "path" | "body" | "headers">;

/**
 * A client that shows what the configuration says, as it is on disk now. `send` gives every answer that comes;
 * it rejects with `unreachable`, in one line that names the address, when none does, and with what ended the signal.
 */
export function openDatabaseClient(config: Connection, file: (path: string) => Promise<string>) {
  const plain = openClient(null);
  let secured: { readonly client: Client; readonly from: string } | null = null;

  const secure = async (): Promise<Client> => {
    const tls = await tlsOf(config, file);
    const from = JSON.stringify(tls);
    if (secured?.from !== from) {
      secured?.client.close();
      secured = { client: openClient(tls), from };
    }
    return secured.client;
  };

  return {
    async send(endpoint: Endpoint, call: Call, signal: AbortSignal): Promise<Answer> {
      const client = endpoint.secure ? await secure() : plain;
      const headers = { ...call.headers, ...(await basicAuth(config, file)) };
      try {
        return await client.send({ ...call, headers, host: endpoint.host, port: endpoint.port, signal });
      } catch (error) {
        if (signal.aborted) throw error;
        throw new RollcallError("unreachable", `${formatAddress(endpoint)}: ${inWords(error, endpoint)}`);
      }
    },
    close() {
      plain.close();
      secured?.client.close();
    },
  };
}
export type DatabaseClient = ReturnType<typeof openDatabaseClient>;

async function tlsOf(config: Connection, file: (path: string) => Promise<string>): Promise<ClientTls> {
  const read = (path: string | undefined) => (path ? file(path) : null);
  const [ca, cert, key] = await Promise.all([
    read(config.ca_file),
    read(config.cert_file),
    read(config.key_file),
  ]);
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(config.insecure_skip_verify && { rejectUnauthorized: false }),
  };
}

async function basicAuth(
  { username, password, password_file }: Connection,
  file: (path: string) => Promise<string>,
): Promise<{ authorization?: string }> {
  if (!username) return {};
  const secret = password_file ? (await file(password_file)).replace(/\r?\n$/, "") : (password ?? "");
  return { authorization: `Basic ${Buffer.from(`${username}:${secret}`).toString("base64")}` };
}

function inWords(error: unknown, { secure }: Endpoint): string {
  const cause = error instanceof RollcallError ? error.cause : error;
  const code = codeOf(cause) ?? "";
  const told = reason(error);
  if (code === "ECONNREFUSED") return "connection refused";
  if (code === "ECONNRESET" || code === "EPIPE") return "connection reset";
  if (code === "ENOTFOUND") return "no such host";
  if (code === "EPROTO" || /wrong version number/i.test(told))
    return secure ? "no TLS is spoken there, or not ours" : "the answer is not HTTP";
  return told;
}
