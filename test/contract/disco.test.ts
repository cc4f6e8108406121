import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { Config, open as openProvider } from "../../providers/disco.ts";
import { type Contents, inMemory, openDurable } from "../../src/discovery-service/durable.ts";
import { type Discovery, serve } from "../../src/discovery-service/serve.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { manualClock } from "../lib/manual-clock.ts";
import { tempDir } from "../support/temp.ts";
import { membersContract } from "./members.ts";
import { providerContract } from "./provider.ts";
import { realStage } from "./real-stage.ts";
import { registerContract } from "./register.ts";
import { contextFor, type Stage } from "./stage.ts";

const TTL_MS = 1_000;

/** Runs all suites over a service with contents that `open` gives, each time new and empty. */
function suites(name: string, open: () => Promise<{ contents: Contents; close(): void }>): void {
  describe(name, () => {
    const clock = manualClock();
    const opened: { contents: Contents; close(): void }[] = [];
    const current = () => opened.at(-1)?.contents as Contents;
    const failures: unknown[] = [];
    let service: Discovery;

    beforeAll(async () => {
      opened.push(await open());
      // Whatever is asked, the store of the moment answers.
      const contents = {
        registers: new Proxy(current().registers, { get: (_, key) => Reflect.get(current().registers, key) }),
        lists: current().lists,
        synced: () => current().synced(),
        writable: () => current().writable(),
      };
      const log = { error: (what: unknown) => failures.push(what) };
      service = await serve(
        { host: "127.0.0.1", port: 0, token: null, contents },
        { clock, log, uuid: randomUUID },
      );
    });
    afterAll(async () => {
      const closed = service.close();
      clock.advance(1_000);
      await closed;
      for (const { close } of opened) close();
      expect(failures).toEqual([]);
    });

    /** Puts an empty store in place of the old one. Long polls on the old one are answered from the new one. */
    async function wipe(key: string): Promise<void> {
      const old = current();
      opened.push(await open());
      old.registers.put({ id: key, name: "wiped", value: "", expected: null });
    }

    async function stage(): Promise<Stage> {
      const real = await realStage({
        target: { address: "127.0.0.1", port: service.port },
        swaps: /^PUT \/[^ /]+\/registers\//,
        open: (endpoint, key) =>
          openProvider(Config.parse({ url: `http://${endpoint}` }), contextFor(key), { ttlMs: TTL_MS }),
        empty: wipe,
      });
      return { ...real, elapse: () => clock.advance(TTL_MS * 0.4) };
    }

    registerContract(name, "genesis", stage);
    registerContract(name, "leaderKey", stage);
    membersContract(name, stage);
    providerContract(name, stage);
  });
}

suites("Discovery Service in memory", async () => ({
  contents: inMemory({ uuid: randomUUID }),
  close: () => {},
}));
suites("Discovery Service on disk", async () => {
  const path = join(tempDir("discovery"), "discovery.db");
  const log = { error: () => {}, info: () => {} };
  const contents = await openDurable(path, { clock: systemClock, log, uuid: randomUUID });
  return { contents, close: contents.close };
});
