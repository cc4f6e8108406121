/** `rollcall discovery`: runs until a signal ends it. */
import type { DiscoveryServiceConfig } from "../config.ts";
import { runDiscoveryService } from "../discovery-service/run.ts";
import { openLog } from "../lib/log.ts";
import type { Io } from "./io.ts";

/** 0 after an orderly end. Throws one clear line when it cannot go on. */
export async function run(config: DiscoveryServiceConfig, io: Io): Promise<number> {
  const stop = io.untilStopped();
  const log = openLog({
    ...config.log,
    write: io.stderr,
    color: io.terminal.stderr && io.env.NO_COLOR === undefined,
  });
  const { pacing, uuid, version, file } = io;
  await runDiscoveryService(config, { pacing, uuid, version, file, log }, stop);
  return 0;
}
