/**
 * Clusters from an HTTP server, in Replicante's protocol: `{"clusters": […], "cursor": "…"}`, a page an answer, and the
 * cursor sent back in the body until it is null. Source: Replicante 0.7, discovery backend `http`.
 */
import type { Inventory, InventoryContext } from "../../src/core/inventory.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { listingOf } from "../records.ts";
import type { Config } from "./config.ts";
import { createPages } from "./pages.ts";

export { Config } from "./config.ts";

const DOING = "list clusters";

/** Opens the inventory. Connects to nothing yet. `clock` is for tests. */
export async function open(
  config: Config,
  context: InventoryContext,
  { clock = systemClock } = {},
): Promise<Inventory> {
  const pages = createPages(config, { file: context.file, clock, doing: DOING });
  return {
    look: async (signal) => listingOf(DOING, await pages.all(signal)),
    close: async () => pages.close(),
  };
}
