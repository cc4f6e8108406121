/** What a database calls its nodes, in the ids that agents give theirs. */
import type { Verdict } from "./identities.ts";
import type { Entry, Naming } from "./observe-node.ts";

/**
 * A member by its id where a node has that id, else by the address that a node gives its database. Who is none of
 * ours keeps the name that the database has for it.
 */
export function naming(entries: ReadonlyMap<string, Entry>, judged: ReadonlyMap<string, Verdict>): Naming {
  const ids = new Set<string>();
  const byAddress = new Map<string, string>();
  const learn = (id: string, ...addresses: readonly string[]) => {
    ids.add(id);
    for (const address of addresses) if (address !== "") byAddress.set(address, id);
  };
  for (const { node } of entries.values())
    if (node.identity !== null && node.report !== null)
      learn(node.identity.node_id, node.report.api_addr, node.report.addr);
  // What is said now goes before what was said.
  for (const verdict of judged.values())
    if (verdict.kind === "taken" && verdict.answer.kind === "state")
      learn(verdict.identity.node_id, verdict.answer.api_addr, verdict.answer.addr);
  return ({ id, addr, api_addr }) =>
    ids.has(id) ? id : (byAddress.get(addr) ?? byAddress.get(api_addr) ?? (id || addr || api_addr));
}
