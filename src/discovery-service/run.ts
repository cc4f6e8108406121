/** The Discovery Service as a process: opens its file, listens, and runs until it is told to stop. */
import type { DiscoveryServiceConfig } from "../config.ts";
import { formatAddress } from "../core/address.ts";
import { tokenIn } from "../lib/bearer.ts";
import { reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Pacing } from "../lib/loop.ts";
import { releasers, runAll } from "../lib/run.ts";
import { readTls, renewTls } from "../lib/server-tls.ts";
import { openDurable } from "./durable.ts";
import { serve } from "./serve.ts";

export type RunDeps = {
  readonly pacing: Pacing;
  readonly log: Log;
  readonly uuid: () => string;
  readonly version: string;
  /** A file's text, read again when it changed. */
  readonly file: (path: string) => Promise<string>;
};

/** Runs one service to its end. Throws one clear line when it cannot begin, or cannot vouch for its file any more. */
export async function runDiscoveryService(
  config: DiscoveryServiceConfig,
  { pacing, log, uuid, version, file }: RunDeps,
  stop: AbortSignal,
): Promise<void> {
  const { clock } = pacing;
  const opened = releasers((error) => log.warn({ error: reason(error) }, "closing"));
  try {
    const contents = await openDurable(config.store.path, { clock, uuid, log });
    opened.push(contents.close);
    const { host, port } = config.httpAddr;
    const tls = await readTls(config.tls, file);
    const token = () => tokenIn(config.tokenFile, file);
    // A file that cannot be read is better found out now than by the first who asks.
    await token();
    const service = await serve(
      { host, port, token, contents, tls, version, unusedMs: config.unusedMs },
      { clock, uuid, log },
    );
    opened.push(service.close);
    const address = formatAddress({ host, port: service.port });
    const ids = contents.registers.size().ids + contents.lists.size().ids;
    log.info({ address, store: config.store.path, ids }, "listening");
    if (config.exposure !== null) log.warn({}, config.exposure);
    const ending = AbortSignal.any([stop, contents.broken]);
    await runAll(ending, [
      (signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true })),
      (signal) => renewTls(config.tls, tls, service, { file, clock, log }, signal),
    ]);
    if (contents.broken.aborted) throw contents.broken.reason;
  } finally {
    await opened.close();
  }
}
