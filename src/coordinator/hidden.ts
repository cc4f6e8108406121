/**
 * What is shown of a discovery's configuration. What it may hold is the business of each mode, so that not what looks
 * like a secret is hidden, but everything that is not known to be none: its keys are always shown, its values only
 * under these names, and addresses without what may be a credential in them.
 */

/** Stands where something is not shown. */
export const HIDDEN = "(hidden)";

/** Values of these say where and how, never by what right. */
const SHOWN = new Set([
  ...["name", "host", "hosts", "port", "agent_port", "prefix", "method", "timeout", "interval", "family"],
  ...["resolvers", "path", "file", "dir", "scheme", "datacenter", "namespace", "partition", "service"],
  ...["address", "addresses", "url", "endpoints", "nodes", "ca_file", "cert_file", "key_file", "token_file"],
  ...["password_file", "max_pages", "tls", "insecure_skip_verify"],
]);

/** The same configuration with `(hidden)` in place of what may be a secret. */
export function shownConfig(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key,
      SHOWN.has(key.toLowerCase()) ? shown(value) : hidden(value),
    ]),
  );
}

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (isRecord(value)) return shownConfig(value);
  return typeof value === "string" ? withoutCredentials(value) : value;
}

/** The structure of a value whose name says nothing. */
function hidden(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hidden);
  if (isRecord(value))
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, hidden(one)]));
  return value === null || typeof value === "boolean" ? value : HIDDEN;
}

/** An address without the user, the query and the fragment in it; any other text as it is. */
function withoutCredentials(text: string): string {
  const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]*:\/\/)?(.*)$/is.exec(text) ?? [];
  const bare = rest.replace(/[?#].*$/s, `?${HIDDEN}`);
  const authority = bare.slice(0, /[/\\]/.exec(bare)?.index ?? bare.length);
  const at = authority.lastIndexOf("@");
  return at === -1 ? `${scheme}${bare}` : `${scheme}${HIDDEN}@${bare.slice(at + 1)}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
