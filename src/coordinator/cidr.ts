/** Address ranges as people write them, and those that no agent is ever asked in, whoever lists them. */
import { BlockList, isIP } from "node:net";

type Range = { readonly address: string; readonly prefix: number; readonly called: string };

/** Where machines keep what only they themselves may ask: link-local addresses and clouds' metadata services. */
const NEVER: readonly Range[] = [
  { address: "169.254.0.0", prefix: 16, called: "link-local" },
  { address: "fe80::", prefix: 10, called: "link-local" },
  { address: "fd00:ec2::254", prefix: 128, called: "a metadata service's" },
  { address: "fd20:ce::254", prefix: 128, called: "a metadata service's" },
  { address: "100.100.100.200", prefix: 32, called: "a metadata service's" },
  { address: "168.63.129.16", prefix: 32, called: "a metadata service's" },
  { address: "192.0.0.192", prefix: 32, called: "a metadata service's" },
];

/** What is wrong with a range, as the end of a sentence that begins with it; null: nothing. */
export function cidrProblem(text: string): string | null {
  const [address = "", bits = "", ...rest] = text.split("/");
  const family = isIP(address);
  const most = family === 6 ? 128 : 32;
  if (family === 0 || rest.length > 0 || address.includes("%"))
    return "must be an address range such as 10.0.0.0/8 or fd00::/8";
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > most)
    return `must end in a prefix length from 0 to ${most}, as in ${address}/${most}`;
  if (isMapped(address)) return "must be written as an IPv4 range";
  const inside = NEVER.find((never) => Number(bits) >= never.prefix && holds(never, address));
  return inside === undefined ? null : `is ${inside.called}; no agent is asked there, whatever is listed`;
}

function holds({ address, prefix }: Range, inner: string): boolean {
  if (isIP(address) !== isIP(inner)) return false;
  const list = new BlockList();
  list.addSubnet(address, prefix, family(address));
  return list.check(inner, family(inner));
}

/** IPv4 in IPv6's clothes: `::ffff:0:0/96`. Node's own lists take it for the IPv4 address, connections do not always. */
function isMapped(address: string): boolean {
  return isIP(address) === 6 && new URL(`http://[${address}]/`).hostname.startsWith("[::ffff:");
}

function family(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
