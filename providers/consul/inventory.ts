/** The clusters below a prefix in Consul's key-value store, by one consistent read. */
import type { Inventory, InventoryContext } from "../../src/core/inventory.ts";
import { Prefix, toListing } from "../kv-inventory.ts";
import * as provider from "./config.ts";
import { createConnection } from "./connection.ts";
import { createRows } from "./rows.ts";

const DOING = "list clusters";

/** The configuration of mode consul-kv, and where the clusters are. */
export const Config = provider.Config.extend({ prefix: Prefix });
export type Config = ReturnType<typeof Config.parse>;

/** Opens the inventory. Connects to nothing yet. */
export async function open(config: Config, context: InventoryContext): Promise<Inventory> {
  const { default: Consul } = await import("consul");
  const { prefix, namespace, partition } = config;
  const connection = createConnection(Consul, config, { ...context, key: prefix });
  const rows = createRows(connection, { key: prefix, namespace, partition });
  return {
    look: async (signal) => toListing(DOING, prefix, (await rows.tree(DOING, null, signal)).rows),
    close: async () => connection.close(),
  };
}
