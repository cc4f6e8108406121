/** A coordinator's process around what it serves beside itself. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CoordinatorConfig } from "../../src/config.ts";
import { runCoordinator } from "../../src/coordinator/run.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { openLog } from "../../src/lib/log.ts";
import { request } from "../support/http.ts";
import { freePort } from "../support/loopback.ts";
import { withoutLeaks } from "../support/servers/index.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";

const host = "127.0.0.1";

/** Runs one with a service beside it that only notes what happens to it. */
async function start(port: number) {
  const happened: string[] = [];
  const broken = new AbortController();
  const stop = new AbortController();
  const config: CoordinatorConfig = {
    ...{ name: "c", httpAddr: { host, port }, apply: null, tls: null, tokenFile: null },
    store: { kind: "sqlite", path: join(tempDir("run"), "r.db") },
    ...{ tokenForReads: false, exposure: null, retain: { ms: 3_600_000, events: 1_000 } },
    ...{ discoveryService: null, log: { level: "error", format: "json" } },
  };
  const ended = runCoordinator(
    config,
    {
      pacing: { clock: systemClock, random: () => 0.5 },
      log: openLog({ level: "error", format: "json", write: () => {}, color: false }),
      version: "test",
      file: async (path) => expect.unreachable(path),
      checkInventory: async () => ({ ok: true, value: {} }),
      openInventory: async () => expect.unreachable("nothing is applied"),
      mount: async () => ({
        base: "/beside",
        fetch: async (asked) => new Response(new URL(asked.url).pathname),
        metrics: () => [],
        paths: {},
        broken: broken.signal,
        end: () => void happened.push("end"),
        close: () => void happened.push("close"),
      }),
    },
    stop.signal,
  );
  // Whoever looks at it later is told of its failure then.
  ended.catch(() => {});
  return { ended, broken, stop, happened };
}

describe("a coordinator that serves another service", () =>
  withoutLeaks(() => {
    const answers = (url: string) =>
      until(
        () =>
          request(url).then(
            ({ status }) => status === 200,
            () => false,
          ),
        {
          deadlineMs: 10_000,
          what: "the coordinator to listen",
        },
      );

    it("answers for it, and ends it before the server and closes it after", async () => {
      const port = await freePort(host);
      const { ended, stop, happened } = await start(port);
      await answers(`http://${host}:${port}/readyz`);
      expect((await request(`http://${host}:${port}/beside/x`)).body).toBe("/beside/x");
      stop.abort();
      await ended;
      expect(happened).toEqual(["end", "close"]);
    });

    it("ends with the reason of what it serves when that cannot go on", async () => {
      const port = await freePort(host);
      const { ended, broken, happened } = await start(port);
      await answers(`http://${host}:${port}/readyz`);
      broken.abort(new RollcallError("store_unknown", "write to the store: disk I/O error"));
      await expect(ended).rejects.toMatchObject({ code: "store_unknown" });
      expect(happened).toEqual(["end", "close"]);
      await expect(request(`http://${host}:${port}/readyz`)).rejects.toThrow("ECONNREFUSED");
    });

    it("closes it also when it cannot listen", async () => {
      const port = await freePort(host);
      const first = await start(port);
      await answers(`http://${host}:${port}/readyz`);
      const second = await start(port);
      await expect(second.ended).rejects.toMatchObject({ code: "listen" });
      expect(second.happened).toEqual(["close"]);
      first.stop.abort();
      await first.ended;
    });
  }));
