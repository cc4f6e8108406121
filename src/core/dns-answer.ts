/**
 * What the agent answers to a question of DNS, as data: who leads, who follows, and where each node's database is.
 * Pure. Names and codes: RFC 1035; SRV: RFC 2782; negative answers: RFC 2308; ANY: RFC 8482.
 */
import type { Address } from "./address.ts";
import { nodeNameOf } from "./dns-names.ts";

/** One question; `turn` is any number, and says with which of several equal records an answer begins. */
export type DnsQuestion = {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly turn: number;
};

/** A node, and where its database is for clients; null: not known. */
export type DnsNode = { readonly id: string; readonly address: Address | null };

/** What is known of one cluster. */
export type DnsFacts = {
  /** As `zoneOf` gives it. */
  readonly zone: string;
  /** Where this agent answers DNS, an IP address; null: not known as one. */
  readonly server: string | null;
  /** Null: nobody is known to lead. Its id is empty where the database has no ids. */
  readonly leader: DnsNode | null;
  /** Everybody known; `follows`: belongs to the cluster and can be asked as far as is known. */
  readonly nodes: readonly (DnsNode & { readonly follows: boolean })[];
};

/** What a record says, its owner apart. Names have no last dot. */
export type DnsData =
  | { readonly type: "A" | "AAAA"; readonly address: string }
  | { readonly type: "CNAME" | "NS"; readonly target: string }
  | { readonly type: "SRV"; readonly port: number; readonly target: string }
  | { readonly type: "SOA"; readonly server: string; readonly mailbox: string };
export type DnsRecord = DnsData & { readonly name: string };

export type DnsAnswer = {
  readonly rcode: "NOERROR" | "NXDOMAIN" | "REFUSED";
  /** The name is in the zone. */
  readonly authoritative: boolean;
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
};

/** Seconds that anybody may keep an answer, the empty ones too. */
export const DNS_TTL_S = 1;

const CODES = { A: 1, NS: 2, CNAME: 5, SOA: 6, AAAA: 28, SRV: 33 } as const;
const ANY = 255;
/** IXFR, AXFR, and the two kinds of mail that go with ANY. */
const BULK = [251, 252, 253, 254];
const INTERNET = 1;
/** Replicas that one answer names at most. */
const MOST_REPLICAS = 64;

const REFUSED: DnsAnswer = {
  rcode: "REFUSED",
  authoritative: false,
  ...{ answers: [], authorities: [], additionals: [] },
};

/**
 * The answer. Outside the zone, in another class, and for a whole zone: REFUSED. A name that is not there:
 * NXDOMAIN. One that has nothing of the type asked for, a leader that nobody knows included: NOERROR without
 * records, so that a client asks again. ANY gets the first record alone.
 */
export function dnsAnswer(question: DnsQuestion, facts: DnsFacts): DnsAnswer {
  const { zone } = facts;
  const name = question.name.toLowerCase();
  const inside = name === zone || name.endsWith(`.${zone}`);
  if (!inside || question.class !== INTERNET || BULK.includes(question.type)) return REFUSED;
  const names = namesOf(facts, question.turn);
  const data = names.get(name);
  // A name above one that is there is there, too: NXDOMAIN would deny everything below it (RFC 8020).
  const there = data !== undefined || [...names.keys()].some((other) => other.endsWith(`.${name}`));
  const found = chosen(data ?? [], question.type);
  if (found.length === 0) return nothing(zone, there ? "NOERROR" : "NXDOMAIN");
  const answers = found.map((one) => ({ ...one, name: question.name }));
  const additionals = question.type === ANY ? [] : found.flatMap((one) => beside(one, names));
  return { rcode: "NOERROR", authoritative: true, answers, authorities: [], additionals };
}

function nothing(zone: string, rcode: "NOERROR" | "NXDOMAIN"): DnsAnswer {
  const authorities = [{ ...authorityOf(zone), name: zone }];
  return { rcode, authoritative: true, answers: [], authorities, additionals: [] };
}

type Names = ReadonlyMap<string, readonly DnsData[]>;

/** Every name of the zone with what there is to say of it. */
function namesOf(facts: DnsFacts, turn: number): Names {
  const { zone, server, leader } = facts;
  const ns = `ns.${zone}`;
  return new Map<string, readonly DnsData[]>([
    ...nodeNames(facts),
    [zone, [authorityOf(zone), { type: "NS", target: ns }]],
    [ns, server === null ? [] : [ip(server)]],
    [`leader.${zone}`, hosts([leader?.address ?? null])],
    [`_db._tcp.leader.${zone}`, service(facts)],
    [`replica.${zone}`, hosts(turned(replicasOf(facts), turn))],
  ]);
}

/** Nodes by name. Two ids that differ in case alone are one name, which would be either's: it is nobody's. */
function nodeNames({ zone, leader, nodes }: DnsFacts): [string, readonly DnsData[]][] {
  const known = leader === null || leader.id === "" ? nodes : [leader, ...nodes];
  const owners = new Map<string, DnsNode | null>();
  for (const node of known) {
    const name = nodeNameOf(node.id, zone);
    if (!name.ok) continue;
    const owner = owners.get(name.name);
    // The first of one id counts: who leads is where its record says.
    if (owner === undefined) owners.set(name.name, node);
    else if (owner?.id !== node.id) owners.set(name.name, null);
  }
  return [...owners].flatMap(([name, node]) => (node === null ? [] : [[name, hosts([node.address])]]));
}

/** Members other than the leader whose database is known; with no leader known, all of them. */
function replicasOf({ leader, nodes }: DnsFacts): readonly (Address | null)[] {
  const leads = ({ id, address }: DnsNode) =>
    leader !== null &&
    (id === leader.id ||
      (address !== null && address.host === leader.address?.host && address.port === leader.address.port));
  return nodes
    .filter((node) => node.follows && node.address !== null && !leads(node))
    .map((node) => node.address)
    .slice(0, MOST_REPLICAS);
}

/** The leader's port, and a name that leads to its address: its host's own, its node's, else the leader's. */
function service(facts: DnsFacts): readonly DnsData[] {
  const { leader, zone } = facts;
  if (leader === null || leader.address === null) return [];
  const { host, port } = leader.address;
  const name = nodeNameOf(leader.id, zone);
  const mine = name.ok && nodeNames(facts).some(([other]) => other === name.name);
  const target = !isIp(host) ? host : mine ? name.name : `leader.${zone}`;
  return [{ type: "SRV", port, target }];
}

/** Addresses as records. A host name is a CNAME, which stands alone (RFC 1034 §3.6.2): only where there is no address. */
function hosts(addresses: readonly (Address | null)[]): readonly DnsData[] {
  const all = addresses.flatMap((address) => (address === null ? [] : [address.host]));
  // Nodes may share a host.
  const addressed = [...new Set(all.filter(isIp))];
  if (addressed.length > 0) return addressed.map(ip);
  return all.slice(0, 1).map((target) => ({ type: "CNAME", target }));
}

function chosen(data: readonly DnsData[], type: number): readonly DnsData[] {
  if (type === ANY) return data.slice(0, 1);
  // Whatever is asked of an alias, the alias is the answer.
  return data.filter((one) => CODES[one.type] === type || one.type === "CNAME");
}

/** The addresses of what a record names, where they are of this zone. */
function beside(record: DnsData, names: Names): readonly DnsRecord[] {
  if (record.type !== "SRV" && record.type !== "NS") return [];
  const name = record.target;
  return (names.get(name) ?? [])
    .filter((one) => one.type === "A" || one.type === "AAAA")
    .map((one) => ({ ...one, name }));
}

function authorityOf(zone: string): DnsData {
  return { type: "SOA", server: `ns.${zone}`, mailbox: `hostmaster.${zone}` };
}

function ip(address: string): DnsData {
  return { type: address.includes(":") ? "AAAA" : "A", address };
}

/** As `parseAddress` gives a host: anything else with a colon or of four numbers is none. */
function isIp(host: string): boolean {
  return host.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}

function turned<T>(list: readonly T[], turn: number): readonly T[] {
  const at = list.length === 0 ? 0 : turn % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
