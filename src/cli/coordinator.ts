/** `rollcall coordinator`: runs until a signal ends it. */
import type { CoordinatorConfig } from "../config.ts";
import { runCoordinator } from "../coordinator/run.ts";
import { openLog } from "../lib/log.ts";
import type { Io } from "./io.ts";

/** 0 after an orderly end. Throws one clear line when it cannot go on. */
export async function run(config: CoordinatorConfig, io: Io): Promise<number> {
  const stop = io.untilStopped();
  const log = openLog({
    ...config.log,
    write: io.stderr,
    color: io.terminal.stderr && io.env.NO_COLOR === undefined,
  });
  const { pacing, version, file, checkInventory, openInventory } = io;
  await runCoordinator(config, { pacing, version, file, log, checkInventory, openInventory }, stop);
  return 0;
}
