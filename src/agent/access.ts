/**
 * Who may ask what: health for everybody, reading on loopback or with a token or client certificate, calls
 * between agents with a client certificate or the cluster secret. Each refusal is an HTTP answer.
 */
import { holdsToken } from "../lib/bearer.ts";
import type { Caller } from "../lib/http-server.ts";
import { type Call, callHolds, counterWindow, readCall } from "./signature.ts";

export type AccessOptions = {
  readonly key: string;
  readonly bootId: string;
  /** The agent listens on loopback only. */
  readonly private: boolean;
  readonly insecure: boolean;
  /** The bearer token for reading, and the cluster secret, as they are now; null: none. */
  readonly token: () => Promise<string | null>;
  readonly secret: () => Promise<string | null>;
};

export type Verdict =
  | { readonly ok: true; readonly call: Call | null }
  | {
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      readonly hint: string;
      readonly call: Call | null;
      /** Set where the same call is welcome with this boot id and a counter above this one. */
      readonly repeat?: Repeat;
    };

/** What a caller must know to be taken: the receiver's boot id, and up to where it has counted this caller's calls. */
export type Repeat = { readonly boot_id: string; readonly counter: number };

export function openAccess(options: AccessOptions) {
  const window = counterWindow();
  return {
    /** May this caller read? */
    async read(caller: Caller, authorization: string | undefined): Promise<Verdict> {
      if (caller.loopback || caller.certified || options.insecure) return { ok: true, call: null };
      const token = await options.token();
      if (token !== null && holdsToken(authorization, token)) return { ok: true, call: null };
      return no(
        "unauthorized",
        "reading from another machine needs a bearer token or a client certificate",
        token === null
          ? "start the agent with -token-file, or ask it on its own machine"
          : "send `Authorization: Bearer` with the token of -token-file",
      );
    },
    /** May this agent call? Spends the call's counter. */
    async peer(
      caller: Caller,
      header: string | undefined,
      request: { method: string; path: string; body: string },
    ): Promise<Verdict> {
      const secret = await options.secret();
      if (secret === null) {
        if (caller.certified || options.private || options.insecure) return { ok: true, call: null };
        return no(
          "unauthorized",
          "this agent takes calls from agents only with a client certificate",
          "give every agent -tls-client-auth and certificates of one -tls-ca, or a -cluster-secret-file",
        );
      }
      const read = readCall(header, { ...request, key: options.key });
      if (read === null)
        return no(
          "unauthorized",
          "the call is not signed with a cluster secret",
          "give every agent the same -cluster-secret-file",
        );
      const { call, signature } = read;
      if (!callHolds(secret, call, signature))
        return no(
          "wrong_secret",
          `the call is signed with another cluster secret, or for another key than ${options.key}`,
          "give every agent the same -cluster-secret-file and -disco-key",
        );
      // Its own incarnation's highest counter helps a sender that has restarted: it counts from 1 again.
      const repeat = { boot_id: options.bootId, counter: window.highest(call.incarnation) };
      if (call.bootId !== options.bootId)
        return {
          ...no("boot_id", "the call names another boot id", "repeat it with this one"),
          call,
          repeat,
        };
      if (window.take(call.incarnation, call.counter)) return { ok: true, call };
      return repeat.counter > 0
        ? { ...no("replayed", "the call was made before", "repeat it with a higher counter"), call, repeat }
        : { ...no("too_many_callers", "too many agents have called", "restart this agent"), call };
    },
  };
}
export type Access = ReturnType<typeof openAccess>;

function no(code: string, message: string, hint: string): Extract<Verdict, { ok: false }> {
  return { ok: false, code, message, hint, call: null };
}
