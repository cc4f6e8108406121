/** A little of what `npm run chaos -- clients` does for a minute. */
import { describe, expect, it } from "vitest";
import { startDiscoveryService } from "../support/discovery-services.ts";
import { withoutLeaks } from "../support/servers/index.ts";
import { besiege } from "./clients.ts";

describe("50 clients on one id", () =>
  withoutLeaks(() => {
    it.each([0, 2])(
      "lose no acknowledged registration and leave no gap, over %s kills",
      async (kills) => {
        const service = await startDiscoveryService(["-log-level=error"]);
        try {
          const held = await besiege(service, { clients: 50, forMs: 2_000, kills, seed: 7 });
          expect(held.wrong).toEqual([]);
          // Each client came to at least one, however slow the machine is.
          expect(held.registrations).toBeGreaterThanOrEqual(50);
          expect(held.repeated > 0).toBe(kills > 0);
        } finally {
          await service.stop();
        }
      },
      60_000,
    );
  }));
