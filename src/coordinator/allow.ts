/**
 * Where a coordinator may connect to. An inventory is somebody else's text: without this, whoever writes it could
 * make the coordinator ask anything inside its own network.
 */
import { BlockList, isIP } from "node:net";
import type { Allow } from "../core/settings.ts";
import { RollcallError } from "../lib/errors.ts";

/** The list as it is asked. */
export type AllowList = {
  port(port: number): boolean;
  /** Null: connections may go to this IP address; else why not, as the end of a sentence that begins with it. */
  refuses(ip: string): string | null;
};

/**
 * Never connected to, whatever a list says: what serves a machine's own credentials, this machine under another
 * name, and what is no single machine. Sources: the IANA special-purpose registries; the metadata addresses as AWS,
 * Google, Azure, Alibaba and Oracle document them. An IPv4 address inside a NAT64 or 6to4 one counts as itself.
 */
export const FORBIDDEN: readonly (readonly [net: string, bits: number, why: string])[] = [
  ["0.0.0.0", 8, "is no machine's address"],
  ["::", 96, "is no machine's address"],
  ["169.254.0.0", 16, "is link-local"],
  ["fe80::", 10, "is link-local"],
  ["64:ff9b::a9fe:0", 112, "is link-local"],
  ["2002:a9fe::", 32, "is link-local"],
  ["64:ff9b::", 104, "is no machine's address"],
  ["2002::", 24, "is no machine's address"],
  ["224.0.0.0", 4, "is multicast"],
  ["ff00::", 8, "is multicast"],
  ["240.0.0.0", 4, "is reserved"],
  ["100.100.100.200", 32, "is a metadata service"],
  ["168.63.129.16", 32, "is a metadata service"],
  ["192.0.0.192", 32, "is a metadata service"],
  ["fd00:ec2::254", 128, "is a metadata service"],
  ["fd20:ce::254", 128, "is a metadata service"],
];

/** One network as people write it; a lone address is a network of one. */
type Network = { readonly ip: string; readonly bits: number; readonly family: "ipv4" | "ipv6" };

/** What is wrong with a text that should be a network, as the end of a sentence that begins with it; null: nothing. */
export function networkProblem(text: string): string | null {
  return networkOf(text) === null ? "is no network; write one as in 10.0.0.0/8 or fd00::/8" : null;
}

/** A list that allows what is on it, and nothing where it is empty. Throws `not_allowed` when a network cannot be read. */
export function openAllowList({ cidrs, ports }: Allow): AllowList {
  // One each: a single list would take ::/0 for every IPv4 address as well.
  const allowed = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const cidr of cidrs) {
    const network = networkOf(cidr);
    if (network === null) throw new RollcallError("not_allowed", `allow: ${cidr} ${networkProblem(cidr)}`);
    allowed[network.family].addSubnet(network.ip, network.bits, network.family);
  }
  const open = new Set(ports);
  const forbidden = forbiddenNetworks();
  return {
    port: (port) => open.has(port),
    refuses(ip) {
      const plain = plainIp(ip);
      if (plain === null) return "is no IP address";
      const family = isIP(plain) === 4 ? "ipv4" : "ipv6";
      // Loopback is an ordinary address here: only a list can allow it.
      const no = plain === "::1" ? undefined : forbidden.find(({ list }) => list.check(plain, family));
      if (no !== undefined) return no.why;
      return allowed[family].check(plain, family) ? null : "is not in the allow-list";
    },
  };
}

/** An IP address in its one form; an IPv4-mapped one as the IPv4 address that it reaches. Null: it is none, or has a zone. */
export function plainIp(ip: string): string | null {
  const version = isIP(ip);
  if (version === 4) return ip;
  if (version === 0 || ip.includes("%")) return null;
  const canonical = new URL(`http://[${ip}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (mapped === null) return canonical;
  const [high, low] = [Number.parseInt(mapped[1] ?? "", 16), Number.parseInt(mapped[2] ?? "", 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function networkOf(text: string): Network | null {
  const match = /^([0-9a-f:.]+)(?:\/(\d{1,3}))?$/i.exec(text);
  const given = match?.[1] ?? "";
  const ip = plainIp(given);
  if (ip === null) return null;
  const most = isIP(ip) === 4 ? 32 : 128;
  // A mapped network's bits count from the front of the long form.
  const shift = isIP(given) === 6 && most === 32 ? 96 : 0;
  const bits = match?.[2] === undefined ? most : Number(match[2]) - shift;
  return bits < 0 || bits > most ? null : { ip, bits, family: most === 32 ? "ipv4" : "ipv6" };
}

function forbiddenNetworks(): { list: BlockList; why: string }[] {
  return FORBIDDEN.map(([net, bits, why]) => {
    const list = new BlockList();
    list.addSubnet(net, bits, net.includes(":") ? "ipv6" : "ipv4");
    return { list, why };
  });
}
