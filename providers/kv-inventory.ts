/** Clusters in a key-value store: every key below a prefix that ends in `/genesis` is one, and its leased rows are its nodes. */
import * as z from "zod";
import { formatAddress, parseAddress } from "../src/core/address.ts";
import { ClusterKey } from "../src/core/cluster-key.ts";
import { type ClusterRecord, type InventoryNode, type Listing, normalised } from "../src/core/inventory.ts";
import { RollcallError } from "../src/lib/errors.ts";
import { memberOf, type Row } from "./kv.ts";

/** Where to look: what all keys begin with. Slashes at its ends say nothing. */
export const Prefix = z
  .string({ error: "must be what the keys of the clusters begin with, as in prod" })
  .transform((text) => text.replace(/^\/+|\/+$/g, ""))
  .pipe(ClusterKey);

/** In one listing, at most. */
const MOST_ROWS = 200_000;
const MOST_PROBLEMS = 20;

/** What one cluster has in the store. */
type Found = { genesis: boolean; leader: boolean; lacks: boolean; readonly nodes: InventoryNode[] };

/** What the rows below `<prefix>/`, all read at one moment, list. Throws `too_large`. */
export function toListing(doing: string, prefix: string, rows: readonly Row[]): Listing {
  if (rows.length > MOST_ROWS) throw new RollcallError("too_large", `${doing}: more than ${MOST_ROWS} rows`);
  const found = new Map<string, Found>();
  const retired: string[] = [];
  const problems: string[] = [];
  const at = (key: string): Found => {
    const one = found.get(key) ?? { genesis: false, leader: false, lacks: false, nodes: [] };
    found.set(key, one);
    return one;
  };
  for (const row of rows) {
    const place = placeOf(`${prefix}/${row.name}`);
    if (place === null) continue;
    const { key, directory, name } = place;
    if (directory === "retired") retired.push(name);
    else if (directory === null) at(key)[name === "genesis" ? "genesis" : "leader"] = true;
    else {
      const node = nodeOf(name, row.value);
      if (node === null) {
        problems.push(`${key}/members/${name} could not be read`);
        at(key).lacks = true;
      } else if (node !== "elsewhere") at(key).nodes.push(node);
    }
  }
  const keys = [...found.keys()].sort();
  const more = problems.length - MOST_PROBLEMS;
  return {
    kind: "complete",
    clusters: keys.filter((key) => found.get(key)?.genesis).map((key) => recordOf(key, at(key))),
    lacking: keys.filter((key) => found.get(key)?.lacks),
    leased: true,
    retired: [...new Set(retired)].sort(),
    foreign: keys.filter((key) => found.get(key)?.leader && !found.get(key)?.genesis),
    problems: more > 0 ? [...problems.slice(0, MOST_PROBLEMS), `and ${more} more`] : problems,
  };
}

function recordOf(key: string, { nodes }: Found): ClusterRecord {
  return normalised({ cluster_id: key, display_name: null, nodes });
}

type Place = {
  readonly key: string;
  readonly directory: "members" | "retired" | null;
  readonly name: string;
};

/** What a row is by its path; null: nothing that is looked at, or under a key that no agent can have. */
function placeOf(path: string): Place | null {
  // No key has a segment `members` or `retired` behind its first, so that a member called `genesis` is no genesis.
  const inside = /^(.+)\/(members|retired)\/([^/]+)$/.exec(path);
  const [, key = "", directory, name = ""] = inside ?? [];
  if (isKey(key) && (directory === "members" || directory === "retired")) return { key, directory, name };
  const [, own = "", last = ""] = /^(.+)\/(genesis|leader)$/.exec(path) ?? [];
  return isKey(own) ? { key: own, directory: null, name: last } : null;
}

function isKey(text: string): boolean {
  return ClusterKey.safeParse(text).success;
}

/** `elsewhere`: a member without an agent's address, which nobody can ask. */
function nodeOf(id: string, value: string): InventoryNode | "elsewhere" | null {
  const member = memberOf({ name: `members/${id}`, value });
  if (member === null) return null;
  if (member.agent_addr === "") return "elsewhere";
  const address = parseAddress(member.agent_addr);
  if (!address.ok) return null;
  return {
    agent_addr: formatAddress(address.value),
    secure: false,
    node_id: member.id,
    incarnation: member.incarnation,
  };
}
