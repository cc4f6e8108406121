/** What is answered where no route is reached: to a request that is malformed, too large or too slow. */
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { RequestError } from "@hono/node-server";
import { codeOf, reason } from "./errors.ts";
import { problem } from "./problem.ts";

type Refusal = {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
};

/** Answers what Node's parser and its clocks refuse, which would get no body, and ends the connection. */
export function refuseMalformed(server: Server): void {
  server.on("clientError", (error, socket: Duplex) => {
    const refusal = refusalOf(error, server);
    // Who has begun to get an answer would take ours for a part of it.
    const { _httpMessage: answering } = socket as Socket & { _httpMessage?: ServerResponse | null };
    if (refusal === null || !socket.writable || answering?.headersSent) socket.destroy();
    else refuse(socket, refusal);
  });
  server.on("connect", (_: IncomingMessage, socket: Duplex) =>
    refuse(socket, malformed("CONNECT is for proxies")),
  );
  server.on("checkExpectation", (_: IncomingMessage, response: ServerResponse) => {
    const expected = {
      status: 417,
      code: "expectation_failed",
      message: "only 100-continue can be expected",
    };
    const { status, headers, body } = answerOf({ ...expected, hint: "leave the header Expect out" });
    response.writeHead(status, headers).end(body);
  });
}

/** The answer to a request of which the adapter could make none for the routes, or that failed outside of them. */
export function failedRequest(error: unknown): Response {
  const { status, headers, body } = answerOf(
    error instanceof RequestError
      ? malformed(error.message)
      : { status: 500, code: "internal", message: "the request failed", hint: "ask again" },
  );
  return new Response(body, { status, headers });
}

/** Null where nobody is there to be told, or what came is not for HTTP to answer, as in a TLS handshake. */
function refusalOf(error: Error, { headersTimeout, requestTimeout }: Server): Refusal | null {
  const code = codeOf(error) ?? "";
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return {
      ...{ status: 408, code: "timeout", message: "the request took too long" },
      hint: `send the headers within ${headersTimeout / 1_000} s, and all of it within ${requestTimeout / 1_000} s`,
    };
  if (code === "HPE_HEADER_OVERFLOW")
    return {
      ...{ status: 431, code: "too_large", message: "the request's line and headers are too large" },
      hint: "send less than 16 KiB",
    };
  if (code === "HPE_CHUNK_EXTENSIONS_OVERFLOW")
    return {
      status: 413,
      code: "too_large",
      message: "the chunk extensions are too large",
      hint: "send none",
    };
  if (!code.startsWith("HPE_")) return null;
  return malformed("reason" in error && typeof error.reason === "string" ? error.reason : reason(error));
}

function malformed(what: string): Refusal {
  return {
    ...{ status: 400, code: "bad_request", message: `the request is malformed: ${what}` },
    hint: "send HTTP/1.1",
  };
}

function answerOf({ status, code, message, hint }: Refusal) {
  const body = `${JSON.stringify(problem(code, message, hint))}\n`;
  const headers = {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    "cache-control": "no-store",
    connection: "close",
  };
  return { status, headers, body };
}

function refuse(socket: Duplex, refusal: Refusal): void {
  const { status, headers, body } = answerOf(refusal);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on("error", () => {});
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n${body}`, () =>
    socket.destroy(),
  );
}
