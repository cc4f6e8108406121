/** `rollcall agent`: runs the sidecar until a signal ends it. */
import { runAgent } from "../agent/agent.ts";
import { thisMachine } from "../agent/machine.ts";
import { openNotify } from "../agent/notify.ts";
import type { AgentConfig } from "../config.ts";
import { openLog } from "../lib/log.ts";
import type { Io } from "./io.ts";

/**
 * 0 after an orderly end, the database's code where that ended for good, 3 when overdue with -exit-on-timeout.
 * Throws one clear line when the agent cannot go on.
 */
export async function run(config: AgentConfig, io: Io): Promise<number> {
  const stop = io.untilStopped();
  const log = openLog({
    ...config.log,
    write: io.stderr,
    color: io.terminal.stderr && io.env.NO_COLOR === undefined,
  });
  const ended = await runAgent(
    config,
    {
      machine: thisMachine,
      pacing: io.pacing,
      uuid: io.uuid,
      log,
      file: io.file,
      openProvider: () => io.openProvider(config.disco),
      hostName: io.hostName,
      hookEnv: withoutOurs(io.env),
      version: io.version,
      memory: io.memory,
      onSignals: io.onSignals,
      notify: openNotify({ env: io.env, pid: io.pid, clock: io.pacing.clock, log }),
    },
    stop,
  );
  if (ended.by === "stop") return 0;
  if (ended.by === "database") return ended.code;
  io.stderr("rollcall: overdue: no cluster within -bootstrap-expect-timeout\n");
  return 3;
}

/**
 * The database and hooks get the environment without rollcall's own variables, which may name secrets, and
 * without systemd's, which are about the agent.
 */
function withoutOurs(env: Io["env"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      /^(?:ROLLCALL_|NOTIFY_SOCKET$|WATCHDOG_)/.test(name) || value === undefined ? [] : [[name, value]],
    ),
  );
}
