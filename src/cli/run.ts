/**
 * From arguments to an exit code. Each command's code is loaded when it is asked for, so that `version` and
 * `help` start at once and an agent loads no more than it runs.
 */

import type { Settings } from "../config.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import type { CommandName } from "./command.ts";
import type { Io } from "./io.ts";
import { parseLine } from "./parse.ts";
import { printable } from "./usage.ts";

/** Runs the command that `io.argv` names. Never throws: 0 done, 1 failed, 2 bad input, 3 overdue. */
export async function run(io: Io): Promise<number> {
  try {
    return await dispatch(io);
  } catch (error) {
    // A deadline's cause is our own abort, which says nothing more.
    const late = error instanceof RollcallError && error.code === "deadline";
    const why = late ? error.message : reason(error);
    const hint = error instanceof RollcallError && error.hint !== null ? `; ${error.hint}` : "";
    io.stderr(`rollcall: ${printable(`${why}${hint}`)}\n`);
    return error instanceof RollcallError && error.code === "usage" ? 2 : 1;
  }
}

async function dispatch(io: Io): Promise<number> {
  const line = parseLine(io.argv);
  if (line.kind === "help") {
    io.stdout((await import("./help.ts")).helpText(line.topic));
    return 0;
  }
  if (line.command === "version") return (await import("./version.ts")).run(io);
  const { resolve } = await import("./resolve.ts");
  return runCommand(line.command, await resolve(line, io), io);
}

async function runCommand(command: CommandName, settings: Settings, io: Io): Promise<number> {
  switch (command) {
    case "agent": {
      const [{ agentConfig }, agent] = await Promise.all([import("./configs.ts"), import("./agent.ts")]);
      return agent.run(await agentConfig(settings, io), io);
    }
    case "validate": {
      const [{ agentConfig }, validate] = await Promise.all([
        import("./configs.ts"),
        import("./validate.ts"),
      ]);
      return validate.run(await agentConfig(settings, io), io);
    }
    case "discover":
      return (await import("./discover.ts")).run(settings, io);
    case "provider list":
      return (await import("./provider.ts")).run(settings, io);
    case "status":
      return (await import("./status.ts")).run(settings, io);
    case "explain":
      return (await import("./explain.ts")).run(settings, io);
    case "leave":
      return (await import("./leave.ts")).run(settings, io);
    case "genesis assume-lost":
      return (await import("./assume-lost.ts")).run(settings, io);
    case "genesis show":
    case "genesis init":
    case "genesis adopt":
    case "genesis restore":
    case "genesis rebirth":
      return (await import("./genesis.ts")).run(command, settings, io);
    case "coordinator": {
      const [{ coordinatorConfig }, coordinator] = await Promise.all([
        import("./coordinator-configs.ts"),
        import("./coordinator.ts"),
      ]);
      return coordinator.run(coordinatorConfig(settings, io), io);
    }
    case "discovery": {
      const [{ discoveryServiceConfig }, service] = await Promise.all([
        import("./coordinator-configs.ts"),
        import("./discovery-service.ts"),
      ]);
      return service.run(discoveryServiceConfig(settings, io), io);
    }
    case "apply":
      return (await import("./apply.ts")).run(settings, io);
    case "clusters":
    case "get clusters":
      return (await import("./clusters.ts")).run(settings, io);
    case "cluster show":
      return (await import("./cluster-show.ts")).run(settings, io);
    case "nodes":
      return (await import("./nodes.ts")).run(settings, io);
    case "events":
      return (await import("./events.ts")).run(settings, io);
    case "get discoveries":
    case "get settings":
    case "delete discovery":
    case "delete cluster":
    case "cluster refresh":
    case "discovery accept":
      return (await import("./objects.ts")).run(command, settings, io);
    case "help":
    case "version":
      return 0;
    default:
      return command satisfies never;
  }
}
