/** The clusters below a prefix in etcd, by one linearizable read. */
import type { Inventory, InventoryContext } from "../../src/core/inventory.ts";
import { Prefix, toListing } from "../kv-inventory.ts";
import * as provider from "./config.ts";
import { createConnection } from "./connection.ts";
import { createRows } from "./rows.ts";

const DOING = "list clusters";

/** The configuration of mode etcd-kv, and where the clusters are. */
export const Config = provider.Config.safeExtend({ prefix: Prefix });
export type Config = ReturnType<typeof Config.parse>;

/** Opens the inventory. Connects to nothing yet. */
export async function open(config: Config, context: InventoryContext): Promise<Inventory> {
  // The default of a CommonJS package is all of it, in Node and in a bundle; its names are there in Node only.
  const {
    default: { Etcd3 },
  } = await import("etcd3");
  const { prefix, ...store } = config;
  const connection = createConnection(Etcd3, store, { ...context, key: prefix });
  const rows = createRows(connection, prefix);
  return {
    look: async (signal) => toListing(DOING, prefix, (await rows.tree(DOING, signal)).rows),
    close: async () => connection.close(),
  };
}
