/** One request to a running agent. */
import * as http from "node:http";
import * as https from "node:https";
import * as z from "zod";
import type { ClientConfig } from "../config.ts";
import { formatAddress } from "../core/address.ts";
import { decode } from "../core/model.ts";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";
import { withDeadline } from "../lib/loop.ts";
import type { Io } from "./io.ts";

const LIMIT_MS = 5_000;
const MOST_BYTES = 8 * 1024 * 1024;

export type Answer = { readonly status: number; readonly body: string };

const ErrorBody = z.looseObject({
  error: z.looseObject({ message: z.string(), hint: z.string().default("") }),
});

/** What is asked: a path to read, or one to send `body` to. `limitMs`: 5 s unless told. */
export type Question = { readonly path: string; readonly body?: string; readonly limitMs?: number };

/** The body of a 200 answer. Throws one line that names the agent for everything else. */
export async function ask(question: string | Question, config: ClientConfig, io: Io): Promise<string> {
  const asked = typeof question === "string" ? { path: question } : question;
  const { path } = asked;
  const { status, body } = await request(asked, config, io);
  if (status === 200) return body;
  const addr = formatAddress(config.addr);
  const said = decode(ErrorBody, body);
  if (!said.ok) throw new RollcallError("ask", `ask ${addr}: ${status} for ${path}; is it a rollcall agent?`);
  const { message, hint } = said.value.error;
  throw new RollcallError("ask", `ask ${addr}: ${message}`, { hint: hint === "" ? null : hint });
}

/** Whatever the agent answers. Throws one line that names it when there is no answer in time. */
export async function request(question: Question, config: ClientConfig, io: Io): Promise<Answer> {
  const { limitMs = LIMIT_MS } = question;
  const addr = formatAddress(config.addr);
  const options = await requestOptions(config, io);
  const outer = new AbortController().signal;
  return withDeadline(io.pacing.clock, outer, limitMs, `ask ${addr}`, (signal) =>
    send(question, { ...options, signal }, config.tls !== null),
  ).catch((error: unknown) => {
    if (error instanceof RollcallError) throw error;
    const refused = codeOf(error) === "ECONNREFUSED";
    throw new RollcallError("ask", `ask ${addr}: ${refused ? "nobody listens there" : reason(error)}`, {
      hint: refused ? "-addr names another agent" : null,
    });
  });
}

async function requestOptions({ addr, tls, tokenFile }: ClientConfig, io: Io): Promise<https.RequestOptions> {
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

function send({ path, body }: Question, options: https.RequestOptions, secure: boolean): Promise<Answer> {
  const method = body === undefined ? "GET" : "POST";
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).request({ ...options, path, method }, (response) => {
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
