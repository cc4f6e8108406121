/**
 * What is shown of a discovery's `config`, which may hold secrets and whose keys are the business of each mode. So not
 * what looks like a secret is hidden, but everything that is not known to be none: keys are always shown, values only
 * under names that say where and how, and addresses without what may be a credential in them.
 */
import * as z from "zod";

/** Stands where a secret stood. A document that holds it is not taken. */
const HIDDEN = "(not shown)";

/** In lower case. What is below another name is hidden whatever its own is. */
const SHOWN = new Set([
  ...[
    "address",
    "addresses",
    "host",
    "hosts",
    "name",
    "nodes",
    "port",
    "agent_port",
    "endpoints",
    "url",
    "scheme",
  ],
  ...[
    "method",
    "prefix",
    "path",
    "file",
    "dir",
    "datacenter",
    "namespace",
    "partition",
    "service",
    "resolvers",
  ],
  ...[
    "family",
    "timeout",
    "interval",
    "dialtimeout",
    "dialkeepalivetime",
    "dialkeepalivetimeout",
    "username",
  ],
  ...["tls", "tls_config", "ca_cert", "client_cert", "ca_path", "servername", "insecureskipverify"],
  ...["insecure_skip_verify", "max_pages"],
]);
/** These name files. */
const NAMES_A_FILE = /_file$/;

const Stored = z.looseObject({
  spec: z.looseObject({ config: z.record(z.string(), z.unknown()).optional() }),
});

/** A stored document, parsed, with every secret in `spec.config` replaced. Throws nothing for what this program stored. */
export function shownDocument(document: string): Record<string, unknown> {
  const parsed = Stored.parse(JSON.parse(document));
  if (parsed.spec.config === undefined) return parsed;
  return { ...parsed, spec: { ...parsed.spec, config: shownConfig(parsed.spec.config) } };
}

/** A configuration with what may be a secret replaced. */
export function shownConfig(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return mapped(config, (key, value) => {
    const known = SHOWN.has(key.toLowerCase()) || NAMES_A_FILE.test(key);
    return known ? shown(value) : hidden(value);
  });
}

/** The path of the first value that stands for a hidden secret; null: there is none. */
export function hiddenIn(config: unknown): string | null {
  if (typeof config === "string") return config.includes(HIDDEN) ? "" : null;
  if (!isRecord(config)) return null;
  for (const [key, inner] of Object.entries(config)) {
    const found = hiddenIn(inner);
    if (found !== null) return found === "" ? key : `${key}.${found}`;
  }
  return null;
}

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (isRecord(value)) return shownConfig(value);
  return typeof value === "string" ? withoutCredentials(value) : value;
}

/** What is empty holds nothing, and what is true or false is no secret. */
function hidden(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hidden);
  if (isRecord(value)) return mapped(value, (_, inner) => hidden(inner));
  return value === null || value === "" || typeof value === "boolean" ? value : HIDDEN;
}

/** An address without the user, the query and the fragment in it; any other text as it is. */
function withoutCredentials(text: string): string {
  const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]*:\/\/)?(.*)$/is.exec(text) ?? [];
  const bare = rest.replace(/[?#].*$/s, `?${HIDDEN}`);
  const authority = bare.slice(0, /[/\\?]/.exec(bare)?.index ?? bare.length);
  const at = authority.lastIndexOf("@");
  return at === -1 ? `${scheme}${bare}` : `${scheme}${HIDDEN}@${bare.slice(at + 1)}`;
}

function mapped(
  value: Readonly<Record<string, unknown>>,
  each: (key: string, inner: unknown) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, each(key, inner)]));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
