/** Asking other agents: `hello` and votes, signed where there is a cluster secret, over TLS where this agent has it. */
import * as z from "zod";
import { parseAddress } from "../core/address.ts";
import { decode, Hello, type HelloRequest, type PeerRef, VERSION } from "../core/model.ts";
import { type Message, Reply } from "../core/votes.ts";
import { RollcallError } from "../lib/errors.ts";
import { type Answer, type Client, type ClientTls, openClient } from "../lib/request.ts";
import { ANSWER_HEADER, answerHolds, CALL_HEADER, signCall } from "./signature.ts";

export const HELLO_PATH = "/v1/peer/hello";

/** Where a message about a decree goes. */
export function peerPath(kind: Message["kind"]): string {
  return `/v1/peer/${kind}`;
}

/** Secrets and certificates as they are on disk now. */
export type Credentials = {
  /** The cluster secret, or null. */
  secret(): Promise<string | null>;
  /** What to trust and show when calling others; null: plain HTTP. */
  clientTls(): Promise<ClientTls | null>;
};

export type PeerClientOptions = {
  readonly key: string;
  /** This agent, as it is now. */
  readonly self: () => PeerRef;
  /** The genesis it belongs to; null: none yet. */
  readonly genesis?: () => string | null;
  /** Who leads as its database sees it; null: it knows of nobody. */
  readonly leader?: () => HelloRequest["leader"];
  readonly credentials: Credentials;
  readonly uuid: () => string;
  /** Opens the way to others; the machine's own where it is not given. */
  readonly openClient?: (tls: ClientTls | null) => Client;
};

/** Boot ids remembered; one that was forgotten costs one more request. */
const MOST_BOOT_IDS = 1_024;

/** A signed refusal that says how to repeat the call, beside its code and message. */
const Refusal = z.looseObject({
  error: z.looseObject({
    message: z.string(),
    boot_id: z.string().min(1).optional(),
    counter: z.int().min(0).default(0),
  }),
});

/** An answer, and whether it was signed with our secret, which it was if we have one. */
type Said = { readonly answer: Answer; readonly signed: boolean };

/**
 * Asks one agent at a time-bounded signal. Rejects with `unreachable`, `not_an_agent` (something else
 * answers there), `refused` (another key, a wrong or missing secret) or `forged` (an answer not signed with our secret).
 */
export function openPeerClient(options: PeerClientOptions) {
  const { key, self, credentials, uuid } = options;
  const bootIds = new Map<string, string>();
  const client = renewed(credentials, options.openClient ?? openClient);
  // One for all receivers: one agent may have several addresses.
  let counter = 0;

  const call = async (address: string, path: string, body: string, signal: AbortSignal): Promise<Said> => {
    const at = parseAddress(address, 4100);
    if (!at.ok) throw new RollcallError("unreachable", `${address} ${at.problem}`);
    const [secret, { send }] = await Promise.all([credentials.secret(), client.current()]);
    const nonce = uuid();
    counter += 1;
    const { id: nodeId, incarnation } = self();
    const bootId = bootIds.get(address) ?? "";
    const parts = {
      method: "POST",
      path,
      key,
      nodeId,
      incarnation,
      bootId,
      counter,
      nonce,
      body,
    };
    const headers: Record<string, string> = secret === null ? {} : { [CALL_HEADER]: signCall(secret, parts) };
    const answer = await send({ method: "POST", ...at.value, path, headers, body, signal });
    const signature = answer.headers[ANSWER_HEADER];
    const signed =
      secret !== null &&
      answerHolds(secret, nonce, { ...answer, signature: typeof signature === "string" ? signature : "" });
    if (secret === null || signed) return { answer, signed };
    if (answer.status !== 200) throw refusal(address, answer);
    throw new RollcallError("forged", `${address} answers without our cluster secret`, {
      hint: "give every agent the same -cluster-secret-file",
    });
  };

  const remember = (address: string, bootId: string) => {
    bootIds.delete(address);
    bootIds.set(address, bootId);
    for (const oldest of bootIds.keys()) if (bootIds.size > MOST_BOOT_IDS) bootIds.delete(oldest);
  };

  /** The text of the answer to one call, repeated once where the other names what it must be signed with. */
  const exchange = async (
    address: string,
    path: string,
    said: unknown,
    signal: AbortSignal,
  ): Promise<string> => {
    const body = JSON.stringify(said);
    const first = await call(address, path, body, signal);
    let { answer } = first;
    const refused = first.signed && answer.status === 401 ? decode(Refusal, answer.body) : null;
    if (refused?.ok && refused.value.error.boot_id !== undefined) {
      remember(address, refused.value.error.boot_id);
      // After a restart this agent counts from 1 again, and the other still remembers.
      counter = Math.max(counter, refused.value.error.counter);
      ({ answer } = await call(address, path, body, signal));
    }
    if (answer.status !== 200) throw refusal(address, answer);
    return answer.body;
  };

  return {
    /** `leaving`: this node says at the same time that it leaves for good. */
    async hello(address: string, signal: AbortSignal, leaving = false): Promise<Hello> {
      const request: HelloRequest = {
        v: VERSION,
        key,
        from: refOf(self()),
        genesis_id: options.genesis?.() ?? null,
        leader: options.leader?.() ?? null,
        ...(leaving ? { leaving } : {}),
      };
      const body = await exchange(address, HELLO_PATH, request, signal);
      const hello = decode(Hello, body);
      if (!hello.ok) throw unreadable(address, body, hello.problem);
      remember(address, hello.value.boot_id);
      return hello.value;
    },
    /** Says something about a decree. The caller takes no answer for no vote, and never repeats it under one ballot. */
    async say(address: string, message: Message, signal: AbortSignal): Promise<Reply> {
      const body = await exchange(address, peerPath(message.kind), message, signal);
      const reply = decode(Reply, body);
      if (!reply.ok) throw unreadable(address, body, reply.problem);
      return reply.value;
    },
    close: client.close,
  };
}
export type PeerClient = ReturnType<typeof openPeerClient>;

/** A client with the certificates of this moment. One that is replaced ends the calls it still carries. */
function renewed(credentials: Credentials, open: (tls: ClientTls | null) => Client) {
  let client: Client | null = null;
  let builtFrom = "";
  return {
    async current(): Promise<Client> {
      const tls = await credentials.clientTls();
      const from = JSON.stringify(tls);
      if (client === null || from !== builtFrom) {
        client?.close();
        client = open(tls);
        builtFrom = from;
      }
      return client;
    },
    close: () => client?.close(),
  };
}

function refOf({ id, incarnation, agent_addr }: PeerRef): PeerRef {
  return { id, incarnation, agent_addr };
}

function refusal(address: string, answer: Answer): RollcallError {
  const refused = decode(Refusal, answer.body);
  if (refused.ok) return new RollcallError("refused", `${address} refuses: ${refused.value.error.message}`);
  return new RollcallError("not_an_agent", `${address} is ${naming(answer)}, not a rollcall agent`);
}

function unreadable(address: string, body: string, problem: string): RollcallError {
  const later = decode(z.looseObject({ v: z.int().min(VERSION + 1), node_id: z.string() }), body);
  return later.ok
    ? new RollcallError("refused", `${address} is a later rollcall: its hello ${problem}`)
    : new RollcallError("not_an_agent", `${address} answers, but not as a rollcall agent: ${problem}`);
}

function naming(answer: Answer): string {
  const server = answer.headers["x-rqlite-version"] !== undefined ? "rqlited" : answer.headers.server;
  return typeof server === "string" ? server : `a server that answers ${answer.status}`;
}
