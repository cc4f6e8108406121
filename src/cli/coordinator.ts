/** `rollcall coordinator`: runs until a signal ends it. */
import type { CoordinatorConfig, MountedServiceConfig } from "../config.ts";
import { parseDocuments } from "../coordinator/documents.ts";
import { runCoordinator } from "../coordinator/run.ts";
import { settingsProblems } from "../coordinator/watched.ts";
import { openLog } from "../lib/log.ts";
import type { Io } from "./io.ts";
import { printable } from "./usage.ts";

/** 0 after an orderly end; 2 when settings at -apply are wrong, before anything is begun. Throws one clear line when it cannot go on. */
export async function run(config: CoordinatorConfig, io: Io): Promise<number> {
  const problems =
    config.apply === null
      ? []
      : await settingsProblems(config.apply, (text) => parseDocuments(text, io.checkInventory));
  for (const problem of problems) io.stderr(`rollcall: ${printable(problem)}\n`);
  if (problems.length > 0) return 2;
  const stop = io.untilStopped();
  const log = openLog({
    ...config.log,
    write: io.stderr,
    color: io.terminal.stderr && io.env.NO_COLOR === undefined,
  });
  const { pacing, version, file, checkInventory, openInventory, uuid } = io;
  const { discoveryService: service, tokenFile, tls } = config;
  const mount = async (options: MountedServiceConfig) => {
    const { openMounted } = await import("../discovery-service/mounted.ts");
    const rest = { tokenFile, certified: tls?.clientAuth ?? false };
    return openMounted({ ...options, ...rest }, { clock: pacing.clock, uuid, log, version, file });
  };
  const deps = { pacing, version, file, log, checkInventory, openInventory };
  await runCoordinator(config, { ...deps, mount: service === null ? null : () => mount(service) }, stop);
  return 0;
}
