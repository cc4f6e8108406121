/** One plain HTTP(S) request, with client certificates where a test server wants them. */
import { type Agent, request as overHttp } from "node:http";
import { request as overHttps } from "node:https";

/** What the other side answered. */
export type Reply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
};

/** The parts of a request beside its URL. */
export type RequestOptions = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM texts: the CA to trust, and the certificate and key to show. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null;
  /** How long to wait for the whole answer: 5,000 ms unless told. */
  readonly timeoutMs?: number;
  /** Keeps connections, for callers that ask very often; else each request has one of its own. */
  readonly agent?: Agent;
};

/** Sends one request. Any status is an answer; throws only when there is none. */
export function request(url: string, options: RequestOptions = {}): Promise<Reply> {
  const { body } = options;
  // Node gives a DELETE none, and its body would be the connection's next request.
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const send = url.startsWith("https:") ? overHttps : overHttp;
  return new Promise((resolve, reject) => {
    const sent = send(
      url,
      {
        agent: options.agent ?? false,
        method: options.method ?? "GET",
        headers: { ...length, ...options.headers },
        signal: AbortSignal.timeout(options.timeoutMs ?? 5_000),
        ...options.tls,
      },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (chunk: string) => {
          text += chunk;
        });
        answer.on("error", reject);
        answer.on("end", () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }),
        );
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}
