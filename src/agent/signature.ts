/**
 * The cluster secret: HMAC-SHA256 over everything that gives a call between agents its meaning. No clocks
 * are compared. A call names the receiver's boot id, so that nothing replays across a restart, and a counter,
 * of which the receiver keeps a window for each sender's incarnation. Answers are signed over the call's nonce.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** What one call says; both sides compute the same text from it. */
export type Call = {
  readonly method: string;
  readonly path: string;
  readonly key: string;
  readonly nodeId: string;
  readonly incarnation: string;
  /** The receiver's boot id; empty in a first call, which is always refused with the boot id to use. */
  readonly bootId: string;
  readonly counter: number;
  readonly nonce: string;
  readonly body: string;
};

export const CALL_HEADER = "rollcall-call";
export const ANSWER_HEADER = "rollcall-answer";

/** The header that carries a call's identity and signature. */
export function signCall(secret: string, call: Call): string {
  const { nodeId, incarnation, bootId, counter, nonce } = call;
  const open = [nodeId, incarnation, bootId, String(counter), nonce].map(encodeURIComponent);
  return [...open, mac(secret, ["call", ...callParts(call)])].join(";");
}

/** A call's header taken apart, not yet believed; null when it is none. */
export function readCall(
  header: string | undefined,
  request: { method: string; path: string; key: string; body: string },
): { call: Call; signature: string } | null {
  const parts = header?.split(";") ?? [];
  if (parts.length !== 6) return null;
  let open: string[];
  try {
    open = parts.slice(0, 5).map(decodeURIComponent);
  } catch {
    return null;
  }
  const [nodeId = "", incarnation = "", bootId = "", count = "", nonce = ""] = open;
  const counter = Number(count);
  if (!Number.isSafeInteger(counter) || counter < 1 || nonce.length < 16 || incarnation === "") return null;
  return { call: { ...request, nodeId, incarnation, bootId, counter, nonce }, signature: parts[5] ?? "" };
}

/** Whether the call was signed with this secret. */
export function callHolds(secret: string, call: Call, signature: string): boolean {
  return same(mac(secret, ["call", ...callParts(call)]), signature);
}

/** The header that signs an answer to the call with this nonce. */
export function signAnswer(secret: string, nonce: string, status: number, body: string): string {
  return mac(secret, ["answer", nonce, String(status), hash(body)]);
}

/** Whether the answer was signed with this secret, for this call. */
export function answerHolds(
  secret: string,
  nonce: string,
  answer: { status: number; body: string; signature: string },
): boolean {
  return same(signAnswer(secret, nonce, answer.status, answer.body), answer.signature);
}

const WIDTH = 64;

/**
 * Remembers which counters each incarnation has used. `take` is true once for every counter, and false for
 * one used before or 64 or more behind the highest. It holds `most` incarnations and refuses further ones:
 * forgetting one would let its calls be replayed. `highest` is 0 for an incarnation it does not know.
 */
export function counterWindow(most = 4096) {
  const known = new Map<string, { highest: number; used: Set<number> }>();
  return {
    take(incarnation: string, counter: number): boolean {
      const window = known.get(incarnation) ?? { highest: 0, used: new Set<number>() };
      if (!known.has(incarnation) && known.size >= most) return false;
      if (counter <= window.highest - WIDTH || window.used.has(counter)) return false;
      known.set(incarnation, window);
      window.used.add(counter);
      window.highest = Math.max(window.highest, counter);
      for (const old of window.used) if (old <= window.highest - WIDTH) window.used.delete(old);
      return true;
    },
    highest: (incarnation: string): number => known.get(incarnation)?.highest ?? 0,
  };
}

function callParts(call: Call): string[] {
  const { method, path, key, nodeId, incarnation, bootId, counter, nonce, body } = call;
  return [method, path, key, nodeId, incarnation, bootId, String(counter), nonce, hash(body)];
}

function mac(secret: string, parts: readonly string[]): string {
  return createHmac("sha256", secret).update(JSON.stringify(parts)).digest("base64url");
}

function hash(body: string): string {
  return createHash("sha256").update(body).digest("hex");
}

function same(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}
