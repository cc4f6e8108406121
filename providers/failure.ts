/**
 * The errors of providers in one wording: what was being done, what came of it, and where. Causes of client
 * libraries are not attached: they carry whole requests, tokens included.
 */
import { RollcallError } from "../src/lib/errors.ts";

/** A call: what it does (`read genesis`), and the right it needs, as the store's own policies spell it. */
export type Doing = { readonly doing: string; readonly needs: string };

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection reset",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the host name cannot be resolved now",
  ETIMEDOUT: "connection timed out",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "no route to network",
};

/** The system's error code in words, or null for a code that says nothing by itself. */
export function wordsOf(code: string | null): string | null {
  return code === null ? null : (WORDS[code] ?? null);
}

/** What broke a connection, in words: by the system's code, else by OpenSSL's or the library's text. */
export function inWords(code: string | null, text: string): string {
  const known = wordsOf(code);
  if (known !== null) return known;
  // error:0A000412:SSL routines:ssl3_read_bytes:ssl/tls alert bad certificate:../deps/…
  const tls = /:SSL routines:[^:]*:(?:[^:]* (?=alert ))?([^:]+)/.exec(text)?.[1];
  return tls === undefined ? oneLine(text) : `TLS: ${tls}`;
}

/** `store_unreachable`: no answer, or one that says "not now". `where` is the address that was asked. */
export function unreachable(doing: string, what: string, where: string): RollcallError {
  return new RollcallError("store_unreachable", `${doing}: ${what} (${where})`, { facts: { where } });
}

/** `store_timeout`: no answer within the provider's own `timeout`. */
export function timedOut(doing: string, timeoutMs: number, where: string): RollcallError {
  return new RollcallError("store_timeout", `${doing}: no answer in ${timeoutMs / 1000} s (${where})`, {
    facts: { where },
  });
}

/** `store_denied`: the store knows us too little. `what` is the store's word, `lack` what to grant. */
export function denied(doing: string, what: string, lack: string): RollcallError {
  return new RollcallError("store_denied", `${doing}: ${what} — ${lack}`);
}

/** `bad_record`: a row holds something that is not ours. `problem` ends a sentence that begins with the row. */
export function badRecord(doing: string, row: string, problem: string): RollcallError {
  return new RollcallError("bad_record", `${doing}: ${row} ${problem}`, { facts: { row } });
}

/** `aborted`: the caller did not want to wait any longer. */
export function aborted(doing: string, signal: AbortSignal): RollcallError {
  return new RollcallError("aborted", `${doing}: aborted`, { cause: signal.reason });
}

/** `closed`: the provider's connections are freed already. */
export function closed(doing: string): RollcallError {
  return new RollcallError("closed", `${doing}: the provider is closed`);
}

/** Text of a server or library, fit for one line: the first line, at most 200 characters. */
export function oneLine(text: string): string {
  return (text.trim().split("\n", 1)[0] ?? "").trim().slice(0, 200);
}
