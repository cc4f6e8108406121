/** An inventory of one cluster, over the look-ups of any provider. */
import * as z from "zod";
import { formatAddress, parseAddress } from "../src/core/address.ts";
import {
  type Inventory,
  type InventoryContext,
  type InventoryNode,
  type Listing,
  normalised,
} from "../src/core/inventory.ts";
import type { Lookup, Provider, ProviderContext } from "../src/core/provider.ts";
import { RollcallError } from "../src/lib/errors.ts";

type OneCluster = {
  readonly Config: z.ZodType;
  open(config: unknown, context: ProviderContext): Promise<Provider>;
};

/** Where a mode's own configuration names the cluster: a Discovery Service's id. */
const Named = z.looseObject({ id: z.string() });

/** The mode, as an inventory. `open` throws `no_cluster_id` when neither the settings nor the mode name the cluster. */
export function ofOneCluster(mode: OneCluster) {
  return {
    Config: mode.Config,
    async open(config: unknown, context: InventoryContext): Promise<Inventory> {
      const clusterId = context.clusterId ?? Named.safeParse(config).data?.id;
      if (clusterId === undefined)
        throw new RollcallError("no_cluster_id", "list the cluster: nothing names it");
      const provider = await mode.open(config, { ...context, key: clusterId });
      return {
        look: async (signal) => toListing(clusterId, await provider.lookup(signal)),
        close: () => provider.close(),
      };
    },
  };
}

/** What a look-up says of the cluster. A store without its genesis has no such cluster. */
export function toListing(clusterId: string, lookup: Lookup): Listing {
  const stored = lookup.members !== undefined;
  const there = !stored || (lookup.genesis ?? null) !== null;
  const foreign = stored && !there && (lookup.leader ?? null) !== null;
  const { nodes, problems } = nodesOf(lookup);
  const lacks =
    lookup.kind === "partial" ? (lookup.problems ?? ["the record of a member could not be read"]) : [];
  return {
    kind: "complete",
    clusters: there ? [normalised({ cluster_id: clusterId, display_name: null, nodes })] : [],
    lacking: lacks.length + problems.length > 0 ? [clusterId] : [],
    leased: stored,
    retired: [],
    foreign: foreign ? [clusterId] : [],
    problems: [...lacks, ...problems],
  };
}

function nodesOf({ addresses, members }: Lookup) {
  const nodes: InventoryNode[] = [];
  const problems: string[] = [];
  const add = (text: string, node_id: string | null, incarnation: string | null) => {
    // A member without an agent's address is one that nobody can ask.
    if (text === "") return;
    const address = parseAddress(text);
    if (address.ok)
      nodes.push({ agent_addr: formatAddress(address.value), secure: false, node_id, incarnation });
    else problems.push(`the address of ${node_id ?? "an agent"} ${address.problem}`);
  };
  if (members === undefined) for (const address of addresses) add(address, null, null);
  else for (const { agent_addr, id, incarnation } of members) add(agent_addr, id, incarnation);
  return { nodes, problems };
}
