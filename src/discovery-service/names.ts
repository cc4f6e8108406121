/** What ids, registers and members may be called, and how an id is written in a URL. */
import { RollcallError } from "../lib/errors.ts";

const SEGMENT = /^[a-z0-9._-]{1,128}$/;

/** The id itself, if it is 1 to 4 segments of `[a-z0-9._-]` joined by `/`. Throws `bad_name`. */
export function checkId(id: string): string {
  const segments = id.split("/", 5);
  if (segments.length <= 4 && segments.every(isSegment)) return id;
  throw bad("an id", "1 to 4 segments of a-z, 0-9, '.', '_' and '-', written with '~' between them in a URL");
}

/** The register's name itself, if it is one segment of `[a-z0-9._-]`. Throws `bad_name`. */
export function checkName(name: string): string {
  if (isSegment(name)) return name;
  throw bad("a register's name", "1 to 128 of a-z, 0-9, '.', '_' and '-'");
}

/** The node id itself, if it has 1 to 255 characters and no control character. Throws `bad_name`. */
export function checkNodeId(nodeId: string): string {
  if (nodeId.length <= 255 && /^\P{Cc}+$/u.test(nodeId) && !isDots(nodeId)) return nodeId;
  throw bad("a node id", "1 to 255 characters, none of them a control character");
}

/**
 * The id that one segment of a URL's path means: `prod~orders` is `prod/orders`. `~` is no part of an id,
 * never needs escaping, and passes proxies that unfold `%2F`. Throws `bad_name`.
 */
export function idFromPath(segment: string): string {
  if (segment.includes("/")) throw bad("an id in a URL", "write '~' where the id has '/'");
  return checkId(segment.replaceAll("~", "/"));
}

function isSegment(text: string): boolean {
  return SEGMENT.test(text) && !isDots(text);
}

/** URLs swallow these two, so nothing may be called so. */
function isDots(text: string): boolean {
  return text === "." || text === "..";
}

function bad(what: string, hint: string): RollcallError {
  return new RollcallError("bad_name", `this cannot be ${what}`, { hint });
}
