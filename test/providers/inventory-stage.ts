/** Inventories opened by tests, and closed after each. */
import { randomUUID } from "node:crypto";
import { afterEach } from "vitest";
import { inventories } from "../../providers/index.ts";
import type { Inventory, InventoryContext, InventoryMode, Listing } from "../../src/core/inventory.ts";
import { fileCache } from "../../src/lib/files.ts";

/** What main gives an inventory. */
export function inventoryContext(clusterId: string | null = null): InventoryContext {
  return { clusterId, now: Date.now, file: fileCache(), uuid: randomUUID };
}

/** Gives what opens an inventory of a mode from the JSON of its configuration. */
export function inventoryOpener(mode: InventoryMode) {
  const opened: Inventory[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((inventory) => inventory.close()));
  });
  return async (config: unknown, clusterId: string | null = null): Promise<Inventory> => {
    const { Config, open } = await inventories[mode]();
    const inventory = await open(Config.parse(config), inventoryContext(clusterId));
    opened.push(inventory);
    return inventory;
  };
}

/** One look that ends by itself. */
export function lookOf(inventory: Inventory): Promise<Listing> {
  return inventory.look(new AbortController().signal);
}

/** `code: message` of what a look throws. */
export async function lackOf(inventory: Inventory): Promise<string> {
  try {
    return JSON.stringify(await lookOf(inventory));
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code}: ${message}`;
  }
}

/** An agent's address, as an inventory lists it that fixes nothing else. */
export function plainNode(agent_addr: string, more: object = {}) {
  return { agent_addr, secure: false, node_id: null, incarnation: null, ...more };
}
