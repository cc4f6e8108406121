/**
 * What Hono's routes are asked by and answer with. Node's own Request and Response are streams with signals, and took
 * a third of a schedule's time; a call that is simulated is a text with headers.
 */
import type { Hono } from "hono";
import type { Answer, Ask } from "../../src/lib/request.ts";

/** As Hono makes it: of a text or nothing. */
class Reply {
  readonly status: number;
  readonly body: string | null;
  readonly headers: Headers | Readonly<Record<string, string>>;

  constructor(body: string | null, { status = 200, headers = {} }: Partial<Omit<Reply, "body">> = {}) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

// Hono looks for it here.
globalThis.Response = Reply as unknown as typeof Response;

/** Asks the routes of a process, whose caller is at `from`. */
export async function fetchFrom(app: Hono, from: string, ask: Ask): Promise<Answer> {
  const reply: unknown = await app.fetch(requestOf(ask), { incoming: { socket: { remoteAddress: from } } });
  const { status, body, headers } = reply as Reply;
  return { status, body: body ?? "", headers: lowered(headers) };
}

function requestOf({ method, host, port, path, headers = {}, body }: Ask): Request {
  const all = {
    ...lowered(headers),
    ...(body === undefined
      ? {}
      : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
  };
  const given = new Map(Object.entries(all));
  const request = {
    url: `http://${host}:${port}${path}`,
    method,
    headers: {
      get: (name: string) => given.get(name.toLowerCase()) ?? null,
      has: (name: string) => given.has(name),
    },
    body: body ?? null,
    text: async () => body ?? "",
    get signal() {
      return new AbortController().signal;
    },
  };
  return request as unknown as Request;
}

function lowered(headers: Reply["headers"]): Record<string, string> {
  const entries = headers instanceof Headers ? [...headers] : Object.entries(headers);
  return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), value]));
}
