/** What agents ask of each other over HTTP: hello, and votes. Judged, answered, and the answer signed where the call was. */
import type { Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { decode, HelloRequest } from "../core/model.ts";
import { Message } from "../core/votes.ts";
import type { Caller } from "../lib/http-server.ts";
import { problem } from "../lib/problem.ts";
import type { Verdict } from "./access.ts";
import type { View } from "./pages.ts";
import { HELLO_PATH, peerPath } from "./peer-client.ts";
import { ANSWER_HEADER, CALL_HEADER, signAnswer } from "./signature.ts";

const MOST_BODY = 64 * 1024;

/** The routes between agents. */
export function servePeers(app: Hono, view: View, callerOf: (env: unknown) => Caller): void {
  const small = bodyLimit({
    maxSize: MOST_BODY,
    onError: (c) => c.json(problem("too_large", "what agents say to each other is small"), 413),
  });
  app.post(HELLO_PATH, small, (c) => takeCall(c, view, callerOf(c.env), (body) => greet(view, body)));
  for (const kind of ["prepare", "accept", "decided"] as const)
    app.post(peerPath(kind), small, (c) =>
      takeCall(c, view, callerOf(c.env), (body) => votes(view, kind, body)),
    );
}

/** A call of another agent: judged, answered, and the answer signed where the call was. */
async function takeCall(
  c: Context,
  view: View,
  caller: Caller,
  answerTo: (body: string) => Spoken | Promise<Spoken>,
): Promise<Response> {
  const body = await c.req.text();
  const call = { method: "POST", path: c.req.path, body };
  const verdict = await view.access.peer(caller, c.req.header(CALL_HEADER), call);
  const { status, answer } = verdict.ok ? await answerTo(body) : refuse(verdict);
  const text = JSON.stringify(answer);
  const secret = verdict.call === null ? null : await view.secret();
  if (secret !== null && verdict.call !== null)
    c.header(ANSWER_HEADER, signAnswer(secret, verdict.call.nonce, status, text));
  return c.body(text, status, { "content-type": "application/json" });
}

type Spoken = { readonly status: ContentfulStatusCode; readonly answer: unknown };

function refuse({ code, message, hint, repeat }: Extract<Verdict, { ok: false }>): Spoken {
  return { status: 401, answer: { error: { code, message, hint, ...repeat } } };
}

/** Answers a hello and remembers who asked. */
function greet(view: View, body: string): Spoken {
  const request = decode(HelloRequest, body);
  if (!request.ok) return { status: 400, answer: problem("bad_request", `hello: ${request.problem}`) };
  const hello = view.hello();
  if (request.value.key === hello.key) view.met(request.value);
  else view.strayed(request.value);
  return { status: 200, answer: hello };
}

/** Answers a message about a decree. */
async function votes(view: View, kind: Message["kind"], body: string): Promise<Spoken> {
  const message = decode(Message, body);
  if (!message.ok || message.value.kind !== kind)
    return {
      status: 400,
      answer: problem("bad_request", `${kind}: ${message.ok ? "is another kind" : message.problem}`),
    };
  if (view.vote === null)
    return {
      status: 409,
      answer: problem("has_store", "this agent agrees in a store, and votes on nothing"),
    };
  return { status: 200, answer: await view.vote(message.value) };
}
