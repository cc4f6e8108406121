/** How peers are found without a store, for tests of the words. */
import type { Discovery } from "../../src/core/reasons-voters.ts";

/** A list that says nothing, in which nobody is silent. */
export function discoveryOf(more: Partial<Discovery> = {}): Discovery {
  const nothing = { found: null, problems: [], foundSelf: false, silent: [], blind: [], unlisted: [] };
  const heard = { told: [], callers: [], databases: [] };
  return { mode: "static", ownAddress: "n3.test:4100", ...nothing, ...heard, ...more };
}
