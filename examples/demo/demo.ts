/**
 * `npm run demo`: starts a store, three agents and three stand-in databases as real processes, tells what they
 * do, and leaves nothing behind. Ends with 0, with 1 when something failed, 2 for bad flags, 130 on Ctrl-C.
 */
import { join } from "node:path";
import { type Arguments, HELP, parseArguments } from "./arguments.ts";
import { newsOf, openCoordinator } from "./coordinator.ts";
import { openNode } from "./node.ts";
import { uuid } from "./process.ts";
import { exitCodeOf, perform, type Stage } from "./stage.ts";
import { KEY, openStore, programOf, type Store } from "./store.ts";
import { type Cast, play } from "./story.ts";

const ABOUT =
  "Three databases start without knowing each other. Beside each runs a rollcall agent. The agents " +
  "meet in a register, agree exactly once who creates the cluster, and each tells its database what " +
  "to do. The databases are small stand-ins that store nothing; the agents are the real thing.";

/** An orderly end: longer than an agent takes to withdraw from a store that does not answer. */
const IN_ORDER_MS = 4_000;

process.exitCode = await exitCodeOf("demo", async () => {
  const given = parseArguments(process.argv.slice(2));
  if (!given.help) return await demonstrate(given, programOf(given.disco, process.env));
  process.stdout.write(HELP);
  return 0;
});

/** Gives the exit code. */
function demonstrate({ disco, pace, keep }: Arguments, program: string | null): Promise<number> {
  const title = "rollcall demo: exactly one cluster";
  return perform({ name: "demo", title, about: ABOUT, who: "coordinator".length, pace }, async (stage) => {
    const store = await openStore(disco, program, { ...stage, uuid });
    stage.atEnd(() => store.close());
    const cast = castOf(stage, store);
    await play(cast);
    if (keep) await keepRunning(cast);
    await stage.wait.event("everything to end", endInOrder(cast));
  });
}

function castOf({ children, ports, dir, wait, screen }: Stage, store: Store): Cast {
  const portsOf = (n: number) => ({ agent: ports(n), database: ports(10 + n) });
  const node = (n: number) =>
    openNode({
      name: `node-${n}`,
      dir: join(dir, `node-${n}`),
      ports: portsOf(n),
      flags: store.flags,
      children,
      wait,
    });
  const coordinator = openCoordinator({
    ...{ dir, port: ports(5), agentPorts: [1, 2, 3, 4].map(ports), children, wait },
    settings: [
      {
        ...{ apiVersion: "rollcall/v1", kind: "ClusterSettings", metadata: { name: KEY } },
        spec: { interval: "1s", node_timeout: "1s" },
      },
    ],
    told: (event) => screen.news("coordinator", newsOf(event)),
  });
  const nodes = [node(1), node(2), node(3)] as const;
  return { screen, wait, store, nodes, spare: portsOf(4), coordinator, cluster: KEY };
}

async function keepRunning({ screen, wait, nodes: [first], coordinator, cluster }: Cast): Promise<void> {
  screen.gap();
  screen.plain("Everything keeps running until Ctrl-C. To look around:");
  screen.command(`curl http://${first.databaseAddr()}/`);
  screen.command(`curl http://${first.agentAddr()}/v1/outcome`);
  screen.command(`npm run rollcall -- status -addr ${first.agentAddr()}`);
  screen.command(`npm run rollcall -- clusters -coordinator ${coordinator.url}`);
  screen.command(`npm run rollcall -- cluster show ${cluster} -coordinator ${coordinator.url}`);
  screen.command(`npm run rollcall -- events --follow -coordinator ${coordinator.url}`);
  await wait.end();
}

async function endInOrder({ screen, store, nodes, coordinator }: Cast): Promise<void> {
  await coordinator.stop(IN_ORDER_MS);
  await Promise.all(nodes.map((node) => node.stop(IN_ORDER_MS)));
  await store.close();
  screen.gap();
  screen.event("all", "ended in order, the coordinator first. Nothing is left behind.");
}
