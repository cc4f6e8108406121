/** Asking other agents: `hello`, signed where there is a cluster secret, over TLS where this agent has it. */
import { parseAddress } from "../core/address.ts";
import { decode, Hello, type HelloRequest, type PeerRef, VERSION } from "../core/model.ts";
import { RollcallError } from "../lib/errors.ts";
import { type Answer, type Client, type ClientTls, openClient } from "./request.ts";
import { ANSWER_HEADER, answerHolds, CALL_HEADER, signCall } from "./signature.ts";

export const HELLO_PATH = "/v1/peer/hello";

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
  readonly credentials: Credentials;
  readonly uuid: () => string;
};

/**
 * Asks one agent at a time-bounded signal. Rejects with `unreachable`, `not_an_agent` (something else
 * answers there), `refused` (another key, a wrong or missing secret) or `forged` (an answer not signed with our secret).
 */
export function openPeerClient(options: PeerClientOptions) {
  const { key, self, credentials, uuid } = options;
  const bootIds = new Map<string, string>();
  let counter = 0;
  let client: Client | null = null;
  let builtFrom = "";

  const current = async (): Promise<Client> => {
    const tls = await credentials.clientTls();
    const from = JSON.stringify(tls);
    if (client === null || from !== builtFrom) {
      client?.close();
      client = openClient(tls);
      builtFrom = from;
    }
    return client;
  };

  const call = async (address: string, body: string, signal: AbortSignal): Promise<Answer> => {
    const at = parseAddress(address, 4100);
    if (!at.ok) throw new RollcallError("unreachable", `${address} ${at.problem}`);
    const secret = await credentials.secret();
    const nonce = uuid();
    const bootId = bootIds.get(address) ?? "";
    counter += 1;
    const parts = {
      method: "POST",
      path: HELLO_PATH,
      key,
      nodeId: self().id,
      incarnation: self().incarnation,
      bootId,
      counter,
      nonce,
      body,
    };
    const headers: Record<string, string> = secret === null ? {} : { [CALL_HEADER]: signCall(secret, parts) };
    const answer = await (await current()).send({
      method: "POST",
      ...at.value,
      path: HELLO_PATH,
      headers,
      body,
      signal,
    });
    const signature = answer.headers[ANSWER_HEADER];
    if (
      secret !== null &&
      !answerHolds(secret, nonce, { ...answer, signature: typeof signature === "string" ? signature : "" })
    ) {
      if (answer.status === 200)
        throw new RollcallError("forged", `${address} answers without our cluster secret`, {
          hint: "give every agent the same -cluster-secret-file",
        });
      throw refusal(address, answer);
    }
    return answer;
  };

  return {
    async hello(address: string, signal: AbortSignal): Promise<Hello> {
      const request: HelloRequest = {
        v: VERSION,
        key,
        from: refOf(self()),
      };
      const body = JSON.stringify(request);
      let answer = await call(address, body, signal);
      const bootId = answer.status === 401 ? bootIdOf(answer) : null;
      if (bootId !== null) {
        bootIds.set(address, bootId);
        answer = await call(address, body, signal);
      }
      if (answer.status !== 200) throw refusal(address, answer);
      const hello = decode(Hello, answer.body);
      if (!hello.ok)
        throw new RollcallError(
          "not_an_agent",
          `${address} answers, but not as a rollcall agent: ${hello.problem}`,
        );
      bootIds.set(address, hello.value.boot_id);
      return hello.value;
    },
    close: () => client?.close(),
  };
}
export type PeerClient = ReturnType<typeof openPeerClient>;

function refOf({ id, incarnation, agent_addr }: PeerRef): PeerRef {
  return { id, incarnation, agent_addr };
}

function bootIdOf(answer: Answer): string | null {
  try {
    const { error } = JSON.parse(answer.body) as { error?: { code?: unknown; boot_id?: unknown } };
    return error?.code === "boot_id" && typeof error.boot_id === "string" ? error.boot_id : null;
  } catch {
    return null;
  }
}

function refusal(address: string, answer: Answer): RollcallError {
  let said = "";
  try {
    const { error } = JSON.parse(answer.body) as { error?: { message?: unknown } };
    if (typeof error?.message === "string") said = error.message;
  } catch {
    // Not JSON, so not an agent's.
  }
  if (said !== "") return new RollcallError("refused", `${address} refuses: ${said}`);
  return new RollcallError("not_an_agent", `${address} is ${naming(answer)}, not a rollcall agent`);
}

function naming(answer: Answer): string {
  const server = answer.headers["x-rqlite-version"] !== undefined ? "rqlited" : answer.headers.server;
  return typeof server === "string" ? server : `a server that answers ${answer.status}`;
}
