/** One request to a running agent or coordinator. */
import * as http from "node:http";
import * as https from "node:https";
import * as z from "zod";
import type { ClientConfig } from "../config.ts";
import { decode } from "../core/model.ts";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";
import { withDeadline } from "../lib/loop.ts";
import type { Io } from "./io.ts";
import { usageError } from "./usage.ts";

const LIMIT_MS = 5_000;
const MOST_BYTES = 8 * 1024 * 1024;

export type Answer = { readonly status: number; readonly body: string };

const ErrorBody = z.looseObject({
  error: z.looseObject({ code: z.string().optional(), message: z.string(), hint: z.string().nullish() }),
});

/** What is asked: a path to read, or one to send `body` to. `limitMs`: 5 s unless told. */
export type Question = {
  readonly path: string;
  readonly body?: string;
  /** GET without a body and POST with one, unless told. */
  readonly method?: "GET" | "POST" | "DELETE";
  readonly limitMs?: number;
};

/** The body of a good answer. Throws one line that names who was asked for everything else. */
export async function ask(question: string | Question, config: ClientConfig, io: Io): Promise<string> {
  const asked = typeof question === "string" ? { path: question } : question;
  const answer = await request(asked, config, io);
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  throw refusal(asked.path, answer, config);
}

/** What an answer that is not good comes to, in one line. */
export function refusal(path: string, { status, body }: Answer, config: ClientConfig): RollcallError {
  const { asked, name } = config;
  const said = decode(ErrorBody, body);
  const facts = { status };
  if (!said.ok && status !== 401)
    return new RollcallError("ask", `ask ${name}: ${status} for ${path}; is it a rollcall ${asked}?`, {
      facts,
    });
  const { code, message, hint } = said.ok
    ? said.value.error
    : { code: null, message: "unauthorized", hint: null };
  if (code === "other_key") return usageError(`-disco-key: ${message}`);
  return new RollcallError("ask", `ask ${name}: ${message}`, {
    hint: credentialHint(status, config) ?? inCommands(hint || null),
    facts,
  });
}

/** A coordinator's hint, to whoever types commands. */
function inCommands(hint: string | null): string | null {
  return hint?.replace(/\bGET \/v1\/(clusters|discoveries|settings)\b/, "`rollcall get $1`") ?? null;
}

/** Whatever is answered. Throws one line that names who was asked when there is no answer in time. */
export async function request(question: Question, config: ClientConfig, io: Io): Promise<Answer> {
  const { limitMs = LIMIT_MS } = question;
  const options = await requestOptions(config, io);
  const outer = new AbortController().signal;
  const what = `ask ${config.name}`;
  return withDeadline(io.pacing.clock, outer, limitMs, what, (signal) =>
    send(question, { ...options, signal }, config.tls !== null),
  ).catch((error: unknown) => {
    throw unanswered(error, config);
  });
}

/** What it comes to that there is no answer, in one line with what helps. */
export function unanswered(error: unknown, { asked, name }: ClientConfig): RollcallError {
  const late = error instanceof RollcallError && error.code === "deadline";
  if (error instanceof RollcallError && !late) return error;
  const code = codeOf(error) ?? "";
  const refused = code === "ECONNREFUSED";
  const message = late ? error.message : `ask ${name}: ${refused ? "nobody listens there" : reason(error)}`;
  if (asked === "agent")
    return new RollcallError("ask", message, { hint: refused ? "-addr names another agent" : null });
  const hint = late ? "it runs, and does not answer: its log may say why" : hintFor(code);
  return new RollcallError("ask", message, { hint });
}

function hintFor(code: string): string {
  if (code === "EPROTO" || code === "HPE_INVALID_CONSTANT")
    return "does -coordinator begin with http:// or https:// as it should?";
  if (code.includes("ALERT")) return "it wants another certificate: -tls-cert and -tls-key";
  if (/CERT|SIGNATURE|ISSUER/.test(code)) return "-tls-ca names who signed its certificate";
  return "start it with `rollcall coordinator`, or name another with -coordinator";
}

function credentialHint(status: number, { asked, tokenFile }: ClientConfig): string | null {
  if (status !== 401 || asked === "agent") return null;
  return tokenFile === null ? "-token-file names the file with its token" : "-token-file holds another token";
}

/** What a request to `config` is sent with; reads its files. Throws `file`. */
export async function requestOptions(
  { addr, tls, tokenFile }: ClientConfig,
  io: Io,
): Promise<https.RequestOptions> {
  const read = (path: string | null) => (path === null ? null : io.file(path));
  const [token, ca, cert, key] = await Promise.all([
    read(tokenFile),
    read(tls?.caFile ?? null),
    read(tls?.certFile ?? null),
    read(tls?.keyFile ?? null),
  ]);
  return {
    host: addr.host,
    port: addr.port,
    agent: false,
    headers: { accept: "application/json", ...(token && { authorization: `Bearer ${token.trim()}` }) },
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  };
}

function send(
  { path, body, method }: Question,
  options: https.RequestOptions,
  secure: boolean,
): Promise<Answer> {
  const how = { ...options, path, method: method ?? (body === undefined ? "GET" : "POST") };
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).request(how, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > MOST_BYTES) request.destroy(new Error("the answer is too long"));
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    request.on("error", reject);
    request.end(body);
  });
}
