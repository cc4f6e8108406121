/** Bearer tokens: read from their files, and compared. */
import { timingSafeEqual } from "node:crypto";
import { RollcallError } from "./errors.ts";

/** Whether an `Authorization` header holds this very token. How long it takes tells nothing of the token but its length. */
export function holdsToken(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer +(.+)$/i.exec(authorization ?? "")?.[1];
  if (given === undefined) return false;
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Whether a token can be sent in a header as it is. */
export function isToken(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text);
}

/** As `secretIn`, for a bearer token. Throws `file` for what could never be sent, too. */
export async function tokenIn(
  path: string | null,
  file: (path: string) => Promise<string>,
): Promise<string | null> {
  const text = await secretIn(path, file);
  if (text === null || isToken(text)) return text;
  throw new RollcallError("file", `${path} must hold one token, in one line of ASCII`);
}

/**
 * The secret in a file, without the white space around it; null without a file. `file` gives a file's text as it is
 * now. Throws `file` when it is empty, and what `file` throws.
 */
export async function secretIn(
  path: string | null,
  file: (path: string) => Promise<string>,
): Promise<string | null> {
  if (path === null) return null;
  const text = (await file(path)).trim();
  // An emptied file must never turn protection off.
  if (text === "") throw new RollcallError("file", `${path} is empty`);
  return text;
}
