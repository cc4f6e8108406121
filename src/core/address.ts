/**
 * Addresses as people write them and as peers exchange them: `host:port`, IPv6 in brackets. A parsed address
 * is canonical (lower case, shortest IPv6), so that two spellings of one address compare equal.
 */

/** Where something listens or answers. `host` carries no brackets; `port` is 1 to 65535. */
export type Address = { readonly host: string; readonly port: number };

/** An address, or what is wrong with the text, as the end of a sentence that begins with it. */
export type AddressParsed =
  | { readonly ok: true; readonly value: Address }
  | { readonly ok: false; readonly problem: string };

/**
 * Reads `host:port`. Never throws. `defaultPort` serves where a port may be missing; where it must not be, the problem
 * suggests `usualPort`.
 */
export function parseAddress(text: string, defaultPort?: number, usualPort = 4100): AddressParsed {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return bad("must be host:port, without a scheme");
  const split = splitPort(text);
  if (split === null) return bad("must be host:port, with an IPv6 address in brackets, as in [::1]:4100");
  const host = parseHost(split.host, split.bracketed);
  if (!host.ok) return host;
  if (split.port === null) {
    return defaultPort === undefined
      ? bad(`has no port; write ${formatAddress({ host: host.value, port: usualPort })}`)
      : { ok: true, value: { host: host.value, port: defaultPort } };
  }
  const port = /^[0-9]{1,5}$/.test(split.port) ? Number(split.port) : 0;
  if (port < 1 || port > 65535) return bad("must have a port from 1 to 65535");
  return { ok: true, value: { host: host.value, port } };
}

/** `host:port`, with brackets around IPv6. */
export function formatAddress(address: Address): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** True for 127.0.0.0/8, ::1, the same in IPv4-mapped form, and `localhost`; any other name is not. */
export function isLoopback(host: string): boolean {
  if (host === "localhost" || host.endsWith(".localhost") || host === "::1") return true;
  // Canonical IPv6 writes ::ffff:127.0.0.1 as ::ffff:7f00:1.
  return /^127\.\d+\.\d+\.\d+$/.test(host) || /^::ffff:7f[0-9a-f]{2}:/.test(host);
}

/** True for the addresses that mean "every interface" and that nobody can connect to: 0.0.0.0 and ::. */
export function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::" || host === "::ffff:0:0";
}

type Split = { host: string; port: string | null; bracketed: boolean };

function splitPort(text: string): Split | null {
  const bracketed = /^\[([^\][]*)\](?::(.*))?$/s.exec(text);
  if (bracketed !== null) return { host: bracketed[1] ?? "", port: bracketed[2] ?? null, bracketed: true };
  const parts = text.split(":");
  if (parts.length > 2) return null;
  return { host: parts[0] ?? "", port: parts[1] ?? null, bracketed: false };
}

type HostParsed = { ok: true; value: string } | { ok: false; problem: string };

function parseHost(host: string, bracketed: boolean): HostParsed {
  if (bracketed) {
    if (host.includes("%")) return bad("has an IPv6 zone, which no other machine understands");
    const canonical = /^[0-9a-f:.]+$/i.test(host) ? canonicalHost(`[${host}]`) : null;
    if (canonical === null) return bad("has brackets around something that is not an IPv6 address");
    return { ok: true, value: canonical.slice(1, -1) };
  }
  if (host === "") return bad("has no host; write 0.0.0.0 for every interface");
  // A dot at the end says that the name is whole, as every name here is.
  const name = host.replace(/\.$/, "");
  if (name.length > 253 || !name.split(".").every((label) => /^[a-z0-9_]([a-z0-9_-]{0,62})$/i.test(label))) {
    return bad("must begin with an IP address or a host name");
  }
  const canonical = canonicalHost(name);
  // URLs read `0`, `127.1` and `0x7f.1` as IPv4 addresses, and so do resolvers: only the plain form may pass.
  if (canonical === null || (isDottedQuad(canonical) && canonical !== host)) {
    return bad("must begin with a complete IP address or a host name");
  }
  return { ok: true, value: canonical };
}

function isDottedQuad(host: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(host);
}

function canonicalHost(host: string): string | null {
  try {
    return new URL(`http://${host}/`).hostname;
  } catch {
    return null;
  }
}

function bad(problem: string): { ok: false; problem: string } {
  return { ok: false, problem };
}
