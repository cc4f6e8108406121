/** A cluster's zone in DNS, and which of its nodes have a name there. Pure. */

/** The last label of every zone. */
export const DNS_ROOT = "rollcall";

/** The names of a zone that are no node's. */
export const DNS_OWN_NAMES = ["leader", "replica", "ns"] as const;

/** The longest name that a zone has beside those of its nodes. */
const LONGEST_OWN = "_db._tcp.leader.";
/** Characters of a name, dots included, without the last one (RFC 1035 §2.3.4). */
const MOST_NAME = 253;
/** Letters, digits, hyphens inside, and underscores, which a key and a node id may have. */
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/i;

/** A zone or a name in it, in lower case and without the last dot; or why there is none, as the end of a sentence. */
export type DnsName =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly problem: string };

/**
 * The zone of a key: its segments from the last to the first, so that what they have in common ends the name, as
 * DNS has it. `prod/orders` is `orders.prod.rollcall`; a dot stays a dot.
 */
export function zoneOf(key: string): DnsName {
  const name = `${key.split("/").reverse().join(".")}.${DNS_ROOT}`.toLowerCase();
  const label = badLabel(name);
  if (label !== null) return { ok: false, problem: label };
  return LONGEST_OWN.length + name.length > MOST_NAME
    ? {
        ok: false,
        problem: `is too long: between ${LONGEST_OWN} and .${DNS_ROOT} a name has more than ${MOST_NAME} characters`,
      }
    : { ok: true, name };
}

/** The name of a node in a zone. A node id with dots has as many labels. */
export function nodeNameOf(id: string, zone: string): DnsName {
  const name = `${id}.${zone}`.toLowerCase();
  const own = DNS_OWN_NAMES.find((word) => word === id.toLowerCase().split(".").at(-1));
  if (own !== undefined) return { ok: false, problem: `ends with ${own}, which is a name of the zone's own` };
  const label = badLabel(id);
  if (label !== null) return { ok: false, problem: label };
  return name.length > MOST_NAME
    ? { ok: false, problem: `is too long: with the zone it has more than ${MOST_NAME} characters` }
    : { ok: true, name };
}

function badLabel(name: string): string | null {
  const bad = name.split(".").find((label) => !LABEL.test(label));
  if (bad === undefined) return null;
  return bad === ""
    ? "has an empty label between dots"
    : `has the label ${bad.length > 63 ? `${bad.slice(0, 20)}…` : bad}, where DNS allows 1 to 63 of [a-z0-9_-], no hyphen first or last`;
}
