/** Address ranges as people write them, and those that no agent is ever asked in, whoever lists them. */
import { BlockList, isIP } from "node:net";
import { FORBIDDEN } from "./allow.ts";

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
  // Loopback lies in a range that is nobody's, and is an ordinary address all the same.
  if (address === "::1") return null;
  const inside = FORBIDDEN.find(([net, least]) => Number(bits) >= least && holds(net, least, address));
  return inside === undefined ? null : `${inside[2]}; no agent is asked there, whatever is listed`;
}

function holds(net: string, bits: number, inner: string): boolean {
  if (isIP(net) !== isIP(inner)) return false;
  const list = new BlockList();
  list.addSubnet(net, bits, family(net));
  return list.check(inner, family(inner));
}

/** IPv4 in IPv6's clothes: `::ffff:0:0/96`. Node's own lists take it for the IPv4 address, connections do not always. */
function isMapped(address: string): boolean {
  return isIP(address) === 6 && new URL(`http://[${address}]/`).hostname.startsWith("[::ffff:");
}

function family(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
