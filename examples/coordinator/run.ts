/**
 * `node examples/coordinator/run.ts`: a real coordinator over 200 simulated agents in 20 clusters, and what it tells
 * while things happen to them. Ends with 0, with 1 when something failed, 2 for bad flags, 130 on Ctrl-C.
 */
import { parseArgs } from "node:util";
import { codeOf, RollcallError, reason } from "../../src/lib/errors.ts";
import { paceOf } from "../demo/arguments.ts";
import { newsOf, openCoordinator } from "../demo/coordinator.ts";
import { exitCodeOf, perform } from "../demo/stage.ts";
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

process.exitCode = await exitCodeOf("coordinator", async () => {
  const given = argumentsOf(process.argv.slice(2));
  if (given !== null) return await demonstrate(given);
  process.stdout.write(HELP);
  return 0;
});

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

/** Gives the exit code. */
function demonstrate({ pace, keep }: Arguments): Promise<number> {
  const title = "rollcall: one coordinator, 200 agents";
  return perform(
    { name: "coordinator", title, about: ABOUT, who: "coordinator".length, pace },
    async (stage) => {
      const { ports, screen } = stage;
      const agents = openAgents();
      stage.atEnd(() => agents.close());
      // Addresses that depend on the process, so that two of these seldom meet.
      const shape = { clusters: CLUSTERS, nodes: NODES, first: 20 + (process.pid % 200), port: ports(1) };
      const clusters = await agents.listen(shape);
      const coordinator = openCoordinator({
        ...{ ...stage, port: ports(0), agentPorts: [shape.port] },
        settings: clusters.map(({ cluster_id }) => ({
          ...{ apiVersion: "rollcall/v1", kind: "ClusterSettings", metadata: { name: cluster_id } },
          spec: { interval: "2s", node_timeout: "1s" },
        })),
        told: (event) => screen.news("coordinator", newsOf(event)),
      });
      const cast: Cast = { ...stage, agents, clusters, coordinator };
      await play(cast);
      if (keep) await keepRunning(cast);
      await coordinator.stop(IN_ORDER_MS);
      await agents.close();
      screen.gap();
      screen.event("all", "ended in order: coordinator, agents. Nothing is left behind.");
    },
  );
}

async function keepRunning({ screen, wait, coordinator }: Cast): Promise<void> {
  screen.gap();
  screen.plain("Everything keeps running until Ctrl-C. To look around:");
  for (const words of commands(coordinator.url)) screen.command(`npm run rollcall -- ${words}`);
  await wait.end();
}
