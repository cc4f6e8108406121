/**
 * `node examples/coordinator/run.ts`: a real coordinator over 200 simulated agents in 20 clusters, and what it tells
 * while things happen to them. Ends with 0, with 1 when something failed, 2 for bad flags, 130 on Ctrl-C.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../../src/lib/clock.ts";
import { codeOf, RollcallError, reason } from "../../src/lib/errors.ts";
import { paceOf } from "../demo/arguments.ts";
import { openChildren } from "../demo/children.ts";
import { newsOf, openCoordinator } from "../demo/coordinator.ts";
import { freePorts } from "../demo/ports.ts";
import { childEnv, endingOf, screenSince } from "../demo/process.ts";
import type { Screen } from "../demo/screen.ts";
import { openWait } from "../demo/wait.ts";
import { openAgents } from "./agents.ts";
import { type Cast, commands, play } from "./story.ts";

const HELP = `A coordinator polls 200 simulated agents and tells what changes.

usage: node examples/coordinator/run.ts [flags]

  -pace FACTOR   stretches the pauses between sentences (1); 0 leaves them out
  -keep          leaves everything running at the end, until Ctrl-C
  -h             this text
`;

const ABOUT =
  "One process answers as the agents of 20 clusters of 10 nodes would, on addresses of 127/8. A real " +
  "coordinator reads who they are from a file, asks each of them every two seconds, and tells what " +
  "changes as events. Everything it says here is its own; only the agents are not real.";

const CLUSTERS = 20;
const NODES = 10;
/** An orderly end of the coordinator. */
const IN_ORDER_MS = 4_000;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const given = argumentsOf(process.argv.slice(2));
    if (given !== null) return await perform(given);
    process.stdout.write(HELP);
    return 0;
  } catch (error) {
    process.stderr.write(`coordinator: ${reason(error)}\n`);
    return codeOf(error) === "usage" ? 2 : 1;
  }
}

type Arguments = { readonly pace: number; readonly keep: boolean };

/** As rollcall's own flags, with one dash or two; null: help is wanted. Throws one `usage` line. */
function argumentsOf(argv: readonly string[]): Arguments | null {
  const args = argv.map((word) => word.replace(/^-(?=[a-z]{2})/, "--"));
  try {
    const { values } = parseArgs({
      args,
      options: {
        ...{ pace: { type: "string", default: "1" }, keep: { type: "boolean", default: false } },
        ...{ help: { type: "boolean", short: "h", default: false } },
      },
    });
    return values.help ? null : { pace: paceOf(values.pace), keep: values.keep };
  } catch (error) {
    if (codeOf(error) === "usage") throw error;
    const [line = ""] = reason(error).split(". ");
    throw new RollcallError("usage", `${line.replaceAll("--", "-")}; see -h`);
  }
}

/** Sets the stage, plays, and clears up whatever happens. Gives the exit code. */
async function perform({ pace, keep }: Arguments): Promise<number> {
  const clock = systemClock;
  const began = clock.now();
  const ending = endingOf();
  const dir = mkdtempSync(join(tmpdir(), "rollcall-coordinator-"));
  const children = openChildren({ env: childEnv(), failed: (error) => ending.abort(error) }, clock);
  const clear = () => rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  process.once("exit", () => {
    children.killAll();
    clear();
  });
  const wait = openWait({ clock, signal: ending.signal, pace });
  const screen = screenSince(began, "coordinator".length);
  const agents = openAgents();
  try {
    screen.title("rollcall: one coordinator, 200 agents", ABOUT);
    const ports = await freePorts(process.pid);
    // Addresses that depend on the process, so that two of these seldom meet.
    const shape = { clusters: CLUSTERS, nodes: NODES, first: 20 + (process.pid % 200), port: ports(1) };
    const clusters = await agents.listen(shape);
    const cast: Cast = { screen, wait, agents, clusters, coordinator: watching(), children };
    await play(cast);
    if (keep) await keepRunning(cast);
    await cast.coordinator.stop(IN_ORDER_MS);
    await agents.close();
    screen.gap();
    screen.event("all", "ended in order: coordinator, agents. Nothing is left behind.");
    return 0;

    function watching() {
      return openCoordinator({
        ...{ dir, port: ports(0), agentPorts: [shape.port], children, wait },
        settings: clusters.map(({ cluster_id }) => ({
          ...{ apiVersion: "rollcall/v1", kind: "ClusterSettings", metadata: { name: cluster_id } },
          spec: { interval: "2s", node_timeout: "1s" },
        })),
        told: (event) => screen.news("coordinator", newsOf(event)),
      });
    }
  } catch (error) {
    return tell(ending.signal.aborted ? ending.signal.reason : error, screen);
  } finally {
    await children.endAll();
    await agents.close();
    clear();
  }
}

async function keepRunning({ screen, wait, coordinator }: Cast): Promise<void> {
  screen.gap();
  screen.plain("Everything keeps running until Ctrl-C. To look around:");
  for (const words of commands(coordinator.url)) screen.command(`npm run rollcall -- ${words}`);
  await wait.end();
}

/** Says why it ended early, and gives the exit code. */
function tell(error: unknown, screen: Screen): number {
  const facts = error instanceof RollcallError ? error.facts : {};
  if (typeof facts.exitCode === "number") {
    if (process.stdout.isTTY) process.stdout.write("\r");
    screen.event("all", "interrupted: everything ends now");
    return facts.exitCode;
  }
  const log = String(facts.log ?? "");
  process.stderr.write(`coordinator: ${reason(error)}${log === "" ? "" : `; the end of its log:\n${log}`}\n`);
  return 1;
}
